/** A node's connection table as objects: both tuples, state and counters, in the words of conntrack(8). */
import type { RunningNode } from '../cluster/cluster.ts';
import { ConnectionFlag } from '../conntrack/connections.ts';
import { sctpStateNames } from '../conntrack/sctp-states.ts';
import { tcpStateNames } from '../conntrack/tcp-states.ts';
import type { ConnectionSnapshot } from '../nodes/protocol.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, KEY_WORDS, keyIsIcmp, keyProtocol } from '../packet/flow-key.ts';
import { formatAddress } from '../wire/address.ts';
import { Protocol } from '../wire/protocol.ts';
import type { ClusterApi } from './cluster-api.ts';

export interface Tuple {
  readonly source: string;
  readonly destination: string;
  /** TCP, UDP, SCTP. */
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** ICMP queries. */
  readonly type?: number;
  readonly code?: number;
  readonly id?: number;
  readonly packets: number;
  readonly bytes: number;
}

export interface Connection {
  readonly node: string;
  /** Name where it has one, else the number. */
  readonly protocol: string;
  readonly protocolNumber: number;
  /** TCP and SCTP. */
  readonly state?: string;
  readonly secondsLeft: number;
  readonly replied: boolean;
  readonly assured: boolean;
  readonly original: Tuple;
  readonly reply: Tuple;
}

const protocolNames: Readonly<Record<number, string>> = {
  [Protocol.Icmp]: 'icmp',
  [Protocol.Tcp]: 'tcp',
  [Protocol.Udp]: 'udp',
  [Protocol.Icmpv6]: 'icmpv6',
  [Protocol.Sctp]: 'sctp',
};

export async function listConnections(
  cluster: Pick<ClusterApi, 'ask'>,
  node: RunningNode,
): Promise<{ items: Connection[] }> {
  const snapshot = (await cluster.ask(node, 'connections')) as ConnectionSnapshot;
  return { items: Array.from(snapshot.state, (_, i) => connection(node.node.name, snapshot, i)) };
}

function connection(node: string, snapshot: ConnectionSnapshot, i: number): Connection {
  const protocolNumber = keyProtocol(snapshot.keys, i * 2 * KEY_WORDS);
  const flags = snapshot.flags[i]!;
  return {
    node,
    protocol: protocolNames[protocolNumber] ?? String(protocolNumber),
    protocolNumber,
    ...stateName(protocolNumber, snapshot.state[i]!),
    secondsLeft: Math.round(snapshot.remainingMs[i]! / 1000),
    replied: (flags & ConnectionFlag.SeenReply) !== 0,
    assured: (flags & ConnectionFlag.Assured) !== 0,
    original: tuple(snapshot, i * 2),
    reply: tuple(snapshot, i * 2 + 1),
  };
}

function stateName(protocolNumber: number, state: number): { state?: string } {
  if (protocolNumber === Protocol.Tcp) return { state: tcpStateNames[state] ?? 'NONE' };
  return protocolNumber === Protocol.Sctp ? { state: sctpStateNames[state] ?? 'NONE' } : {};
}

function tuple(snapshot: ConnectionSnapshot, half: number): Tuple {
  const at = half * KEY_WORDS;
  const ports = snapshot.keys[at + KEY_PORTS]!;
  return {
    source: formatAddress(snapshot.keys, at + KEY_SOURCE),
    destination: formatAddress(snapshot.keys, at + KEY_DESTINATION),
    ...(keyIsIcmp(snapshot.keys, at)
      ? { type: (ports >>> 8) & 0xff, code: ports & 0xff, id: ports >>> 16 }
      : { sourcePort: ports >>> 16, destinationPort: ports & 0xffff }),
    packets: snapshot.packets[half]!,
    bytes: snapshot.bytes[half]!,
  };
}
