import { describe, expect, test } from 'vitest';
import { readReport } from '../../bench/peers/stream.ts';

const report = (bytes: number, sent: object = { retransmits: 3 }) =>
  JSON.stringify({ end: { sum_sent: sent, sum_received: { bits_per_second: bytes * 8, bytes } } });

describe("iperf3's report", () => {
  test('what counts is what the receiver got', () => {
    expect(readReport(report(1000))).toEqual({ bits: 8000, bytes: 1000, retransmits: 3 });
    expect(readReport(report(1000, {})).retransmits).toBe(0);
  });

  test.each([
    ['{"error":"unable to connect to server: Connection refused"}', 'Connection refused'],
    ['{"start":{}}', 'no report'],
    [report(0), 'nothing arrived'],
    ['', 'JSON'],
  ])('%s is a failure', (text, reason) => {
    expect(() => readReport(text)).toThrow(reason);
  });
});
