/**
 * One section of a pcapng file: its interfaces, and its blocks as records (draft-ietf-opsawg-pcapng section 4). Numbers of
 * interfaces, clocks and byte order are a section's own.
 */
import { type Block, comments, decodeText, text } from './block.ts';
import { type CaptureInterface, type CaptureOption, type CaptureRecord, PACKET_BYTES_MAX } from './records.ts';

export const BlockType = {
  Interface: 1,
  /** Obsolete Packet Block. */
  Packet: 2,
  SimplePacket: 3,
  Names: 4,
  Statistics: 5,
  EnhancedPacket: 6,
  Secrets: 10,
  Section: 0x0a0d0d0a,
  Custom: 0xbad,
  /** The same, but not to be copied into other files. */
  CustomPrivate: 0x4000_0bad,
} as const;

const SectionOption = { Hardware: 2, System: 3, Application: 4 } as const;
const InterfaceOption = { Name: 2, Description: 3, TimeResolution: 9, FcsLen: 13, TimeOffset: 14 } as const;
const PacketOption = { Flags: 2 } as const;
const StatisticsOption = { Received: 4, Dropped: 5 } as const;

const NAME_RECORD_END = 0;
/** Bytes of address in a name record, by its type: IPv4, IPv6, EUI-48, EUI-64. */
const addressBytes: Readonly<Record<number, number>> = { 1: 4, 2: 16, 3: 6, 4: 8 };

/** `if_tsresol` when it is not there: microseconds. The high bit says power of two, else power of ten. */
const RESOLUTION_DEFAULT = 6;
const RESOLUTION_BINARY = 0x80;
const NS_DIGITS = 9;
const SECOND_NS = 1_000_000_000n;
/** Names that a block may have, and interfaces that a section may have, in number and in bytes: they are in memory. */
const NAMES_MAX = 65_536;
const INTERFACES_MAX = 65_536;
const INTERFACES_BYTES_MAX = 16 << 20;

interface Clock {
  /** An interface's time stamp is `stamp * multiplier / divisor + offsetNs` nanoseconds since 1970. */
  readonly multiplier: bigint;
  readonly divisor: bigint;
  readonly offsetNs: bigint;
}

interface Known {
  readonly interface: CaptureInterface;
  readonly clock: Clock;
}

export class Section {
  readonly #number: number;
  readonly #interfaces: Known[] = [];
  #interfacesBytes = 0;

  /** @param number from 0. */
  constructor(number: number) {
    this.#number = number;
  }

  /** The record that a block is. Throws `CaptureError`. */
  read(block: Block): CaptureRecord {
    switch (block.type) {
      case BlockType.Section:
        return this.#header(block);
      case BlockType.Interface:
        return this.#addInterface(block);
      case BlockType.EnhancedPacket:
        return this.#packet(block, block.u32('interface number'));
      case BlockType.Packet: {
        const id = block.u16('interface number');
        block.u16('drops count');
        return this.#packet(block, id);
      }
      case BlockType.SimplePacket:
        return this.#simplePacket(block);
      case BlockType.Names:
        return names(block);
      case BlockType.Statistics:
        return this.#statistics(block);
      case BlockType.Secrets: {
        const secretsType = block.u32('secrets type');
        return { kind: 'secrets', secretsType, bytes: block.data(block.u32('secrets length'), 'secrets') };
      }
      default:
        return other(block);
    }
  }

