/**
 * NetworkPolicy the obvious way: straight from the documentation of the types in networking.k8s.io/v1
 * (`kubernetes/api`, networking/v1/types.go) and the rules NP-001 and following, one loop in another. Nothing here may
 * use more of `src/` than types: it is what the fast versions are compared with.
 */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type {
  IPBlock,
  NetworkPolicyEgressRule,
  NetworkPolicyIngressRule,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from 'kubernetes-types/networking/v1.d.ts';
import type { PolicyWorld, WorldPod, WorldPolicy } from '../../src/network-policy/policy-world.ts';
import { addressBytes } from './slow-address.ts';

/** The first packet of a flow, as it is when its destination has been chosen (NP-022, NP-031). */
export interface SlowQuestion {
  readonly source: string;
  readonly destination: string;
  /** A number is one of the protocols that have no ports. */
  readonly protocol: 'TCP' | 'UDP' | 'SCTP' | 'ICMP' | number;
  /** Without meaning to protocols that have none. */
  readonly port: number;
}

interface SlowSide {
  /** Is there a pod at this end, and a policy that governs it in this direction? */
  readonly isolated: boolean;
  readonly allowed: boolean;
}

interface SlowVerdict {
  readonly allowed: boolean;
  readonly egress: SlowSide;
  readonly ingress: SlowSide;
}

export type SlowDirection = 'egress' | 'ingress';

export function slowVerdict(world: PolicyWorld, question: SlowQuestion): SlowVerdict {
  const egress = slowSide(world, 'egress', question);
  const ingress = slowSide(world, 'ingress', question);
  return { allowed: egress.allowed && ingress.allowed, egress, ingress }; // NP-003
}

function slowSide(world: PolicyWorld, direction: SlowDirection, question: SlowQuestion): SlowSide {
  const [own, peer] =
    direction === 'egress' ? [question.source, question.destination] : [question.destination, question.source];
  const pod = podAt(world, own);
  // NP-028: pods of the host's network are the node; NP-037: what is no pod is not governed.
  if (pod === undefined) return { isolated: false, allowed: true };
  const policies = world.policies.filter((policy) => governs(policy, pod, direction));
  if (policies.length === 0) return { isolated: false, allowed: true }; // NP-001
  const exempt = podAt(world, peer) === pod || isOwnNode(world, pod, peer);
  // NP-002: one policy that allows it is enough
  return { isolated: true, allowed: exempt || policies.some((policy) => allows(world, policy, direction, question)) };
}

/** The pod that has the address. */
function podAt(world: PolicyWorld, address: string): WorldPod | undefined {
  return world.pods.find((pod) => !pod.hostNetwork && pod.addresses.some((own) => toNumber(own) === toNumber(address)));
}

/** NP-026: is this an address of the node where the pod runs? Pods of the host's network have no others. */
function isOwnNode({ hosts = [], pods }: PolicyWorld, { node }: WorldPod, address: string): boolean {
  const ofNode = [...hosts, ...pods.filter((pod) => pod.hostNetwork)].filter((host) => host.node === node);
  return ofNode.some(({ addresses }) => addresses.some((own) => toNumber(own) === toNumber(address)));
}

function governs(policy: WorldPolicy, pod: WorldPod, direction: SlowDirection): boolean {
  if (policy.namespace !== pod.namespace) return false;
  if (!slowMatches(policy.spec.podSelector, pod.labels)) return false;
  return slowPolicyTypes(policy.spec).includes(direction === 'egress' ? 'Egress' : 'Ingress');
}

/** NP-005 */
export function slowPolicyTypes(spec: NetworkPolicySpec): readonly string[] {
  if (spec.policyTypes !== undefined && spec.policyTypes.length > 0) return spec.policyTypes;
  return spec.egress !== undefined && spec.egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

function allows(world: PolicyWorld, policy: WorldPolicy, direction: SlowDirection, question: SlowQuestion): boolean {
  if (direction === 'egress') {
    return (policy.spec.egress ?? []).some(
      (rule: NetworkPolicyEgressRule) =>
        anyPeer(world, policy, rule.to, question.destination) && anyPort(world, rule.ports, question),
    );
  }
  return (policy.spec.ingress ?? []).some(
    (rule: NetworkPolicyIngressRule) =>
      anyPeer(world, policy, rule.from, question.source) && anyPort(world, rule.ports, question),
  );
}

/** NP-007, NP-009 */
function anyPeer(
  world: PolicyWorld,
  policy: WorldPolicy,
  peers: readonly NetworkPolicyPeer[] | undefined,
  address: string,
): boolean {
  if (peers === undefined || peers.length === 0) return true;
  return peers.some((peer) => {
    if (peer.ipBlock !== undefined) return slowInBlock(peer.ipBlock, address);
    const pod = podAt(world, address);
    return pod !== undefined && selects(world, policy, peer, pod);
  });
}

/** NP-010, NP-012 */
function selects(world: PolicyWorld, policy: WorldPolicy, peer: NetworkPolicyPeer, pod: WorldPod): boolean {
  if (peer.namespaceSelector === undefined) {
    if (pod.namespace !== policy.namespace) return false;
  } else {
    const namespace = world.namespaces.find((each) => each.name === pod.namespace);
    if (namespace === undefined || !slowMatches(peer.namespaceSelector, namespace.labels)) return false;
  }
  return peer.podSelector === undefined || slowMatches(peer.podSelector, pod.labels);
}

/** NP-013 */
function slowMatches(selector: LabelSelector | undefined, labels: Readonly<Record<string, string>>): boolean {
  const own = new Map(Object.entries(labels));
  for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) {
    if (own.get(key) !== value) return false;
  }
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    const value = own.get(key);
    const listed = value !== undefined && values.includes(value);
    if (operator === 'In' && !listed) return false;
    if (operator === 'NotIn' && listed) return false;
    if (operator === 'Exists' && value === undefined) return false;
    if (operator === 'DoesNotExist' && value !== undefined) return false;
  }
  return true;
}

