import type { Arena } from '../packet/arena.ts';

/** `take` and `put` of a queue that is empty, or full. */
export const NO_SLOT = -1;

/**
 * Frames on their way over links, in fixed slots of the arena, in the order in which they arrive: by time, at the same
 * time by who came first. A binary heap of slots: putting and taking cost some log2(capacity) steps.
 */
export class WaitingFrames {
  readonly capacity: number;
  readonly #arena: Arena;
  readonly #regionAt: number;
  readonly #headroom: number;
  readonly #slotBytes: number;
  // By slot.
  readonly len: Int32Array;
  /** Where the frame came from and goes, and what its headers on the way are made from. */
  readonly ingress: Int32Array;
  readonly endpoint: Int32Array;
  readonly hash: Int32Array;
  readonly tos: Int32Array;
  readonly #dueMs: Float64Array;
  readonly #order: Float64Array;
  /** The first `#count` are the heap, the others are free. */
  readonly #slots: Int32Array;
  #count = 0;
  readonly #arrivals = new Float64Array(1);

  /** @param headroom bytes to keep free in front of each frame. @param frameBytesMax longest frame. */
  constructor(arena: Arena, capacity: number, headroom: number, frameBytesMax: number) {
    this.capacity = capacity;
    this.#arena = arena;
    this.#headroom = headroom;
    this.#slotBytes = headroom + frameBytesMax;
    this.#regionAt = arena.reserve(capacity * this.#slotBytes);
    this.len = new Int32Array(capacity);
    this.ingress = new Int32Array(capacity);
    this.endpoint = new Int32Array(capacity);
    this.hash = new Int32Array(capacity);
    this.tos = new Int32Array(capacity);
    this.#dueMs = new Float64Array(capacity);
    this.#order = new Float64Array(capacity);
    this.#slots = new Int32Array(capacity);
    for (let slot = 0; slot < capacity; slot++) this.#slots[slot] = slot;
  }

  get count(): number {
    return this.#count;
  }

  /** First byte of the slot's frame. */
  frameAt(slot: number): number {
    return this.#regionAt + slot * this.#slotBytes + this.#headroom;
  }

  /** When the first one leaves; Infinity when none waits. */
  get nextDueMs(): number {
    return this.#count === 0 ? Infinity : this.#dueMs[this.#slots[0]!]!;
  }

  /**
   * Copies a frame; the caller fills in the slot's other fields.
   *
   * @param dueMs one number. @returns the slot, or NO_SLOT.
   */
  put(at: number, len: number, dueMs: Float64Array): number {
    if (this.#count === this.capacity || this.#headroom + len > this.#slotBytes) return NO_SLOT;
    const slot = this.#slots[this.#count]!;
    this.#arena.copy(this.frameAt(slot), at, len);
    this.len[slot] = len;
    this.#dueMs[slot] = dueMs[0]!;
    this.#order[slot] = this.#arrivals[0]!++;
    this.#rise(this.#count++, slot);
    return slot;
  }

  /** The slot that is due first, if that is at `nowMs` or before. Its frame stays readable until the next `put`. */
  take(nowMs: number): number {
    if (this.#count === 0) return NO_SLOT;
    const first = this.#slots[0]!;
    if (this.#dueMs[first]! > nowMs) return NO_SLOT;
    const last = this.#slots[--this.#count]!;
    this.#slots[this.#count] = first;
    if (this.#count > 0) this.#sink(last);
    return first;
  }

  #rise(from: number, slot: number): void {
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = this.#slots[parent]!;
      if (!this.#before(slot, above)) break;
      this.#slots[i] = above;
      i = parent;
    }
    this.#slots[i] = slot;
  }

  /** Lets a slot sink from the top to its place. */
  #sink(slot: number): void {
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= this.#count) break;
      if (child + 1 < this.#count && this.#before(this.#slots[child + 1]!, this.#slots[child]!)) child++;
      const below = this.#slots[child]!;
      if (!this.#before(below, slot)) break;
      this.#slots[i] = below;
      i = child;
    }
    this.#slots[i] = slot;
  }

  #before(a: number, b: number): boolean {
    const difference = this.#dueMs[a]! - this.#dueMs[b]!;
    return difference < 0 || (difference === 0 && this.#order[a]! < this.#order[b]!);
  }
}