  #header(block: Block): CaptureRecord {
    const options = block.options();
    return {
      kind: 'section',
      section: this.#number,
      hardware: text(options, SectionOption.Hardware),
      system: text(options, SectionOption.System),
      application: text(options, SectionOption.Application),
      comments: comments(options),
    };
  }

  #addInterface(block: Block): CaptureRecord {
    this.#interfacesBytes += block.rest;
    if (this.#interfacesBytes > INTERFACES_BYTES_MAX || this.#interfaces.length === INTERFACES_MAX) {
      throw block.damage(`at most ${INTERFACES_MAX} interfaces in ${INTERFACES_BYTES_MAX} bytes`, 'more');
    }
    const linkType = block.u16('link type');
    block.u16('reserved field');
    const snapLen = block.u32('snapshot length');
    const options = block.options();
    const fcsLen = block.number(options, InterfaceOption.FcsLen);
    const added: CaptureInterface = {
      id: this.#interfaces.length,
      section: this.#number,
      linkType,
      snapLen,
      fcsLen: fcsLen === undefined ? undefined : Number(fcsLen),
      name: text(options, InterfaceOption.Name),
      description: text(options, InterfaceOption.Description),
      comments: comments(options),
    };
    this.#interfaces.push({ interface: added, clock: clock(block, options) });
    return { kind: 'interface', interface: added };
  }

  #packet(block: Block, id: number): CaptureRecord {
    const from = this.#known(block, id);
    const timeNs = nanoseconds(from.clock, block.time());
    const len = block.u32('captured length');
    const originalLen = block.u32('original length');
    const bytes = packetBytes(block, len);
    const options = block.options();
    const flags = block.number(options, PacketOption.Flags);
    return {
      kind: 'packet',
      interface: from.interface,
      timeNs,
      originalLen,
      bytes,
      comments: comments(options),
      flags: flags === undefined ? undefined : Number(flags),
      options,
    };
  }

  /** Its captured length is not stored: it follows from the interface's snapshot length. */
  #simplePacket(block: Block): CaptureRecord {
    const from = this.#known(block, 0).interface;
    const originalLen = block.u32('original length');
    const len = from.snapLen === 0 ? originalLen : Math.min(originalLen, from.snapLen);
    const bytes = packetBytes(block, len);
    const nothing = { comments: [], flags: undefined, options: [] };
    return { kind: 'packet', interface: from, timeNs: undefined, originalLen, bytes, ...nothing };
  }

  #statistics(block: Block): CaptureRecord {
    const from = this.#known(block, block.u32('interface number'));
    const timeNs = nanoseconds(from.clock, block.time());
    const options = block.options();
    return {
      kind: 'statistics',
      interface: from.interface,
      timeNs,
      received: block.number(options, StatisticsOption.Received),
      dropped: block.number(options, StatisticsOption.Dropped),
    };
  }

  #known(block: Block, id: number): Known {
    const known = this.#interfaces[id];
    if (known === undefined) {
      throw block.damage(`one of the section's ${this.#interfaces.length} interfaces`, `interface ${id}`);
    }
    return known;
  }
}

function packetBytes(block: Block, len: number): Uint8Array {
  if (len > PACKET_BYTES_MAX) throw block.damage(`a captured length of at most ${PACKET_BYTES_MAX}`, `${len}`);
  return block.data(len, 'packet');
}

function names(block: Block): CaptureRecord {
  const entries: { address: Uint8Array; names: string[] }[] = [];
  while (block.rest > 0) {
    const type = block.u16('name record type');
    const len = block.u16('name record length');
    if (type === NAME_RECORD_END) break;
    const bytes = block.data(len, 'name record');
    const addressLen = addressBytes[type];
    if (addressLen === undefined || len < addressLen) continue;
    if (entries.length === NAMES_MAX) throw block.damage(`at most ${NAMES_MAX} names`, 'more');
    const list = decodeText(bytes.subarray(addressLen)).split('\0');
    entries.push({ address: bytes.slice(0, addressLen), names: list.filter((name) => name !== '') });
  }
  return { kind: 'names', entries };
}

function other(block: Block): CaptureRecord {
  const custom = block.type === BlockType.Custom || block.type === BlockType.CustomPrivate;
  const enterprise = custom ? block.u32('enterprise number') : undefined;
  return { kind: 'other', blockType: block.type, enterprise, bytes: block.data(block.rest, 'body') };
}

function clock(block: Block, options: readonly CaptureOption[]): Clock {
  const resolution = Number(block.number(options, InterfaceOption.TimeResolution) ?? RESOLUTION_DEFAULT) & 0xff;
  const offset = BigInt.asIntN(64, block.number(options, InterfaceOption.TimeOffset) ?? 0n);
  const exponent = resolution & ~RESOLUTION_BINARY;
  const binary = resolution >= RESOLUTION_BINARY;
  return {
    multiplier: binary ? SECOND_NS : 10n ** BigInt(Math.max(0, NS_DIGITS - exponent)),
    divisor: binary ? 1n << BigInt(exponent) : 10n ** BigInt(Math.max(0, exponent - NS_DIGITS)),
    offsetNs: offset * SECOND_NS,
  };
}

function nanoseconds({ multiplier, divisor, offsetNs }: Clock, stamp: bigint): bigint {
  return (stamp * multiplier) / divisor + offsetNs;
}
