/**
 * Frames of a capture file, for a port to be fed with: in file order, each with the time at which it is due. The caller
 * owns the clock and the port: `port.push(wireFrame(frame.bytes))` when it is due.
 */
import { LinkType, type PacketRecord } from '../capture/records.ts';
import { ETHERNET_HEADER_LEN, EtherType, writeEtherType, writeMacs } from '../wire/ethernet.ts';

/** The longest frame that is fed: an IP packet of 65,535 bytes behind Ethernet and one VLAN tag. */
const FRAME_BYTES_MAX = 65_535 + ETHERNET_HEADER_LEN + 4;
const NS_PER_MS = 1_000_000;
/** `epb_flags`: bytes of frame check sequence, 0 when not told (draft-ietf-opsawg-pcapng section 4.3.1). */
const FLAGS_FCS_SHIFT = 5;
const FLAGS_FCS_MASK = 15;

/** Address families of BSD loopback: IPv4 everywhere; IPv6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin. */
const familyTypes: Readonly<Record<number, number>> = {
  2: EtherType.Ipv4,
  10: EtherType.Ipv6,
  24: EtherType.Ipv6,
  28: EtherType.Ipv6,
  30: EtherType.Ipv6,
};
const FAMILY_LEN = 4;

/** Linux cooked capture (draft-ietf-opsawg-pcaplinktype): where its fields are. */
interface CookedLayout {
  readonly len: number;
  readonly protocol: number;
  readonly deviceType: number;
  /** Length of the sender's address: a number of two bytes, or of one. */
  readonly addressLen: number;
  readonly addressLenBytes: 1 | 2;
  readonly address: number;
}
const cooked1: CookedLayout = { len: 16, protocol: 14, deviceType: 2, addressLen: 4, addressLenBytes: 2, address: 6 };
const cooked2: CookedLayout = { len: 20, protocol: 0, deviceType: 8, addressLen: 11, addressLenBytes: 1, address: 12 };
/** Below this the protocol field names frames of 802.3 without an EtherType. */
const ETHER_TYPE_MIN = 0x600;
/** ARPHRD_ of devices whose protocol field is no EtherType: Frame Relay, GRE over IPv4 and IPv6, 802.11, netlink. */
const strangeDevices = [770, 778, 801, 802, 803, 823, 824];

export interface ReplayMacs {
  readonly sourceHigh: number;
  readonly sourceLow: number;
  readonly destinationHigh: number;
  readonly destinationLow: number;
}

export interface ReplayOptions {
  /** For packets that were captured without Ethernet. A cooked packet keeps its sender's MAC when it has one. */
  readonly macs: ReplayMacs;
  /** 1 as captured, 2 in half the time, `Infinity` at once. */
  readonly speed: number;
}

export interface ReplayFrame {
  readonly bytes: Uint8Array;
  /** Milliseconds after the first frame, with fractions. Never less than the frame's before. */
  readonly dueMs: number;
  /** The end of the packet is missing: it was longer on the wire than what was captured. */
  readonly snapped: boolean;
}

export class Replay {
  /** Frames handed out, those among them that are snapped, and those whose time is before an earlier one's. */
  frames = 0;
  snapped = 0;
  late = 0;
  /** Packets that cannot be fed: how many of each link type; and those longer than a frame may be. */
  readonly unconvertible = new Map<number, number>();
  tooLong = 0;
  readonly #options: ReplayOptions;
  #firstNs: bigint | undefined;
  #latestNs = 0n;

  constructor(options: ReplayOptions) {
    if (!(options.speed > 0)) throw new RangeError(`a speed above 0, not ${options.speed}`);
    this.#options = options;
  }

