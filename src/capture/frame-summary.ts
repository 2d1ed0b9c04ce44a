/**
 * What a person wants to know of a frame, as objects: for lines and flow records, never on a packet's way. Any bytes
 * will do: reading ends at the first header that is not there whole or lies about itself, and says so.
 */
import { formatAddress } from '../wire/address.ts';
import { ARP_LEN, arpCheckedLen, arpOperation, arpSenderAddress, arpTargetAddress } from '../wire/arp.ts';
import { ETHERNET_HEADER_LEN, EtherType, etherType } from '../wire/ethernet.ts';
import {
  IPV4_DESTINATION,
  IPV4_HEADER_LEN,
  IPV4_SOURCE,
  ipv4Fragmented,
  ipv4HeaderLen,
  ipv4Id,
  ipv4Protocol,
  ipv4TotalLength,
} from '../wire/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_EXTENSIONS_MAX,
  IPV6_FRAGMENT_HEADER_LEN,
  IPV6_HEADER_LEN,
  IPV6_SOURCE,
  Ipv6Extension,
  ipv6NextHeader,
  ipv6PayloadLength,
} from '../wire/ipv6.ts';
import { addressAt, type Fault, formatMac, Slice } from './slice.ts';
import { summarizeTransport, type TransportSummary } from './transport-summary.ts';

export interface FrameSummary {
  /** Undefined when the frame ends inside them. */
  readonly macs: { readonly source: string; readonly destination: string } | undefined;
  /** VLAN ids, outermost first. */
  readonly vlans: readonly number[];
  /** Behind the tags; below 1536 it is a length (IEEE 802.3 clause 3.2.6). */
  readonly etherType: number;
  /** Bytes behind the Ethernet header and tags, on the wire. */
  readonly payloadLen: number;
  readonly arp: ArpSummary | undefined;
  readonly ip: IpSummary | undefined;
  readonly fault: Fault | undefined;
}

export interface ArpSummary {
  readonly operation: number;
  readonly sender: string;
  readonly senderMac: string;
  readonly target: string;
}

export interface IpSummary {
  readonly version: 4 | 6;
  readonly source: string;
  readonly destination: string;
  /** IP protocol number of what follows, behind IPv6's extension headers. */
  readonly protocol: number;
  /** Bytes behind the headers, on the wire. */
  readonly payloadLen: number;
  readonly fragment: FragmentSummary | undefined;
  /** Undefined for protocols without a summary, and for all but the first fragment. */
  readonly transport: TransportSummary | undefined;
  readonly fault: Fault | undefined;
}

export interface FragmentSummary {
  readonly id: number;
  /** Bytes. */
  readonly offset: number;
  readonly more: boolean;
}

/** Frames inside frames that are looked into. */
const DEPTH_MAX = 2;
const VLAN_TAG_LEN = 4;
const VLANS_MAX = 4;
const ARP_SENDER_MAC = 8;

/**
 * @param bytes the frame is `bytes[at …]`, `len` of them. @param wireLen bytes it had on the wire.
 */
export function summarizeFrame(bytes: Uint8Array, at: number, len: number, wireLen: number): FrameSummary {
  const captured = Math.max(0, Math.min(len, bytes.length - at));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return summarizeSlice(new Slice(view, at, at + captured, at + Math.max(captured, wireLen)), DEPTH_MAX);
}

function summarizeSlice(frame: Slice, depth: number): FrameSummary {
  const { view, at } = frame;
  const nothing = { macs: undefined, vlans: [], etherType: -1, payloadLen: 0, arp: undefined, ip: undefined };
  const short = frame.lacks(ETHERNET_HEADER_LEN, 'bad frame');
  if (short !== undefined) return { ...nothing, fault: short };
  const macs = { source: formatMac(view, at + 6), destination: formatMac(view, at) };
  const vlans: number[] = [];
  let type = etherType(view, at);
  let rest = frame.from(ETHERNET_HEADER_LEN);
  while ((type === EtherType.Vlan || type === EtherType.QinQ) && vlans.length < VLANS_MAX) {
    const fault = rest.lacks(VLAN_TAG_LEN, 'bad frame');
    if (fault !== undefined) return { ...nothing, macs, vlans, etherType: type, fault };
    vlans.push(view.getUint16(rest.at) & 0xfff);
    type = view.getUint16(rest.at + 2);
    rest = rest.from(VLAN_TAG_LEN);
  }
  const head = { ...nothing, macs, vlans, etherType: type, payloadLen: rest.wireLen };
  if (type === EtherType.Arp) return { ...head, ...summarizeArp(rest) };
  if (type !== EtherType.Ipv4 && type !== EtherType.Ipv6) return { ...head, fault: undefined };
  const ip = summarizeIp(rest, type === EtherType.Ipv4 ? 4 : 6, depth, false);
  return typeof ip === 'string' ? { ...head, fault: ip } : { ...head, ip, fault: ip.fault };
}