/** NP-007, NP-024: what has no ports passes where ports are not spoken of. */
function anyPort(
  world: PolicyWorld,
  ports: readonly NetworkPolicyPort[] | undefined,
  { destination, protocol, port }: SlowQuestion,
): boolean {
  if (ports === undefined || ports.length === 0) return true;
  return ports.some((wanted) => {
    if ((wanted.protocol ?? 'TCP') !== protocol) return false; // NP-016, NP-023
    if (wanted.port === undefined) return true; // NP-017
    if (typeof wanted.port === 'number') return port >= wanted.port && port <= (wanted.endPort ?? wanted.port); // NP-020
    // NP-018, NP-019
    const served = podAt(world, destination)?.ports ?? [];
    return served.some((own) => own.name === wanted.port && own.protocol === protocol && own.port === port);
  });
}

/** NP-015 */
function slowInBlock(block: IPBlock, address: string): boolean {
  return inPrefix(block.cidr, address) && !(block.except ?? []).some((except) => inPrefix(except, address));
}

function inPrefix(prefix: string, address: string): boolean {
  const { first, last } = slowRange(prefix);
  const number = toNumber(address);
  return isV6(prefix) === isV6(address) && first <= number && number <= last;
}

const ranges = new Map<string, { readonly first: bigint; readonly last: bigint }>();

/** The first and the last address of a prefix such as `10.1.0.0/16`, whose host bits may be anything. */
export function slowRange(prefix: string): { readonly first: bigint; readonly last: bigint } {
  const known = ranges.get(prefix);
  if (known !== undefined) return known;
  const [address, len] = prefix.split('/') as [string, string];
  const size = 1n << BigInt((isV6(prefix) ? 128 : 32) - Number(len));
  const first = (toNumber(address) / size) * size;
  const range = { first, last: first + size - 1n };
  ranges.set(prefix, range);
  return range;
}

const numbers = new Map<string, bigint>();

function toNumber(address: string): bigint {
  let number = numbers.get(address);
  if (number === undefined) {
    number = addressBytes(address).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    // An IPv4 address is not the IPv6 address of the same number.
    if (!isV6(address)) number += 1n << 128n;
    numbers.set(address, number);
  }
  return number;
}

const isV6 = (text: string) => text.includes(':');
