/**
 * `events/`: what happens to flows, as records that other programs know: the field names and their meaning are those of
 * hubble's Flow (cilium api/v1/flow/flow.proto, as its JSON has them); what podwire knows beyond that stands beside them.
 */

import { type FrameSummary, type IpSummary, summarizeFrame } from '../capture/frame-summary.ts';
import { icmpName } from '../capture/icmp-words.ts';
import type { TcpSummary } from '../capture/transport-summary.ts';
import { hopName, stageOf, verdictOf, wayName } from '../capture/verdict-words.ts';
import type { CaptureScene } from '../cluster/capture-scene.ts';
import { type Explanation, ruleWords } from '../network-policy/explain.ts';
import type { RuleReference } from '../network-policy/policy-world.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE } from '../packet/flow-key.ts';
import { Drop, dropReasons, outcomeReason } from '../packet/outcome.ts';
import { Way, wayKind } from '../packet/way.ts';
import { Direction } from '../policy/policies.ts';
import { type Sighting, SightingBit } from '../recording/sighting.ts';
import { formatAddress } from '../wire/address.ts';
import { TcpFlag } from '../wire/tcp.ts';
import type { FlowEndpoint, FlowNames } from './flow-names.ts';

type FlagName = 'FIN' | 'SYN' | 'RST' | 'PSH' | 'ACK' | 'URG' | 'ECE' | 'CWR';

interface FlowPorts {
  readonly source_port: number;
  readonly destination_port: number;
}

interface FlowIcmp {
  readonly type: number;
  readonly code: number;
}

export interface FlowL4 {
  readonly TCP?: FlowPorts & { readonly flags: Readonly<Partial<Record<FlagName, true>>> };
  readonly UDP?: FlowPorts;
  readonly SCTP?: FlowPorts;
  readonly ICMPv4?: FlowIcmp;
  readonly ICMPv6?: FlowIcmp;
}

export type ObservationPoint =
  | ('TO_ENDPOINT' | 'TO_HOST' | 'TO_OVERLAY' | 'TO_NETWORK')
  | ('FROM_ENDPOINT' | 'FROM_HOST' | 'FROM_OVERLAY' | 'FROM_NETWORK');

/** As hubble's Policy. */
interface FlowPolicy {
  readonly name: string;
  readonly namespace: string;
  /** Of the policies that were in force: all of them together count their changes. As protobuf's JSON has a uint64. */
  readonly revision: string;
  readonly kind: string;
}

export interface FlowRecord {
  /** RFC 3339, nanoseconds. */
  readonly time: string;
  readonly verdict: 'FORWARDED' | 'DROPPED';
  /** hubble has numbers of its own for reasons; here stands a name of docs/DROPS.md. */
  readonly drop_reason_desc?: string;
  readonly ethernet?: { readonly source: string; readonly destination: string };
  readonly IP?: { readonly source: string; readonly destination: string; readonly ipVersion: 'IPv4' | 'IPv6' };
  readonly l4?: FlowL4;
  readonly source: FlowEndpoint;
  readonly destination: FlowEndpoint;
  readonly Type: 'L3_L4';
  readonly node_name: string;
  /** Names of an address that is no pod's. */
  readonly source_names?: readonly string[];
  readonly destination_names?: readonly string[];
  /** Of cilium's monitor: 1 a drop, 4 a trace. */
  readonly event_type: { readonly type: number };
  /** Of the connection, from the viewpoint of the end that the node has. */
  readonly traffic_direction: 'INGRESS' | 'EGRESS';
  /** Where a packet that was not dropped went; from where, when it ended here. */
  readonly trace_observation_point?: ObservationPoint;
  /** Absent where nobody knows. */
  readonly is_reply?: boolean;
  /** The hop. */
  readonly interface: { readonly name: string };
  readonly Summary: string;
  /** The policies that isolate the pod in that direction, none of which allows the flow. */
  readonly egress_denied_by?: readonly FlowPolicy[];
  readonly ingress_denied_by?: readonly FlowPolicy[];
  // Not of hubble:
  /** Why it was dropped or consumed, the stage that dropped it, what that means, and where to look next. */
  readonly reason?: string;
  readonly stage?: string;
  readonly means?: string;
  readonly look?: string;
  /** Why policies denied it, in a sentence, and the first of them; absent where their objects are not known any more. */
  readonly explanation?: string;
  readonly rule?: RuleReference;
  /** Of a packet that policies denied: what it was for before a Service's translation, `10.96.1.1:80`. */
  readonly original_destination?: string;
  /** The source address, which is not the source's: `source` is who sent it. */
  readonly spoofed_source?: string;
}

const EVENT_DROP = 1;
const EVENT_TRACE = 4;
const NS_PER_MS = 1_000_000n;

