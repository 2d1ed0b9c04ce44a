import { sumBytes } from './checksum.ts';

/** IPv4 header (RFC 791). `at` is the offset of its first byte. */
const VERSION_IHL = 0;
const TOS = 1;
const TOTAL_LENGTH = 2;
const ID = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;

export const IPV4_HEADER_LEN = 20;
export const IPV4_SOURCE = SOURCE;
export const IPV4_DESTINATION = DESTINATION;
export const IPV4_CHECKSUM = CHECKSUM;

/** Header length in bytes, options included, when version and IHL are sane and the header fits; else 0. */
export function ipv4CheckedLen(view: DataView, at: number, available: number): number {
  if (available < IPV4_HEADER_LEN) return 0;
  const first = view.getUint8(at + VERSION_IHL);
  const length = (first & 15) << 2;
  return first >> 4 === 4 && length >= IPV4_HEADER_LEN && length <= available ? length : 0;
}

export function ipv4HeaderLen(view: DataView, at: number): number {
  return (view.getUint8(at + VERSION_IHL) & 15) << 2;
}

export function ipv4Tos(view: DataView, at: number): number {
  return view.getUint8(at + TOS);
}

export function ipv4TotalLength(view: DataView, at: number): number {
  return view.getUint16(at + TOTAL_LENGTH);
}

export function ipv4SetTotalLength(view: DataView, at: number, length: number): void {
  view.setUint16(at + TOTAL_LENGTH, length);
}

export function ipv4Id(view: DataView, at: number): number {
  return view.getUint16(at + ID);
}

export function ipv4SetId(view: DataView, at: number, id: number): void {
  view.setUint16(at + ID, id & 0xffff);
}

export function ipv4DontFragment(view: DataView, at: number): boolean {
  return (view.getUint8(at + FRAGMENT) & 0x40) !== 0;
}

/** More-fragments flag and offset in one: 0 for a whole packet. */
export function ipv4Fragmented(view: DataView, at: number): number {
  return view.getUint16(at + FRAGMENT) & 0x3fff;
}

/** @param fragment More-fragments flag (0x2000) and offset in units of eight bytes. */
export function ipv4SetFragment(view: DataView, at: number, fragment: number, dontFragment: boolean): void {
  view.setUint16(at + FRAGMENT, (dontFragment ? 0x4000 : 0) | fragment);
}

export function ipv4Ttl(view: DataView, at: number): number {
  return view.getUint8(at + TTL);
}

export function ipv4SetTtl(view: DataView, at: number, ttl: number): void {
  view.setUint8(at + TTL, ttl);
}

export function ipv4Protocol(view: DataView, at: number): number {
  return view.getUint8(at + PROTOCOL);
}

export function ipv4Source(view: DataView, at: number): number {
  return view.getInt32(at + SOURCE);
}

export function ipv4Destination(view: DataView, at: number): number {
  return view.getInt32(at + DESTINATION);
}

export function ipv4SetChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + CHECKSUM, checksum);
}

/** A header without options, whole (DF set) and with id 0 (RFC 6864 section 4.1), its checksum included. */
export function ipv4Write(
  view: DataView,
  at: number,
  source: number,
  destination: number,
  protocol: number,
  tos: number,
  ttl: number,
  totalLength: number,
): void {
  view.setUint16(at + VERSION_IHL, 0x4500 | tos);
  view.setUint16(at + TOTAL_LENGTH, totalLength);
  view.setUint16(at + ID, 0);
  view.setUint16(at + FRAGMENT, 0x4000);
  view.setUint16(at + TTL, (ttl << 8) | protocol);
  view.setUint16(at + CHECKSUM, 0);
  view.setInt32(at + SOURCE, source);
  view.setInt32(at + DESTINATION, destination);
  view.setUint16(at + CHECKSUM, ~sumBytes(view, at, IPV4_HEADER_LEN) & 0xffff);
}

/** 127/8, 0/8, multicast and 240/4 may not be a source on any link (RFC 1122 section 3.2.1.3, RFC 6890). */
export function ipv4MartianSource(address: number): boolean {
  const first = address >>> 24;
  return first === 127 || first === 0 || first >= 224;
}

/** Loopback, "this network" and the reserved block may not be a destination on a link. */
export function ipv4MartianDestination(address: number): boolean {
  const first = address >>> 24;
  return first === 127 || first === 0 || (first >= 240 && address !== -1);
}

/** 169.254/16 (RFC 3927): never forwarded. */
export function ipv4LinkLocal(address: number): boolean {
  return address >>> 16 === 0xa9fe;
}

export function ipv4Multicast(address: number): boolean {
  return address >>> 28 === 14 || address === -1;
}

/**
 * Overwrites with no-operations the options that only a first fragment carries: those without the copied flag (RFC 791
 * section 3.1).
 */
export function ipv4BlankUncopiedOptions(view: DataView, at: number): void {
  const end = at + ipv4HeaderLen(view, at);
  let option = at + IPV4_HEADER_LEN;
  while (option < end) {
    const type = view.getUint8(option);
    if (type === 0) return;
    const length = type === 1 || option + 1 >= end ? 1 : view.getUint8(option + 1);
    if (length === 0 || option + length > end) return;
    if ((type & 0x80) === 0) for (let i = 0; i < length; i++) view.setUint8(option + i, 1);
    option += length;
  }
}

/** Is every option at least two bytes long and inside the header, up to the end of the list (RFC 791 section 3.1)? */
export function ipv4OptionsSound(view: DataView, at: number): boolean {
  const end = at + ipv4HeaderLen(view, at);
  let option = at + IPV4_HEADER_LEN;
  while (option < end) {
    const type = view.getUint8(option);
    if (type === 0) return true;
    const length = type === 1 ? 1 : option + 1 < end ? view.getUint8(option + 1) : 0;
    if ((type !== 1 && length < 2) || option + length > end) return false;
    option += length;
  }
  return true;
}

/** True when the options hold a source route (types 131 and 137), which Linux and we refuse (RFC 7126 section 4.3). */
export function ipv4SourceRouted(view: DataView, at: number): boolean {
  const end = at + ipv4HeaderLen(view, at);
  let option = at + IPV4_HEADER_LEN;
  while (option < end) {
    const type = view.getUint8(option);
    if (type === 131 || type === 137) return true;
    if (type === 0) return false;
    const length = type === 1 ? 1 : option + 1 < end ? view.getUint8(option + 1) : 0;
    if (length === 0) return false;
    option += length;
  }
  return false;
}
