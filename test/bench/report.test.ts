import { describe, expect, test } from 'vitest';
import { enterPodWorkload } from '../../bench/peers/enter-pod.ts';
import { type Goal, goals, judge, verdictWords } from '../../bench/peers/goals.ts';
import { packetsWorkload } from '../../bench/peers/packets.ts';
import { type ReportInput, renderReport } from '../../bench/peers/report.ts';
import { type RoundResult, samplesOf } from '../../bench/peers/round-result.ts';
import { roundTripWorkload } from '../../bench/peers/round-trip.ts';
import { Watch } from '../../bench/peers/setting.ts';
import { ratios, spread } from '../../bench/peers/statistics.ts';
import { serviceWorkload, streamWorkload } from '../../bench/peers/stream.ts';
import type { Workload } from '../../bench/peers/workload.ts';
import type { Rival } from '../../bench/rivals/rival.ts';

const QUIET = { stealShare: 0, foreignCores: 0 };
const NOISY = { stealShare: 0, foreignCores: 1 };

function rounds(contender: string, rates: readonly number[], change: Partial<RoundResult> = {}): RoundResult[] {
  return rates.map((rate, i) => ({
    wire: 'mtu',
    workload: 'stream',
    contender,
    round: i + 1,
    figures: { gbitPerSecond: rate, cost: 10 / rate },
    noise: QUIET,
    ...change,
  }));
}

const participants = ['podwire', 'kernel-vxlan', 'ovs'].map((name) => ({
  name,
  title: name.toUpperCase(),
  measure: () => {
    throw new Error('nothing is measured here');
  },
}));
const workload: Workload = {
  name: 'stream',
  title: 'One stream',
  method: 'As ever.',
  figures: [
    { key: 'gbitPerSecond', title: 'Gbit/s', digits: 1 },
    { key: 'cost', title: 'CPU-s/GB', digits: 2 },
  ],
  better: 'more',
  cost: 'cost',
  participants,
  subjects: ['podwire'],
};

function render(results: readonly RoundResult[], change: Partial<ReportInput> = {}) {
  return renderReport({
    title: 'Side by side',
    introduction: 'Introduction.',
    circumstances: ['today'],
    absent: ['tinc: install tinc'],
    notes: ['a note'],
    sections: [{ workload, wire: 'mtu' }],
    results,
    goals: [],
    rawFile: 'raw.jsonl',
    stem: 'peers',
    ...change,
  });
}

const rowOf = (markdown: string, name: string) => markdown.split('\n').find((line) => line.startsWith(`| ${name} |`));

describe('the report', () => {
  const results = [...rounds('podwire', [5, 6, 8]), ...rounds('kernel-vxlan', [10, 10, 10])];

  test('a table: medians, spreads, and ratios of the same rounds', () => {
    const { markdown } = render(results);
    expect(markdown.split('\n')[0]).toBe('# Side by side');
    expect(markdown).toContain('|  | Gbit/s | least – most | CPU-s/GB | PODWIRE ÷ it |');
    expect(rowOf(markdown, 'PODWIRE')).toBe('| PODWIRE | **6.0** | 5.0 – 8.0 | 1.67 |  |');
    expect(rowOf(markdown, 'KERNEL-VXLAN')).toBe(
      '| KERNEL-VXLAN | **10.0** | 10.0 – 10.0 | 1.00 | **0.60** (0.55 – 0.70; 0.50 – 0.80) |',
    );
  });

  test('who was not measured has no figures; nobody is left out', () => {
    const { markdown } = render(results);
    expect(rowOf(markdown, 'OVS')).toBe('| OVS | – |  |  | – |');
    expect(markdown).toContain('- Not here: tinc: install tinc');
    expect(markdown).toContain('- a note');
    expect(markdown).toContain('[raw.jsonl](raw.jsonl)');
  });

  test('a sentence of the figures', () => {
    expect(render(results).markdown).toContain('In Gbit/s, PODWIRE is 0.60 × KERNEL-VXLAN (for 1.67 × its CPU).\n');
  });

  test('with a plain one there are its column, its sentence and its bars', () => {
    const [, rival] = participants;
    const withPlain = { ...workload, subjects: [], plainTitle: 'with it' };
    const sections = [
      { wire: 'mtu', workload: { ...withPlain, participants: [participants[0]!, { ...rival!, plain: 'podwire' }] } },
    ];
    const { markdown, charts } = render(results, { sections });
    expect(rowOf(markdown, 'KERNEL-VXLAN')).toMatch(/\| \*\*1\.67\*\* \(1\.46 – 1\.83; 1\.25 – 2\.00\) \|$/);
    expect(markdown).toContain('| ÷ with it |');
    expect(markdown).toContain('In Gbit/s, KERNEL-VXLAN is 1.67 × PODWIRE (for 0.60 × its CPU).');
    expect(charts[0]!.svg).toContain('with it');
  });

  test('the first line says it when most of what somebody did was among noise', () => {
    const noisy = [...rounds('podwire', [5, 6]), ...rounds('kernel-vxlan', [10, 20], { noise: NOISY })];
    const { markdown } = render(noisy);
    expect(markdown.split('\n')[0]).toMatch(/^\*\*The machine was noisy: in stream \(mtu\)/);
    expect(rowOf(markdown, 'KERNEL-VXLAN')).toContain('| **15.0**† | 10.0 – 20.0 |');
    expect(rowOf(markdown, 'PODWIRE')).toContain('| **5.5** |');
  });

  test('failures are told by round and reason', () => {
    const failed = rounds('ovs', [0, 0], { figures: {}, failure: 'iperf3: no answer within 15 s' });
    const { markdown } = render([...results, ...failed]);
    expect(markdown).toContain('- OVS failed in round 1, 2: iperf3: no answer within 15 s');
  });

  test('a chart of the ratios beside it, and none of nothing', () => {
    const { markdown, charts } = render(results);
    expect(charts.map(({ file }) => file)).toEqual(['peers-stream-mtu.svg']);
    expect(charts[0]!.svg).toContain('KERNEL-VXLAN');
    expect(markdown).toContain('(peers-stream-mtu.svg)');
    expect(render([]).charts).toEqual([]);
    expect(render([]).markdown).not.toContain('.svg');
  });
});

