/** What podwire is to reach beside its rivals, and whether it did. */
import type { Wire } from '../rivals/wire.ts';
import { type RoundResult, samplesOf } from './round-result.ts';
import { differences, ratios, type Sample, type Spread, spread } from './statistics.ts';

export interface Goal {
  readonly what: string;
  readonly workload: string;
  /** Undefined: on each. */
  readonly wire?: Wire;
  readonly sense: 'at least' | 'at most';
  readonly bound: number;
  readonly unit: '×' | 'µs' | 'ms';
  /** @param results of this workload on one wire. */
  readonly samples: (results: readonly RoundResult[]) => Sample[];
}

export interface Verdict {
  readonly goal: Goal;
  readonly wire: string;
  /** Undefined: not measured. */
  readonly found: Spread | undefined;
}

const ratioOf = (figure: string, ours: string, theirs: string) => (results: readonly RoundResult[]) =>
  ratios(samplesOf(results, ours, figure), samplesOf(results, theirs, figure));
const differenceOf = (figure: string, ours: string, theirs: string) => (results: readonly RoundResult[]) =>
  differences(samplesOf(results, ours, figure), samplesOf(results, theirs, figure));

function atLeast(bound: number, what: string, workload: string, samples: Goal['samples'], wire?: Wire): Goal {
  return { what, workload, sense: 'at least', bound, unit: '×', samples, ...(wire === undefined ? {} : { wire }) };
}

const stream = (theirs: string) => ratioOf('gbitPerSecond', 'podwire', theirs);
const packets = (theirs: string) => ratioOf('kiloPacketsPerSecond', 'podwire', theirs);

export const goals: readonly Goal[] = [
  atLeast(0.9, 'one TCP stream ÷ kernel VXLAN', 'stream', stream('kernel-vxlan'), 'superframe'),
  atLeast(10, 'one TCP stream ÷ Open vSwitch', 'stream', stream('ovs'), 'superframe'),
  atLeast(1, 'one TCP stream ÷ kernel VXLAN', 'stream', stream('kernel-vxlan'), 'mtu'),
  atLeast(
    0.95,
    'stream through a Service with policy ÷ our plain stream',
    'service',
    ratioOf('gbitPerSecond', 'podwire-service', 'podwire'),
  ),
  ...['packets', 'packets-gso'].flatMap((workload) => {
    const how = workload === 'packets' ? 'one by one' : 'in rows';
    return [
      atLeast(1.3, `64-byte UDP, sent ${how} ÷ kernel VXLAN`, workload, packets('kernel-vxlan')),
      atLeast(4, `64-byte UDP, sent ${how} ÷ Open vSwitch`, workload, packets('ovs')),
    ];
  }),
  {
    what: 'round trip asleep, p50, above six pipes',
    workload: 'rtt',
    sense: 'at most',
    bound: 25,
    unit: 'µs',
    samples: differenceOf('p50Us', 'podwire-asleep', 'pipe-ring'),
  },
  {
    what: 'round trip with spin, p50 ÷ kernel VXLAN',
    workload: 'rtt',
    sense: 'at most',
    bound: 1,
    unit: '×',
    samples: ratioOf('p50Us', 'podwire', 'kernel-vxlan'),
  },
  {
    what: 'round trip with spin, p99 ÷ p50',
    workload: 'rtt',
    sense: 'at most',
    bound: 2,
    unit: '×',
    samples: (results) => ratios(samplesOf(results, 'podwire', 'p99Us'), samplesOf(results, 'podwire', 'p50Us')),
  },
  {
    what: '`exec POD -- true` above an empty Node process',
    workload: 'exec',
    sense: 'at most',
    bound: 15,
    unit: 'ms',
    samples: differenceOf('ms', 'podwire', 'node'),
  },
];

/** One for each goal and wire on which its workload was played. */
export function judge(all: readonly Goal[], results: readonly RoundResult[]): Verdict[] {
  return all.flatMap((goal) => {
    const played = results.filter(({ workload, wire }) => {
      return workload === goal.workload && (goal.wire === undefined || goal.wire === wire);
    });
    const wires = [...new Set(played.map(({ wire }) => wire))];
    return wires.map((wire) => {
      return { goal, wire, found: spread(goal.samples(played.filter((result) => result.wire === wire))) };
    });
  });
}

/** `met`, or by how much it was missed. */
export function verdictWords({ goal, found }: Verdict): string {
  if (found === undefined) return 'not measured';
  const { sense, bound, unit } = goal;
  const short = sense === 'at least' ? bound - found.median : found.median - bound;
  if (short <= 0) return 'met';
  return unit === '×' ? `missed by ${percent(short / bound)}` : `missed by ${short.toFixed(1)} ${unit}`;
}

function percent(share: number): string {
  const value = share * 100;
  return `${value < 1 ? value.toFixed(1) : Math.round(value)} %`;
}
