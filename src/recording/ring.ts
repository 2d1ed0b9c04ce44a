/**
 * A ring of sightings in shared memory: one thread writes, another reads, neither waits for the other. What does not
 * fit is lost, and counted by the writer.
 */
import { SightingBytes, SightingKind, Word } from './sighting.ts';

/** Words in front: bytes written and read since the start (modulo 2^32), and whether the writer is about to tell. */
const HEAD = 0;
const TAIL = 1;
const BUSY = 2;
const CONTROL_BYTES = 64;

/** @param capacity bytes, a power of two of at least 256 KiB: the longest sighting must fit twice. */
export function createRing(capacity: number): SharedArrayBuffer {
  return new SharedArrayBuffer(CONTROL_BYTES + capacity);
}

export class RingWriter {
  readonly space: SightingBytes;
  readonly #control: Int32Array;
  readonly #capacity: number;
  #head = 0;
  /** What the reader had read when last looked at: looking costs a cache line. */
  #tail = 0;

  constructor(shared: SharedArrayBuffer) {
    this.#capacity = shared.byteLength - CONTROL_BYTES;
    this.#control = new Int32Array(shared, 0, CONTROL_BYTES >> 2);
    this.space = new SightingBytes(shared, CONTROL_BYTES, this.#capacity);
  }

  /**
   * Takes room for a sighting of `length` bytes, a multiple of 8, in one piece; the reader sees nothing before
   * `publish`. Returns its position in `space`, or -1 when there is no room. The length is filled in.
   */
  reserve(length: number): number {
    const mask = this.#capacity - 1;
    let at = this.#head & mask;
    const toEnd = this.#capacity - at;
    const skip = length > toEnd ? toEnd : 0;
    if (!this.#hasRoom(skip + length)) return -1;
    if (skip > 0) {
      this.space.words[at >> 2] = skip;
      this.space.words[(at >> 2) + Word.Kind] = SightingKind.None;
      this.#head = (this.#head + skip) | 0;
      at = 0;
    }
    this.space.words[at >> 2] = length;
    this.#head = (this.#head + length) | 0;
    return at;
  }

  /** Gives back the room at `at`: all of it when it was the last that was taken, else it is passed over. */
  giveBack(at: number): void {
    const length = this.space.words[at >> 2]!;
    if (((at + length) & (this.#capacity - 1)) === (this.#head & (this.#capacity - 1))) {
      this.#head = (this.#head - length) | 0;
    } else {
      this.space.words[(at >> 2) + Word.Kind] = SightingKind.None;
    }
  }

  /** To be called before the time of a sighting is read, and answered by `publish`. */
  begin(): void {
    Atomics.store(this.#control, BUSY, 1);
  }

  /** The reader may see everything that was written. */
  publish(): void {
    Atomics.store(this.#control, HEAD, this.#head);
    Atomics.store(this.#control, BUSY, 0);
  }

  #hasRoom(length: number): boolean {
    if (this.#capacity - ((this.#head - this.#tail) >>> 0) >= length) return true;
    this.#tail = Atomics.load(this.#control, TAIL);
    return this.#capacity - ((this.#head - this.#tail) >>> 0) >= length;
  }
}

export class RingReader {
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;
  #tail = 0;

  constructor(shared: SharedArrayBuffer) {
    this.#control = new Int32Array(shared, 0, CONTROL_BYTES >> 2);
    this.#bytes = new Uint8Array(shared, CONTROL_BYTES);
  }

  /**
   * True when the writer was not about to tell anything: then everything that it tells from now on happens after now.
   * To be asked after the clock was read, and before `take`.
   */
  get idle(): boolean {
    return Atomics.load(this.#control, BUSY) === 0;
  }

  /** A copy of what is there, whole sightings, at most `max` bytes unless one is longer; undefined when nothing is. */
  take(max: number): Uint8Array | undefined {
    const head = Atomics.load(this.#control, HEAD);
    const available = (head - this.#tail) >>> 0;
    if (available === 0) return undefined;
    const capacity = this.#bytes.length;
    const at = this.#tail & (capacity - 1);
    const length = this.#wholeOnes(at, Math.min(available, capacity - at), max);
    const copy = this.#bytes.slice(at, at + length);
    this.#tail = (this.#tail + length) | 0;
    Atomics.store(this.#control, TAIL, this.#tail);
    return copy;
  }

  /** Sightings never cross the end of the ring. */
  #wholeOnes(at: number, available: number, max: number): number {
    if (available <= max) return available;
    const words = new Int32Array(this.#bytes.buffer, CONTROL_BYTES, this.#bytes.length >> 2);
    let length = 0;
    do length += words[(at + length) >> 2]!;
    while (length < available && length + words[(at + length) >> 2]! <= max);
    return length;
  }
}
