/**
 * A frame as one line, for people who read `tcpdump -n`:
 *
 *     10.244.0.2:40000 > 10.244.1.2:80 tcp S seq 1 win 64240 len 0
 *     172.18.0.2 > 172.18.0.3 vni 1 | 10.244.0.2 > 10.244.1.2 icmp echo request id 7 seq 1 len 56
 *     [fd00:10:244::2]:40000 > [fd00:10:244:1::2]:53 udp len 33
 *     arp who-has 169.254.1.1 tell 10.244.0.2
 *
 * What cannot be read ends with the reason: `[cut]` where the capture has no more bytes, `[bad tcp]` where they lie.
 */
import { ArpOperation } from '../wire/arp.ts';
import { Icmp, Icmpv6 } from '../wire/icmp.ts';
import { Protocol } from '../wire/protocol.ts';
import { SctpChunk } from '../wire/sctp.ts';
import { TcpFlag } from '../wire/tcp.ts';
import { type ArpSummary, type FrameSummary, type IpSummary, summarizeFrame } from './frame-summary.ts';
import { icmpWords } from './icmp-words.ts';
import type { IcmpSummary, SctpSummary, TcpSummary, TransportSummary } from './transport-summary.ts';

/** IEEE 802.3 clause 3.2.6: smaller than this it is a length. */
const ETHERTYPE_MIN = 0x600;

/** As tcpdump writes them, in its order. */
const flagLetters = [
  [TcpFlag.Fin, 'F'],
  [TcpFlag.Syn, 'S'],
  [TcpFlag.Rst, 'R'],
  [TcpFlag.Psh, 'P'],
  [TcpFlag.Ack, '.'],
  [TcpFlag.Urg, 'U'],
  [TcpFlag.Ece, 'E'],
  [TcpFlag.Cwr, 'W'],
] as const;

/** RFC 9260 section 3.2 and the IANA registry "SCTP Chunk Types". */
const chunkNames: Readonly<Record<number, string>> = {
  [SctpChunk.Data]: 'DATA',
  [SctpChunk.Init]: 'INIT',
  [SctpChunk.InitAck]: 'INIT ACK',
  [SctpChunk.Sack]: 'SACK',
  [SctpChunk.Heartbeat]: 'HEARTBEAT',
  [SctpChunk.HeartbeatAck]: 'HEARTBEAT ACK',
  [SctpChunk.Abort]: 'ABORT',
  [SctpChunk.Shutdown]: 'SHUTDOWN',
  [SctpChunk.ShutdownAck]: 'SHUTDOWN ACK',
  [SctpChunk.Error]: 'ERROR',
  [SctpChunk.CookieEcho]: 'COOKIE ECHO',
  [SctpChunk.CookieAck]: 'COOKIE ACK',
  [SctpChunk.ShutdownComplete]: 'SHUTDOWN COMPLETE',
  15: 'AUTH',
  64: 'I-DATA',
  128: 'ASCONF ACK',
  130: 'RE-CONFIG',
  132: 'PAD',
  192: 'FORWARD TSN',
  193: 'ASCONF',
  194: 'I-FORWARD-TSN',
};

const protocolNames: Readonly<Record<number, string>> = {
  [Protocol.Icmp]: 'icmp',
  2: 'igmp',
  4: 'ipip',
  [Protocol.Tcp]: 'tcp',
  [Protocol.Udp]: 'udp',
  41: 'ip6',
  [Protocol.Gre]: 'gre',
  50: 'esp',
  51: 'ah',
  [Protocol.Icmpv6]: 'icmp6',
  59: 'no next header',
  89: 'ospf',
  103: 'pim',
  112: 'vrrp',
  [Protocol.Sctp]: 'sctp',
};

/**
 * One line, without an end, of printable ASCII whatever the bytes are.
 *
 * @param bytes the frame is `bytes[at …]`, `len` of them. @param wireLen bytes it had on the wire.
 */
export function packetLine(bytes: Uint8Array, at: number, len: number, wireLen: number): string {
  return frameWords(summarizeFrame(bytes, at, len, wireLen));
}

