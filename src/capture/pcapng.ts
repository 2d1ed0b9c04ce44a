/** pcapng files (draft-ietf-opsawg-pcapng): blocks with their length in front and behind; sections of either byte order. */
import { Block } from './block.ts';
import type { ByteQueue } from './byte-queue.ts';
import type { CaptureReader, CaptureRecord } from './records.ts';
import { BlockType, Section } from './section.ts';

/** Type and total length in front, total length behind. */
const BLOCK_HEADER_LEN = 8;
const BLOCK_TRAILER_LEN = 4;
const BLOCK_LEN_MIN = BLOCK_HEADER_LEN + BLOCK_TRAILER_LEN;
/** A section header's byte-order magic, version and section length; the length is not needed. */
const SECTION_FIXED_LEN = 16;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** 1.2 was written by mistake and is to be read as 1.0 (draft-ietf-opsawg-pcapng section 4.1). */
const versions = ['1.0', '1.2'];
/** The longest block that is believed, as for libpcap (sf-pcapng.c, MAX_BLOCKSIZE). */
const BLOCK_BYTES_MAX = 16 << 20;

/** The type of a section header reads the same in both byte orders. Needs 4 bytes. */
export function beginsAsPcapng(queue: ByteQueue): boolean {
  return queue.u32(0) === BlockType.Section;
}

export class PcapngReader implements CaptureReader {
  readonly #queue: ByteQueue;
  #sections = 0;
  #section = new Section(0);

  /** @param queue at the file's first byte. */
  constructor(queue: ByteQueue) {
    this.#queue = queue;
  }

  next(): CaptureRecord | undefined {
    const queue = this.#queue;
    if (!queue.has(BLOCK_LEN_MIN, 'block header')) return undefined;
    const begins = queue.u32(0) === BlockType.Section;
    if (begins) this.#setByteOrder();
    const fixed = begins ? SECTION_FIXED_LEN : 0;
    const len = this.#blockLen(fixed);
    if (!queue.has(len, 'block')) return undefined;
    const behind = queue.u32(len - BLOCK_TRAILER_LEN);
    if (behind !== len) throw queue.damage(len - BLOCK_TRAILER_LEN, `the block's length again, ${len}`, `${behind}`);
    if (begins) this.#beginSection();
    const at = BLOCK_HEADER_LEN + fixed;
    const bytes = queue.slice(at, len - BLOCK_TRAILER_LEN);
    const block = new Block(queue.file, queue.offset + at, queue.u32(0), bytes, queue.littleEndian);
    const record = this.#section.read(block);
    queue.skip(len);
    return record;
  }

  #setByteOrder(): void {
    const queue = this.#queue;
    queue.littleEndian = true;
    const magic = queue.u32(BLOCK_HEADER_LEN);
    if (magic === BYTE_ORDER_MAGIC) return;
    queue.littleEndian = false;
    if (queue.u32(BLOCK_HEADER_LEN) === BYTE_ORDER_MAGIC) return;
    throw queue.damage(BLOCK_HEADER_LEN, 'the byte-order magic 0x1a2b3c4d', `0x${magic.toString(16)}`);
  }

  /** @param fixed bytes that the body has at least. */
  #blockLen(fixed: number): number {
    const queue = this.#queue;
    const len = queue.u32(4);
    if (len >= BLOCK_LEN_MIN + fixed && len <= BLOCK_BYTES_MAX && len % 4 === 0) return len;
    const range = `${BLOCK_LEN_MIN + fixed} to ${BLOCK_BYTES_MAX}`;
    throw queue.damage(4, `a block length of ${range}, a multiple of 4`, `${len}`);
  }

  #beginSection(): void {
    const queue = this.#queue;
    const version = `${queue.u16(12)}.${queue.u16(14)}`;
    if (!versions.includes(version)) throw queue.damage(12, 'pcapng version 1.0', version);
    this.#section = new Section(this.#sections++);
  }
}