  /** The next packet of the file as a frame; undefined when it is none, and counted. */
  next(record: PacketRecord): ReplayFrame | undefined {
    const bytes = toEthernet(record, this.#options.macs);
    if (bytes === undefined) {
      const { linkType } = record.interface;
      this.unconvertible.set(linkType, (this.unconvertible.get(linkType) ?? 0) + 1);
      return undefined;
    }
    if (bytes.length > FRAME_BYTES_MAX) {
      this.tooLong++;
      return undefined;
    }
    const snapped = record.originalLen - fcsLen(record) > record.bytes.length;
    if (snapped) this.snapped++;
    this.frames++;
    return { bytes, dueMs: this.#due(record.timeNs), snapped };
  }

  /** A packet without a time is due with the one before it, and one from before an earlier packet with that one. */
  #due(timeNs: bigint | undefined): number {
    if (timeNs !== undefined) {
      if (this.#firstNs === undefined) this.#firstNs = this.#latestNs = timeNs;
      if (timeNs < this.#latestNs) this.late++;
      else this.#latestNs = timeNs;
    }
    return Number(this.#latestNs - (this.#firstNs ?? 0n)) / NS_PER_MS / this.#options.speed;
  }
}

/** The packet as an Ethernet frame, or undefined when its link type has no such thing. */
function toEthernet(record: PacketRecord, macs: ReplayMacs): Uint8Array | undefined {
  const { bytes } = record;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (record.interface.linkType) {
    case LinkType.Ethernet:
      return withoutFcs(record);
    case LinkType.RawIp:
      return framed(bytes, 0, ipEtherType(bytes), macs);
    case LinkType.Ipv4:
      return framed(bytes, 0, EtherType.Ipv4, macs);
    case LinkType.Ipv6:
      return framed(bytes, 0, EtherType.Ipv6, macs);
    case LinkType.Null:
      return framed(bytes, FAMILY_LEN, familyType(view, true) ?? familyType(view, false), macs);
    case LinkType.Loop:
      return framed(bytes, FAMILY_LEN, familyType(view, false), macs);
    case LinkType.LinuxSll:
      return fromCooked(view, bytes, cooked1, macs);
    case LinkType.LinuxSll2:
      return fromCooked(view, bytes, cooked2, macs);
    default:
      return undefined;
  }
}

/** The frame check sequence is not part of a frame here. */
function withoutFcs(record: PacketRecord): Uint8Array {
  const { bytes, originalLen } = record;
  const kept = Math.max(0, originalLen - fcsLen(record));
  return bytes.length > kept ? bytes.subarray(0, kept) : bytes;
}

/** Bytes of it on the wire. The packet's own flags win over what the interface says; only Ethernet has one here. */
function fcsLen({ flags = 0, interface: from }: PacketRecord): number {
  if (from.linkType !== LinkType.Ethernet) return 0;
  return (flags >> FLAGS_FCS_SHIFT) & FLAGS_FCS_MASK || (from.fcsLen ?? 0);
}

function ipEtherType(bytes: Uint8Array): number | undefined {
  const version = (bytes[0] ?? 0) >> 4;
  if (version === 4) return EtherType.Ipv4;
  return version === 6 ? EtherType.Ipv6 : undefined;
}

function familyType(view: DataView, littleEndian: boolean): number | undefined {
  return view.byteLength < FAMILY_LEN ? undefined : familyTypes[view.getUint32(0, littleEndian)];
}

/** Puts an Ethernet header in front of what follows `headerLen` bytes. */
function framed(
  bytes: Uint8Array,
  headerLen: number,
  etherType: number | undefined,
  macs: ReplayMacs,
): Uint8Array | undefined {
  if (etherType === undefined) return undefined;
  const frame = new Uint8Array(ETHERNET_HEADER_LEN + bytes.length - headerLen);
  frame.set(bytes.subarray(headerLen), ETHERNET_HEADER_LEN);
  const view = new DataView(frame.buffer);
  writeMacs(view, 0, macs.destinationHigh, macs.destinationLow, macs.sourceHigh, macs.sourceLow);
  writeEtherType(view, 0, etherType);
  return frame;
}

function fromCooked(view: DataView, bytes: Uint8Array, layout: CookedLayout, macs: ReplayMacs): Uint8Array | undefined {
  if (bytes.length < layout.len) return undefined;
  const protocol = view.getUint16(layout.protocol);
  if (protocol < ETHER_TYPE_MIN || strangeDevices.includes(view.getUint16(layout.deviceType))) return undefined;
  const { addressLen, addressLenBytes, address } = layout;
  const len = addressLenBytes === 2 ? view.getUint16(addressLen) : view.getUint8(addressLen);
  const sender = len === 6 ? { sourceHigh: view.getUint16(address), sourceLow: view.getInt32(address + 2) } : undefined;
  return framed(bytes, layout.len, protocol, { ...macs, ...sender });
}
