/**
 * Sightings of one node, out of the bytes of its stream, in the node's order. Bytes come in pieces of any size;
 * sightings are read in place, from memory on a word boundary.
 */
import { Sighting, SightingBytes, SightingKind, Word } from '../recording/sighting.ts';

/** No sighting is longer: a frame, its headers, and what is known of it. */
const SIGHTING_BYTES_MAX = 1 << 18;
const HEADER_MIN = 8;

export class SightingStream {
  /** Nothing older than this will come any more; ns, monotonic. */
  knownUntilNs = 0;
  /** It has said that it is over, or has been cut off. */
  over = false;
  /** The next one; meaningful while `ready`. */
  readonly next = new Sighting();
  ready = false;
  readonly #pieces: SightingBytes[] = [];
  #at = 0;
  /** The beginning of a sighting whose end has not come. */
  #rest = new Uint8Array(0);

  /** Nothing more will come. */
  end(): void {
    this.over = true;
  }

  /** Throws when the bytes cannot be sightings. */
  push(bytes: Uint8Array): void {
    const joined = new Uint8Array((this.#rest.length + bytes.length + 7) & ~7);
    joined.set(this.#rest);
    joined.set(bytes, this.#rest.length);
    const length = wholeLength(joined, this.#rest.length + bytes.length);
    this.#rest = joined.slice(length, this.#rest.length + bytes.length);
    if (length > 0) this.#pieces.push(new SightingBytes(joined.buffer, 0, length));
    if (!this.ready) this.advance();
  }

  /** Goes on to the next sighting. */
  advance(): void {
    this.ready = false;
    while (this.#pieces.length > 0) {
      const piece = this.#pieces[0]!;
      const length = this.next.read(piece, this.#at);
      this.#at += length;
      if (this.#at >= piece.bytes.length) {
        this.#pieces.shift();
        this.#at = 0;
      }
      const { kind, timeNs } = this.next;
      if (kind === SightingKind.None) continue;
      if (timeNs > this.knownUntilNs) this.knownUntilNs = timeNs;
      if (kind === SightingKind.Quiet) continue;
      if (kind === SightingKind.End) {
        this.over = true;
        continue;
      }
      this.ready = true;
      return;
    }
  }
}

/** Bytes of the sightings that are there whole. */
function wholeLength(bytes: Uint8Array, available: number): number {
  const words = new Int32Array(bytes.buffer);
  let at = 0;
  while (available - at >= HEADER_MIN) {
    const length = words[(at >> 2) + Word.Length]!;
    if (length < HEADER_MIN || length > SIGHTING_BYTES_MAX || length % 8 !== 0) {
      throw new Error(`a sighting of ${length} bytes: not what a node sends`);
    }
    if (at + length > available) break;
    at += length;
  }
  return at;
}
