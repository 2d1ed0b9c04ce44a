/** A policy's spec, read once: selectors as requirements, ports as ranges and names. */
import type {
  IPBlock,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from 'kubernetes-types/networking/v1.d.ts';
import type { PortRange } from '../policy/policy-spec.ts';
import { PORT_LAST } from './port-sets.ts';
import { type ReadSelector, readSelector } from './selector-index.ts';

export interface ReadPolicy {
  readonly podSelector: ReadSelector;
  /** undefined: the policy does not govern the direction. */
  readonly ingress: readonly ReadRule[] | undefined;
  readonly egress: readonly ReadRule[] | undefined;
}

export interface ReadRule {
  /** undefined: everybody (NP-007). */
  readonly peers: readonly ReadPeer[] | undefined;
  readonly ports: RulePorts;
}

/** Either a block, or pods: of the policy's own namespace where `namespaces` is undefined (NP-010). */
export type ReadPeer =
  | { readonly block: IPBlock }
  | { readonly block?: never; readonly namespaces: ReadSelector | undefined; readonly pods: ReadSelector };

export interface RulePorts {
  /** The rule says nothing of ports: every protocol passes (NP-007). */
  readonly all: boolean;
  readonly ranges: readonly PortRange[];
  readonly names: readonly PortName[];
}

export interface PortName {
  readonly name: string;
  readonly protocol: PortRange['protocol'];
}

const ALL: RulePorts = { all: true, ranges: [], names: [] };

export function readPolicy({ podSelector, policyTypes, ingress, egress }: Readonly<NetworkPolicySpec>): ReadPolicy {
  const governs = (direction: string) => policyTypes?.includes(direction) === true;
  return {
    podSelector: readSelector(podSelector),
    ingress: governs('Ingress') ? (ingress ?? []).map(({ from, ports }) => readRule(from, ports)) : undefined,
    egress: governs('Egress') ? (egress ?? []).map(({ to, ports }) => readRule(to, ports)) : undefined,
  };
}

function readRule(peers: readonly NetworkPolicyPeer[] = [], ports: readonly NetworkPolicyPort[] = []): ReadRule {
  return {
    peers: peers.length === 0 ? undefined : peers.map(readPeer),
    ports: ports.length === 0 ? ALL : readPorts(ports),
  };
}

function readPeer({ ipBlock, namespaceSelector, podSelector }: NetworkPolicyPeer): ReadPeer {
  if (ipBlock !== undefined) return { block: ipBlock };
  return {
    namespaces: namespaceSelector === undefined ? undefined : readSelector(namespaceSelector),
    pods: readSelector(podSelector ?? {}),
  };
}

function readPorts(ports: readonly NetworkPolicyPort[]): RulePorts {
  const ranges: PortRange[] = [];
  const names: PortName[] = [];
  for (const { port, endPort, ...rest } of ports) {
    const protocol = (rest.protocol ?? 'TCP') as PortRange['protocol']; // NP-016
    if (port === undefined)
      ranges.push({ protocol, first: 0, last: PORT_LAST }); // NP-017
    else if (typeof port === 'string') names.push({ name: port, protocol });
    else ranges.push({ protocol, first: port, last: endPort ?? port }); // NP-020
  }
  return { all: false, ranges, names };
}