describe('goals', () => {
  const goal = (change: Partial<Goal>): Goal => ({
    what: 'a stream',
    workload: 'stream',
    sense: 'at least',
    bound: 0.9,
    unit: '×',
    samples: (of) => ratios(samplesOf(of, 'podwire', 'gbitPerSecond'), samplesOf(of, 'kernel-vxlan', 'gbitPerSecond')),
    ...change,
  });
  const found = (median: number) => spread([{ round: 1, value: median, noisy: false }]);

  test.each([
    ['at least', 0.9, '×', 0.9, 'met'],
    ['at least', 0.9, '×', 0.45, 'missed by 50 %'],
    ['at least', 1, '×', 0.995, 'missed by 0.5 %'],
    ['at most', 25, 'µs', 25, 'met'],
    ['at most', 25, 'µs', -3, 'met'],
    ['at most', 25, 'µs', 56, 'missed by 31.0 µs'],
    ['at most', 2, '×', 3, 'missed by 50 %'],
  ] as const)('%s %d %s, measured %d: %s', (sense, bound, unit, median, expected) => {
    expect(verdictWords({ goal: goal({ sense, bound, unit }), wire: 'mtu', found: found(median) })).toBe(expected);
  });

  test('each is judged on its own wire, or on each', () => {
    const both = [
      ...rounds('podwire', [5]),
      ...rounds('kernel-vxlan', [10]),
      ...rounds('podwire', [20], { wire: 'superframe' }),
      ...rounds('kernel-vxlan', [10], { wire: 'superframe' }),
    ];
    const verdicts = judge([goal({}), goal({ wire: 'superframe' }), goal({ workload: 'rtt' })], both);
    expect(verdicts.map(({ wire, found }) => [wire, found?.median])).toEqual([
      ['mtu', 0.5],
      ['superframe', 2],
      ['superframe', 2],
    ]);
  });

  test('without the rival there is no verdict', () => {
    const [verdict] = judge([goal({})], rounds('podwire', [5]));
    expect(verdictWords(verdict!)).toBe('not measured');
  });

  test('the real ones ask for figures that rounds have', () => {
    const keysOf: Record<string, string[]> = {};
    const setting = { seconds: 1, signal: new AbortController().signal, watch: new Watch(() => []) };
    const own = { name: 'podwire', title: '', rival: { client: [] } as unknown as Rival };
    const real = [
      streamWorkload([], setting),
      serviceWorkload([], {}, setting),
      packetsWorkload([], true, setting),
      packetsWorkload([], false, setting),
      roundTripWorkload([], setting),
      enterPodWorkload(own, setting),
    ];
    for (const { name, figures } of real) keysOf[name] = figures.map(({ key }) => key);
    const figuresOf = (name: string) => Object.fromEntries(keysOf[name]!.map((key) => [key, 1]));
    const who = ['podwire', 'podwire-asleep', 'podwire-service', 'kernel-vxlan', 'ovs', 'pipe-ring', 'node'];
    const all = goals.flatMap(({ workload, wire = 'mtu' }) =>
      who.flatMap((name) => rounds(name, [1], { workload, wire, figures: figuresOf(workload) })),
    );
    const verdicts = judge(goals, all);
    expect(verdicts.length).toBeGreaterThanOrEqual(goals.length);
    for (const { goal, found } of verdicts) expect(found, goal.what).toBeDefined();
  });
});
