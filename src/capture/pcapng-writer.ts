/**
 * Encodes a pcapng file of one section (draft-ietf-opsawg-pcapng) into memory; `capture-file.ts` has the places for it.
 *
 * Every interface has the same link type and the same snapshot length: libpcap reads nothing else (sf-pcapng.c,
 * add_interface). A snapshot length of 0, which means no limit, is refused by Apple's tcpdump, one above 262,144 by
 * libpcap (MAXIMUM_SNAPLEN).
 */
import { ADDRESS_WORDS, isIpv4Words } from '../wire/address.ts';
import { BLOCK_LEN_MIN, BlockWriter, encodeText, OPTION_LEN_MAX, wholeCharacters } from './block-writer.ts';
import { LinkType, PACKET_BYTES_MAX } from './records.ts';
import { BlockType } from './section.ts';

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Major 1, minor 0. */
const VERSION = 1;
/** A section's length, both words, when it is not known. */
const UNKNOWN = -1;
/** `if_tsresol`. */
const NANOSECONDS = 9;
/** `epb_flags`, the two lowest bits. */
const Direction = { Inbound: 1, Outbound: 2 } as const;
const NameRecord = { Ipv4: 1, Ipv6: 2 } as const;

const OPTION_COMMENT = 1;
const SectionOption = { Hardware: 2, System: 3, Application: 4 } as const;
const InterfaceOption = { Name: 2, Description: 3, TimeResolution: 9 } as const;
const PacketOption = { Flags: 2, DropCount: 4, PacketId: 5 } as const;
const StatisticsOption = { Received: 4, Dropped: 5 } as const;

/** In an Enhanced Packet Block: behind type, length, interface, time, and the packet's two lengths. */
const PACKET_DATA_OFFSET = 28;

/** Names in one block: far below what readers believe of a block, in bytes (libpcap 16 MiB) and in number. */
const NAMES_BLOCK_BYTES_MAX = 1 << 19;

/** A packet to be written: one object that the caller uses again. Counts are whole numbers up to 2^53. */
export interface WrittenPacket {
  /** From `addInterface`. */
  interface: number;
  /** Nanoseconds since 1970, in two halves of 32 bits, signed or not. */
  timeHigh: number;
  timeLow: number;
  /** What was captured: `len` bytes from `at` on. They are cut at 262,144. */
  bytes: Uint8Array;
  at: number;
  len: number;
  /** Bytes that it had on the wire. */
  originalLen: number;
  /** It was seen on its way out of the interface, else on its way in. */
  outgoing: boolean;
  /** The same for all sightings of a packet; 0 for none. */
  packetId: number;
  /** Packets lost between the one before on this interface and this one; 0 is not written. */
  dropped: number;
  /** UTF-8 without zeros: bytes, so that they can be kept for thousands of packets. */
  comment: Uint8Array | undefined;
}

export interface NamedAddress {
  /** Four words (`wire/address.ts`). */
  readonly address: Int32Array;
  readonly names: readonly string[];
}

export interface InterfaceStatistics {
  readonly interface: number;
  /** When they were taken, as in `WrittenPacket`. */
  readonly timeHigh: number;
  readonly timeLow: number;
  /** Packets since the capture began, up to 2^53. */
  readonly received: number;
  readonly dropped: number;
}

/**
 * Texts of more than 65,535 bytes, which an option cannot hold, are cut between two characters. A zero in a text becomes
 * U+FFFD, and an empty text is left out.
 */
