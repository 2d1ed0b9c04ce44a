/** IPv6 header and extension headers (RFC 8200). `at` is the offset of the fixed header's first byte. */
const VERSION = 0;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;

export const IPV6_HEADER_LEN = 40;
export const IPV6_SOURCE = SOURCE;
export const IPV6_DESTINATION = DESTINATION;

/** 40 when the version is 6 and the header fits, else 0. */
export function ipv6CheckedLen(view: DataView, at: number, available: number): number {
  return available >= IPV6_HEADER_LEN && view.getUint8(at + VERSION) >> 4 === 6 ? IPV6_HEADER_LEN : 0;
}

/** DSCP and ECN, as the IPv4 TOS octet has them. */
export function ipv6TrafficClass(view: DataView, at: number): number {
  return (view.getUint16(at + VERSION) >> 4) & 0xff;
}

export function ipv6SetTrafficClass(view: DataView, at: number, value: number): void {
  view.setUint16(at + VERSION, (view.getUint16(at + VERSION) & 0xf00f) | (value << 4));
}

export function ipv6PayloadLength(view: DataView, at: number): number {
  return view.getUint16(at + PAYLOAD_LENGTH);
}

export function ipv6SetPayloadLength(view: DataView, at: number, length: number): void {
  view.setUint16(at + PAYLOAD_LENGTH, length);
}

export function ipv6NextHeader(view: DataView, at: number): number {
  return view.getUint8(at + NEXT_HEADER);
}

export function ipv6HopLimit(view: DataView, at: number): number {
  return view.getUint8(at + HOP_LIMIT);
}

export function ipv6SetHopLimit(view: DataView, at: number, hops: number): void {
  view.setUint8(at + HOP_LIMIT, hops);
}

/** Extension headers that may stand between the fixed header and the payload (RFC 8200 section 4). */
export const Ipv6Extension = { HopByHop: 0, Routing: 43, Fragment: 44, NoNext: 59, Destination: 60 } as const;

/** More extension headers than this are refused: nobody sends them, and work per packet must be bounded (RFC 9098). */
export const IPV6_EXTENSIONS_MAX = 8;

export function ipv6MulticastDestination(view: DataView, at: number): boolean {
  return view.getUint8(at + DESTINATION) === 0xff;
}

/**
 * Multicast, and loopback `::1`, may not be a source on a link (RFC 4291 sections 2.5.3 and 2.7); nor may an
 * IPv4-mapped address be on a wire at all (RFC 4942 section 2.2): flow keys and routes would take it for IPv4.
 */
export function ipv6MartianSource(view: DataView, at: number): boolean {
  return view.getUint8(at + SOURCE) === 0xff || isLoopback(view, at + SOURCE) || isMapped(view, at + SOURCE);
}

export function ipv6MartianDestination(view: DataView, at: number): boolean {
  return (
    isLoopback(view, at + DESTINATION) || ipv6Unspecified(view, at + DESTINATION) || isMapped(view, at + DESTINATION)
  );
}

/** `fe80::/10` (RFC 4291 section 2.5.6): never forwarded. `at` is the address itself. */
export function ipv6LinkLocal(view: DataView, at: number): boolean {
  return (view.getUint16(at) & 0xffc0) === 0xfe80;
}

/** `at` is the address itself. */
export function ipv6Unspecified(view: DataView, at: number): boolean {
  return (view.getInt32(at) | view.getInt32(at + 4) | view.getInt32(at + 8) | view.getInt32(at + 12)) === 0;
}

function isMapped(view: DataView, at: number): boolean {
  return (view.getInt32(at) | view.getInt32(at + 4)) === 0 && view.getInt32(at + 8) === 0xffff;
}

function isLoopback(view: DataView, at: number): boolean {
  return (view.getInt32(at) | view.getInt32(at + 4) | view.getInt32(at + 8)) === 0 && view.getInt32(at + 12) === 1;
}
