/** IP packets as bytes: read from a validated frame, and built with every checksum complete. Addresses are text here. */
import type { Packet } from '../packet/packet.ts';
import { formatAddress, isIpv4Words, loadIpv4, loadIpv6, parseAddress } from '../wire/address.ts';
import { foldSum, pseudoSumIpv4, pseudoSumIpv6, sumBytes } from '../wire/checksum.ts';
import { crc32c } from '../wire/crc32c.ts';
import { ICMP_CHECKSUM } from '../wire/icmp.ts';
import { IPV4_DESTINATION, IPV4_HEADER_LEN, IPV4_SOURCE, ipv4Write } from '../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_HEADER_LEN, IPV6_SOURCE, ipv6SetTrafficClass, ipv6Write } from '../wire/ipv6.ts';
import { Protocol } from '../wire/protocol.ts';
import { SCTP_CHECKSUM } from '../wire/sctp.ts';
import { TCP_CHECKSUM } from '../wire/tcp.ts';
import { UDP_CHECKSUM } from '../wire/udp.ts';

/** Linux's default TTL and hop limit. */
const HOPS = 64;

export interface IpPacket {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  /** What follows the IP headers; a copy of its own. */
  readonly upper: Uint8Array;
  /** The whole packet. */
  readonly raw: Uint8Array;
  /** Payload bytes per segment of a superframe; 0 for an ordinary packet. */
  readonly gsoSize: number;
}

export interface IpHeader {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly hops?: number;
  readonly tos?: number;
}

/** Pre: `validate` has accepted the frame, and it holds IP. */
export function readIpPacket(pkt: Packet): IpPacket {
  const raw = pkt.arena.bytes.slice(pkt.l3At, pkt.at + pkt.len);
  const { protocol, gsoSize } = pkt;
  return {
    ...readAddresses(viewOf(raw), pkt.version),
    protocol,
    gsoSize,
    raw,
    upper: raw.subarray(pkt.l4At - pkt.l3At),
  };
}

/** Of a header at the beginning of the view. */
export function readAddresses(view: DataView, version: number): { source: string; destination: string } {
  const load = version === 6 ? loadIpv6 : loadIpv4;
  const words = new Int32Array(8);
  load(view, version === 6 ? IPV6_SOURCE : IPV4_SOURCE, words, 0);
  load(view, version === 6 ? IPV6_DESTINATION : IPV4_DESTINATION, words, 4);
  return { source: formatAddress(words), destination: formatAddress(words, 4) };
}

/**
 * @param upper the upper-layer packet; what its checksum field holds does not matter.
 * @returns an IP packet of at most 65,535 bytes (40 more over IPv6), whole. Pre: `upper` leaves room for that.
 */
export function buildIpPacket(header: IpHeader, upper: Uint8Array): Uint8Array {
  const raw = buildUnchecked(header, upper);
  const start = raw.length - upper.length;
  const field = checksumField(header.protocol);
  if (field < 0) return raw;
  const view = viewOf(raw);
  if (header.protocol === Protocol.Sctp) {
    view.setUint32(start + field, 0);
    view.setInt32(start + field, crc32c(raw, start, upper.length), true);
    return raw;
  }
  view.setUint16(start + field, 0);
  const sum = ~upperSum(view, start, header.protocol) & 0xffff;
  view.setUint16(start + field, sum === 0 && header.protocol === Protocol.Udp ? 0xffff : sum);
  return raw;
}

/** The same around upper-layer bytes that are finished already, or are only a part. */
export function buildUnchecked(header: IpHeader, upper: Uint8Array): Uint8Array {
  const source = parseAddress(header.source)!;
  const destination = parseAddress(header.destination)!;
  const ipv4 = isIpv4Words(destination, 0);
  const headerLen = ipv4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
  const raw = new Uint8Array(headerLen + upper.length);
  raw.set(upper, headerLen);
  const view = viewOf(raw);
  const { protocol, hops = HOPS, tos = 0 } = header;
  if (ipv4) {
    ipv4Write(view, 0, source[3]!, destination[3]!, protocol, tos, hops, raw.length);
  } else {
    ipv6Write(view, 0, { source, destination }, protocol, hops, upper.length);
    ipv6SetTrafficClass(view, 0, tos);
  }
  return raw;
}

/** Is the upper-layer checksum right? UDP's zero over IPv4 means that there is none (RFC 768). */
export function upperChecksumRight(packet: IpPacket): boolean {
  const { protocol, upper } = packet;
  const raw = packet.raw.slice();
  const view = viewOf(raw);
  const start = raw.length - upper.length;
  const field = checksumField(protocol);
  if (field < 0) return true;
  if (upper.length < field + (protocol === Protocol.Sctp ? 4 : 2)) return false;
  if (protocol === Protocol.Udp && view.getUint16(start + field) === 0) return raw[0]! >> 4 === 4;
  if (protocol !== Protocol.Sctp) return upperSum(view, start, protocol) === 0xffff;
  const seen = view.getInt32(start + field, true);
  view.setInt32(start + field, 0);
  return crc32c(raw, start, upper.length) === seen;
}

/** Sum of the upper layer from `start` to the end, pseudo header included. */
function upperSum(view: DataView, start: number, protocol: number): number {
  const length = view.byteLength - start;
  const sum = sumBytes(view, start, length);
  if (view.getUint8(0) >> 4 === 6) return foldSum(sum + pseudoSumIpv6(view, 0, protocol, length));
  return protocol === Protocol.Icmp ? sum : foldSum(sum + pseudoSumIpv4(view, 0, protocol, length));
}

function checksumField(protocol: number): number {
  switch (protocol) {
    case Protocol.Tcp:
      return TCP_CHECKSUM;
    case Protocol.Udp:
      return UDP_CHECKSUM;
    case Protocol.Sctp:
      return SCTP_CHECKSUM;
    case Protocol.Icmp:
    case Protocol.Icmpv6:
      return ICMP_CHECKSUM;
    default:
      return -1;
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function isIpv6Text(address: string): boolean {
  return address.includes(':');
}

/** The one spelling that addresses are compared in. @throws RangeError for what is no address. */
export function plainAddress(text: string): string {
  const words = parseAddress(text);
  if (words === undefined) throw new RangeError(`not an address: ${text}`);
  return formatAddress(words);
}