export class PcapngWriter {
  readonly #blocks = new BlockWriter();
  #interfaces = 0;
  /** All but the bytes of the packet that was written last. */
  readonly #last = {
    interface: -1,
    timeHigh: 0,
    timeLow: 0,
    len: 0,
    originalLen: 0,
    outgoing: false,
    packetId: 0,
    dropped: 0,
    comment: undefined as Uint8Array | undefined,
  };

  constructor(about: { readonly application: string; readonly system?: string; readonly hardware?: string }) {
    const blocks = this.#blocks;
    blocks.begin(BlockType.Section, 16);
    blocks.word(BYTE_ORDER_MAGIC);
    blocks.word(VERSION);
    blocks.word(UNKNOWN);
    blocks.word(UNKNOWN);
    blocks.textOption(SectionOption.Hardware, encodeText(about.hardware ?? ''));
    blocks.textOption(SectionOption.System, encodeText(about.system ?? ''));
    blocks.textOption(SectionOption.Application, encodeText(about.application));
    blocks.end();
  }

  /** Bytes that `take` would give. */
  get length(): number {
    return this.#blocks.length;
  }

  /** What was encoded since the last `take`: whole blocks, valid until the next call of any other function. */
  take(): Uint8Array {
    return this.#blocks.take();
  }

  /** Interface Description Block. @returns its number, from 0. */
  addInterface({ name, description }: { readonly name: string; readonly description: string }): number {
    const blocks = this.#otherBlocks;
    blocks.begin(BlockType.Interface, 8);
    blocks.word(LinkType.Ethernet);
    blocks.word(PACKET_BYTES_MAX);
    blocks.textOption(InterfaceOption.Name, encodeText(name));
    blocks.textOption(InterfaceOption.Description, encodeText(description));
    blocks.byteOption(InterfaceOption.TimeResolution, NANOSECONDS);
    blocks.end();
    return this.#interfaces++;
  }

  /** Name Resolution Blocks. An address may have several names; Wireshark shows the last. */
  addNames(entries: readonly NamedAddress[]): void {
    const blocks = this.#otherBlocks;
    let open = false;
    for (const { address, names } of entries) {
      const text = nameText(names);
      if (text.length === 0) continue;
      if (open && blocks.blockLen > NAMES_BLOCK_BYTES_MAX) {
        blocks.end();
        open = false;
      }
      if (!open) blocks.begin(BlockType.Names, 0);
      open = true;
      const ipv4 = isIpv4Words(address, 0);
      const bytes = addressBytes(address).subarray(ipv4 ? 12 : 0);
      blocks.bytesOption(ipv4 ? NameRecord.Ipv4 : NameRecord.Ipv6, Buffer.concat([bytes, text]));
    }
    if (open) blocks.end();
  }

  /** Enhanced Packet Block. Called millions of times: a packet of up to 128 bytes allocates nothing, a longer one a view to copy by. */
  packet(p: WrittenPacket): void {
    const blocks = this.#blocks;
    const len = Math.min(p.len, PACKET_BYTES_MAX);
    if (this.#isLikeLast(p)) {
      blocks.repeat(PACKET_DATA_OFFSET, p.bytes, p.at, len);
      return;
    }
    this.#known(p.interface);
    this.#remember(p);
    blocks.begin(BlockType.EnhancedPacket, 20);
    blocks.word(p.interface);
    blocks.word(p.timeHigh);
    blocks.word(p.timeLow);
    blocks.word(len);
    blocks.word(p.originalLen);
    blocks.data(p.bytes, p.at, len);
    blocks.wordOption(PacketOption.Flags, p.outgoing ? Direction.Outbound : Direction.Inbound);
    if (p.dropped !== 0) blocks.longOption(PacketOption.DropCount, p.dropped);
    if (p.packetId !== 0) blocks.longOption(PacketOption.PacketId, p.packetId);
    if (p.comment !== undefined) blocks.textOption(OPTION_COMMENT, p.comment);
    blocks.end();
  }

  /** Interface Statistics Block. */
  statistics({ interface: id, timeHigh, timeLow, received, dropped }: InterfaceStatistics): void {
    this.#known(id);
    const blocks = this.#otherBlocks;
    blocks.begin(BlockType.Statistics, 12);
    blocks.word(id);
    blocks.word(timeHigh);
    blocks.word(timeLow);
    blocks.longOption(StatisticsOption.Received, received);
    blocks.longOption(StatisticsOption.Dropped, dropped);
    blocks.end();
  }

  /** For a block that is no packet: the packet after it has none in front to be like. */
  get #otherBlocks(): BlockWriter {
    this.#last.interface = -1;
    return this.#blocks;
  }

  /** Packets of one superframe differ in their bytes alone: it is twice as fast to write the block before once more. */
  #isLikeLast(p: WrittenPacket): boolean {
    const last = this.#last;
    return (
      p.timeLow === last.timeLow &&
      p.timeHigh === last.timeHigh &&
      p.packetId === last.packetId &&
      p.comment === last.comment &&
      p.interface === last.interface &&
      p.len === last.len &&
      p.originalLen === last.originalLen &&
      p.outgoing === last.outgoing &&
      p.dropped === last.dropped
    );
  }

  #remember(p: WrittenPacket): void {
    const last = this.#last;
    last.timeLow = p.timeLow;
    last.timeHigh = p.timeHigh;
    last.packetId = p.packetId;
    last.comment = p.comment;
    last.interface = p.interface;
    last.len = p.len;
    last.originalLen = p.originalLen;
    last.outgoing = p.outgoing;
    last.dropped = p.dropped;
  }

  /** A block of an interface that is not there makes all that follows unreadable. */
  #known(id: number): void {
    if (id >= this.#interfaces) throw new RangeError(`interface ${id} of ${this.#interfaces}`);
  }
}

/** Names with a zero behind each, as many as a record can hold beside an address. */
function nameText(names: readonly string[]): Uint8Array {
  const room = OPTION_LEN_MAX - 4 * ADDRESS_WORDS;
  const texts: Uint8Array[] = [];
  let len = 0;
  for (const name of names) {
    const whole = encodeText(name);
    const text = whole.subarray(0, wholeCharacters(whole, room - 1));
    if (text.length === 0) continue;
    if (len + text.length + 1 > room) break;
    texts.push(text, Uint8Array.of(0));
    len += text.length + 1;
  }
  return Buffer.concat(texts);
}

/** Sixteen bytes in network order; the last four are an IPv4 address. */
function addressBytes(words: Int32Array): Uint8Array {
  const bytes = new Uint8Array(4 * ADDRESS_WORDS);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < ADDRESS_WORDS; i++) view.setInt32(4 * i, words[i]!);
  return bytes;
}

/**
 * How many of the first `count` bytes are whole blocks.
 *
 * @param bytes blocks, from the first byte on.
 */
export function wholeBlocks(bytes: Uint8Array, count: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + BLOCK_LEN_MIN <= count) {
    const len = view.getUint32(at + 4, true);
    if (len < BLOCK_LEN_MIN || at + len > count) break;
    at += len;
  }
  return at;
}
