/**
 * `packet/`: a packet's bytes and what is known about them. This file owns the bytes.
 *
 * One `WebAssembly.Memory` per dataplane thread, never grown, so that the SIMD checksum and the kernel see the same
 * memory and addresses stay valid. Positions are byte offsets from its start; only `base` turns one into an address
 * for a system call. The arena must outlive every such address: a bare number keeps nothing alive.
 */
import { foldSum, sumBytes } from '../wire/checksum.ts';
import { checksumWasm } from './checksum-wasm.ts';

const PAGE_BYTES = 65_536;
/** Offset 0 is never handed out, so that it can mean "nothing". */
const FIRST = 64;

interface Kernels {
  sum(at: number, len: number): number;
  copySum(to: number, at: number, len: number): number;
  copy(to: number, from: number, len: number): void;
  differ(a: number, b: number, mask: number, len: number): number;
}

/** The little of WebAssembly that is used here; its types come with the browser's library only. */
interface WebAssemblyApi {
  Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: object };
}
const { WebAssembly: wasm } = globalThis as unknown as { WebAssembly: WebAssemblyApi };

/** Compiled once: every arena of a process shares the code. */
const compiled = new wasm.Module(Uint8Array.from(atob(checksumWasm), (char) => char.charCodeAt(0)));

/** What an arena of that capacity has: whole pages. */
export function arenaBytes(capacityBytes: number): number {
  return Math.ceil(capacityBytes / PAGE_BYTES) * PAGE_BYTES;
}

export class Arena {
  readonly buffer: ArrayBuffer;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Address of byte 0 in this process, set once by the I/O layer; 0 where nothing leaves the process. */
  base = 0;
  readonly #kernels: Kernels;
  readonly #simd: boolean;
  #reserved = FIRST;

  /** @param simd false sums in JavaScript, to be measured. */
  constructor(capacityBytes: number, simd = true) {
    this.#simd = simd;
    const pages = arenaBytes(capacityBytes) / PAGE_BYTES;
    const memory = new wasm.Memory({ initial: pages, maximum: pages });
    this.buffer = memory.buffer;
    this.view = new DataView(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Int32Array(this.buffer);
    this.#kernels = new wasm.Instance(compiled, { arena: { memory } }).exports as Kernels;
  }

  /** Takes a region for good, at start-up. Cache-line aligned. */
  reserve(bytes: number): number {
    const at = this.#reserved;
    this.#reserved = (at + bytes + 63) & ~63;
    if (this.#reserved > this.buffer.byteLength) throw new Error(`arena exhausted: ${bytes} more bytes wanted`);
    return at;
  }

  /** All regions are free again, with what is in them. Pre: whoever has one does not use it any more. */
  releaseAll(): void {
    this.#reserved = FIRST;
  }

  /** Sum of big-endian words, as `wire/checksum.ts` defines it; at most 65,535 bytes. */
  sum(at: number, len: number): number {
    return this.#simd ? swap(this.#kernels.sum(at, len)) : sumBytes(this.view, at, len);
  }

  /** The same, copying the bytes to `to` on the way: for hardly more than the sum alone. Regions may not overlap. */
  copySum(to: number, at: number, len: number): number {
    if (this.#simd) return swap(this.#kernels.copySum(to, at, len));
    this.copy(to, at, len);
    return sumBytes(this.view, to, len);
  }

  /** Checksum of a region over an initial sum (a pseudo header's). */
  checksum(at: number, len: number, initial: number): number {
    return ~foldSum(this.sum(at, len) + initial) & 0xffff;
  }

  /**
   * Do the bytes at `a` and `b` differ where the mask at `mask` has bits set? `len` is a multiple of 16: what
   * does not interest must be readable all the same, and zero in the mask.
   */
  differ(a: number, b: number, mask: number, len: number): boolean {
    return this.#kernels.differ(a, b, mask, len) !== 0;
  }

  /** Copies within the arena; the regions may overlap. */
  copy(to: number, from: number, len: number): void {
    this.#kernels.copy(to, from, len);
  }
}

/** The kernels sum little-endian words; a ones' complement sum of swapped words is the swapped sum (RFC 1071 section 2B). */
function swap(sum: number): number {
  return ((sum & 0xff) << 8) | (sum >>> 8);
}
