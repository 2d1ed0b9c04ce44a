/** IPv6 header and extension headers (RFC 8200). `at` is the offset of the fixed header's first byte. */
const VERSION = 0;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;

export const IPV6_HEADER_LEN = 40;
/** Fragment header (RFC 8200 section 4.5): next header, reserved, offset << 3 | M, identification. */
export const IPV6_FRAGMENT_HEADER_LEN = 8;
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

/**
 * Bytes that every fragment repeats: the fixed header, hop-by-hop options, a routing header and destination options in
 * front of it (RFC 8200 section 4.5). The chain must be sound.
 */
export function ipv6UnfragmentableLen(view: DataView, at: number): number {
  let next = ipv6NextHeader(view, at);
  let length = IPV6_HEADER_LEN;
  let unfragmentable = length;
  while (next === Ipv6Extension.HopByHop || next === Ipv6Extension.Routing || next === Ipv6Extension.Destination) {
    const isDestination = next === Ipv6Extension.Destination;
    next = view.getUint8(at + length);
    length += (view.getUint8(at + length + 1) + 1) << 3;
    if (!isDestination) unfragmentable = length;
  }
  return unfragmentable;
}

/** Where the last of the headers that fill `length` bytes says what follows it. */
export function ipv6LastNextHeaderAt(view: DataView, at: number, length: number): number {
  let field = at + NEXT_HEADER;
  let header = at + IPV6_HEADER_LEN;
  while (header < at + length) {
    field = header;
    header += (view.getUint8(header + 1) + 1) << 3;
  }
  return field;
}

/** The fixed header, flow label 0. Addresses are four words each. */
export function ipv6Write(
  view: DataView,
  at: number,
  addresses: { readonly source: Int32Array; readonly destination: Int32Array },
  nextHeader: number,
  hopLimit: number,
  payloadLength: number,
): void {
  view.setInt32(at, 6 << 28);
  view.setUint16(at + PAYLOAD_LENGTH, payloadLength);
  view.setUint8(at + NEXT_HEADER, nextHeader);
  view.setUint8(at + HOP_LIMIT, hopLimit);
  for (let i = 0; i < 4; i++) {
    view.setInt32(at + SOURCE + i * 4, addresses.source[i]!);
    view.setInt32(at + DESTINATION + i * 4, addresses.destination[i]!);
  }
}

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