function summarizeArp(arp: Slice): Pick<FrameSummary, 'arp' | 'fault'> {
  const { view, at } = arp;
  const fault = arp.lacks(ARP_LEN, 'bad arp') ?? (arpCheckedLen(view, at, arp.len) === 0 ? 'bad arp' : undefined);
  if (fault !== undefined) return { arp: undefined, fault };
  return {
    arp: {
      operation: arpOperation(view, at),
      sender: formatAddress(Int32Array.of(0, 0, 0xffff, arpSenderAddress(view, at))),
      senderMac: formatMac(view, at + ARP_SENDER_MAC),
      target: formatAddress(Int32Array.of(0, 0, 0xffff, arpTargetAddress(view, at))),
    },
    fault: undefined,
  };
}

/** What the IP headers say, before what they carry is looked at. */
interface IpHeaders {
  readonly protocol: number;
  readonly fragment: FragmentSummary | undefined;
  /** What is behind them; undefined where they cannot be followed so far. */
  readonly payload: Slice | undefined;
  readonly fault: Fault | undefined;
}

/**
 * The packet's fault where not even its addresses can be read.
 *
 * @param quoted in an ICMP error, which ends before its packet does.
 */
function summarizeIp(packet: Slice, version: 4 | 6, depth: number, quoted: boolean): IpSummary | Fault {
  const { view, at } = packet;
  const short = packet.lacks(version === 4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN, 'bad ip');
  if (short !== undefined) return short;
  if (view.getUint8(at) >> 4 !== version) return 'bad ip';
  const headers = version === 4 ? readIpv4(packet, quoted) : readIpv6(packet, quoted);
  const { protocol, fragment, payload } = headers;
  const carried =
    payload === undefined || (fragment !== undefined && fragment.offset > 0)
      ? undefined
      : summarizeTransport(payload, version, protocol, quoted || fragment !== undefined, {
          quote: (quote) => (quoted ? undefined : summarizeIp(quote, version, depth, true)),
          frame: (inner) => (depth > 1 && !quoted ? summarizeSlice(inner, depth - 1) : undefined),
        });
  return {
    version,
    source: addressAt(view, at + (version === 4 ? IPV4_SOURCE : IPV6_SOURCE), version),
    destination: addressAt(view, at + (version === 4 ? IPV4_DESTINATION : IPV6_DESTINATION), version),
    protocol,
    payloadLen: payload?.wireLen ?? 0,
    fragment,
    transport: carried?.transport,
    fault: headers.fault ?? carried?.fault,
  };
}

function readIpv4(packet: Slice, quoted: boolean): IpHeaders {
  const { view, at } = packet;
  const headerLen = ipv4HeaderLen(view, at);
  const totalLen = ipv4TotalLength(view, at);
  const protocol = ipv4Protocol(view, at);
  const bits = ipv4Fragmented(view, at);
  const fragment =
    bits === 0 ? undefined : { id: ipv4Id(view, at), offset: (bits & 0x1fff) * 8, more: (bits & 0x2000) !== 0 };
  const wrong = headerLen < IPV4_HEADER_LEN || totalLen < headerLen ? 'bad ip' : packet.lacks(headerLen, 'bad ip');
  if (wrong !== undefined) return { protocol, fragment, payload: undefined, fault: wrong };
  const fault = !quoted && totalLen > packet.wireLen ? 'bad ip' : undefined;
  return { protocol, fragment, payload: packet.upTo(totalLen).from(headerLen), fault };
}

function readIpv6(packet: Slice, quoted: boolean): IpHeaders {
  const { view, at } = packet;
  const totalLen = IPV6_HEADER_LEN + ipv6PayloadLength(view, at);
  const fault = !quoted && totalLen > packet.wireLen ? 'bad ip' : undefined;
  let protocol = ipv6NextHeader(view, at);
  let fragment: FragmentSummary | undefined;
  let payload = packet.upTo(totalLen).from(IPV6_HEADER_LEN);
  for (let count = 0; isExtension(protocol); count++) {
    if (fragment !== undefined && fragment.offset > 0) break; // what stands here is data
    const wrong = count === IPV6_EXTENSIONS_MAX ? 'bad ip' : payload.lacks(IPV6_FRAGMENT_HEADER_LEN, 'bad ip');
    if (wrong !== undefined) return { protocol, fragment, payload: undefined, fault: wrong };
    const isFragment = protocol === Ipv6Extension.Fragment;
    const length = isFragment ? IPV6_FRAGMENT_HEADER_LEN : (view.getUint8(payload.at + 1) + 1) << 3;
    if (isFragment) fragment = fragmentAt(view, payload.at);
    protocol = view.getUint8(payload.at);
    const short = payload.lacks(length, 'bad ip');
    if (short !== undefined) return { protocol, fragment, payload: undefined, fault: short };
    payload = payload.from(length);
  }
  return { protocol, fragment, payload, fault };
}

function isExtension(protocol: number): boolean {
  const { HopByHop, Routing, Fragment, Destination } = Ipv6Extension;
  return protocol === HopByHop || protocol === Routing || protocol === Fragment || protocol === Destination;
}

/** RFC 8200 section 4.5; undefined for an atomic fragment, which is a whole packet (RFC 6946). */
function fragmentAt(view: DataView, at: number): FragmentSummary | undefined {
  const bits = view.getUint16(at + 2);
  if ((bits & 0xfff9) === 0) return undefined;
  return { id: view.getUint32(at + 4), offset: bits & 0xfff8, more: (bits & 1) !== 0 };
}
