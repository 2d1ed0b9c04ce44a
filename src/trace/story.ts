/**
 * The story of a probe: its first packet on its way there, and the first answer on its way back, hop by hop. A pure
 * function over what was seen.
 */
import { isLasting } from '../packet/lasting-drops.ts';
import { Place as Outcome } from '../packet/outcome.ts';
import type { Direction, Step } from './follow.ts';
import type { Judgement, Place } from './seen.ts';
import { type Tuple, tupleKey } from './tuple.ts';

/**
 * - `received`: it came into a node. `translated`: a Service, or masquerading, changes its addresses.
 * - `forwarded`: it left for another node, or for outside. `delivered`: its pod or host has it.
 * - `dropped`, `consumed`: its end. `held`: it waits on a link, or for its other fragments.
 * - `answered`: a node made an ICMP error of its own about it.
 */
export type HopKind =
  | ('received' | 'translated' | 'forwarded' | 'delivered')
  | ('dropped' | 'consumed' | 'held' | 'answered');

export interface StoryHop {
  readonly direction: Direction;
  readonly kind: HopKind;
  readonly node: string;
  readonly timeNs: number;
  /** Where it came from or went to. */
  readonly place: Place;
  /** What the packet is at this hop; of `translated` what it was. */
  readonly tuple: Tuple;
  /** Of `translated`: what it becomes. */
  readonly after?: Tuple;
  /** `SYN`, `echo reply`. */
  readonly words: string;
  /** Of `dropped` and `consumed`. */
  readonly reason?: { readonly name: string; readonly means: string; readonly look: string };
  readonly stage?: string;
  readonly judgement?: Judgement;
}

export interface Story {
  readonly hops: readonly StoryHop[];
  /** The first packet as it came in; undefined when none was seen. */
  readonly first: Step | undefined;
  /** The first packet where it was last seen coming in. */
  readonly last: Step | undefined;
}

/** @param steps in order of time. */
export function tellStory(steps: readonly Step[]): Story {
  const there = toldAttempt(steps.filter(isOf('forward')), firstReplyNs(steps));
  const replies = steps.filter(isOf('reply'));
  const reply = toldAttempt(replies, arrivalNs(replies));
  const incoming = there.filter(({ outgoing }) => !outgoing);
  return {
    hops: withoutRepeats([...there, ...reply].flatMap(hopsOf)),
    first: incoming[0],
    last: incoming.at(-1),
  };
}

function isOf(direction: Direction): (step: Step) => boolean {
  return (step) => step.direction === direction;
}

/**
 * What is sent again is told once: the last time before `successNs`, when it was answered or had arrived; where it never
 * was, the time when it came furthest, the first of equals.
 */
function toldAttempt(steps: readonly Step[], successNs: number | undefined): readonly Step[] {
  const starts = steps.filter(isStart).map(({ timeNs }) => timeNs);
  const attempts = starts.map((fromNs, i) => {
    const nextNs = starts[i + 1] ?? Infinity;
    return steps.filter(({ timeNs }) => timeNs >= fromNs && timeNs < nextNs);
  });
  if (attempts.length === 0) return steps;
  if (successNs !== undefined) {
    const last = starts.findLastIndex((timeNs) => timeNs < successNs);
    return attempts[Math.max(0, last)]!;
  }
  const ways = attempts.map(wayOf);
  return attempts[ways.indexOf(Math.max(...ways))]!;
}

/** To its end, which is an arrival or a drop for good, goes before any loss; a known loss before what is not known. */
function wayOf(attempt: readonly Step[]): number {
  const drops = attempt.filter(({ outcome }) => outcome < 0);
  const isOver = drops.length === 0 ? attempt.some(isArrival) : drops.some(({ reason }) => isLasting(reason?.name));
  if (isOver) return Infinity;
  const nodes = new Set(attempt.map(({ node }) => node)).size;
  return 2 * nodes + (drops.length > 0 ? 1 : 0);
}

/** It is taken in, or leaves the cluster. */
function isArrival({ outgoing, outcome, egress, reason }: Step): boolean {
  if (outgoing || outcome === Outcome.Held) return false;
  return reason !== undefined || ['pod', 'host', 'outside'].includes(egress.kind);
}

/** Where a packet comes into being: a pod or a host sends it, or a node does. */
function isStart({ outgoing, originated, ingress }: Step): boolean {
  return originated || (!outgoing && (ingress.kind === 'pod' || ingress.kind === 'host'));
}

function firstReplyNs(steps: readonly Step[]): number | undefined {
  return steps.find(isOf('reply'))?.timeNs;
}

/** When an answer reached a pod or host again. */
function arrivalNs(replies: readonly Step[]): number | undefined {
  const arrival = replies.find(({ outgoing, outcome, hop }) => outgoing && outcome >= 0 && !hop.endsWith(':underlay'));
  return arrival === undefined ? undefined : arrival.timeNs + 1;
}

function hopsOf(step: Step): StoryHop[] {
  return step.outgoing ? leaving(step) : arriving(step);
}

function arriving(step: Step): StoryHop[] {
  const { ingress, egress, outcome, reason } = step;
  const after = afterNat(step);
  const now = after ?? step.tuple;
  const hops = [hop(step, 'received', ingress)];
  if (after !== undefined) hops.push({ ...hop(step, 'translated', egress), after });
  if (outcome < 0) hops.push(dropped(step, now));
  else if (reason !== undefined) hops.push({ ...hop(step, 'consumed', egress), reason });
  else if (outcome === Outcome.Held) hops.push({ ...hop(step, 'held', egress), tuple: now });
  else {
    const isEnd = egress.kind === 'pod' || egress.kind === 'host';
    hops.push({ ...hop(step, isEnd ? 'delivered' : 'forwarded', egress), tuple: now });
  }
  return hops;
}

/** Told where it came in, unless it began in the node, or could not leave. */
function leaving(step: Step): StoryHop[] {
  const { egress, outcome, originated, tuple } = step;
  const end = outcome < 0 ? [dropped(step, tuple)] : [];
  return originated ? [hop(step, 'answered', egress), ...end] : end;
}

/** What NAT makes of the packet; of a denied one, what policy saw of it. */
export function afterNat({ tuple, translated, judgement }: Step): Tuple | undefined {
  const after = judgement?.tuple ?? translated?.after;
  return after === undefined || tupleKey(after) === tupleKey(tuple) ? undefined : after;
}

function hop({ direction, node, timeNs, tuple, words }: Step, kind: HopKind, place: Place): StoryHop {
  return { direction, kind, node, timeNs, place, tuple, words };
}

function dropped(step: Step, tuple: Tuple): StoryHop {
  const { reason, stage, judgement, egress } = step;
  return {
    ...hop(step, 'dropped', egress),
    tuple,
    ...(reason === undefined ? {} : { reason }),
    ...(stage === undefined ? {} : { stage }),
    ...(judgement === undefined ? {} : { judgement }),
  };
}

/** Fragments, segments, what a link has doubled, a drop seen at both its hops: each thing happens once. */
function withoutRepeats(hops: readonly StoryHop[]): StoryHop[] {
  const told = new Set<string>();
  return hops.filter(({ direction, kind, node, place, words }) => {
    const key = `${direction} ${kind} ${node} ${place.kind} ${place.name} ${words}`;
    if (told.has(key)) return false;
    told.add(key);
    return true;
  });
}
