/** Frames back into words, in the names of `FrameSpec`, by slow code that shares nothing with `src/wire`. */
import type { Packet } from '../../src/packet/packet.ts';
import { addressText } from '../oracle/slow-address.ts';
import { pseudoHeader, slowCrc32c, slowSum } from '../oracle/slow-checksum.ts';
import { frameBytes, protocolNumbers } from './frames.ts';

/**
 * What the upper-layer checksum field holds: the checksum; the pseudo header's sum alone (a partial checksum); UDP's
 * zero; something else; or nothing, because this protocol has no checksum that we know.
 */
export type ChecksumSeen = 'right' | 'partial' | 'zero' | 'wrong' | 'absent';

export interface Frame {
  readonly destinationMac: string;
  readonly sourceMac: string;
  readonly etherType: number;
  /** Bytes after the IP packet. */
  readonly padding?: number;
  readonly version?: 4 | 6;
  readonly source?: string;
  readonly destination?: string;
  readonly ttl?: number;
  readonly tos?: number;
  /** IPv4 total length, or IPv6 header and payload. */
  readonly ipLen?: number;
  readonly id?: number;
  readonly dontFragment?: boolean;
  readonly fragmented?: boolean;
  readonly ipOptions?: readonly number[];
  readonly ipChecksum?: 'right' | 'wrong';
  readonly flowLabel?: number;
  /** Types of the extension headers, in order. */
  readonly extensions?: readonly number[];
  readonly protocol?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly sequence?: number;
  readonly acknowledgment?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly urgent?: number;
  readonly tcpOptions?: readonly number[];
  readonly udpLength?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly identifier?: number;
  readonly icmpSequence?: number;
  readonly verificationTag?: number;
  readonly checksum?: ChecksumSeen;
  readonly payload: Uint8Array;
}

/** The packet's frame in words. Needs no `validate`; the frame must be whole. */
export function readFrame(pkt: Packet): Frame {
  return parseFrame(frameBytes(pkt));
}

export function parseFrame(bytes: Uint8Array): Frame {
  const etherType = u16(bytes, 12);
  const ethernet = { destinationMac: macText(bytes, 0), sourceMac: macText(bytes, 6), etherType };
  const rest = bytes.subarray(14);
  if (etherType === 0x0800) return { ...ethernet, ...parseIpv4(rest) };
  if (etherType === 0x86dd) return { ...ethernet, ...parseIpv6(rest) };
  return { ...ethernet, payload: rest.slice() };
}

type Ip = Omit<Frame, 'destinationMac' | 'sourceMac' | 'etherType'>;

function parseIpv4(ip: Uint8Array): Ip {
  const headerLen = (ip[0]! & 15) * 4;
  const ipLen = u16(ip, 2);
  const source = ip.slice(12, 16);
  const destination = ip.slice(16, 20);
  return {
    version: 4,
    source: addressText(source),
    destination: addressText(destination),
    ttl: ip[8]!,
    tos: ip[1]!,
    ipLen,
    padding: ip.length - ipLen,
    id: u16(ip, 4),
    dontFragment: (ip[6]! & 0x40) !== 0,
    fragmented: (u16(ip, 6) & 0x3fff) !== 0,
    ipOptions: [...ip.subarray(20, headerLen)],
    ipChecksum: slowSum(ip.subarray(0, headerLen)) === 0xffff ? 'right' : 'wrong',
    protocol: ip[9]!,
    ...parseUpper(ip.subarray(headerLen, ipLen), source, destination, ip[9]!),
  };
}

function parseIpv6(ip: Uint8Array): Ip {
  const ipLen = 40 + u16(ip, 4);
  const source = ip.slice(8, 24);
  const destination = ip.slice(24, 40);
  const extensions: number[] = [];
  let protocol = ip[6]!;
  let at = 40;
  while ([0, 43, 44, 60].includes(protocol)) {
    extensions.push(protocol);
    const len = protocol === 44 ? 8 : (ip[at + 1]! + 1) * 8;
    protocol = ip[at]!;
    at += len;
  }
  return {
    version: 6,
    source: addressText(source),
    destination: addressText(destination),
    ttl: ip[7]!,
    tos: (u16(ip, 0) >> 4) & 255,
    flowLabel: ((ip[1]! & 15) << 16) | u16(ip, 2),
    ipLen,
    padding: ip.length - ipLen,
    fragmented: extensions.includes(44),
    extensions,
    protocol,
    ...parseUpper(ip.subarray(at, ipLen), source, destination, protocol),
  };
}

type Upper = Omit<Ip, 'version' | 'source' | 'destination'>;

function parseUpper(upper: Uint8Array, source: Uint8Array, destination: Uint8Array, protocol: number): Upper {
  const { tcp, udp, sctp, icmp, icmpv6 } = protocolNumbers;
  const pseudo = protocol === icmp ? 0 : slowSum(pseudoHeader(source, destination, protocol, upper.length));
  const ports = { sourcePort: u16(upper, 0), destinationPort: u16(upper, 2) };
  if (protocol === tcp) return { ...ports, ...parseTcp(upper), checksum: checksumSeen(upper, 16, pseudo) };
  if (protocol === udp) {
    const checksum = u16(upper, 6) === 0 ? 'zero' : checksumSeen(upper, 6, pseudo);
    return { ...ports, udpLength: u16(upper, 4), checksum, payload: upper.slice(8) };
  }
  if (protocol === sctp) {
    const zeroed = upper.slice();
    zeroed.fill(0, 8, 12);
    const stored = (upper[8]! | (upper[9]! << 8) | (upper[10]! << 16) | (upper[11]! << 24)) >>> 0;
    const checksum = stored === slowCrc32c(zeroed) ? 'right' : 'wrong';
    return { ...ports, verificationTag: u32(upper, 4), checksum, payload: upper.slice(12) };
  }
  // Each of the two exists in its own version of IP only.
  if (protocol !== (source.length === 4 ? icmp : icmpv6)) return { checksum: 'absent', payload: upper.slice() };
  return {
    icmpType: upper[0]!,
    icmpCode: upper[1]!,
    identifier: u16(upper, 4),
    icmpSequence: u16(upper, 6),
    checksum: checksumSeen(upper, 2, pseudo),
    payload: upper.slice(8),
  };
}

function parseTcp(upper: Uint8Array) {
  const headerLen = (upper[12]! >> 4) * 4;
  return {
    sequence: u32(upper, 4),
    acknowledgment: u32(upper, 8),
    flags: upper[13]!,
    window: u16(upper, 14),
    urgent: u16(upper, 18),
    tcpOptions: [...upper.subarray(20, headerLen)],
    payload: upper.slice(headerLen),
  };
}

function checksumSeen(upper: Uint8Array, field: number, pseudo: number): ChecksumSeen {
  if (slowSum(upper, pseudo) === 0xffff) return 'right';
  return u16(upper, field) === pseudo ? 'partial' : 'wrong';
}

function macText(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.subarray(at, at + 6))
    .toString('hex')
    .replace(/..(?!$)/g, '$&:');
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
