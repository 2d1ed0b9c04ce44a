import type { Arena } from './arena.ts';

/** Bytes of one entry: `struct iovec` of a 64-bit little-endian kernel, an address and a length. */
const ENTRY_BYTES = 16;

/**
 * A list of pieces of the arena that leave as one message, laid out in the arena as `struct iovec[]`, so that
 * `sendmsg` and `writev` take it as it is and payload is never copied.
 */
export class GatherList {
  /** Position of the first entry. */
  readonly at: number;
  count = 0;
  bytes = 0;
  readonly #arena: Arena;
  readonly #capacity: number;

  constructor(arena: Arena, capacity: number) {
    this.#arena = arena;
    this.#capacity = capacity;
    this.at = arena.reserve(capacity * ENTRY_BYTES);
  }

  get full(): boolean {
    return this.count >= this.#capacity;
  }

  clear(): void {
    this.count = 0;
    this.bytes = 0;
  }

  add(at: number, len: number): void {
    const { words, base } = this.#arena;
    const address = base + at;
    const word = (this.at >> 2) + this.count * (ENTRY_BYTES >> 2);
    words[word] = address | 0;
    words[word + 1] = (address / 0x1_0000_0000) | 0;
    words[word + 2] = len;
    words[word + 3] = 0;
    this.count++;
    this.bytes += len;
  }

  /** Position and length of a piece, for readers inside the process. */
  pieceAt(index: number): number {
    const { words, base } = this.#arena;
    const word = (this.at >> 2) + index * (ENTRY_BYTES >> 2);
    return (words[word]! >>> 0) + words[word + 1]! * 0x1_0000_0000 - base;
  }

  pieceLen(index: number): number {
    return this.#arena.words[(this.at >> 2) + index * (ENTRY_BYTES >> 2) + 2]!;
  }
}