function frameWords(frame: FrameSummary): string {
  const { macs, vlans, arp, ip, fault, etherType, payloadLen } = frame;
  const tags = vlans.map((id) => `vlan ${id} | `).join('');
  const suffix = fault === undefined ? '' : ` [${fault}]`;
  if (macs === undefined) return `frame${suffix}`;
  if (arp !== undefined) return `${tags}${arpWords(arp)}`;
  if (ip !== undefined) return `${tags}${ipWords(ip)}${suffix}`;
  const hex = etherType.toString(16).padStart(4, '0');
  const type = etherType < ETHERTYPE_MIN ? '802.3' : `ethertype 0x${hex}`;
  return `${tags}${macs.source} > ${macs.destination} ${type} len ${payloadLen}${suffix}`;
}

function arpWords({ operation, sender, senderMac, target }: ArpSummary): string {
  if (operation === ArpOperation.Request) return `arp who-has ${target} tell ${sender}`;
  if (operation === ArpOperation.Reply) return `arp ${sender} is-at ${senderMac}`;
  return `arp operation ${operation}, ${sender} to ${target}`;
}

function ipWords(ip: IpSummary): string {
  const { transport, payloadLen } = ip;
  if (transport?.kind === 'udp' && transport.vxlan !== undefined) {
    return `${ip.source} > ${ip.destination} vni ${transport.vxlan.vni} | ${frameWords(transport.vxlan.inner)}`;
  }
  const what = transport === undefined || transport.kind === 'ports' ? '' : ` ${transportWords(transport, ip.version)}`;
  // A later fragment, and what has no summary, is told by its length.
  const length = what === '' && ip.fault === undefined ? ` len ${payloadLen}` : '';
  return `${endsOf(ip)}${what}${length}${fragmentWords(ip)}`;
}

/** `10.244.0.2:40000 > 10.244.1.2:80 tcp` */
function endsOf({ source, destination, transport, protocol }: IpSummary): string {
  const [from, to] =
    transport === undefined || transport.kind === 'icmp'
      ? [source, destination]
      : [withPort(source, transport.sourcePort), withPort(destination, transport.destinationPort)];
  return `${from} > ${to} ${protocolNames[protocol] ?? `protocol ${protocol}`}`;
}

/** `10.244.0.2:80`, `[fd00::2]:80` */
export function withPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function transportWords(transport: Exclude<TransportSummary, { kind: 'ports' }>, version: number): string {
  if (transport.kind === 'tcp') return tcpWords(transport);
  if (transport.kind === 'udp') return `len ${transport.payloadLen}`;
  return transport.kind === 'sctp' ? sctpWords(transport) : icmpLineWords(transport, version);
}

function tcpWords({ flags, sequence, acknowledgment, window, payloadLen }: TcpSummary): string {
  const letters = flagLetters.flatMap(([flag, letter]) => ((flags & flag) === 0 ? [] : [letter])).join('') || 'none';
  const end = (sequence + payloadLen) >>> 0;
  const range = payloadLen > 0 ? `seq ${sequence}:${end}` : `seq ${sequence}`;
  const ack = (flags & TcpFlag.Ack) === 0 ? '' : ` ack ${acknowledgment}`;
  return `${letters} ${range}${ack} win ${window} len ${payloadLen}`;
}

function sctpWords({ chunks, more }: SctpSummary): string {
  const names = chunks.map((chunk) => chunkNames[chunk] ?? `chunk ${chunk}`);
  return [...names, ...(more ? ['...'] : [])].join(', ') || 'no chunks';
}

function icmpLineWords(icmp: IcmpSummary, version: number): string {
  const { type, code, identifier, sequence, payloadLen, mtu, quote, target, targetMac } = icmp;
  const words = icmpWords(version, type, code);
  const isEcho =
    version === 4
      ? type === Icmp.EchoRequest || type === Icmp.EchoReply
      : type === Icmpv6.EchoRequest || type === Icmpv6.EchoReply;
  if (isEcho) return `${words} id ${identifier} seq ${sequence} len ${payloadLen}`;
  if (target !== undefined && type === Icmpv6.NeighbourSolicitation) return `${words} who-has ${target}`;
  if (target !== undefined) return `${words} ${target}${targetMac === undefined ? '' : ` is-at ${targetMac}`}`;
  const size = mtu === undefined ? '' : ` mtu ${mtu}`;
  if (quote === undefined) return `${words}${size} len ${payloadLen}`;
  return `${words}${size} (${endsOf(quote)}${fragmentWords(quote)})`;
}

/** As tcpdump had it: id, length, offset, and whether more follow. */
function fragmentWords({ fragment, payloadLen }: IpSummary): string {
  if (fragment === undefined) return '';
  return ` (frag ${fragment.id}:${payloadLen}@${fragment.offset}${fragment.more ? '+' : ''})`;
}
