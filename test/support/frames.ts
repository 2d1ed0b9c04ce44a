/**
 * Real frames for tests. Everything that the source must get right (lengths, addresses, checksums) is made here by
 * other means: `test/oracle`, never `src/wire`.
 *
 *     const pkt = newPacket();                       // own arena, 0xa5 all around
 *     writeFrame(pkt, { source: '10.1.0.2', destination: '10.1.1.5', protocol: 'udp', destinationPort: 53 });
 *     writeFrame(pkt, { payload: 4000, gsoSize: 1400 });            // a TCP superframe, so partial
 *     expect(validate(pkt)).toBe(CONTINUE);
 *     expect(readFrame(pkt)).toMatchObject({ destination: '10.1.1.5', destinationPort: 53, checksum: 'right' });
 *
 * `writeFrame` sets what whoever receives a packet sets (`at` stays, `len`, checksum state, `gsoSize`); the other fields
 * are for `validate` and later stages. Reading (`readFrame`) is in `read-frame.ts`.
 */
import { Arena } from '../../src/packet/arena.ts';
import { ChecksumState, Packet, UNTRACKED } from '../../src/packet/packet.ts';
import { addressBytes } from '../oracle/slow-address.ts';
import { pseudoHeader, slowChecksum, slowCrc32c, slowSum } from '../oracle/slow-checksum.ts';

export const protocolNumbers = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;
export type ProtocolName = keyof typeof protocolNumbers;

/** Bytes before `pkt.at` of a `newPacket`: room for tunnel and virtio headers, and for canaries. */
export const HEADROOM = 128;
/** Bytes from `pkt.at` on that belong to a `newPacket`: a 64 KiB IP packet and then some. */
export const FRAME_ROOM = 66_048;
/** What memory holds that nobody wrote. */
export const FILL = 0xa5;

/** An IPv6 extension header: its type, and its bytes after next header and length. Padded to whole 8 bytes. */
export interface Extension {
  readonly type: number;
  readonly body: readonly number[];
}

/** A frame in words. Every field has a default; TCP from 10.1.0.2:40000 to 10.1.1.5:8080 is what `{}` makes. */
export interface FrameSpec {
  readonly sourceMac?: string;
  readonly destinationMac?: string;
  /** Set to lie about what follows; else it follows from the addresses. */
  readonly etherType?: number;
  /** Both of one family: a colon makes the packet IPv6, also in `::ffff:10.1.0.2`. */
  readonly source?: string;
  readonly destination?: string;
  /** TTL or hop limit. */
  readonly ttl?: number;
  /** TOS or traffic class. */
  readonly tos?: number;
  /** IPv4 only. */
  readonly id?: number;
  readonly dontFragment?: boolean;
  readonly moreFragments?: boolean;
  /** In bytes, a multiple of 8. */
  readonly fragmentOffset?: number;
  /** IPv4 options, padded with zeros to whole words. */
  readonly ipOptions?: readonly number[];
  /** IPv6 only. */
  readonly flowLabel?: number;
  readonly extensions?: readonly Extension[];
  /** A number other than those of `protocolNumbers` has no header: only `payload` follows. */
  readonly protocol?: ProtocolName | number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** TCP; by default a SYN has 1000 and anything else 1001, and acknowledges 1001: in order, both ways. */
  readonly sequence?: number;
  readonly acknowledgment?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly urgent?: number;
  /** TCP options, padded with zeros to whole words. */
  readonly tcpOptions?: readonly number[];
  /** ICMP and ICMPv6; `identifier` and `icmpSequence` are the second word, whatever the type means by it. */
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly identifier?: number;
  readonly icmpSequence?: number;
  /** SCTP; 0 by default, as an INIT has it. */
  readonly verificationTag?: number;
  /**
   * Bytes, text, or a length to fill with 0, 1, 2, … In SCTP a length of 20 or more, or nothing, is an INIT chunk: what
   * an association begins with.
   */
  readonly payload?: Uint8Array | string | number;
  /**
   * What the upper-layer checksum field holds, and what the packet knows about it: the checksum (`complete`, the
   * default; `unverified`, from a wire), the pseudo header's sum (`partial`; TCP and UDP only), or for UDP zero
   * (`none`). A superframe is always partial.
   */
  readonly checksum?: 'complete' | 'partial' | 'unverified' | 'none';
  /** Payload bytes per segment; makes a superframe. */
  readonly gsoSize?: number;
  /** Bytes after the IP packet, as Ethernet pads short frames. */
  readonly padding?: number;
}

