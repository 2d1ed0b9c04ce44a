/** Classic pcap files (draft-ietf-opsawg-pcap): a header of 24 bytes, then packets. */
import type { ByteQueue } from './byte-queue.ts';
import { type CaptureInterface, type CaptureReader, type CaptureRecord, PACKET_BYTES_MAX } from './records.ts';

const FILE_HEADER_LEN = 24;
const RECORD_HEADER_LEN = 16;
/** Kuznetzov's format has the interface's index, protocol and packet type behind the lengths (libpcap sf-pcap.c). */
const MODIFIED_RECORD_HEADER_LEN = 24;
const VERSION_MAJOR = 2;
/** Before 2.3 the two lengths stood the other way round; in 2.3 both ways are found (libpcap sf-pcap.c). */
const VERSION_MINOR_MIXED = 3;

const LINK_TYPE_MASK = 0x0000_ffff;
const LINK_RESERVED_MASK = 0x03ff_0000;
/** "The FCS length is present", and the length in units of 16 bits. */
const LINK_FCS_PRESENT = 0x0400_0000;
const LINK_FCS_SHIFT = 28;

interface Variant {
  /** Nanoseconds that one unit of a record's second time field is. */
  readonly unitNs: number;
  readonly recordHeaderLen: number;
}

/** By magic number. */
const variants = new Map<number, Variant>([
  [0xa1b2c3d4, { unitNs: 1000, recordHeaderLen: RECORD_HEADER_LEN }],
  [0xa1b23c4d, { unitNs: 1, recordHeaderLen: RECORD_HEADER_LEN }],
  [0xa1b2cd34, { unitNs: 1000, recordHeaderLen: MODIFIED_RECORD_HEADER_LEN }],
]);

/** Does the file begin as pcap? Sets the queue's byte order when it does. Needs 4 bytes. */
export function beginsAsPcap(queue: ByteQueue): boolean {
  for (const littleEndian of [true, false]) {
    queue.littleEndian = littleEndian;
    if (variants.has(queue.u32(0))) return true;
  }
  return false;
}

export class PcapReader implements CaptureReader {
  readonly #queue: ByteQueue;
  readonly #variant: Variant;
  #minor = 0;
  #interface: CaptureInterface | undefined;

  /** @param queue at the file's first byte, of which `beginsAsPcap` is true. */
  constructor(queue: ByteQueue) {
    this.#queue = queue;
    this.#variant = variants.get(queue.u32(0))!;
  }

  next(): CaptureRecord | undefined {
    return this.#interface === undefined ? this.#readHeader() : this.#readPacket(this.#interface);
  }

  #readHeader(): CaptureRecord | undefined {
    const queue = this.#queue;
    if (!queue.has(FILE_HEADER_LEN, 'file header')) return undefined;
    const major = queue.u16(4);
    this.#minor = queue.u16(6);
    if (major !== VERSION_MAJOR) throw queue.damage(4, 'pcap version 2', `version ${major}.${this.#minor}`);
    const link = queue.u32(20);
    if ((link & LINK_RESERVED_MASK) !== 0) {
      throw queue.damage(20, 'a link type with zero in its reserved bits', `0x${link.toString(16)}`);
    }
    this.#interface = {
      id: 0,
      section: 0,
      linkType: link & LINK_TYPE_MASK,
      snapLen: queue.u32(16),
      fcsLen: (link & LINK_FCS_PRESENT) === 0 ? undefined : (link >>> LINK_FCS_SHIFT) * 2,
      name: undefined,
      description: undefined,
      comments: [],
    };
    queue.skip(FILE_HEADER_LEN);
    return { kind: 'interface', interface: this.#interface };
  }

  #readPacket(from: CaptureInterface): CaptureRecord | undefined {
    const queue = this.#queue;
    const { unitNs, recordHeaderLen } = this.#variant;
    if (!queue.has(recordHeaderLen, 'packet header')) return undefined;
    let len = queue.u32(8);
    let originalLen = queue.u32(12);
    if (this.#minor < VERSION_MINOR_MIXED || (this.#minor === VERSION_MINOR_MIXED && len > originalLen)) {
      [len, originalLen] = [originalLen, len];
    }
    if (len > PACKET_BYTES_MAX) {
      throw queue.damage(8, `a captured length of at most ${PACKET_BYTES_MAX}`, `${len}`);
    }
    if (!queue.has(recordHeaderLen + len, 'packet header and packet')) return undefined;
    // A fraction of a second or more is wrong, but no damage: it is added.
    const timeNs = BigInt(queue.u32(0)) * 1_000_000_000n + BigInt(queue.u32(4) * unitNs);
    const bytes = queue.slice(recordHeaderLen, recordHeaderLen + len);
    queue.skip(recordHeaderLen + len);
    return { kind: 'packet', interface: from, timeNs, originalLen, bytes, comments: [], flags: undefined, options: [] };
  }
}