/** In the order of hubble's summaries (pkg/hubble/parser/threefour/parser.go). */
const flagNames: readonly (readonly [number, FlagName])[] = [
  [TcpFlag.Syn, 'SYN'],
  [TcpFlag.Ack, 'ACK'],
  [TcpFlag.Rst, 'RST'],
  [TcpFlag.Fin, 'FIN'],
  [TcpFlag.Psh, 'PSH'],
  [TcpFlag.Urg, 'URG'],
  [TcpFlag.Ece, 'ECE'],
  [TcpFlag.Cwr, 'CWR'],
];

/**
 * A record that keeps nothing of the sighting.
 *
 * @param epochNs what is to be added to a sighting's time for nanoseconds since 1970.
 * @param denial why policies denied it, where that is known
 */
export function flowRecord(
  sighting: Sighting,
  scene: CaptureScene,
  names: FlowNames,
  epochNs: bigint,
  denial?: Explanation,
): FlowRecord {
  const frame = innerFrame(sighting);
  const { macs } = frame;
  const ip = frame.ip === undefined ? undefined : asJudged(frame.ip, sighting);
  const l4 = ip === undefined ? undefined : flowL4(ip);
  const isReply = replyOf(sighting);
  return {
    time: formatTime(BigInt(Math.round(sighting.timeNs)) + epochNs),
    verdict: verdictOf(sighting.outcome),
    ...(sighting.outcome < 0 ? { drop_reason_desc: dropReasons[-1 - sighting.outcome]!.name } : {}),
    ...(macs === undefined ? {} : { ethernet: macs }),
    ...(ip === undefined ? {} : { IP: flowIp(ip) }),
    ...(l4 === undefined ? {} : { l4 }),
    ...(ip === frame.ip ? {} : { original_destination: destinationOf(frame.ip!) }),
    ...endpoints(sighting, scene, names, ip),
    Type: 'L3_L4',
    node_name: scene.node,
    event_type: { type: sighting.outcome < 0 ? EVENT_DROP : EVENT_TRACE },
    traffic_direction: directionOf(sighting, isReply === true),
    ...(sighting.outcome < 0 ? {} : { trace_observation_point: pointOf(sighting) }),
    ...(isReply === undefined ? {} : { is_reply: isReply }),
    interface: { name: hopName(scene, sighting.hop) },
    Summary: summaryOf(frame, l4),
    ...why(sighting),
    ...(denial === undefined ? {} : denialFields(sighting, denial)),
  };
}

/** Of a packet in a tunnel, what it carries; the packet itself where it was not looked into. */
function innerFrame({ bytes, at, captured, wireLen, innerOffset }: Sighting): FrameSummary {
  const skip = innerOffset < captured ? innerOffset : 0;
  return summarizeFrame(bytes, at + skip, captured - skip, wireLen - skip);
}

/** Policies see a Service's backend (NP-031), and so does who reads of their denials: whom it was for, in the end. */
function asJudged(ip: IpSummary, sighting: Sighting): IpSummary {
  const { keys } = sighting;
  if (!sighting.is(SightingBit.Judged) || formatAddress(keys, KEY_SOURCE) !== ip.source) return ip;
  const destination = formatAddress(keys, KEY_DESTINATION);
  if (destination === ip.destination) return ip;
  const { transport } = ip;
  if (transport === undefined || transport.kind === 'icmp') return { ...ip, destination };
  return { ...ip, destination, transport: { ...transport, destinationPort: keys[KEY_PORTS]! & 0xffff } };
}

function destinationOf({ destination, transport, version }: IpSummary): string {
  if (transport === undefined || transport.kind === 'icmp') return destination;
  return `${version === 6 ? `[${destination}]` : destination}:${transport.destinationPort}`;
}

/** As protobuf's JSON has timestamps, always with nine digits. */
function formatTime(ns: bigint): string {
  const ms = ns / NS_PER_MS;
  const below = `${ns % NS_PER_MS}`.padStart(6, '0');
  return new Date(Number(ms)).toISOString().replace('Z', `${below}Z`);
}

function flowIp({ source, destination, version }: IpSummary): NonNullable<FlowRecord['IP']> {
  return { source, destination, ipVersion: version === 4 ? 'IPv4' : 'IPv6' };
}

function flowL4({ transport, version }: IpSummary): FlowL4 | undefined {
  if (transport === undefined || transport.kind === 'ports') return undefined;
  if (transport.kind === 'icmp') {
    const { type, code } = transport;
    return version === 4 ? { ICMPv4: { type, code } } : { ICMPv6: { type, code } };
  }
  const ports = { source_port: transport.sourcePort, destination_port: transport.destinationPort };
  if (transport.kind === 'udp') return { UDP: ports };
  return transport.kind === 'sctp' ? { SCTP: ports } : { TCP: { ...ports, flags: flagsOf(transport) } };
}

function flagsOf({ flags }: TcpSummary): Partial<Record<FlagName, true>> {
  return Object.fromEntries(flagNames.flatMap(([flag, name]) => ((flags & flag) === 0 ? [] : [[name, true]])));
}

