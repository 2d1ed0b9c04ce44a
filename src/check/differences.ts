/** What is not as expected, in as few blocks as it has causes: pods of one workload mostly differ together. */
import type { Party } from './party.ts';
import type { CheckedPair } from './report.ts';

export interface Difference {
  /** `shop/web-1`, or `2 pods of shop/web`. */
  readonly from: string;
  readonly to: string;
  /** Every source with every destination. The first speaks for all. */
  readonly pairs: readonly [CheckedPair, ...CheckedPair[]];
}

type Pairs = [CheckedPair, ...CheckedPair[]];

/** In the order of their first pairs. */
export function differencesOf(failed: readonly CheckedPair[]): Difference[] {
  const bySource = gathered(
    failed.map((checked): Pairs => [checked]),
    ([{ pair }]) => [groupOf(pair.from), pair.to.endpoint],
  );
  // Only destinations that have all of their sources in common.
  const blocks = gathered(bySource, (pairs) => {
    return [groupOf(pairs[0].pair.to), ...pairs.map(({ pair }) => pair.from.endpoint).sort()];
  });
  return blocks.map((pairs) => {
    const side = (end: 'from' | 'to') => sideName(pairs.map(({ pair }) => pair[end]));
    return { from: side('from'), to: side('to'), pairs };
  });
}

/** A pod that was asked for by another address of its stands alone. */
function groupOf({ endpoint, group }: Party): string {
  return endpoint.startsWith('pod/') ? group : endpoint;
}

/** Lists of pairs as one, where they have the same key and cause. */
function gathered(lists: readonly Pairs[], keyOf: (pairs: Pairs) => readonly string[]): Pairs[] {
  const byKey = new Map<string, Pairs>();
  for (const pairs of lists) {
    const key = JSON.stringify([keyOf(pairs), causeOf(pairs[0])]);
    const before = byKey.get(key);
    byKey.set(key, before === undefined ? pairs : [...before, ...pairs]);
  }
  return [...byKey.values()];
}

/** The same for pods of one workload whose names alone are different. */
function causeOf({ pair, actual, why }: CheckedPair): readonly unknown[] {
  const { from, to, protocol, port, expected, place } = pair;
  const cause = why.replaceAll(from.name, from.group).replaceAll(to.name, to.group);
  return [protocol, port, expected, place ?? null, actual, cause];
}

function sideName(parties: readonly Party[]): string {
  const count = new Set(parties.map(({ endpoint }) => endpoint)).size;
  return count === 1 ? parties[0]!.name : `${count} pods of ${parties[0]!.group}`;
}
