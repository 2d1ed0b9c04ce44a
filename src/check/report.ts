/** Answers beside expectations: what is as it should be, and what is not. */
import type { RuleReference } from '../network-policy/policy-world.ts';
import type { ProbeVerdict } from '../stack/probe-verdict.ts';
import { type Entry, type Pair, pairWords, portWords, type Question } from './resolve-pairs.ts';

/** What became of one question. What is said of policies may be found out when it is asked for. */
export interface CheckAnswer extends ProbeVerdict {
  readonly rule: RuleReference | undefined;
  readonly policies: readonly RuleReference[];
  /** Which policy allows or denies it, in a sentence; undefined where none has a say. */
  readonly explanation: string | undefined;
  /** The reason is no observation: nothing came back, and policies deny it. */
  readonly inferred?: boolean;
}

/** `refused`: it has come through, and nobody listened. */
export type Actual = 'allowed' | 'blocked' | 'refused';

export interface CheckedPair {
  readonly pair: Pair;
  readonly answer: CheckAnswer;
  readonly actual: Actual;
  readonly ok: boolean;
  /** Why it is not as expected, in a sentence; empty where it is. */
  readonly why: string;
  /** The file with its packets. */
  capture: string | undefined;
  /** Why there is none though one was wanted. */
  captureFailure: string | undefined;
}

export interface CheckedEntry {
  readonly entry: Entry;
  readonly pairs: readonly CheckedPair[];
  readonly ok: boolean;
}

export interface Judgement {
  readonly backend: string;
  readonly pairs: readonly CheckedPair[];
  readonly entries: readonly CheckedEntry[];
  readonly failed: readonly CheckedPair[];
  /** For the user: what could not be asked. */
  readonly notes: readonly string[];
}

export interface Report extends Judgement {
  /** Since the command began. */
  readonly elapsedMs: number;
}

export const POLICY_DENIED = 'PolicyDenied';

/** @param answers in the order of `pairs` */
export function judge(
  { pairs, entries, notes }: Question,
  answers: readonly CheckAnswer[],
  backend: string,
): Judgement {
  const checked = new Map<Pair, CheckedPair>();
  for (const [i, pair] of pairs.entries()) checked.set(pair, judgePair(pair, answers[i]!));
  const all = [...checked.values()];
  return {
    backend,
    notes,
    pairs: all,
    failed: all.filter(({ ok }) => !ok),
    entries: entries.map((entry) => {
      const own = entry.pairs.map((pair) => checked.get(pair)!);
      return { entry, pairs: own, ok: own.every(({ ok }) => ok) };
    }),
  };
}

function judgePair(pair: Pair, answer: CheckAnswer): CheckedPair {
  const actual = actualOf(pair, answer);
  const meaning = actual === 'refused' ? pair.refusedMeans : actual === 'allowed' ? 'allow' : 'deny';
  const ok = meaning === pair.expected;
  const why = ok ? '' : whyNot(pair, answer, actual);
  return { pair, answer, actual, ok, why, capture: undefined, captureFailure: undefined };
}

/** Outside the cluster nobody answers: what no policy has stopped counts as arrived. */
function actualOf({ to }: Pair, { outcome, reason }: CheckAnswer): Actual {
  if (to.outside) return reason === POLICY_DENIED ? 'blocked' : 'allowed';
  if (outcome === 'delivered') return 'allowed';
  return outcome === 'refused' ? 'refused' : 'blocked';
}

function whyNot(pair: Pair, answer: CheckAnswer, actual: Actual): string {
  const { to, protocol, port } = pair;
  if (actual === 'refused') {
    const through = `nothing listens on ${portWords(protocol, port)} of ${to.name}; the packet came through`;
    if (pair.expected === 'deny') return `${through}: no policy denies it`;
    const remedy =
      to.service === undefined
        ? 'declare it as a containerPort of the pod'
        : "declare the Service's targetPort as a containerPort of its pods";
    return `${through}: ${remedy}, then it answers`;
  }
  if (answer.explanation !== undefined) return answer.explanation;
  if (actual === 'allowed') return unrestricted(pair);
  return answer.outcome === 'lost' ? `nobody answered (${answer.reason})` : `${answer.outcome}: ${answer.reason}`;
}

/** Names both ends: a policy for either of them would do. */
function unrestricted({ from, to }: Pair): string {
  const ends = [
    ...(from.pod === undefined ? [] : [`egress from ${from.name}`]),
    ...(to.pod === undefined ? [] : [`ingress to ${to.name}`]),
    ...(to.service === undefined ? [] : [`ingress to the pods of ${to.name}`]),
  ];
  return `no policy restricts ${ends.length === 0 ? 'it' : ends.join(' or ')}`;
}

/** What holds, though not by any policy: such an expectation would hold without policies too. */
export function doubts({ pairs }: Pick<Report, 'pairs'>): string[] {
  return pairs.flatMap(({ pair, answer, actual, ok }) => {
    const isByPolicy = answer.reason === POLICY_DENIED;
    if (!ok || pair.expected !== 'deny' || isByPolicy || (actual === 'refused' && pair.refusedMeans === 'deny'))
      return [];
    return [`${pairWords(pair)} is blocked as expected, but by no policy: ${answer.outcome}, ${answer.reason}`];
  });
}

/** `expectations.yaml:7`, or that it is the default's. */
export function expectedBy({ place, expected }: Pair): string {
  return place === undefined ? `default: ${expected}` : `${place.file}:${place.line}`;
}

export function expectedWord({ expected }: Pair): string {
  return expected === 'allow' ? 'allowed' : 'blocked';
}

/** `2 of 12 connections are not as expected`, `all 12 connections are as expected`, `1 connection is as expected` */
export function summaryOf({ failed, pairs }: Pick<Report, 'failed' | 'pairs'>): string {
  if (pairs.length === 1) return `1 connection is ${failed.length === 0 ? '' : 'not '}as expected`;
  const count = `${pairs.length} connections`;
  if (failed.length === 0) return `all ${count} are as expected`;
  return `${failed.length} of ${count} ${failed.length === 1 ? 'is' : 'are'} not as expected`;
}
