/** Bytes that have arrived and that no reader has taken yet, and where in the file they are. */
import { CaptureError } from './records.ts';

const CAPACITY_FIRST = 65_536;

export class ByteQueue {
  readonly file: string;
  /** Offset in the file of the first byte that is still here. */
  offset = 0;
  /** Byte order of the accessors; readers set it. */
  littleEndian = true;
  #bytes = new Uint8Array(CAPACITY_FIRST);
  #view = new DataView(this.#bytes.buffer);
  #start = 0;
  #end = 0;
  #wanted = 0;
  #wantedFor = '';

  constructor(file: string) {
    this.file = file;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** Copies the chunk in. Memory grows with the bytes that are here, never with what a length field promises. */
  push(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#bytes.length) this.#makeRoom(chunk.length);
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** Are so many bytes here? Remembers the question: `finish` reports the last one that had no answer. */
  has(count: number, purpose: string): boolean {
    this.#wanted = count;
    this.#wantedFor = purpose;
    return this.length >= count;
  }

  /** To be called at the end of the file. Throws `CaptureError` when it ends inside a record. */
  finish(): void {
    if (this.length === 0) return;
    throw this.damage(0, `${this.#wanted} bytes of ${this.#wantedFor}`, `the end of the file after ${this.length}`);
  }

  u16(at: number): number {
    return this.#view.getUint16(this.#start + at, this.littleEndian);
  }

  u32(at: number): number {
    return this.#view.getUint32(this.#start + at, this.littleEndian);
  }

  /** A copy of `[from, to)`. */
  slice(from: number, to: number): Uint8Array {
    return this.#bytes.slice(this.#start + from, this.#start + to);
  }

  skip(count: number): void {
    this.#start += count;
    this.offset += count;
  }

  /** @param at where, from the first byte that is here. */
  damage(at: number, expected: string, found: string): CaptureError {
    return new CaptureError(this.file, this.offset + at, expected, found);
  }

  #makeRoom(count: number): void {
    const { length } = this;
    let capacity = this.#bytes.length;
    // Half of it stays free: else a long record that comes in small chunks would be moved for each of them.
    while (capacity < 2 * (length + count)) capacity *= 2;
    const bytes = capacity === this.#bytes.length ? this.#bytes : new Uint8Array(capacity);
    bytes.set(this.#bytes.subarray(this.#start, this.#end));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#start = 0;
    this.#end = length;
  }
}
