/**
 * The Internet checksum (RFC 1071). A *sum* is the folded 16-bit ones' complement sum of big-endian words; a
 * *checksum* is its complement, as headers carry it. Sums add up: `foldSum(a + b)`.
 */

/** Folds the carries of an addition of sums back in. `sum` is at most 2^32 - 1. */
export function foldSum(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** Sum of `len` bytes; an odd last byte counts as the high half of a word. At most 65,535 bytes. */
export function sumBytes(view: DataView, at: number, len: number): number {
  let sum = 0;
  const end = at + (len & ~1);
  for (let i = at; i < end; i += 2) sum += view.getUint16(i);
  if (len & 1) sum += view.getUint8(end) << 8;
  return foldSum(sum);
}

/** Patches a checksum for one changed 16-bit word (RFC 1624 equation 3). Only for complete checksums. */
export function checksumUpdate16(checksum: number, before: number, after: number): number {
  return ~foldSum((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}

/** The same for a changed 32-bit word. */
export function checksumUpdate32(checksum: number, before: number, after: number): number {
  const change = (~(before >>> 16) & 0xffff) + (~before & 0xffff) + ((after >>> 16) & 0xffff) + (after & 0xffff);
  return ~foldSum((~checksum & 0xffff) + change) & 0xffff;
}

/** Sum of the IPv4 pseudo header (RFC 9293 section 3.1) for `length` bytes of upper layer. */
export function pseudoSumIpv4(view: DataView, ipAt: number, protocol: number, length: number): number {
  return foldSum(
    view.getUint16(ipAt + 12) +
      view.getUint16(ipAt + 14) +
      view.getUint16(ipAt + 16) +
      view.getUint16(ipAt + 18) +
      protocol +
      length,
  );
}

/** Sum of the IPv6 pseudo header (RFC 8200 section 8.1). */
export function pseudoSumIpv6(view: DataView, ipAt: number, protocol: number, length: number): number {
  let sum = protocol + length;
  for (let i = ipAt + 8; i < ipAt + 40; i += 2) sum += view.getUint16(i);
  return foldSum(sum);
}