/** A packet in memory of its own; give several packets one arena where they meet. */
export function newPacket(arena = new Arena(HEADROOM + FRAME_ROOM + 64)): Packet {
  const region = arena.reserve(HEADROOM + FRAME_ROOM);
  arena.bytes.fill(FILL, region, region + HEADROOM + FRAME_ROOM);
  const pkt = new Packet(arena);
  pkt.at = region + HEADROOM;
  return pkt;
}

/** Writes the frame at `pkt.at`, as if it had just been received. Returns `pkt`. */
export function writeFrame(pkt: Packet, spec: FrameSpec = {}): Packet {
  writeBytes(pkt, buildFrame(spec));
  const { gsoSize = 0, checksum = gsoSize > 0 ? 'partial' : 'complete' } = spec;
  pkt.gsoSize = gsoSize;
  if (checksum === 'partial') {
    const ipLen = isIpv6(spec) ? 40 + extensionBytes(spec).length : 20 + padded(spec.ipOptions, 4).length;
    pkt.checksum = ChecksumState.Partial;
    pkt.partialStart = 14 + ipLen;
    pkt.partialOffset = protocolNumber(spec) === protocolNumbers.udp ? 6 : 16;
  } else {
    pkt.checksum = checksum === 'complete' ? ChecksumState.Complete : ChecksumState.Unverified;
  }
  return pkt;
}

/** Puts any bytes at `pkt.at` as a frame from a wire. Returns `pkt`. */
export function writeBytes(pkt: Packet, bytes: Uint8Array): Packet {
  pkt.arena.bytes.set(bytes, pkt.at);
  pkt.len = bytes.length;
  pkt.checksum = ChecksumState.Unverified;
  pkt.partialStart = 0;
  pkt.partialOffset = 0;
  pkt.gsoSize = 0;
  pkt.connection = UNTRACKED;
  return pkt;
}

/** A copy of the frame's bytes. */
export function frameBytes(pkt: Packet): Uint8Array {
  return pkt.arena.bytes.slice(pkt.at, pkt.at + pkt.len);
}

/** The payload that a spec means. */
export function payloadBytes(payload: FrameSpec['payload'] = 0): Uint8Array {
  if (typeof payload === 'number') return Uint8Array.from({ length: payload }, (_, i) => i & 255);
  return typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
}

/** The frame's bytes without a packet around them. */
export function buildFrame(spec: FrameSpec = {}): Uint8Array {
  const ipv6 = isIpv6(spec);
  const source = addressBytes(spec.source ?? '10.1.0.2');
  const destination = addressBytes(spec.destination ?? '10.1.1.5');
  if (source.length !== destination.length) throw new Error('source and destination are of two families');
  const upper = upperLayer(spec, source, destination);
  const ip = ipv6
    ? ipv6Header(spec, source, destination, upper.length)
    : ipv4Header(spec, source, destination, upper.length);
  return joined(
    macBytes(spec.destinationMac ?? '02:00:00:00:00:02'),
    macBytes(spec.sourceMac ?? '02:00:00:00:00:01'),
    u16(spec.etherType ?? (ipv6 ? 0x86dd : 0x0800)),
    ip,
    upper,
    new Uint8Array(spec.padding ?? 0),
  );
}

function ipv4Header(spec: FrameSpec, source: Uint8Array, destination: Uint8Array, upperLen: number): Uint8Array {
  const options = padded(spec.ipOptions, 4);
  const length = 20 + options.length;
  const { dontFragment = true, moreFragments = false, fragmentOffset = 0 } = spec;
  const header = joined(
    [0x40 | (length / 4), spec.tos ?? 0],
    u16(length + upperLen),
    u16(spec.id ?? 0x1234),
    u16((dontFragment ? 0x4000 : 0) | (moreFragments ? 0x2000 : 0) | (fragmentOffset / 8)),
    [spec.ttl ?? 64, protocolNumber(spec), 0, 0],
    source,
    destination,
    options,
  );
  header.set(u16(slowChecksum(header)), 10);
  return header;
}

function ipv6Header(spec: FrameSpec, source: Uint8Array, destination: Uint8Array, upperLen: number): Uint8Array {
  const extensions = extensionBytes(spec);
  const first = ((6 << 28) | ((spec.tos ?? 0) << 20) | (spec.flowLabel ?? 0)) >>> 0;
  const next = spec.extensions?.[0]?.type ?? protocolNumber(spec);
  const lengths = u16(extensions.length + upperLen);
  return joined(u32(first), lengths, [next, spec.ttl ?? 64], source, destination, extensions);
}

