/** Fragmentation and reassembly (RFC 791 section 3.2, RFC 8200 section 4.5), bounded in count, bytes and time. */
import { FRAGMENT_OFFSET_MASK, MORE_FRAGMENTS, type Packet } from '../packet/packet.ts';
import { sumBytes } from '../wire/checksum.ts';
import { IPV4_HEADER_LEN, ipv4SetChecksum, ipv4SetFragment, ipv4SetId, ipv4SetTotalLength } from '../wire/ipv4.ts';
import { IPV6_FRAGMENT_HEADER_LEN, IPV6_HEADER_LEN, Ipv6Extension, ipv6SetPayloadLength } from '../wire/ipv6.ts';
import { Protocol } from '../wire/protocol.ts';
import {
  buildUnchecked,
  type IpPacket,
  isIpv6Text,
  ownPacket,
  readIpPacket,
  upperChecksumRight,
  viewOf,
} from './ip-packet.ts';

/** Chosen: more at once, or in smaller pieces, is an attack here. */
const DATAGRAMS_MAX = 8;
const PIECES_MAX = 256;
const UPPER_LEN_MAX = 65_535;

/** Linux's ipfrag_time and ip6frag_time. */
const TIMEOUT_IPV4_MS = 30_000;
const TIMEOUT_IPV6_MS = 60_000;

const NEXT_HEADER = 6;

/** @param raw a packet without options or extension headers. @returns packets no longer than `mtu`. */
export function fragment(raw: Uint8Array, mtu: number, id: number): Uint8Array[] {
  if (raw.length <= mtu) return [raw];
  const ipv6 = raw[0]! >> 4 === 6;
  const ipLen = ipv6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN;
  const headerLen = ipv6 ? IPV6_HEADER_LEN + IPV6_FRAGMENT_HEADER_LEN : IPV4_HEADER_LEN;
  const step = (mtu - headerLen) & ~7;
  const pieces: Uint8Array[] = [];
  for (let from = ipLen; from < raw.length; from += step) {
    const payload = raw.subarray(from, from + step);
    const piece = new Uint8Array(headerLen + payload.length);
    piece.set(raw.subarray(0, ipLen));
    piece.set(payload, headerLen);
    const last = from + step >= raw.length;
    if (ipv6) markIpv6(piece, raw[NEXT_HEADER]!, from - ipLen, last, id);
    else markIpv4(piece, from - ipLen, last, id);
    pieces.push(piece);
  }
  return pieces;
}

function markIpv4(piece: Uint8Array, offset: number, last: boolean, id: number): void {
  const view = viewOf(piece);
  ipv4SetTotalLength(view, 0, piece.length);
  ipv4SetId(view, 0, id);
  ipv4SetFragment(view, 0, (offset >> 3) | (last ? 0 : MORE_FRAGMENTS), false);
  ipv4SetChecksum(view, 0, 0);
  ipv4SetChecksum(view, 0, ~sumBytes(view, 0, IPV4_HEADER_LEN) & 0xffff);
}

function markIpv6(piece: Uint8Array, protocol: number, offset: number, last: boolean, id: number): void {
  const view = viewOf(piece);
  view.setUint8(NEXT_HEADER, Ipv6Extension.Fragment);
  ipv6SetPayloadLength(view, 0, piece.length - IPV6_HEADER_LEN);
  view.setUint16(IPV6_HEADER_LEN, protocol << 8);
  view.setUint16(IPV6_HEADER_LEN + 2, offset | (last ? 0 : 1));
  view.setInt32(IPV6_HEADER_LEN + 4, id);
}

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

interface Datagram {
  readonly dueMs: number;
  /** In order, without overlap. */
  readonly pieces: Piece[];
  /** Bytes of the whole; -1 until the last piece has come. */
  length: number;
}

/** Datagrams that wait for the rest of their fragments. */
export class Reassembly {
  readonly #datagrams = new Map<string, Datagram>();

  /** When the first of them is given up; Infinity when there is none. */
  get dueMs(): number {
    return Math.min(Infinity, ...[...this.#datagrams.values()].map(({ dueMs }) => dueMs));
  }

  /** Gives up in silence. Linux would tell the sender where the first fragment has come (RFC 792, code 1). */
  wake(nowMs: number): void {
    for (const [key, { dueMs }] of this.#datagrams) if (dueMs <= nowMs) this.#datagrams.delete(key);
  }

  /** @param pkt a validated fragment. @returns the datagram when this was its missing piece. */
  add(pkt: Packet, nowMs: number): IpPacket | undefined {
    const packet = readIpPacket(pkt);
    const key = `${packet.source} ${packet.destination} ${pkt.protocol} ${pkt.fragmentId}`;
    const datagram = this.#datagrams.get(key) ?? this.#begin(key, pkt.version, nowMs);
    const offset = (pkt.fragment & FRAGMENT_OFFSET_MASK) << 3;
    const fits = place(datagram, { offset, bytes: packet.upper }, (pkt.fragment & MORE_FRAGMENTS) === 0);
    if (!fits) this.#datagrams.delete(key); // RFC 5722: what overlaps is discarded with all the rest
    if (!fits || !isComplete(datagram)) return undefined;
    this.#datagrams.delete(key);
    return whole(packet, datagram);
  }

  #begin(key: string, version: number, nowMs: number): Datagram {
    if (this.#datagrams.size >= DATAGRAMS_MAX) this.#datagrams.delete(this.#datagrams.keys().next().value!);
    const dueMs = nowMs + (version === 6 ? TIMEOUT_IPV6_MS : TIMEOUT_IPV4_MS);
    const datagram = { dueMs, pieces: [], length: -1 };
    this.#datagrams.set(key, datagram);
    return datagram;
  }
}

/** False when the piece contradicts the others. One that has come before changes nothing. */
function place(datagram: Datagram, piece: Piece, last: boolean): boolean {
  const { pieces } = datagram;
  const end = piece.offset + piece.bytes.length;
  const next = pieces.findIndex(({ offset }) => offset >= piece.offset);
  const at = next < 0 ? pieces.length : next;
  const after = pieces[at];
  if (after !== undefined && after.offset === piece.offset && after.bytes.length === piece.bytes.length) return true;
  const before = pieces[at - 1];
  if (before !== undefined && before.offset + before.bytes.length > piece.offset) return false;
  if (after !== undefined && end > after.offset) return false;
  if (piece.bytes.length === 0 || (!last && (piece.bytes.length & 7) !== 0)) return false;
  if (end > UPPER_LEN_MAX || pieces.length >= PIECES_MAX) return false;
  if (last && (datagram.length >= 0 || after !== undefined)) return false;
  if (!last && datagram.length >= 0 && end >= datagram.length) return false;
  if (last) datagram.length = end;
  pieces.splice(at, 0, piece);
  return true;
}

function isComplete({ pieces, length }: Datagram): boolean {
  return pieces.reduce((sum, { bytes }) => sum + bytes.length, 0) === length;
}

function whole(last: IpPacket, { pieces, length }: Datagram): IpPacket | undefined {
  if (length + IPV4_HEADER_LEN > UPPER_LEN_MAX && !isIpv6Text(last.source)) return undefined;
  const upper = new Uint8Array(length);
  for (const { offset, bytes } of pieces) upper.set(bytes, offset);
  const raw = buildUnchecked(last, upper);
  const packet = ownPacket(raw, length, last.protocol);
  const minimum = last.protocol === Protocol.Tcp ? 20 : 8;
  return length >= minimum && upperChecksumRight(packet) ? packet : undefined;
}
