import { describe, expect, test } from 'vitest';
import { latencyPlot, ratePlot, streamPlot } from '../../src/measure/bench-plots.ts';
import {
  cpuText,
  headText,
  intervalLine,
  latencyText,
  limitText,
  lossText,
  noisyLine,
  rateText,
  timeText,
  trialText,
} from '../../src/measure/bench-text.ts';
import { isLater, parseIperfLine } from '../../src/measure/throughput.ts';

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

  test('an interval that comes again is none', () => {
    const interval = (fromSeconds: number, toSeconds: number) => ({ fromSeconds, toSeconds, bytes: 1 });
    expect(isLater(interval(0, 1), undefined)).toBe(true);
    expect(isLater(interval(1, 2), interval(0, 1))).toBe(true);
    expect(isLater(interval(1, 2), interval(1, 2))).toBe(false);
    expect(isLater(interval(1, 2.04), interval(1, 2))).toBe(false);
    expect(isLater(interval(2, 2), interval(1, 2))).toBe(false);
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
  expect(cpuText({ machine, participants }, { amount: 15, unit: '10^9 BYTES' })).toBe(
    [
      'CPU                 CORE-SECONDS   OF ONE CORE   PER 10^9 BYTES',
      'machine (2 cores)   18.00          180 %         1.200',
      'n1                  9.00           90 %          0.600',
      'others              9.00           90 %          0.600',
      '',
    ].join('\n'),
  );
  expect(cpuText({ machine, participants: [] }, { amount: 0, unit: 'GB' })).toMatch(/180 % +-$/m);
});

// Waiting, and writing to pods.
const spinning = { name: 'n2', cpuSeconds: 9, coreShare: 0.9, samples: [500, 0, 0, 500, 0, 0, 0] };

test('a node that spins: how much of its core that is', () => {
  const text = cpuText({ machine, participants: [spinning] }, { amount: 1, unit: 'X' });
  expect(text).toMatch(/^spinning, looking for more packets before it sleeps: n2 40 % of one core$/m);
});

test('where the time of a round trip goes; nothing is said where some were lost', () => {
  const use = { machine, participants: [{ name: 'client (meter)', cpuSeconds: 1, coreShare: 0.1 }, spinning] };
  const text = timeText({ count: 100_000, lost: 0 }, use);
  expect(text.replace(/\n +/g, ' ')).toMatch(
    /^a round trip took 100\.0 µs in the mean; work of it: client \(meter\) 10\.0, n2 50\.0 µs; the rest is /,
  );
  expect(timeText({ count: 100_000, lost: 1 }, use)).toBe('');
  expect(timeText({ count: 0, lost: 0 }, use)).toBe('');
});

test('a line of 80 columns is none too long, one of 81 is', () => {
  const head = (last: string) => headText(`${'a'.repeat(70)} ${last}`, 'b', []).split('\n')[0];
  expect(head('ccc')).toBe(`from: ${'a'.repeat(70)} ccc`);
  expect(head('cccc')).toBe(`from: ${'a'.repeat(70)}`);
});

test('no line is longer than 80 columns', () => {
  const participants = [1, 2, 3, 4].map((i) => ({ ...spinning, name: `node-with-a-name-${i}` }));
  const full = { ...machine, busySeconds: 20 };
  const dropped = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((letter) => [letter.repeat(20), 123_456_789]));
  const losses = { podQueue: 123_456_789, wireQueues: null, nodes: [{ node: 'n1', dropped, sendFailures: 5 }] };
  const use = { machine: full, participants, losses };
  const texts = [
    headText('shop/api-zcg94xc-gxmht on n2', `pod shop/api on n3 (${'f'.repeat(39)} port 21503)`, [
      'words '.repeat(30).trim(),
    ]),
    cpuText(use, { amount: 1, unit: '1000 ROUND TRIPS' }),
    ...[limitText(use), lossText(use), timeText({ count: 5, lost: 0 }, use)],
    rateText([{ generator: 'UDP_SEGMENT', found: { trials: [trial, { ...trial, delivered: 5 }], best: trial } }]),
  ];
  for (const line of texts.join('').split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(texts.join('')).not.toMatch(/ \n/);
});

test('a trial as it ends, and whether trials agree', () => {
  expect(trialText(3, trial)).toBe('trial 3: 100,050/s sent, 100,000/s delivered, loss 0.050 %');
  const text = (...trials: (typeof trial)[]) => rateText([{ generator: 'sendmmsg', found: { trials, best: trial } }]);
  const lost = { ...trial, sent: 500_000, delivered: 400_000 };
  expect(text(trial, lost)).toContain('sendmmsg: trials disagree: carried up to 100,000/s, lost from 50,000/s on');
  expect(text(trial, { ...lost, sent: 2_000_000 })).toContain(
    'trials agree: carried up to 100,000/s, lost from 200,000/s',
  );
  expect(text(trial)).not.toMatch(/agree/);
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

test('a short run begins at 0 seconds; rows of datagrams are called what they are', () => {
  const words = { title: 't', subtitle: 's' };
  const svg = streamPlot(words, [
    { fromSeconds: 0, toSeconds: 1, bytes: 1e9 },
    { fromSeconds: 1, toSeconds: 2, bytes: 1e9 },
  ]);
  for (const tick of ['0.5', '1', '1.5', '2']) expect(svg).toContain(`>${tick}</text>`);
  const found = { trials: [trial], best: trial };
  expect(ratePlot(words, [{ generator: 'UDP_SEGMENT', found }])).toContain('UDP_SEGMENT (superframes)');
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
