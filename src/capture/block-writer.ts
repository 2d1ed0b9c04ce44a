/**
 * Encodes pcapng blocks, little-endian, one behind the other into memory that grows (draft-ietf-opsawg-pcapng sections 3.1
 * and 3.5). Allocates nothing per block, but where said.
 *
 * The memory is used again: every byte of a block is written, padding too, or an older packet would show through.
 */
import { endianness } from 'node:os';

/** Type and total length in front, total length behind. */
export const BLOCK_LEN_MIN = 12;
const OPTION_HEADER_LEN = 4;
/** `opt_endofopt`. The end of the records of a Name Resolution Block looks the same. */
const OPTION_END = 0;
export const OPTION_LEN_MAX = 0xffff;

const CAPACITY_FIRST = 65_536;
const WORD = 0x1_0000_0000;
const HOST_LITTLE_ENDIAN = endianness() === 'LE';
/**
 * Copies up to here go word by word, which allocates nothing. Measured on Node 20, whole packets with a comment: up to 128
 * bytes that is not slower than `set(subarray)`, and 256 bytes take half as long again.
 */
const WORD_COPY_LEN_MAX = 128;

const encoder = new TextEncoder();

export class BlockWriter {
  #bytes = new Uint8Array(CAPACITY_FIRST);
  #words = new Int32Array(this.#bytes.buffer);
  #view = new DataView(this.#bytes.buffer);
  /** Always a multiple of 4. */
  #end = 0;
  #blockAt = 0;
  /** Length of the block at `#blockAt`, once it has ended. */
  #lastLen = 0;
  /** What `data` copied from last: packets mostly come from one memory. */
  #source: Uint8Array = new Uint8Array(0);
  #sourceView: DataView = new DataView(this.#source.buffer);

  /** Bytes encoded since the last `take`. */
  get length(): number {
    return this.#end;
  }

  /** Bytes of the block that is being written, so far. */
  get blockLen(): number {
    return this.#end - this.#blockAt;
  }

  /** All that `length` counts; valid until the next block begins. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#end);
    this.#end = 0;
    return taken;
  }

  /** @param fixedLen bytes of fields that follow by `word`. */
  begin(type: number, fixedLen: number): void {
    this.#reserve(BLOCK_LEN_MIN + fixedLen);
    this.#blockAt = this.#end;
    this.word(type);
    this.word(0); // the length: known at the end
  }

  end(): void {
    this.#reserve(OPTION_HEADER_LEN + 4);
    this.word(OPTION_END);
    const len = this.blockLen + 4;
    this.#lastLen = len;
    this.word(len);
    this.#view.setUint32(this.#blockAt + 4, len, true);
  }

  /**
   * Writes the block that was written last once more, with other bytes in place of those from `offset` on. It may have
   * been taken: its bytes are still where they were.
   */
  repeat(offset: number, bytes: Uint8Array, at: number, len: number): void {
    const blockLen = this.#lastLen;
    this.#reserve(blockLen);
    const to = this.#end;
    this.#bytes.copyWithin(to, this.#blockAt, this.#blockAt + blockLen);
    if (len > WORD_COPY_LEN_MAX) this.#bytes.set(bytes.subarray(at, at + len), to + offset);
    else this.#copyWords(bytes, at, len, to + offset);
    this.#blockAt = to;
    this.#end = to + blockLen;
  }

  /** A field of 32 bits, for which `begin` made room; signed or not. */
  word(value: number): void {
    this.#view.setInt32(this.#end, value, true);
    this.#end += 4;
  }

  /** Bytes `[at, at + len)` with their padding. More than 128 allocate the view that copying needs. */
  data(bytes: Uint8Array, at: number, len: number): void {
    this.#reserve(len + 3);
    const to = this.#end;
    this.#end = to + ((len + 3) & ~3);
    // The padding: all of the last word, and then what is no padding.
    if ((len & 3) !== 0) this.#view.setInt32(this.#end - 4, 0, true);
    if (len > WORD_COPY_LEN_MAX) this.#bytes.set(bytes.subarray(at, at + len), to);
    else this.#copyWords(bytes, at, len, to);
  }

  /** An option that is a number of 8 bits. */
  byteOption(code: number, value: number): void {
    this.#reserve(OPTION_HEADER_LEN + 4);
    this.word(code | (1 << 16));
    this.word(value);
  }

  /** An option that is a number of 32 bits. */
  wordOption(code: number, value: number): void {
    this.#reserve(OPTION_HEADER_LEN + 4);
    this.word(code | (4 << 16));
    this.word(value);
  }

  /** An option that is a number of 64 bits, up to 2^53 here. */
  longOption(code: number, value: number): void {
    this.#reserve(OPTION_HEADER_LEN + 8);
    this.word(code | (8 << 16));
    this.word(value >>> 0);
    this.word(Math.floor(value / WORD));
  }

  /** An option that is UTF-8 text, cut at 65,535 bytes between two characters; none at all for an empty one. */
  textOption(code: number, text: Uint8Array): void {
    if (text.length === 0) return;
    const len = wholeCharacters(text, OPTION_LEN_MAX);
    this.bytesOption(code, len === text.length ? text : text.subarray(0, len));
  }

  /** An option, or a record of a Name Resolution Block, of at most 65,535 bytes. */
  bytesOption(code: number, bytes: Uint8Array): void {
    const len = bytes.length;
    this.#reserve(OPTION_HEADER_LEN + len + 3);
    this.word(code | (len << 16));
    const to = this.#end;
    this.#end = to + ((len + 3) & ~3);
    if ((len & 3) !== 0) this.#view.setInt32(this.#end - 4, 0, true);
    // Not as in `data`, which would lose the packets' memory; and a whole array is copied without a view of it.
    this.#bytes.set(bytes, to);
  }

  #copyWords(bytes: Uint8Array, at: number, len: number, to: number): void {
    if (bytes !== this.#source) {
      this.#source = bytes;
      this.#sourceView = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    const source = this.#sourceView;
    const words = this.#words;
    const wholeWords = len >> 2;
    const first = to >> 2;
    for (let i = 0; i < wholeWords; i++) words[first + i] = source.getInt32(at + 4 * i, HOST_LITTLE_ENDIAN);
    for (let i = wholeWords << 2; i < len; i++) this.#bytes[to + i] = bytes[at + i]!;
  }

  #reserve(len: number): void {
    if (this.#end + len > this.#bytes.length) this.#grow(this.#end + len);
  }

  #grow(len: number): void {
    let capacity = this.#bytes.length;
    while (capacity < len) capacity *= 2;
    const bytes = new Uint8Array(capacity);
    bytes.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer);
    this.#view = new DataView(bytes.buffer);
  }
}

/** UTF-8. A zero becomes U+FFFD: readers would end the text there. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text.replaceAll('\0', '\ufffd'));
}

/** Bytes of UTF-8 text that end with a whole character, `lenMax` at most. */
export function wholeCharacters(text: Uint8Array, lenMax: number): number {
  if (text.length <= lenMax) return text.length;
  let len = lenMax;
  // 10xxxxxx goes on with the character before it (RFC 3629 section 3).
  while (len > 0 && (text[len]! & 0xc0) === 0x80) len--;
  return len;
}
