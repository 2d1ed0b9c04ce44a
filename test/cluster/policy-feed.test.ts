/** What a node keeps of a pod that has ended, as long as its port is there. */
import { expect, test } from 'vitest';
import type { PlacedPod } from '../../src/cluster/placed-pod.ts';
import { PolicyFeed } from '../../src/cluster/policy-feed.ts';
import type { CompiledWorld, PodRules } from '../../src/network-policy/compile-policies.ts';
import { ALL_PORTS, NOT_ISOLATED } from '../../src/policy/policy-spec.ts';

const pod = { key: 'shop/db' } as PlacedPod;
const pods = new Map([[pod, 7]]);

function compiled(revision: number, numbering: number, rules: PodRules | undefined): CompiledWorld {
  const world = { revision, namespaces: [], pods: [], policies: [] };
  return { world, numbering, identities: [], portSets: [], rulesOf: () => rules };
}

test('NP-032 a pod that has ended is not opened while it still has a port, also when numbers begin anew', () => {
  const feed = new PolicyFeed();
  const row = Int32Array.of(0, ALL_PORTS);
  const first = feed.difference(compiled(1, 0, { ingress: row, egress: undefined }), pods)!;
  expect(first.pods).toEqual([{ index: 7, ingress: 0, egress: NOT_ISOLATED }]);
  expect(first.rulesets).toEqual([row]);

  // It has ended: policies see it no more.
  expect(feed.full(compiled(2, 0, undefined), pods).rulesets).toEqual([row]);

  const renumbered = feed.full(compiled(3, 1, undefined), pods);
  expect(renumbered.pods).toEqual(first.pods);
  expect(renumbered.rulesets).toEqual([new Int32Array(0)]); // whoever asks: no ports

  expect(feed.full(compiled(4, 1, undefined), new Map()).pods).toEqual([]);
});
