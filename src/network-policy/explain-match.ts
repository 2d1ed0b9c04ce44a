/** Does a rule match? Asked of one rule, peer or port entry at a time, straight from the API's text: nothing is prepared. */
import type {
  IPBlock,
  NetworkPolicyEgressRule,
  NetworkPolicyIngressRule,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from 'kubernetes-types/networking/v1.d.ts';
import { matches, requirementsOf } from '../store/selector.ts';
import { isIpv4Words, parseAddress } from '../wire/address.ts';
import type { PolicyWorld, WorldNamespace, WorldPod, WorldPolicy } from './policy-world.ts';

export type Direction = 'egress' | 'ingress';

/** An end of a connection. */
export interface End {
  readonly address: string;
  /** Whose address it is; undefined of a node's, and of what is not in the cluster. */
  readonly pod: WorldPod | undefined;
  /** Whose node's address it is. */
  readonly node: string | undefined;
}

/** What is asked of the rules of one pod. */
export interface Asked {
  readonly world: PolicyWorld;
  readonly direction: Direction;
  /** The pod that the rules are of. */
  readonly pod: WorldPod;
  readonly peer: End;
  /** Whose names of ports count (NP-018). */
  readonly target: End;
  readonly protocol: string;
  readonly port: number;
}

export interface Rule {
  readonly peers: readonly NetworkPolicyPeer[];
  readonly ports: readonly NetworkPolicyPort[];
}

/** Protocols that have ports: the only ones that rules with `ports` can match (NP-024). */
const withPorts: readonly string[] = ['TCP', 'UDP', 'SCTP'];

export function hasPorts(protocol: string): boolean {
  return withPorts.includes(protocol);
}

export function endOf({ pods, hosts = [] }: PolicyWorld, address: string): End {
  const found = pods.find(({ addresses }) => addresses.includes(address));
  if (found?.hostNetwork === false) return { address, pod: found, node: undefined };
  const node = found?.node ?? hosts.find(({ addresses }) => addresses.includes(address))?.node;
  return { address, pod: undefined, node };
}

/** The policies that isolate a pod in a direction (NP-001, NP-004, NP-005). */
export function isolating({ policies }: PolicyWorld, pod: WorldPod, direction: Direction): WorldPolicy[] {
  const type = direction === 'egress' ? 'Egress' : 'Ingress';
  return policies.filter(
    ({ namespace, spec }) =>
      namespace === pod.namespace &&
      (spec.policyTypes ?? []).includes(type) &&
      matches(requirementsOf(spec.podSelector ?? {}), pod.labels),
  );
}

/** An empty list of peers or ports is as none at all: everything (NP-007). */
export function rulesOf({ spec }: WorldPolicy, direction: Direction): Rule[] {
  const rules: readonly (NetworkPolicyIngressRule & NetworkPolicyEgressRule)[] = spec[direction] ?? [];
  return rules.map(({ from, to, ports }) => ({
    peers: (direction === 'egress' ? to : from) ?? [],
    ports: ports ?? [],
  }));
}

/** NP-009: any of the peers, and any of the ports. */
export function ruleMatches({ peers, ports }: Rule, asked: Asked): boolean {
  return peersMatch(peers, asked) && portsMatch(ports, asked);
}

export function peersMatch(peers: readonly NetworkPolicyPeer[], asked: Asked): boolean {
  return peers.length === 0 || peers.some((peer) => peerMatches(peer, asked));
}

export function portsMatch(ports: readonly NetworkPolicyPort[], asked: Asked): boolean {
  return ports.length === 0 || ports.some((port) => portMatches(port, asked));
}

/** NP-010, NP-012, NP-038: selectors mean pods, a block means any address. */
export function peerMatches({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, asked: Asked): boolean {
  const { peer, pod: judged, world } = asked;
  if (ipBlock !== undefined)
    return inBlock(ipBlock.cidr, peer.address) && exceptOf(ipBlock, peer.address) === undefined;
  const { pod } = peer;
  if (pod === undefined || (podSelector === undefined && namespaceSelector === undefined)) return false;
  const isNamespace =
    namespaceSelector === undefined
      ? pod.namespace === judged.namespace
      : matches(requirementsOf(namespaceSelector), namespaceOf(world, pod).labels);
  return isNamespace && matches(requirementsOf(podSelector ?? {}), pod.labels);
}

/** NP-016 to NP-020. */
function portMatches(entry: NetworkPolicyPort, asked: Asked): boolean {
  const { port, endPort, protocol = 'TCP' } = entry;
  if (protocol !== asked.protocol || !hasPorts(protocol)) return false;
  if (port === undefined) return true;
  if (typeof port === 'number') return asked.port >= port && asked.port <= (endPort ?? port);
  return portsOfName(port, asked).some((one) => one.protocol === protocol && one.port === asked.port);
}

/** What containers of the destination call so, whatever the protocol. */
export function portsOfName(name: string, { target }: Asked): WorldPod['ports'] {
  return (target.pod?.ports ?? []).filter((port) => port.name === name);
}

export function namespaceOf({ namespaces }: PolicyWorld, { namespace }: WorldPod): WorldNamespace {
  return namespaces.find(({ name }) => name === namespace) ?? { name: namespace, labels: {} };
}

/** The exception of a block that an address is in, if any (NP-015). */
export function exceptOf({ except = [] }: IPBlock, address: string): string | undefined {
  return except.find((block) => inBlock(block, address));
}

/** Never, across families. @param block `10.0.0.0/8`; what cannot be read holds nothing */
export function inBlock(block: string, address: string): boolean {
  const [network = '', length = ''] = block.split('/');
  const first = parseAddress(network);
  const words = parseAddress(address);
  if (first === undefined || words === undefined || isIpv4(network) !== isIpv4(address)) return false;
  const bits = Number(length) + (isIpv4Words(first, 0) ? 96 : 0);
  return words.every((word, index) => {
    const kept = Math.min(32, Math.max(0, bits - 32 * index));
    return kept === 0 || (word ^ first[index]!) >>> (32 - kept) === 0;
  });
}

export function isIpv4(address: string): boolean {
  return !address.includes(':');
}
