/** What a measurement was limited by: the participant that had no time left, and what it spent it with. */
import { Activity } from '../ports/activity.ts';

export interface ParticipantUse {
  /** `client (iperf3)`, `n1`. */
  readonly name: string;
  /** Of one core: 0 to 1, and more for a program with several threads. Of a node it includes spinning (`workShare`). */
  readonly coreShare: number;
  readonly cpuSeconds: number;
  /** Of a node: how often its dataplane thread was seen at each activity. */
  readonly samples?: readonly number[];
}

/** From here on a thread is said to have no time left. */
const FULL_CORE = 0.85;
/** An activity with this share of a node's work is what the node does. */
const ALMOST_ALL = 0.9;
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

/**
 * The share of one core that a participant works for. A node that has just had packets looks for more before it sleeps:
 * its thread spins, and uses a core without being at its limit. Its samples say how much of the time it did not wait;
 * where others had its core meanwhile, it worked for less than that.
 */
export function workShare({ coreShare, samples }: Pick<ParticipantUse, 'coreShare' | 'samples'>): number {
  const total = samples?.reduce((sum, count) => sum + count, 0) ?? 0;
  if (samples === undefined || total === 0) return coreShare;
  return Math.min(coreShare, 1 - samples[Activity.Waiting]! / total);
}

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
  const sorted = [...participants].sort((a, b) => workShare(b) - workShare(a));
  const [first] = sorted;
  if (first !== undefined && workShare(first) >= FULL_CORE) return `limited by ${stageOf(first)}`;
  const { busySeconds, seconds, processors } = machine;
  if (busySeconds >= FULL_MACHINE * seconds * processors) {
    return `limited by the machine: ${processors} cores busy; ${sorted.map((one) => stageOf(one)).join('; ')}`;
  }
  if (first === undefined) return 'not limited by CPU';
  return `not limited by CPU: the busiest was ${stageOf(first)}`;
}

/**
 * `n2 TAP writes, 97 % of one core` where it does nothing else worth a word; `n2, 97 % of one core, 41 % of that TAP
 * writes`; `the client (iperf3), 60 % of one core`.
 */
function stageOf(participant: ParticipantUse): string {
  const { name, samples } = participant;
  const work = `${percent(workShare(participant))} of one core`;
  if (samples === undefined) return `the ${name}, ${work}`;
  const activity = busiestActivity(samples);
  if (activity === undefined) return `${name}, ${work}`;
  if (activity.share >= ALMOST_ALL) return `${name} ${activity.words}, ${work}`;
  return `${name}, ${work}, ${percent(activity.share)} of that ${activity.words}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
