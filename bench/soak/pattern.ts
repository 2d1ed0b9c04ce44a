/**
 * What a stream of the soak carries: one block of random bytes, repeated, from a place that the stream's seed says. So
 * the receiver knows every byte beforehand, and comparing costs a `memcmp`. The block's length is a prime: what is
 * shifted, repeated or left out by any length that a network knows (segments, pages, windows) does not fit any more.
 */

/** The largest prime below 2^24. */
export const BLOCK_BYTES = 16_777_213;
/** Distance between the places where streams of two neighbouring seeds begin. */
const SEED_STEP = 7_368_787;

/** The same for everybody: both ends make it for themselves. */
export function makeBlock(): Buffer {
  const words = new Int32Array(Math.ceil(BLOCK_BYTES / 4));
  let state = 0x2545_f491;
  for (let i = 0; i < words.length; i++) {
    // xorshift32 (Marsaglia, "Xorshift RNGs", 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return Buffer.from(words.buffer, 0, BLOCK_BYTES);
}

/** Where in the block the byte at `position` of that stream is. */
export function placeOf(seed: number, position: number): number {
  return ((seed % BLOCK_BYTES) * SEED_STEP + position) % BLOCK_BYTES;
}

/** Compares what comes out of a stream, in pieces of any size, with what went in. */
export class StreamCheck {
  /** Bytes that were right, one after the other from the beginning. */
  verified = 0;
  readonly #block: Buffer;
  readonly #seed: number;

  constructor(block: Buffer, seed: number) {
    this.#block = block;
    this.#seed = seed;
  }

  /** @returns what is wrong, or undefined. After a mistake the rest means nothing. */
  take(bytes: Buffer): string | undefined {
    for (let at = 0; at < bytes.length; ) {
      const place = placeOf(this.#seed, this.verified);
      const length = Math.min(bytes.length - at, BLOCK_BYTES - place);
      if (this.#block.compare(bytes, at, at + length, place, place + length) !== 0) {
        return this.#describe(bytes, at, place, length);
      }
      at += length;
      this.verified += length;
    }
    return undefined;
  }

  #describe(bytes: Buffer, at: number, place: number, length: number): string {
    let first = 0;
    while (bytes[at + first] === this.#block[place + first]) first++;
    let wrong = 0;
    for (let i = first; i < length; i++) if (bytes[at + i] !== this.#block[place + i]) wrong++;
    const found = bytes.subarray(at + first, Math.min(at + length, at + first + 16));
    const wanted = this.#block.subarray(place + first, place + Math.min(length, first + 16));
    const elsewhere = this.#block.indexOf(found);
    // Bytes of another place: something was lost, repeated or shifted, and this tells by how much.
    const moved =
      found.length === 16 && elsewhere >= 0 ? `; that is what stands ${elsewhere - (place + first)} further` : '';
    return (
      `stream ${this.#seed}: byte ${this.verified + first}: ${found.toString('hex')} and not ${wanted.toString('hex')}` +
      `${moved}; ${wrong} of these ${length} bytes are wrong`
    );
  }
}
