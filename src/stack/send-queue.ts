/** Bytes that are written and not yet acknowledged, the oldest first. */
/** Most connections write little, and some nothing. */
const NOTHING = new Uint8Array();
const LEAST = 64;

export class SendQueue {
  #bytes = NOTHING;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** A view, valid until the next `push`. */
  peek(offset: number, len: number): Uint8Array {
    return this.#bytes.subarray(this.#start + offset, this.#start + offset + len);
  }

  /** Forgets the oldest. Pre: there are as many. */
  drop(count: number): void {
    this.#start += count;
  }

  #makeRoom(len: number): void {
    const capacity = Math.max(LEAST, this.#bytes.length, 2 * (this.length + len));
    const bytes = new Uint8Array(capacity);
    bytes.set(this.peek(0, this.length));
    this.#end = this.length;
    this.#start = 0;
    this.#bytes = bytes;
  }
}
