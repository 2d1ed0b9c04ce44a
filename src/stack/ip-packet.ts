/** IP packets as bytes: read from a validated frame, and built with every checksum complete. Addresses are text here. */
import type { Packet } from '../packet/packet.ts';
import { formatAddress, isIpv4Words, loadIpv6, parseAddress } from '../wire/address.ts';
import { foldSum, pseudoSumIpv4, pseudoSumIpv6, sumBytes } from '../wire/checksum.ts';
import { crc32c } from '../wire/crc32c.ts';
import { ETHERNET_HEADER_LEN } from '../wire/ethernet.ts';
import { ICMP_CHECKSUM } from '../wire/icmp.ts';
import { IPV4_DESTINATION, IPV4_HEADER_LEN, IPV4_SOURCE, ipv4Write } from '../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_HEADER_LEN, IPV6_SOURCE, ipv6SetTrafficClass, ipv6Write } from '../wire/ipv6.ts';
import { Protocol } from '../wire/protocol.ts';
import { SCTP_CHECKSUM } from '../wire/sctp.ts';
import { TCP_CHECKSUM } from '../wire/tcp.ts';
import { UDP_CHECKSUM } from '../wire/udp.ts';
import { VNET_HEADER_LEN } from '../wire/virtio.ts';
import { copyBytes, newBytes } from './new-bytes.ts';

/** Linux's default TTL and hop limit. */
const HOPS = 64;

/**
 * A packet for upper layers, where it lies: it is gone when `Endpoint.receive` returns. `upper` and `raw` are copies.
 */
export class IpPacket {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  /** Payload bytes per segment of a superframe; 0 for an ordinary packet. */
  readonly gsoSize: number;
  readonly view: DataView;
  /** In the view: the IP header, what follows the IP headers, and the end. */
  readonly rawAt: number;
  readonly at: number;
  readonly end: number;

  constructor(
    view: DataView,
    version: number,
    protocol: number,
    ends: Pick<IpPacket, 'rawAt' | 'at' | 'end'>,
    gsoSize = 0,
  ) {
    const { source, destination } = readAddresses(view, version, ends.rawAt);
    this.source = source;
    this.destination = destination;
    this.protocol = protocol;
    this.gsoSize = gsoSize;
    this.view = view;
    this.rawAt = ends.rawAt;
    this.at = ends.at;
    this.end = ends.end;
  }

  /** What follows the IP headers. */
  get upper(): Uint8Array {
    return copyOf(this.view, this.at, this.end);
  }

  /** The whole packet. */
  get raw(): Uint8Array {
    return copyOf(this.view, this.rawAt, this.end);
  }

  /** Bytes of `upper`. */
  get length(): number {
    return this.end - this.at;
  }
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
  const ends = { rawAt: pkt.l3At, at: pkt.l4At, end: pkt.at + pkt.len };
  return new IpPacket(pkt.view, pkt.version, pkt.protocol, ends, pkt.gsoSize);
}

/** A packet that holds itself. @param len bytes of its upper layer. */
export function ownPacket(raw: Uint8Array, len: number, protocol: number): IpPacket {
  return new IpPacket(viewOf(raw), raw[0]! >> 4, protocol, { rawAt: 0, at: raw.length - len, end: raw.length });
}

export function copyOf(view: DataView, from: number, end: number): Uint8Array {
  const bytes = newBytes(end - from);
  for (let i = from; i < end; i++) bytes[i - from] = view.getUint8(i);
  return bytes;
}

/** Of a header in the view. */
export function readAddresses(view: DataView, version: number, at = 0): { source: string; destination: string } {
  if (version !== 6) {
    return {
      source: textOf(view.getInt32(at + IPV4_SOURCE)),
      destination: textOf(view.getInt32(at + IPV4_DESTINATION)),
    };
  }
  const words = new Int32Array(8);
  loadIpv6(view, at + IPV6_SOURCE, words, 0);
  loadIpv6(view, at + IPV6_DESTINATION, words, 4);
  return { source: formatAddress(words), destination: formatAddress(words, 4) };
}

/** Few addresses meet again and again: one is as good as another that has its place. */
const TEXTS = 1024;
const textWords = new Int32Array(TEXTS);
const texts: string[] = Array.from({ length: TEXTS }, () => '0.0.0.0');
const mapped = Int32Array.of(0, 0, 0xffff, 0);

function textOf(ipv4: number): string {
  const place = (ipv4 ^ (ipv4 >>> 10)) & (TEXTS - 1);
  if (textWords[place] !== ipv4) {
    textWords[place] = ipv4;
    mapped[3] = ipv4;
    texts[place] = formatAddress(mapped);
  }
  return texts[place]!;
}

