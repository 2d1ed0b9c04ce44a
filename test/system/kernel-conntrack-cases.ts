/** Forged and broken packets among good ones, and what Linux calls the last of each row; for IPv4 and IPv6. */
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import type { Sighting } from './kernel-conntrack-router.ts';

/** In IPv4; `inFamily` makes a frame of it. */
interface CasePacket extends FrameSpec {
  /** The packet that an ICMP error is about. */
  readonly quotes?: FrameSpec;
}

interface Case {
  /** Rules and what happens. */
  readonly name: string;
  readonly packets: readonly CasePacket[];
  /** The last packet's checksum is wrong. */
  readonly spoilt?: true;
  readonly says: Sighting['kernelClass'];
  /** What shows afterwards in which state the connection is. */
  readonly after?: readonly CasePacket[];
  /** Set where kernels differ: those without this commit are not asked. */
  readonly commit?: string;
}

const CLIENT = { source: '10.1.0.2', destination: '10.1.1.5', sourcePort: 40_000, destinationPort: 8080 };
const SERVER = { source: '10.1.1.5', destination: '10.1.0.2', sourcePort: 8080, destinationPort: 40_000 };
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;
const PSH = 8;

/** Numbers count from each side's first. */
const CLIENT_FIRST = 100_000;
const SERVER_FIRST = 900_000_000;

function client(sequence: number, acknowledgment: number, flags: number, payload: number | string = 0): FrameSpec {
  const numbers = { sequence: CLIENT_FIRST + sequence, acknowledgment: SERVER_FIRST + acknowledgment };
  return { ...CLIENT, ...numbers, flags, payload, window: 500 };
}

function server(sequence: number, acknowledgment: number, flags: number, payload: number | string = 0): FrameSpec {
  const numbers = { sequence: SERVER_FIRST + sequence, acknowledgment: CLIENT_FIRST + acknowledgment };
  return { ...SERVER, ...numbers, flags, payload, window: 500 };
}

/** Opened, and five bytes each way. */
const open: readonly FrameSpec[] = [
  { ...client(0, 0, SYN), acknowledgment: 0 },
  server(0, 1, SYN | ACK),
  client(1, 1, ACK),
  client(1, 1, PSH | ACK, 'hello'),
  server(1, 6, PSH | ACK, 'hello'),
  client(6, 6, ACK),
];
const straySyn = { ...client(50_000, 0, SYN), acknowledgment: 0 };

/** Each segment by itself after `open`, and a segment in order behind it, which shows what it has done. */
const segments: readonly (readonly [name: string, segment: FrameSpec, says: Case['says'], spoilt?: true])[] = [
  ['CT-030 RST far out of the window', client(10_000_000, 0, RST), 'invalid'],
  ['CT-030 RST with the number zero', { ...client(0, 0, RST), sequence: 0 }, 'invalid'],
  ['CT-030 RST in the window, and not exact', client(48, 0, RST), 'established'],
  ['CT-030 exact RST', client(6, 0, RST), 'established'],
  ['CT-017 SYN inside a connection', client(11, 0, SYN), 'established'],
  ['CT-022 SYN of the server', server(11, 0, SYN), 'invalid'],
  ['CT-033 data far out of the window', client(50_000_000, 6, PSH | ACK, 'evil'), 'invalid'],
  ['CT-034 data long since acknowledged', client(-5_000_000, 6, PSH | ACK, 'evil'), 'established'],
  ['CT-035 an acknowledgment of what was not sent', client(6, 5_000, ACK), 'invalid'],
  ['CT-036 an acknowledgment of long ago', client(6, -90_000, ACK), 'established'],
  ['CT-028 no flags', client(6, 6, 0), 'invalid'],
  ['CT-028 SYN and FIN', client(6, 6, SYN | FIN), 'invalid'],
  ['CT-019 exact FIN', client(6, 6, FIN | ACK), 'established'],
  ['CT-038 wrong checksum', client(6, 6, PSH | ACK, 'evil'), 'invalid', true],
];

const tcpCases: readonly Case[] = segments.map(([name, segment, says, spoilt]) => ({
  name,
  packets: [...open, segment],
  says,
  after: [server(6, 6, ACK), client(6, 6, ACK)],
  ...(spoilt && { spoilt }),
}));

const icmpToServer = { source: CLIENT.source, destination: CLIENT.destination, protocol: 'icmp' } as const;
const echoReply: CasePacket = { ...icmpToServer, icmpType: 0, icmpCode: 0 };

