/**
 * `tables/`: fixed-capacity structures over typed arrays. Nothing here grows, allocates after construction, or knows
 * what its numbers mean.
 *
 * A flow table maps a key of a few 32-bit words to a slot that the *caller* chose; the caller keeps its values in
 * arrays indexed by that slot. Hash chains rather than open addressing: slots never move, removal is exact, and a
 * chain is the neighbourhood that eviction looks at. The hash is seeded, so that nobody outside can pile flows into
 * one bucket. Zero-filled arrays are an empty table: memory that was never used is never touched.
 */
export class FlowTable {
  readonly slots: number;
  readonly words: number;
  readonly keys: Int32Array;
  readonly data: FlowTableData;
  readonly #seed: number;
  readonly #mask: number;
  /** Slot + 1 of the first entry of each bucket; 0 is an empty bucket. */
  readonly #heads: Int32Array;
  /** Slot + 1 of the next entry of the same bucket. */
  readonly #next: Int32Array;
  readonly #hashes: Int32Array;

  constructor(slots: number, words: number, seed: number, data = emptyTable(slots, words, seed)) {
    this.slots = slots;
    this.words = words;
    this.data = data;
    this.keys = data.keys;
    this.#seed = seed | 0;
    this.#mask = data.heads.length - 1;
    this.#heads = data.heads;
    this.#next = data.next;
    this.#hashes = data.hashes;
  }

  /** A table that was built elsewhere, with what is in it. */
  static of(data: FlowTableData): FlowTable {
    return new FlowTable(data.next.length, data.words, data.seed, data);
  }

  /** Hash of the key at `keys[index …]`. Also good as a flow hash: well mixed in all 32 bits. */
  hash(keys: Int32Array, index: number): number {
    let h = this.#seed;
    const end = index + this.words;
    for (let i = index; i < end; i++) {
      h = Math.imul(h ^ keys[i]!, 0x85ebca6b);
      h ^= h >>> 15;
    }
    h = Math.imul(h, 0xc2b2ae35);
    return h ^ (h >>> 16);
  }

  /** The slot of the key at `keys[index …]` with this hash, or -1. */
  find(keys: Int32Array, index: number, hash: number): number {
    let link = this.#heads[hash & this.#mask]!;
    while (link !== 0) {
      const slot = link - 1;
      if (this.#hashes[slot] === hash && this.#equals(slot, keys, index)) return slot;
      link = this.#next[slot]!;
    }
    return -1;
  }

  /** Puts the key into a slot that is not in use. The key must not be in the table already. */
  insert(slot: number, keys: Int32Array, index: number, hash: number): void {
    const at = slot * this.words;
    for (let i = 0; i < this.words; i++) this.keys[at + i] = keys[index + i]!;
    const bucket = hash & this.#mask;
    this.#hashes[slot] = hash;
    this.#next[slot] = this.#heads[bucket]!;
    this.#heads[bucket] = slot + 1;
  }

  /** The first slot of the bucket `distance` after the one of this hash, or -1: the neighbourhood, for eviction. */
  firstNear(hash: number, distance: number): number {
    return this.#heads[(hash + distance) & this.#mask]! - 1;
  }

  /** The slot after this one in the same bucket, or -1. */
  after(slot: number): number {
    return this.#next[slot]! - 1;
  }

  /** Takes a slot that is in use out of its bucket. */
  remove(slot: number): void {
    const bucket = this.#hashes[slot]! & this.#mask;
    const link = slot + 1;
    if (this.#heads[bucket] === link) {
      this.#heads[bucket] = this.#next[slot]!;
      return;
    }
    let before = this.#heads[bucket]! - 1;
    while (this.#next[before] !== link) before = this.#next[before]! - 1;
    this.#next[before] = this.#next[slot]!;
  }

  #equals(slot: number, keys: Int32Array, index: number): boolean {
    const at = slot * this.words;
    for (let i = 0; i < this.words; i++) if (this.keys[at + i] !== keys[index + i]) return false;
    return true;
  }
}

/** Plain arrays of a `FlowTable`, so that one thread can build it and another use it. */
export interface FlowTableData {
  readonly words: number;
  readonly seed: number;
  readonly keys: Int32Array;
  readonly heads: Int32Array;
  readonly next: Int32Array;
  readonly hashes: Int32Array;
}

function emptyTable(slots: number, words: number, seed: number): FlowTableData {
  const buckets = 1 << (32 - Math.clz32(Math.max(slots - 1, 1)));
  return {
    words,
    seed,
    keys: new Int32Array(slots * words),
    heads: new Int32Array(buckets),
    next: new Int32Array(slots),
    hashes: new Int32Array(slots),
  };
}