/** `TCP Flags: SYN, ACK`, `UDP`, `ICMPv4 EchoRequest`: hubble's words. */
function summaryOf({ ip, macs }: FrameSummary, l4: FlowL4 | undefined): string {
  if (ip === undefined) return macs === undefined ? '' : 'Ethernet';
  if (l4?.TCP !== undefined) return `TCP Flags: ${Object.keys(l4.TCP.flags).join(', ')}`;
  if (l4?.ICMPv4 !== undefined) return `ICMPv4 ${icmpName(4, l4.ICMPv4.type, l4.ICMPv4.code)}`;
  if (l4?.ICMPv6 !== undefined) return `ICMPv6 ${icmpName(6, l4.ICMPv6.type, l4.ICMPv6.code)}`;
  if (l4 !== undefined) return Object.keys(l4)[0]!;
  return `IPv${ip.version}`;
}

type Ends = Pick<FlowRecord, 'source' | 'destination' | 'source_names' | 'destination_names' | 'spoofed_source'>;

/** Who a packet is from, its way in tells where that is sure; everything else its addresses tell. */
function endpoints(sighting: Sighting, scene: CaptureScene, names: FlowNames, ip: IpSummary | undefined): Ends {
  const unknown: FlowEndpoint = { labels: [] };
  const from = ip === undefined ? unknown : names.endpoint(ip.source, scene.node);
  const to = ip === undefined ? unknown : names.endpoint(ip.destination, scene.node);
  const toNode = ip === undefined ? undefined : names.nodeName(ip.destination);
  const destination = { destination: to, ...(toNode === undefined ? {} : { destination_names: [toNode] }) };
  const { outcome, hop } = sighting;
  const incoming = !sighting.is(SightingBit.Outgoing);
  const spoofed = outcome === Drop.SpoofedSource && ip !== undefined ? { spoofed_source: ip.source } : {};
  if (incoming && wayKind(hop) === Way.Pod) {
    return { source: names.pod(wayName(scene, hop)) ?? from, ...destination, ...spoofed };
  }
  if (incoming && outcome === Drop.SpoofedSource) {
    const sender = wayKind(hop) === Way.Host ? scene.node : wayName(scene, hop);
    return { source: names.node(sender, scene.node), source_names: [sender], ...destination, ...spoofed };
  }
  const fromNode = ip === undefined ? undefined : names.nodeName(ip.source);
  return { source: from, ...(fromNode === undefined ? {} : { source_names: [fromNode] }), ...destination };
}

/** Undefined where connection tracking does not know; an error about a connection is no reply, as in hubble. */
function replyOf(sighting: Sighting): boolean | undefined {
  if (!sighting.hasConnection) return undefined;
  return !sighting.related && sighting.direction === 1;
}

/** Whether the node's own end began the connection: a reply goes the other way. */
function directionOf(sighting: Sighting, isReply: boolean): 'INGRESS' | 'EGRESS' {
  const local = isLocal(sighting.hop);
  const leavesLocalEnd = sighting.is(SightingBit.Outgoing) ? !local : local;
  return leavesLocalEnd === isReply ? 'INGRESS' : 'EGRESS';
}

function isLocal(way: number): boolean {
  return wayKind(way) === Way.Pod || wayKind(way) === Way.Host;
}

const towards: Readonly<Record<number, ObservationPoint>> = {
  [Way.Pod]: 'TO_ENDPOINT',
  [Way.Host]: 'TO_HOST',
  [Way.Outside]: 'TO_NETWORK',
  [Way.Tunnel]: 'TO_OVERLAY',
};
const comingFrom: Readonly<Record<number, ObservationPoint>> = {
  [Way.None]: 'FROM_NETWORK',
  [Way.Pod]: 'FROM_ENDPOINT',
  [Way.Host]: 'FROM_HOST',
  [Way.Outside]: 'FROM_NETWORK',
  [Way.Tunnel]: 'FROM_OVERLAY',
};

function pointOf({ hop, egress }: Sighting): ObservationPoint {
  return towards[wayKind(egress)] ?? comingFrom[wayKind(hop)] ?? 'FROM_NETWORK';
}

function why(sighting: Sighting): Pick<FlowRecord, 'reason' | 'stage' | 'means' | 'look'> {
  const { outcome } = sighting;
  const reason = outcomeReason(outcome);
  if (reason === undefined) return {};
  const { name, means, look } = reason;
  return { reason: name, means, ...(outcome < 0 ? { stage: stageOf(sighting), look } : {}) };
}

function denialFields(
  { judgedDirection, judgedRevision }: Sighting,
  denial: Explanation,
): Pick<FlowRecord, 'egress_denied_by' | 'ingress_denied_by' | 'explanation' | 'rule' | 'look'> {
  const by = denial.policies.map(({ kind, namespace, name }): FlowPolicy => {
    return { name, namespace, revision: `${judgedRevision}`, kind };
  });
  return {
    ...(judgedDirection === Direction.Egress ? { egress_denied_by: by } : { ingress_denied_by: by }),
    explanation: denial.sentence,
    ...(denial.rule === undefined ? {} : { rule: denial.rule }),
    look: ruleWords(denial),
  };
}