const parsed = new Map<string, Int32Array>();

/** As `parseAddress`; not to be written to. Pre: it is one, in its plain spelling. */
export function wordsOf(address: string): Int32Array {
  const known = parsed.get(address);
  if (known !== undefined) return known;
  if (parsed.size === TEXTS) parsed.clear();
  const words = parseAddress(address)!;
  parsed.set(address, words);
  return words;
}

/**
 * @param upper the upper-layer packet; what its checksum field holds does not matter.
 * @returns an IP packet of at most 65,535 bytes (40 more over IPv6), whole. Pre: `upper` leaves room for that.
 */
export function buildIpPacket(header: IpHeader, upper: Uint8Array): Uint8Array {
  return buildFrame(header, upper).subarray(LINK_ROOM);
}

/** The same with `LINK_ROOM` zeros in front. */
export function buildFrame(header: IpHeader, upper: Uint8Array): Uint8Array {
  const end = layOut(header, upper);
  const start = end - upper.length;
  const field = checksumField(header.protocol);
  if (field >= 0) {
    if (header.protocol === Protocol.Sctp) {
      scratchView.setUint32(start + field, 0);
      scratchView.setInt32(start + field, crc32c(scratch, start, upper.length), true);
    } else {
      scratchView.setUint16(start + field, 0);
      const sum = ~upperSum(scratchView, LINK_ROOM, start, end, header.protocol) & 0xffff;
      scratchView.setUint16(start + field, sum === 0 && header.protocol === Protocol.Udp ? 0xffff : sum);
    }
  }
  return copyBytes(scratch, 0, end);
}

/** An IP packet around upper-layer bytes that are finished already, or are only a part. */
export function buildUnchecked(header: IpHeader, upper: Uint8Array): Uint8Array {
  return copyBytes(scratch, LINK_ROOM, layOut(header, upper));
}

/** For the headers of the link, in front of packets that are sent. */
export const LINK_ROOM = VNET_HEADER_LEN + ETHERNET_HEADER_LEN;
const UPPER_MAX = 65_535;

/** Where packets are built. The room in front stays zero. */
const scratch = new Uint8Array(LINK_ROOM + IPV6_HEADER_LEN + UPPER_MAX);
const scratchView = viewOf(scratch);

/** @returns its end in `scratch`. */
function layOut(header: IpHeader, upper: Uint8Array): number {
  const source = wordsOf(header.source);
  const destination = wordsOf(header.destination);
  const ipv4 = isIpv4Words(destination, 0);
  const headerLen = ipv4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
  scratch.set(upper, LINK_ROOM + headerLen);
  const { protocol, hops = HOPS, tos = 0 } = header;
  if (ipv4) {
    ipv4Write(scratchView, LINK_ROOM, source[3]!, destination[3]!, protocol, tos, hops, headerLen + upper.length);
  } else {
    ipv6Write(scratchView, LINK_ROOM, { source, destination }, protocol, hops, upper.length);
    ipv6SetTrafficClass(scratchView, LINK_ROOM, tos);
  }
  return LINK_ROOM + headerLen + upper.length;
}

/** Is the upper-layer checksum right? UDP's zero over IPv4 means that there is none (RFC 768). */
export function upperChecksumRight(packet: IpPacket): boolean {
  const { protocol, raw, length } = packet;
  const view = viewOf(raw);
  const start = raw.length - length;
  const field = checksumField(protocol);
  if (field < 0) return true;
  if (length < field + (protocol === Protocol.Sctp ? 4 : 2)) return false;
  if (protocol === Protocol.Udp && view.getUint16(start + field) === 0) return raw[0]! >> 4 === 4;
  if (protocol !== Protocol.Sctp) return upperSum(view, 0, start, raw.length, protocol) === 0xffff;
  const seen = view.getInt32(start + field, true);
  view.setInt32(start + field, 0);
  return crc32c(raw, start, length) === seen;
}

/** Sum of the upper layer from `start` to `end`, pseudo header included. */
function upperSum(view: DataView, ipAt: number, start: number, end: number, protocol: number): number {
  const length = end - start;
  const sum = sumBytes(view, start, length);
  if (view.getUint8(ipAt) >> 4 === 6) return foldSum(sum + pseudoSumIpv6(view, ipAt, protocol, length));
  return protocol === Protocol.Icmp ? sum : foldSum(sum + pseudoSumIpv4(view, ipAt, protocol, length));
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
  if (parsed.has(text)) return text;
  const words = parseAddress(text);
  if (words === undefined) throw new RangeError(`not an address: ${text}`);
  return formatAddress(words);
}
