import { describe, expect, test } from 'vitest';
import { spokenBy } from '../../src/workload/first-bytes.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

describe('what a client speaks', () => {
  test.each([
    ['GET / HTTP/1.1\r\n', 'http'],
    ['GET /', 'http'],
    ['OPTIONS * HTTP/1.1\r\n', 'http'],
    ['POST http://web/ HTTP/1.1\r\n', 'http'],
    ['CONNECT web:443 HTTP/1.1\r\n', 'http'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http2'],
    ['\x16\x03\x01\x02\x00\x01\x00', 'tls'],
    ['\x16\x03\x01\x02\x00\x02', 'other'],
    ['\x16\x01', 'other'],
    ['hello\n', 'other'],
    ['get / HTTP/1.1\r\n', 'other'],
    ['GET x', 'other'],
    ['GETTING', 'other'],
    ['\r\n', 'other'],
    ['\0', 'other'],
    ['', 'undecided'],
    ['P', 'undecided'],
    ['PRI * HTTP/2.0', 'undecided'],
    ['DELETE ht', 'undecided'],
    ['\x16', 'undecided'],
    ['\x16\x03\x01\x02\x00', 'undecided'],
  ])('%j: %s', (text, spoken) => {
    expect(spokenBy(bytes(text))).toBe(spoken);
  });

  test('bytes that come one by one lead to the same end, and at most 16 are awaited', () => {
    for (const text of [
      'GET / HTTP/1.1',
      'CONNECT a:1',
      'PRI * HTTP/2.0\r\n',
      '\x16\x03\x03\x00\x10\x01',
      'OPTIONS http:',
    ]) {
      const steps = Array.from({ length: text.length }, (_, i) => spokenBy(bytes(text.slice(0, i + 1))));
      const first = steps.findIndex((spoken) => spoken !== 'undecided');
      expect(first).toBeLessThan(16);
      expect(new Set(steps.slice(first))).toEqual(new Set([spokenBy(bytes(text))]));
    }
  });
});
