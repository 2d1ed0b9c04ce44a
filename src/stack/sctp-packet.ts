/** SCTP packets of one chunk each way (RFC 9260 section 3), and the state cookie that lets a listener forget an INIT. */
import { destinationPort, sourcePort } from '../wire/ports.ts';
import {
  SCTP_CHUNK_HEADER_LEN,
  SCTP_HEADER_LEN,
  SCTP_INIT_LEN,
  sctpChunkFlags,
  sctpChunkLength,
  sctpChunkType,
  sctpNextChunk,
  sctpVerificationTag,
} from '../wire/sctp.ts';
import { copyOf, viewOf } from './ip-packet.ts';
import { copyBytes, newBytes } from './new-bytes.ts';

const STATE_COOKIE = 7;
const PARAMETER_HEADER_LEN = 4;
/** a_rwnd and stream counts of an end that carries no data: the least that RFC 9260 section 3.3.2 allows. */
const RECEIVER_WINDOW = 1500;
const STREAMS = 1;
const COOKIE_WORDS = 5;
const NOTHING = new Uint8Array();

export interface SctpPacket {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly tag: number;
  readonly type: number;
  readonly flags: number;
  /** Of the first chunk, without its header. */
  readonly body: Uint8Array;
}

/** The first chunk counts: what comes behind it is data, or a repetition. Undefined for what is malformed. */
export function readSctp(upper: Uint8Array): SctpPacket | undefined {
  return readSctpAt(viewOf(upper), 0, upper.length);
}

/** The same where it lies. @param end of the packet in the view. */
export function readSctpAt(view: DataView, at: number, end: number): SctpPacket | undefined {
  const chunk = at + SCTP_HEADER_LEN;
  if (end < chunk + SCTP_CHUNK_HEADER_LEN) return undefined;
  const length = sctpChunkLength(view, chunk);
  if (length < SCTP_CHUNK_HEADER_LEN || chunk + length > end) return undefined;
  return {
    sourcePort: sourcePort(view, at),
    destinationPort: destinationPort(view, at),
    tag: sctpVerificationTag(view, at),
    type: sctpChunkType(view, chunk),
    flags: sctpChunkFlags(view, chunk),
    body: length === SCTP_CHUNK_HEADER_LEN ? NOTHING : copyOf(view, chunk + SCTP_CHUNK_HEADER_LEN, chunk + length),
  };
}

/** With a zero checksum. */
export function buildSctp(packet: SctpPacket): Uint8Array {
  const length = SCTP_CHUNK_HEADER_LEN + packet.body.length;
  const end = SCTP_HEADER_LEN + ((length + 3) & ~3);
  scratch.fill(0, 0, end);
  const view = scratchView;
  view.setUint16(0, packet.sourcePort);
  view.setUint16(2, packet.destinationPort);
  view.setInt32(4, packet.tag);
  view.setUint8(SCTP_HEADER_LEN, packet.type);
  view.setUint8(SCTP_HEADER_LEN + 1, packet.flags);
  view.setUint16(SCTP_HEADER_LEN + 2, length);
  scratch.set(packet.body, SCTP_HEADER_LEN + SCTP_CHUNK_HEADER_LEN);
  return copyBytes(scratch, 0, end);
}

/** Where packets are built. */
const scratch = new Uint8Array(65_536);
const scratchView = viewOf(scratch);

/** What INIT and INIT ACK tell (RFC 9260 section 3.3.2): the tag to send with, the first TSN, an INIT ACK's cookie. */
export interface Initiation {
  readonly tag: number;
  readonly sequence: number;
  readonly cookie?: Uint8Array;
}

/** Undefined when the body is cut short, has a tag or a stream count of zero, or parameters that lie. */
export function readInitiation(body: Uint8Array): Initiation | undefined {
  const view = viewOf(body);
  if (body.length < SCTP_INIT_LEN) return undefined;
  const tag = view.getInt32(0);
  if (tag === 0 || view.getUint16(8) === 0 || view.getUint16(10) === 0) return undefined;
  const sequence = view.getInt32(12);
  for (let at = SCTP_INIT_LEN; at + PARAMETER_HEADER_LEN <= body.length; at = sctpNextChunk(view, at)) {
    const length = sctpChunkLength(view, at);
    if (length < PARAMETER_HEADER_LEN || at + length > body.length) return undefined;
    const isCookie = view.getUint16(at) === STATE_COOKIE;
    if (isCookie) return { tag, sequence, cookie: body.subarray(at + PARAMETER_HEADER_LEN, at + length) };
  }
  return { tag, sequence };
}

export function buildInitiation({ tag, sequence, cookie }: Initiation): Uint8Array {
  const cookieLen = cookie === undefined ? 0 : PARAMETER_HEADER_LEN + cookie.length;
  const body = newBytes(SCTP_INIT_LEN + cookieLen);
  const view = viewOf(body);
  view.setInt32(0, tag);
  view.setInt32(4, RECEIVER_WINDOW);
  view.setUint16(8, STREAMS);
  view.setUint16(10, STREAMS);
  view.setInt32(12, sequence);
  if (cookie === undefined) return body;
  view.setUint16(SCTP_INIT_LEN, STATE_COOKIE);
  view.setUint16(SCTP_INIT_LEN + 2, cookieLen);
  body.set(cookie, SCTP_INIT_LEN + PARAMETER_HEADER_LEN);
  return body;
}

/** All that a listener has to know once the cookie is back. */
export interface Cookie {
  readonly tag: number;
  readonly peerTag: number;
  readonly sequence: number;
  readonly peerSequence: number;
}

/** @param key words that others do not know, and the names of both ends. */
export function buildCookie({ tag, peerTag, sequence, peerSequence }: Cookie, key: string): Uint8Array {
  const words = Int32Array.of(tag, peerTag, sequence, peerSequence, 0);
  words[COOKIE_WORDS - 1] = mark(words, key);
  const bytes = newBytes(COOKIE_WORDS * 4);
  const view = viewOf(bytes);
  for (let i = 0; i < COOKIE_WORDS; i++) view.setInt32(i * 4, words[i]!);
  return bytes;
}

/** Undefined for one that was not made with this key. */
export function readCookie(bytes: Uint8Array, key: string): Cookie | undefined {
  if (bytes.length !== COOKIE_WORDS * 4) return undefined;
  const view = viewOf(bytes);
  const words = new Int32Array(COOKIE_WORDS);
  for (let i = 0; i < COOKIE_WORDS; i++) words[i] = view.getInt32(i * 4);
  const [tag, peerTag, sequence, peerSequence, seen] = words as unknown as [number, number, number, number, number];
  return mark(words, key) === seen ? { tag, peerTag, sequence, peerSequence } : undefined;
}

/** FNV-1a: enough among simulated pods; a real listener takes a cryptographic MAC (RFC 9260 section 5.1.3). */
function mark(words: Int32Array, key: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < COOKIE_WORDS - 1; i++) hash = Math.imul(hash ^ words[i]!, 0x0100_0193);
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x0100_0193);
  return hash;
}
