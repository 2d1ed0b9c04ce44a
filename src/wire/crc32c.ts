/** CRC32c (Castagnoli), as SCTP uses it (RFC 9260 appendix A): reflected polynomial 0x82f63b78. */
const table = new Int32Array(256);
for (let i = 0; i < 256; i++) {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  table[i] = crc;
}

/** The value to store, least significant byte first. */
export function crc32c(bytes: Uint8Array, at: number, len: number): number {
  let crc = -1;
  for (let i = at; i < at + len; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc;
}
