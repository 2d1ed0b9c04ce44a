/** What a measurement was limited by: the participant that had no time left, and what it spent it with. */
import { Activity } from '../ports/activity.ts';

export interface ParticipantUse {
  /** `client (iperf3)`, `n1`. */
  readonly name: string;
  /** Of one core: 0 to 1, and more for a program with several threads. */
  readonly coreShare: number;
  readonly cpuSeconds: number;
  /** Of a node: how often its dataplane thread was seen at each activity. */
  readonly samples?: readonly number[];
}

/** From here on a thread is said to have no time left. */
const FULL_CORE = 0.85;
/** From here on all processors are said to be busy. */
const FULL_MACHINE = 0.95;

const activityNames: Readonly<Record<number, string>> = {
  [Activity.Stories]: 'packet processing (JavaScript)',
  [Activity.ReadPod]: 'TAP reads',
  [Activity.WritePod]: 'TAP writes',
  [Activity.ReadUnderlay]: 'underlay reads',
  [Activity.WriteUnderlay]: 'underlay writes',
  [Activity.Messages]: 'configuration',
};

/** The most frequent activity but waiting, in words, with its share of what is not waiting; undefined: never seen. */
export function busiestActivity(samples: readonly number[]): { words: string; share: number } | undefined {
  const working = samples.map((count, i) => (i === Activity.Waiting ? 0 : count));
  const total = working.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const most = Math.max(...working);
  const words = activityNames[working.indexOf(most)] ?? 'something unknown';
  return { words, share: most / total };
}

/** @param machine busy core-seconds, seconds and processors. */
export function limitWords(
  participants: readonly ParticipantUse[],
  machine: { readonly busySeconds: number; readonly seconds: number; readonly processors: number },
): string {
  const sorted = [...participants].sort((a, b) => b.coreShare - a.coreShare);
  const [first] = sorted;
  if (first !== undefined && first.coreShare >= FULL_CORE) {
    return `limited by ${stageOf(first)}, ${percent(first.coreShare)} of one core`;
  }
  const { busySeconds, seconds, processors } = machine;
  if (busySeconds >= FULL_MACHINE * seconds * processors) {
    const shares = sorted.map((one) => `${stageOf(one)} ${percent(one.coreShare)} of one`);
    return `limited by the machine: ${processors} cores busy; ${shares.join(', ')}`;
  }
  if (first === undefined) return 'not limited by CPU';
  return `not limited by CPU: the busiest was ${stageOf(first)}, ${percent(first.coreShare)} of one core`;
}

/** `n2 TAP writes`, `the client (iperf3)`. */
function stageOf({ name, samples }: ParticipantUse): string {
  if (samples === undefined) return `the ${name}`;
  const activity = busiestActivity(samples);
  return activity === undefined ? name : `${name} ${activity.words}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