/** @param quotes what the client, which sends the error, got from the server */
function unreachable(quotes: FrameSpec): CasePacket {
  return { ...icmpToServer, icmpType: 3, icmpCode: 3, identifier: 0, icmpSequence: 0, quotes };
}

const CLIENT_TAG = 111;
const SERVER_TAG = 222;

function chunk(type: number, ...value: readonly number[]): number[] {
  return [type, 0, 0, 4 + value.length, ...value];
}

function announcing(type: number, tag: number): number[] {
  return chunk(type, 0, 0, tag >> 8, tag & 255, 0, 0, 5, 220, 0, 1, 0, 1, 0, 0, 0, 1);
}

function sctp(from: typeof CLIENT, verificationTag: number, chunks: readonly number[]): FrameSpec {
  return { ...from, protocol: 'sctp', verificationTag, payload: Uint8Array.from(chunks) };
}

const toServer = (chunks: readonly number[], tag = SERVER_TAG) => sctp(CLIENT, tag, chunks);
const toClient = (chunks: readonly number[], tag = CLIENT_TAG) => sctp(SERVER, tag, chunks);
const init = toServer(announcing(1, CLIENT_TAG), 0);
const serverInit = toClient(announcing(1, SERVER_TAG), 0);
const initAck = toClient(announcing(2, SERVER_TAG));
const cookieEcho = toServer(chunk(10, 1, 2, 3, 4));
const cookieAck = toClient(chunk(11));
const associated = [init, initAck, cookieEcho, cookieAck];
const data = [0, 3, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
const shutdown = toServer(chunk(7, 0, 0, 0, 1));

// The handshake, and what is forged into it, as in RFC 9260 sections 5 and 8.
const sctpCases: readonly Case[] = [
  { name: 'CT-014 INIT', packets: [init], says: 'begins' },
  { name: 'CT-014 INIT ACK', packets: [init, initAck], says: 'established' },
  { name: 'CT-014 the whole handshake', packets: associated, says: 'established' },
  { name: 'CT-014 DATA', packets: [...associated, toServer(data)], says: 'established' },
  { name: 'CT-014 DATA with another tag', packets: [...associated, toServer(data, 999)], says: 'invalid' },
  { name: 'CT-014 ABORT with another tag', packets: [...associated, toServer(chunk(6), 999)], says: 'invalid' },
  {
    name: 'CT-014 ABORT, then DATA',
    packets: [...associated, toServer(chunk(6)), toServer(data)],
    says: 'established',
  },
  {
    name: 'CT-014 SHUTDOWN, and all that follows',
    packets: [...associated, shutdown, toClient(chunk(8)), toServer(chunk(14)), toClient(data)],
    says: 'established',
  },
  { name: 'CT-014 COOKIE ECHO with another tag', packets: [init, initAck, toServer(chunk(10), 999)], says: 'invalid' },
  { name: 'CT-014 COOKIE ACK out of the blue', packets: [cookieAck], says: 'invalid' },
  { name: 'CT-014 ABORT out of the blue', packets: [toServer(chunk(6))], says: 'invalid' },
  { name: 'CT-014 wrong checksum', packets: [...associated, toServer(data)], spoilt: true, says: 'invalid' },
  {
    name: 'CT-014 both send an INIT: an INIT ACK of the first with a new tag',
    packets: [init, serverInit, toServer(announcing(2, 333))],
    says: 'invalid',
  },
  {
    name: 'CT-014 both send an INIT: an INIT ACK of the second with a new tag',
    packets: [init, serverInit, toClient(announcing(2, 333))],
    says: 'invalid',
  },
  {
    name: 'CT-014 both send an INIT: an INIT ACK with the tag of the INIT',
    packets: [init, serverInit, initAck],
    says: 'established',
    after: [cookieEcho, cookieAck],
  },
  {
    name: 'CT-014 a late INIT, and a second answer to it',
    packets: [...associated, init, toClient(announcing(2, 333))],
    says: 'invalid',
    commit: '576a5d2bad48',
  },
];

const otherCases: readonly Case[] = [
  {
    name: 'CT-030 a SYN inside a connection, and the RST of the same side',
    packets: [...open, straySyn, client(90_000, CLIENT_FIRST + 50_001 - SERVER_FIRST, RST | ACK)],
    says: 'invalid',
    commit: 'bed6e04be8e6',
  },
  {
    name: 'CT-030 a SYN inside a connection, and the RST of the other side',
    packets: [...open, straySyn, server(-90_000, 50_001, RST | ACK)],
    says: 'established',
  },
  { name: 'CT-039 an ACK from the middle', packets: [client(6, 6, ACK)], says: 'begins' },
  { name: 'CT-018 a SYN and ACK out of the blue', packets: [server(0, 1, SYN | ACK)], says: 'invalid' },
  { name: 'CT-031 RST in answer to a SYN', packets: [open[0]!, server(0, 1, RST | ACK), open[0]!], says: 'begins' },
  {
    name: 'CT-040 UDP without a checksum, over IPv6 too: udp_error passes it',
    packets: [{ ...CLIENT, protocol: 'udp', checksum: 'none' }],
    says: 'begins',
  },
  {
    name: 'CT-040 UDP, wrong checksum',
    packets: [{ ...CLIENT, protocol: 'udp', payload: 9 }],
    spoilt: true,
    says: 'invalid',
  },
  { name: 'CT-042 echo reply to nothing', packets: [echoReply], says: 'invalid' },
  {
    name: 'CT-045 unreachable, quoting a connection',
    packets: [...open, unreachable(server(6, 6, ACK))],
    says: 'related',
  },
  {
    name: 'CT-045 unreachable, quoting none',
    packets: [...open, unreachable({ ...server(6, 6, ACK), sourcePort: 9 })],
    says: 'invalid',
  },
  {
    name: 'CT-045 unreachable, wrong checksum',
    packets: [...open, unreachable(server(6, 6, ACK))],
    spoilt: true,
    says: 'invalid',
  },
];

export const cases: readonly Case[] = [...tcpCases, ...sctpCases, ...otherCases];

/** Where podwire is not Linux: said here, so that it stays what it is. */
export const deviations: readonly (Case & { readonly version: 4 | 6; readonly weSay: Sighting['kernelClass'] })[] = [
  {
    name: 'CT-047 neighbour discovery: Linux tracks none; ours is done before tracking, and what comes here is INVALID',
    version: 6,
    packets: [{ ...icmpToServer, icmpType: 135, icmpCode: 0 }],
    says: 'untracked',
    weSay: 'invalid',
  },
  {
    name: 'CT-047 MLD: Linux tracks none; a node absorbs it before tracking, and what comes here is INVALID',
    version: 6,
    packets: [{ ...icmpToServer, icmpType: 130, icmpCode: 0 }],
    says: 'untracked',
    weSay: 'invalid',
  },
  {
    name: 'CT-048 PPTP: Linux has a flow per call number (gre_pkt_to_tuple), we have one GRE flow per pair of hosts',
    version: 4,
    packets: [pptp(CLIENT), pptp(SERVER)],
    says: 'begins',
    weSay: 'established',
  },
];

/** GRE version 1 with the key bit (RFC 2637 section 4.1), call number 9. */
function pptp({ source, destination }: typeof CLIENT): CasePacket {
  return { source, destination, protocol: 47, payload: Uint8Array.of(0x20, 1, 0x88, 0x0b, 0, 4, 0, 9, 0, 0, 0, 0) };
}

const twins: Readonly<Record<string, string>> = { [CLIENT.source]: 'fd00::2', [SERVER.source]: 'fd00::5' };
/** Type and code of ICMPv6 (RFC 4443) for those of ICMP: port unreachable, echo reply. Others are ICMPv6's own. */
const icmpv6: Readonly<Record<number, readonly [type: number, code: number]>> = { 3: [1, 4], 0: [129, 0] };

/** The packet, or what it would be in IPv6. */
export function inFamily(version: 4 | 6, { quotes, ...packet }: CasePacket): FrameSpec {
  const spec = version === 4 ? packet : twin(packet);
  if (quotes === undefined) return spec;
  const headersLen = (version === 4 ? 20 : 40) + 8;
  return { ...spec, payload: buildFrame(inFamily(version, quotes)).slice(14, 14 + headersLen) };
}

function twin(packet: FrameSpec): FrameSpec {
  const addresses = { source: twins[packet.source ?? '']!, destination: twins[packet.destination ?? '']! };
  if (packet.protocol !== 'icmp') return { ...packet, ...addresses };
  const { icmpType: type = 0 } = packet;
  const [icmpType, icmpCode] = icmpv6[type] ?? [type, 0];
  return { ...packet, ...addresses, protocol: 'icmpv6', icmpType, icmpCode };
}
