import { describe, expect, test } from 'vitest';
import { latencyPlot, ratePlot, streamPlot } from '../../src/measure/bench-plots.ts';
import { cpuText, intervalLine, latencyText, noisyLine, rateText } from '../../src/measure/bench-text.ts';
import { parseIperfLine } from '../../src/measure/throughput.ts';

const machine = {
  ...{ seconds: 10, processors: 2, busySeconds: 18, stealShare: 0, foreignCores: 0, foreign: [] },
};
const trial = { wanted: 5, sent: 1_000_500, delivered: 1_000_000, seconds: 10 };

describe('lines of iperf3', () => {
  test('an interval at the client', () => {
    const line = '[  5]   1.00-2.00   sec  1.45 GBytes  12467123 Kbits/sec    3   3.10 MBytes       ';
    expect(parseIperfLine(line)).toEqual({
      ...{ fromSeconds: 1, toSeconds: 2, bytes: 1_558_390_375, retransmits: 3, end: undefined },
    });
  });

  test('the summary', () => {
    const sender = '[  5]   0.00-10.00  sec  14.5 GBytes  12467123 Kbits/sec   17             sender';
    const receiver = '[  5]   0.00-10.04  sec  14.5 GBytes  12400000 Kbits/sec                  receiver';
    expect(parseIperfLine(sender)).toMatchObject({ end: 'sender', retransmits: 17 });
    expect(parseIperfLine(receiver)).toMatchObject({ end: 'receiver', retransmits: undefined, toSeconds: 10.04 });
  });

  test('others are none', () => {
    for (const line of [
      '',
      'iperf Done.',
      '- - - - -',
      '[ ID] Interval           Transfer     Bitrate         Retr  Cwnd',
      '[  5] local 10.244.0.2 port 51084 connected to 10.244.1.2 port 5201',
    ]) {
      expect(parseIperfLine(line), line).toBeUndefined();
    }
  });
});

describe('lines in its shape', () => {
  test.each([
    [1_558_390_375, '[  1]   0.00-1.00   sec  1.45 GBytes  12.5 Gbits/sec\n'],
    [125_000, '[  1]   0.00-1.00   sec  0.12 MBytes  1.00 Mbits/sec\n'],
    [0, '[  1]   0.00-1.00   sec  0.00 MBytes  0.00 Mbits/sec\n'],
    [124_999_999_999, '[  1]   0.00-1.00   sec   116 GBytes  1000 Gbits/sec\n'],
  ])('%i bytes in a second', (bytes, line) => {
    expect(intervalLine({ fromSeconds: 0, toSeconds: 1, bytes })).toBe(line);
  });

  test('an interval that nobody should believe has no figure', () => {
    const line = noisyLine({ fromSeconds: 9, toSeconds: 10, bytes: 123_456_789 }, ['why', 'and why']);
    expect(line).toBe('[  1]   9.00-10.00  sec  too noisy: why; and why\n');
  });
});

test('CPU of the machine and of each participant, and what it cost', () => {
  const participants = [{ name: 'n1', cpuSeconds: 9, coreShare: 0.9 }];
  expect(cpuText({ machine, participants }, { amount: 15, unit: 'GB' })).toBe(
    [
      'CPU                 CORE-SECONDS   OF ONE CORE   PER GB',
      'machine (2 cores)   18.00          180 %         1.200',
      'n1                  9.00           90 %          0.600',
      '',
    ].join('\n'),
  );
  expect(cpuText({ machine, participants: [] }, { amount: 0, unit: 'GB' })).toMatch(/180 % +-$/m);
});

test('round trips; none of them', () => {
  const times = { count: 10, lost: 1, minUs: 20, p50Us: 25.04, p90Us: 30, p99Us: 1000, maxUs: 4000, quantilesUs: [] };
  expect(latencyText(times).split('\n')[1]).toMatch(/^10 +1 +20\.0 +25\.0 +30\.0 +1000\.0 +4000\.0$/);
  const none = {
    count: 10,
    lost: 10,
    minUs: null,
    p50Us: null,
    p90Us: null,
    p99Us: null,
    maxUs: null,
    quantilesUs: [],
  };
  expect(latencyText(none).split('\n')[1]).toMatch(/^10 +10 +- +- +- +- +-$/);
});

test('rates; and one that could not be repeated', () => {
  const text = rateText([
    { generator: 'sendmmsg', found: { trials: [trial], best: trial } },
    { generator: 'UDP_SEGMENT', found: { trials: [], best: undefined } },
  ]);
  expect(text).toMatch(/^sendmmsg +100,050 +100,000 +0\.050 % +1$/m);
  expect(text).toMatch(/^UDP_SEGMENT: no rate could be repeated with a loss of at most 0\.1 %$/m);
});

test('plots are drawn, whatever there is', () => {
  const words = { title: 't', subtitle: '<s>' };
  const empty = { count: 0, lost: 0, minUs: null, p50Us: null, p90Us: null, p99Us: null, maxUs: null };
  for (const svg of [
    streamPlot(words, [{ fromSeconds: 0, toSeconds: 1, bytes: 1e9 }]),
    streamPlot(words, []),
    latencyPlot(words, { ...empty, quantilesUs: [20, 21, 500] }),
    latencyPlot(words, { ...empty, quantilesUs: [null, null] }),
    ratePlot(words, [{ generator: 'sendmmsg', found: { trials: [trial, { ...trial, sent: 5 }], best: trial } }]),
    ratePlot(words, [{ generator: 'sendmmsg', found: { trials: [], best: undefined } }]),
  ]) {
    expect(svg).toMatch(/^<svg [\s\S]*&lt;s&gt;[\s\S]*<\/svg>\s*$/);
  }
});
