/** Which sequence numbers have been seen: tells copies from late ones. */

/** How far back a copy is known as such: at a million datagrams a second, four seconds. Half a megabyte of bits. */
const WINDOW = 1 << 22;

export class SequenceWindow {
  /** Seen before, within the window. */
  duplicates = 0;
  /** Not seen before, but a later one was (RFC 4737 section 3.3, by sequence number). */
  reordered = 0;
  /** Sent before the first number that counts: late ones of an earlier trial. */
  early = 0;
  readonly #seen = new Int32Array(WINDOW / 32);
  #highest = 0;
  #begun = false;
  /** Undefined: any number counts. */
  #first: number | undefined;

  /** @param first the number from which on they count; undefined: any. */
  reset(first?: number): void {
    this.duplicates = 0;
    this.reordered = 0;
    this.early = 0;
    this.#first = first;
    this.#begun = false;
    this.#seen.fill(0);
  }

  /** @param sequence 32 bits, which may wrap. The first one after a reset may be any. */
  add(sequence: number): void {
    if (this.#first !== undefined && ((sequence - this.#first) | 0) < 0) {
      this.early++;
      return;
    }
    if (!this.#begun) {
      this.#begun = true;
      this.#highest = sequence | 0;
      this.#mark(sequence);
      return;
    }
    const ahead = (sequence - this.#highest) | 0;
    if (ahead > 0) {
      this.#advance(ahead);
      this.#highest = sequence | 0;
      this.#mark(sequence);
    } else if (ahead > -WINDOW && this.#isMarked(sequence)) {
      this.duplicates++;
    } else {
      this.reordered++;
      if (ahead > -WINDOW) this.#mark(sequence);
    }
  }

  /** Forgets what stood where the next `count` numbers will stand. */
  #advance(count: number): void {
    if (count >= WINDOW) {
      this.#seen.fill(0);
      return;
    }
    for (let i = 1; i <= count; i++) {
      const at = (this.#highest + i) & (WINDOW - 1);
      this.#seen[at >>> 5]! &= ~(1 << (at & 31));
    }
  }

  #mark(sequence: number): void {
    const at = sequence & (WINDOW - 1);
    this.#seen[at >>> 5]! |= 1 << (at & 31);
  }

  #isMarked(sequence: number): boolean {
    const at = sequence & (WINDOW - 1);
    return (this.#seen[at >>> 5]! & (1 << (at & 31))) !== 0;
  }
}
