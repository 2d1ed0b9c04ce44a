/**
 * Small arrays of bytes cost V8 a memory of their own each, outside its heap: more than all that is done with a packet here.
 * So they are cut out of larger pieces, which go when nobody holds any of them.
 */

const PIECE_BYTES = 65_536;
/** More than this is a piece of its own. */
const SMALL_BYTES = 2048;
/** Up to here a loop is faster than a view and a copy. */
const LOOP_BYTES = 128;

let piece = new ArrayBuffer(PIECE_BYTES);
let used = 0;

/** Zeros. */
export function newBytes(length: number): Uint8Array {
  if (length > SMALL_BYTES) return new Uint8Array(length);
  if (used + length > PIECE_BYTES) {
    piece = new ArrayBuffer(PIECE_BYTES);
    used = 0;
  }
  const bytes = new Uint8Array(piece, used, length);
  used += length;
  return bytes;
}

export function copyBytes(from: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  const bytes = newBytes(length);
  if (length > LOOP_BYTES) bytes.set(from.subarray(start, end));
  else for (let i = 0; i < length; i++) bytes[i] = from[start + i]!;
  return bytes;
}
