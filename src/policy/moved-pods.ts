/**
 * Which pods' verdicts may have changed from one spec to the next: those that have become isolated or no longer are,
 * whose rules give some identity other ports, or have a peer whose address is now of an identity with other ports. All
 * others' connections need not be judged again.
 */
import { NO_PORTS, NOT_ISOLATED, type PolicySpec, WORLD } from './policy-spec.ts';
import type { Prefix, PrefixMap } from './prefixes.ts';

/** A spec, and its prefixes. */
export interface Told {
  readonly spec: PolicySpec;
  readonly prefixes: PrefixMap;
}

/** Identities that some address had before, each with the one that it has now, the same or another. Two arrays of a length. */
interface Passages {
  readonly before: Int32Array;
  readonly after: Int32Array;
}

/** Port numbers, ascending. */
export function movedPods(before: Told, after: Told): Int32Array {
  const was = new Map(before.spec.pods.map((pod) => [pod.index, pod]));
  const is = new Map(after.spec.pods.map((pod) => [pod.index, pod]));
  const differ = rulesetComparer(before, after);
  const indexes = [...new Set([...was.keys(), ...is.keys()])].sort((a, b) => a - b);
  const moved = indexes.filter((index) => {
    const [from, to] = [was.get(index), is.get(index)];
    return (
      differ(from?.egress ?? NOT_ISOLATED, to?.egress ?? NOT_ISOLATED) ||
      differ(from?.ingress ?? NOT_ISOLATED, to?.ingress ?? NOT_ISOLATED)
    );
  });
  return Int32Array.from(moved);
}

/** Does a pod that had the one ruleset and now has the other let other flows through? Many pods share rulesets. */
function rulesetComparer(before: Told, after: Told): (was: number, is: number) => boolean {
  const comparable = before.spec.numbering === after.spec.numbering;
  const passages = comparable ? passagesOf(before.prefixes, after.prefixes) : undefined;
  const known = new Map<string, boolean>();
  return (was, is) => {
    if (was === NOT_ISOLATED || is === NOT_ISOLATED) return was !== is;
    if (passages === undefined) return true;
    const pair = `${was} ${is}`;
    let differ = known.get(pair);
    if (differ === undefined) {
      differ = rowsDiffer(before.spec.rulesets[was]!, after.spec.rulesets[is]!, passages);
      known.set(pair, differ);
    }
    return differ;
  };
}

/** Ten thousand identities in hundreds of rows: plain loops, measured by `bench/policy.ts`. */
function rowsDiffer(was: Int32Array, is: Int32Array, { before, after }: Passages): boolean {
  for (let i = 0; i < before.length; i++) {
    if ((was[before[i]!] ?? NO_PORTS) !== (is[after[i]!] ?? NO_PORTS)) return true;
  }
  return false;
}

/** An address is of the longest prefix that holds it, so it is enough to look at each prefix of either spec. */
function passagesOf(before: PrefixMap, after: PrefixMap): Passages {
  const passages = new Map<string, readonly [number, number]>();
  passages.set(`${WORLD} ${WORLD}`, [WORLD, WORLD]); // who has no prefix at all
  const look = (prefix: Prefix) => {
    const from = before.around(prefix) ?? WORLD;
    const to = after.around(prefix) ?? WORLD;
    passages.set(`${from} ${to}`, [from, to]);
  };
  for (const prefix of before.entries) look(prefix);
  for (const prefix of after.entries) look(prefix);
  const pairs = [...passages.values()];
  return { before: Int32Array.from(pairs, ([from]) => from), after: Int32Array.from(pairs, ([, to]) => to) };
}
