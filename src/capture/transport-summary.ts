/** The part of a frame summary behind the IP headers. */
import {
  ICMP_HEADER_LEN,
  Icmp,
  Icmpv6,
  icmpCode,
  icmpIdentifier,
  icmpIsError,
  icmpType,
  icmpv6IsError,
} from '../wire/icmp.ts';
import { NEIGHBOUR_TARGET } from '../wire/neighbour.ts';
import { destinationPort, sourcePort } from '../wire/ports.ts';
import { Protocol } from '../wire/protocol.ts';
import { SCTP_CHUNK_HEADER_LEN, SCTP_HEADER_LEN, sctpChunkLength, sctpChunkType } from '../wire/sctp.ts';
import { TCP_HEADER_LEN, tcpAcknowledgment, tcpFlags, tcpHeaderLen, tcpSequence, tcpWindow } from '../wire/tcp.ts';
import { UDP_HEADER_LEN, udpLength } from '../wire/udp.ts';
import { VXLAN_HEADER_LEN, VXLAN_PORT, vxlanValid, vxlanVni } from '../wire/vxlan.ts';
import type { FrameSummary, IpSummary } from './frame-summary.ts';
import { addressAt, type Fault, formatMac, type Slice } from './slice.ts';

export type TransportSummary = PortsSummary | TcpSummary | UdpSummary | SctpSummary | IcmpSummary;

