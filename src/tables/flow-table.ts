/**
 * `tables/`: fixed-capacity structures over typed arrays. Nothing here grows, allocates after construction, or knows
 * what its numbers mean.
 *
 * A flow table maps a key of a few 32-bit words to a slot that the *caller* chose; the caller keeps its values in
 * arrays indexed by that slot. Hash chains rather than open addressing: slots never move, removal is exact, and a
 * chain is the neighbourhood that eviction looks at. The hash is seeded, so that nobody outside can pile flows into
 * one bucket. Zero-filled arrays are an empty table: memory that was never used is never touched.
 *
 * What a look-up reads of an entry lies together, as a table of millions is larger than any cache: the key, its hash,
 * the link to the next entry, and a few words of the caller's own.
 */

/** Words of an entry between its key and those of the caller: the hash, and the link to the next entry. */
export const LINK_WORDS = 2;

export class FlowTable {
  readonly words: number;
  /** Words from one entry to the next; an entry begins with its key. */
  readonly stride: number;
  readonly entries: Int32Array;
  readonly #seed: number;
  readonly #mask: number;
  /** Slot + 1 of the first entry of each bucket; 0 is an empty bucket. */
  readonly #heads: Int32Array;
  /** Where in an entry its hash is. Behind it: slot + 1 of the next entry of the same bucket. */
  readonly #hashAt: number;
  readonly #nextAt: number;

  /** @param values words of each entry that are the caller's, behind its key and its link. */
  constructor(slots: number, words: number, seed: number, values = 0) {
    const buckets = 1 << (32 - Math.clz32(Math.max(slots - 1, 1)));
    this.words = words;
    this.stride = words + LINK_WORDS + values;
    this.entries = new Int32Array(slots * this.stride);
    this.#seed = seed | 0;
    this.#mask = buckets - 1;
    this.#heads = new Int32Array(buckets);
    this.#hashAt = words;
    this.#nextAt = words + 1;
  }

  /** Index in `entries` of the slot's key. */
  keyAt(slot: number): number {
    return slot * this.stride;
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
    let slot = this.firstNear(hash, 0);
    while (slot >= 0 && !(this.hashOf(slot) === hash && this.#equals(slot, keys, index))) slot = this.after(slot);
    return slot;
  }

  /** The hash that the slot's entry was put in with. */
  hashOf(slot: number): number {
    return this.entries[slot * this.stride + this.#hashAt]!;
  }

  /** Puts the key into a slot that is not in use. The key must not be in the table already. */
  insert(slot: number, keys: Int32Array, index: number, hash: number): void {
    const { entries } = this;
    const at = this.keyAt(slot);
    for (let i = 0; i < this.words; i++) entries[at + i] = keys[index + i]!;
    const bucket = hash & this.#mask;
    entries[at + this.#hashAt] = hash;
    entries[at + this.#nextAt] = this.#heads[bucket]!;
    this.#heads[bucket] = slot + 1;
  }

  /** The first slot of the bucket `distance` after the one of this hash, or -1: the neighbourhood, for eviction. */
  firstNear(hash: number, distance: number): number {
    return this.#heads[(hash + distance) & this.#mask]! - 1;
  }

  /** The slot after this one in the same bucket, or -1. */
  after(slot: number): number {
    return this.entries[slot * this.stride + this.#nextAt]! - 1;
  }

  /** Takes a slot that is in use out of its bucket. */
  remove(slot: number): void {
    const bucket = this.hashOf(slot) & this.#mask;
    const next = this.after(slot) + 1;
    let before = this.#heads[bucket]! - 1;
    if (before === slot) {
      this.#heads[bucket] = next;
      return;
    }
    while (this.after(before) !== slot) before = this.after(before);
    this.entries[before * this.stride + this.#nextAt] = next;
  }

  #equals(slot: number, keys: Int32Array, index: number): boolean {
    const at = this.keyAt(slot);
    for (let i = 0; i < this.words; i++) if (this.entries[at + i] !== keys[index + i]) return false;
    return true;
  }
}
