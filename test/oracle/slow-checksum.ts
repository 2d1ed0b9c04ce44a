/**
 * Checksums the obvious way, from the RFCs alone and one byte at a time. Nothing here may use `src/`: it is what the
 * fast versions are compared with.
 */

/** The ones' complement sum of big-endian 16-bit words (RFC 1071); an odd last byte is the high half of a word. */
export function slowSum(bytes: Uint8Array, initial = 0): number {
  let sum = initial;
  for (let i = 0; i < bytes.length; i++) {
    sum += i % 2 === 0 ? bytes[i]! * 256 : bytes[i]!;
    if (sum > 0xffff) sum -= 0xffff; // the end-around carry
  }
  return sum;
}

/** What a header carries: the complement of the sum, with the checksum field itself zero. */
export function slowChecksum(bytes: Uint8Array, initial = 0): number {
  return 0xffff - slowSum(bytes, initial);
}

/** The pseudo header of RFC 9293 section 3.1 (4-byte addresses) or RFC 8200 section 8.1 (16-byte addresses), as bytes. */
export function pseudoHeader(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  length: number,
): Uint8Array {
  const n = source.length;
  const bytes = new Uint8Array(2 * n + (n === 4 ? 4 : 8));
  bytes.set(source);
  bytes.set(destination, n);
  const high = length >> 8;
  const low = length & 255;
  bytes.set(n === 4 ? [0, protocol, high, low] : [0, 0, high, low, 0, 0, 0, protocol], 2 * n);
  return bytes;
}

/** CRC32c bit by bit (RFC 9260 appendix A): polynomial 0x1edc6f41, bits of each byte least significant first. */
export function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const carry = (crc & 1) ^ ((byte >> bit) & 1);
      crc = carry === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    }
  }
  return ~crc >>> 0;
}
