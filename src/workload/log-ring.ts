const FIRST_BYTES = 1024;

/**
 * The last lines of a log, within a number of bytes. Lines are copied in, so that none keeps alive the long text that
 * it was cut from.
 */
export class LogRing {
  readonly #capacity: number;
  #bytes: Buffer = Buffer.alloc(0);
  /** Bytes ever written; the place of the next is this modulo the buffer's length. */
  #written = 0;

  /** @param capacity bytes, a power of two not below 1024. Memory is taken as it is needed. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** @param line without its line feed. Of one longer than the ring, the end stays. */
  write(line: string): void {
    const bytes = Buffer.from(`${line}\n`).subarray(-this.#capacity);
    this.#grow(this.#written + bytes.length);
    const at = this.#written % this.#bytes.length;
    const behind = bytes.copy(this.#bytes, at);
    bytes.copy(this.#bytes, 0, behind);
    this.#written += bytes.length;
  }

  /** Whole lines, oldest first. */
  text(): string {
    if (this.#written <= this.#bytes.length) return this.#bytes.toString('utf8', 0, this.#written);
    const at = this.#written % this.#bytes.length;
    const all = Buffer.concat([this.#bytes.subarray(at), this.#bytes.subarray(0, at)]);
    return all.toString('utf8', all.indexOf('\n') + 1);
  }

  /** Only a ring that has not gone round yet grows, so the bytes stay where they are. */
  #grow(needed: number): void {
    if (needed <= this.#bytes.length || this.#bytes.length === this.#capacity) return;
    let length = Math.max(this.#bytes.length, FIRST_BYTES);
    while (length < needed && length < this.#capacity) length *= 2;
    const grown = Buffer.alloc(length);
    this.#bytes.copy(grown);
    this.#bytes = grown;
  }
}