function extensionBytes(spec: FrameSpec): number[] {
  const list = spec.extensions ?? [];
  return list.flatMap((extension, i) => {
    const next = list[i + 1]?.type ?? protocolNumber(spec);
    const body = padded([0, 0, ...extension.body], 8).slice(2);
    // The fragment header has a reserved octet where the others have their length (RFC 8200 section 4.5).
    return [next, extension.type === 44 ? 0 : (body.length + 2) / 8 - 1, ...body];
  });
}

function upperLayer(spec: FrameSpec, source: Uint8Array, destination: Uint8Array): Uint8Array {
  const protocol = protocolNumber(spec);
  const init = protocol === protocolNumbers.sctp && typeof (spec.payload ?? SCTP_INIT_LEN) === 'number';
  const payload = init ? sctpInit(Number(spec.payload ?? SCTP_INIT_LEN)) : payloadBytes(spec.payload);
  const { header, field } = upperHeader(spec, protocol, payload.length);
  const bytes = joined(header, payload);
  if (field < 0) return bytes;
  if (protocol === protocolNumbers.sctp) {
    bytes.set(u32(slowCrc32c(bytes)).reverse(), field);
    return bytes;
  }
  const pseudo = protocol === 1 ? new Uint8Array() : pseudoHeader(source, destination, protocol, bytes.length);
  const { checksum = spec.gsoSize ? 'partial' : 'complete' } = spec;
  if (checksum === 'partial') bytes.set(u16(slowSum(pseudo)), field);
  else if (checksum !== 'none') {
    const value = slowChecksum(bytes, slowSum(pseudo));
    bytes.set(u16(value === 0 && protocol === protocolNumbers.udp ? 0xffff : value), field);
  }
  return bytes;
}

/** The upper-layer header with a zero checksum, and where in it the checksum belongs (-1: nowhere). */
function upperHeader(spec: FrameSpec, protocol: number, payloadLen: number): { header: number[]; field: number } {
  const ports = [...u16(spec.sourcePort ?? 40_000), ...u16(spec.destinationPort ?? 8080)];
  const { tcp, udp, sctp, icmp, icmpv6 } = protocolNumbers;
  if (protocol === tcp) return { header: [...ports, ...tcpRest(spec)], field: 16 };
  if (protocol === udp) return { header: [...ports, ...u16(8 + payloadLen), 0, 0], field: 6 };
  if (protocol === sctp) return { header: [...ports, ...u32(spec.verificationTag ?? 0), 0, 0, 0, 0], field: 8 };
  if (protocol !== icmp && protocol !== icmpv6) return { header: [], field: -1 };
  const type = spec.icmpType ?? (protocol === icmp ? 8 : 128);
  const rest = [...u16(spec.identifier ?? 77), ...u16(spec.icmpSequence ?? 1)];
  return { header: [type, spec.icmpCode ?? 0, 0, 0, ...rest], field: 2 };
}

/** RFC 9260 section 3.3.2; a shorter length is no chunk at all. */
const SCTP_INIT_LEN = 20;

function sctpInit(len: number): Uint8Array {
  const bytes = payloadBytes(len);
  if (len >= SCTP_INIT_LEN) bytes.set([1, 0, ...u16(len), ...u32(0x0a0b0c0d), 0, 0, 255, 255, 0, 1, 0, 1, 0, 0, 0, 1]);
  return bytes;
}

function tcpRest(spec: FrameSpec): number[] {
  const options = padded(spec.tcpOptions, 4);
  return [
    ...u32(spec.sequence ?? ((spec.flags ?? 0) & 2 ? 1000 : 1001)),
    ...u32(spec.acknowledgment ?? 1001),
    ...[((20 + options.length) / 4) << 4, spec.flags ?? 0x10],
    ...u16(spec.window ?? 502),
    ...[0, 0, ...u16(spec.urgent ?? 0), ...options],
  ];
}

function isIpv6(spec: FrameSpec): boolean {
  return (spec.source ?? spec.destination ?? '').includes(':');
}

export function protocolNumber(spec: FrameSpec): number {
  const { protocol = 'tcp' } = spec;
  return typeof protocol === 'number' ? protocol : protocolNumbers[protocol];
}

function padded(bytes: readonly number[] = [], unit: number): number[] {
  return [...bytes, ...Array<number>((unit - (bytes.length % unit)) % unit).fill(0)];
}

/** The parts one after the other. */
export function joined(...parts: ArrayLike<number>[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((len, part) => len + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function macBytes(text: string): number[] {
  return text.split(':').map((octet) => Number.parseInt(octet, 16));
}

function u16(value: number): number[] {
  return [(value >> 8) & 255, value & 255];
}

function u32(value: number): number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}