interface Ports {
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** Nothing but the ports could be read. */
export interface PortsSummary extends Ports {
  readonly kind: 'ports';
}

export interface TcpSummary extends Ports {
  readonly kind: 'tcp';
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly window: number;
  readonly payloadLen: number;
}

export interface UdpSummary extends Ports {
  readonly kind: 'udp';
  readonly payloadLen: number;
  readonly vxlan: { readonly vni: number; readonly inner: FrameSummary } | undefined;
}

export interface SctpSummary extends Ports {
  readonly kind: 'sctp';
  /** Chunk types, the first ones. */
  readonly chunks: readonly number[];
  /** There are others behind them. */
  readonly more: boolean;
}

export interface IcmpSummary {
  readonly kind: 'icmp';
  readonly type: number;
  readonly code: number;
  readonly payloadLen: number;
  /** Of queries. */
  readonly identifier: number;
  readonly sequence: number;
  /** Of messages that say a packet was too big. */
  readonly mtu: number | undefined;
  /** What an error is about. */
  readonly quote: IpSummary | undefined;
  /** Of Neighbour Discovery: who is asked for, or tells; and its MAC where that is told. */
  readonly target: string | undefined;
  readonly targetMac: string | undefined;
}

interface Read {
  readonly transport: TransportSummary | undefined;
  readonly fault: Fault | undefined;
}

/** How to read what transports carry. Undefined where nobody looks so deep. */
interface Deeper {
  quote(packet: Slice): IpSummary | Fault | undefined;
  frame(frame: Slice): FrameSummary | undefined;
}

const CHUNKS_MAX = 8;
const PORTS_LEN = 4;
/** Type, code, checksum, four bytes, an address. */
const NEIGHBOUR_LEN = 24;
const OPTION_TARGET_MAC = 2;
const OPTION_LEN = 8;

/** @param partial less of the datagram is here than its header says: a fragment, a quote in an ICMP error. */
export function summarizeTransport(
  segment: Slice,
  version: 4 | 6,
  protocol: number,
  partial: boolean,
  deeper: Deeper,
): Read {
  if (protocol === Protocol.Tcp) return readTcp(segment, partial);
  if (protocol === Protocol.Udp) return readUdp(segment, partial, deeper);
  if (protocol === Protocol.Sctp) return readSctp(segment, partial);
  if (protocol === (version === 4 ? Protocol.Icmp : Protocol.Icmpv6)) return readIcmp(segment, version, deeper);
  return { transport: undefined, fault: undefined };
}

function portsOf({ view, at }: Slice): Ports {
  return { sourcePort: sourcePort(view, at), destinationPort: destinationPort(view, at) };
}

/** The ports may be there where the header is not. */
function onlyPorts(segment: Slice, fault: Fault): Read {
  return { transport: segment.len < PORTS_LEN ? undefined : { kind: 'ports', ...portsOf(segment) }, fault };
}

function readTcp(segment: Slice, partial: boolean): Read {
  const { view, at } = segment;
  const short = segment.lacks(TCP_HEADER_LEN, 'bad tcp');
  if (short !== undefined) return onlyPorts(segment, short);
  const headerLen = tcpHeaderLen(view, at);
  const wrong = headerLen < TCP_HEADER_LEN || (headerLen > segment.wireLen && !partial);
  return {
    transport: {
      kind: 'tcp',
      ...portsOf(segment),
      flags: tcpFlags(view, at),
      sequence: tcpSequence(view, at) >>> 0,
      acknowledgment: tcpAcknowledgment(view, at) >>> 0,
      window: tcpWindow(view, at),
      payloadLen: Math.max(0, segment.wireLen - headerLen),
    },
    fault: wrong ? 'bad tcp' : undefined,
  };
}

function readUdp(segment: Slice, partial: boolean, deeper: Deeper): Read {
  const { view, at } = segment;
  const short = segment.lacks(UDP_HEADER_LEN, 'bad udp');
  if (short !== undefined) return onlyPorts(segment, short);
  const ports = portsOf(segment);
  const length = udpLength(view, at);
  const payloadLen = Math.max(0, length - UDP_HEADER_LEN);
  const udp = { kind: 'udp', ...ports, payloadLen, vxlan: undefined } as const;
  if (length < UDP_HEADER_LEN || (length > segment.wireLen && !partial)) return { transport: udp, fault: 'bad udp' };
  if (ports.destinationPort !== VXLAN_PORT || partial) return { transport: udp, fault: undefined };
  const tunnel = segment.upTo(length).from(UDP_HEADER_LEN);
  const fault = tunnel.lacks(VXLAN_HEADER_LEN, 'bad vxlan') ?? (vxlanValid(view, tunnel.at) ? undefined : 'bad vxlan');
  if (fault !== undefined) return { transport: udp, fault };
  const inner = deeper.frame(tunnel.from(VXLAN_HEADER_LEN));
  const vxlan = inner === undefined ? undefined : { vni: vxlanVni(view, tunnel.at), inner };
  return { transport: { ...udp, vxlan }, fault: undefined };
}

function readSctp(segment: Slice, partial: boolean): Read {
  const short = segment.lacks(SCTP_HEADER_LEN, 'bad sctp');
  if (short !== undefined) return onlyPorts(segment, short);
  const chunks: number[] = [];
  let rest = segment.from(SCTP_HEADER_LEN);
  let fault: Fault | undefined;
  while (rest.wireLen > 0 && chunks.length < CHUNKS_MAX) {
    fault = rest.lacks(SCTP_CHUNK_HEADER_LEN, 'bad sctp');
    if (fault !== undefined) break;
    const length = sctpChunkLength(rest.view, rest.at);
    if (length < SCTP_CHUNK_HEADER_LEN || (length > rest.wireLen && !partial)) {
      fault = 'bad sctp';
      break;
    }
    chunks.push(sctpChunkType(rest.view, rest.at));
    rest = rest.from((length + 3) & ~3);
  }
  const more = fault === undefined && rest.wireLen > 0;
  // A quote, or a capture of headers, says enough with the first chunk.
  if (fault === 'cut' && chunks.length > 0) return { transport: sctp(segment, chunks, true), fault: undefined };
  return { transport: sctp(segment, chunks, more), fault: partial ? undefined : fault };
}

function sctp(segment: Slice, chunks: readonly number[], more: boolean): SctpSummary {
  return { kind: 'sctp', ...portsOf(segment), chunks, more };
}

function readIcmp(message: Slice, version: 4 | 6, deeper: Deeper): Read {
  const { view, at } = message;
  const short = message.lacks(ICMP_HEADER_LEN, 'bad icmp');
  if (short !== undefined) return { transport: undefined, fault: short };
  const type = icmpType(view, at);
  const code = icmpCode(view, at);
  const isError = version === 4 ? icmpIsError(type) : icmpv6IsError(type);
  const quote = isError ? deeper.quote(message.from(ICMP_HEADER_LEN)) : undefined;
  return {
    transport: {
      kind: 'icmp',
      type,
      code,
      payloadLen: message.wireLen - ICMP_HEADER_LEN,
      identifier: icmpIdentifier(view, at),
      sequence: view.getUint16(at + 6),
      mtu: mtuOf(message, version, type, code),
      quote: typeof quote === 'string' ? undefined : quote,
      ...neighbourOf(message, version, type),
    },
    fault: undefined,
  };
}

/** RFC 1191 section 4: 16 bits of what was unused before; RFC 4443 section 3.2: 32 bits. */
function mtuOf({ view, at }: Slice, version: 4 | 6, type: number, code: number): number | undefined {
  if (version === 6) return type === Icmpv6.PacketTooBig ? view.getUint32(at + 4) : undefined;
  return type === Icmp.Unreachable && code === 4 ? view.getUint16(at + 6) : undefined;
}

/** RFC 4861 sections 4.3 and 4.4; the option of 4.6.1 is the first one, as every kernel sends it. */
function neighbourOf(message: Slice, version: 4 | 6, type: number): Pick<IcmpSummary, 'target' | 'targetMac'> {
  const { view, at, len } = message;
  const solicits = type === Icmpv6.NeighbourSolicitation;
  const none = version === 4 || (!solicits && type !== Icmpv6.NeighbourAdvertisement) || len < NEIGHBOUR_LEN;
  if (none) return { target: undefined, targetMac: undefined };
  const option = at + NEIGHBOUR_LEN;
  const hasMac = len >= NEIGHBOUR_LEN + OPTION_LEN && view.getUint8(option) === OPTION_TARGET_MAC;
  return {
    target: addressAt(view, at + NEIGHBOUR_TARGET, 6),
    targetMac: hasMac && !solicits ? formatMac(view, option + 2) : undefined,
  };
}
