/**
 * Addresses for random worlds of policies: those of pods and nodes, and those at the edges of what policies name.
 */
import type { NetworkPolicyPeer } from 'kubernetes-types/networking/v1.d.ts';
import type { PolicyWorld, WorldPolicy } from '../../src/network-policy/policy-world.ts';
import { addressText } from '../oracle/slow-address.ts';
import { slowRange } from '../oracle/slow-policy.ts';
import type { Random } from '../support/random.ts';

/** A world, and what else must be known to change it. */
export interface RandomWorld extends PolicyWorld {
  readonly families: readonly Family[];
  readonly nodes: readonly string[];
}

export type Family = 4 | 6;

export const NODES = ['n1', 'n2', 'n3'];
const OUTSIDE: Record<Family, readonly string[]> = {
  4: ['1.2.3.4', '10.0.0.1', '192.168.255.255', '255.255.255.254', '10.244.255.1'],
  6: ['2001:db8::1', 'fd00:10:244:ff::1', '::1:2', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe'],
};

export const podAddress = (family: Family, node: number, host: number) =>
  family === 4 ? `10.244.${node + 1}.${host}` : `fd00:10:244:${node + 1}::${host.toString(16)}`;

export const nodeAddress = (family: Family, node: number) =>
  family === 4 ? `172.18.0.${node + 2}` : `fd00:172:18::${node + 2}`;

/** A pod's address, a node's, one at an edge of a policy's prefixes, or another. */
export function randomAddress(world: RandomWorld, random: Random, family: Family): string {
  const kind = random.below(10);
  const own = world.families.indexOf(family);
  if (kind < 5 && own >= 0 && world.pods.length > 0) return random.pick(world.pods).addresses[own]!;
  if (kind === 5) return nodeAddress(family, random.below(NODES.length));
  if (kind === 6) return random.pick(OUTSIDE[family]);
  const prefixes = prefixesOf(world).filter((prefix) => prefix.includes(':') === (family === 6));
  if (prefixes.length === 0) return random.pick(OUTSIDE[family]);
  const { first, last } = slowRange(random.pick(prefixes));
  return edgeIn(world, random, family, first - (random.once(3) ? 1n : 0n), last + (random.once(3) ? 1n : 0n));
}

/** The first or last of them, or a pod's that is between. */
export function edgeIn(world: RandomWorld, random: Random, family: Family, first: bigint, last: bigint): string {
  if (random.once(3)) {
    const pods = world.pods
      .flatMap((pod) => pod.addresses)
      .filter((address) => address.includes(':') === (family === 6));
    const inside = pods.filter((address) => {
      const number = slowRange(`${address}/${family === 4 ? 32 : 128}`).first;
      return number >= first && number <= last;
    });
    if (inside.length > 0) return random.pick(inside);
  }
  return numberText(random.once(2) ? first : last, family);
}

const blocksOf = (peers: readonly NetworkPolicyPeer[] | undefined) =>
  (peers ?? []).flatMap(({ ipBlock }) => (ipBlock === undefined ? [] : [ipBlock.cidr, ...(ipBlock.except ?? [])]));

const prefixesKnown = new WeakMap<readonly WorldPolicy[], readonly string[]>();

function prefixesOf({ policies }: RandomWorld): readonly string[] {
  let prefixes = prefixesKnown.get(policies);
  if (prefixes === undefined) {
    prefixes = policies.flatMap(({ spec }) => [
      ...(spec.ingress ?? []).flatMap((rule) => blocksOf(rule.from)),
      ...(spec.egress ?? []).flatMap((rule) => blocksOf(rule.to)),
    ]);
    prefixesKnown.set(policies, prefixes);
  }
  return prefixes;
}

/** Numbers of `slowRange` as text, kept within the family. */
export function numberText(number: bigint, family: Family): string {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  let rest = BigInt.asUintN(bytes.length * 8, number);
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return addressText(bytes);
}
