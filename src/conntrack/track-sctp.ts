/**
 * What an SCTP packet does to its association: chunk by chunk, with the verification tag that each must carry (RFC 9260
 * section 8.5). Follows Linux's `nf_conntrack_sctp_packet` (net/netfilter/nf_conntrack_proto_sctp.c, 6.18; CT-014).
 * Chunks are read twice at most, and there are no more of them than the packet has words.
 */
import { Drop, type Outcome, Place } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import {
  SCTP_CHUNK_HEADER_LEN,
  SCTP_HEADER_LEN,
  SCTP_INIT_LEN,
  SctpChunk,
  sctpChunkLength,
  sctpChunkType,
  sctpInitiateTag,
  sctpNextChunk,
  sctpVerificationTag,
} from '../wire/sctp.ts';
import { ConnectionFlag, type Connections } from './connections.ts';
import { nextSctpState, SCTP_INVALID, SctpState } from './sctp-states.ts';
import { noteInitiateTag, SCTP_RECORD_WORDS, SctpWord, verifyTag, Walk } from './sctp-tags.ts';
import { sctpTimeoutMs } from './timeouts.ts';

/** Chunks that are verified one by one, or begin with a tag of their own. */
const OWN_TAG_RULE =
  bit(SctpChunk.Init) |
  bit(SctpChunk.ShutdownComplete) |
  bit(SctpChunk.CookieEcho) |
  bit(SctpChunk.Abort) |
  bit(SctpChunk.ShutdownAck) |
  bit(SctpChunk.Heartbeat) |
  bit(SctpChunk.HeartbeatAck);
/** "Out of the blue" packets that nobody answers begin nothing (RFC 9260 section 8.4). */
const BEGINS_NOTHING = bit(SctpChunk.Abort) | bit(SctpChunk.ShutdownComplete) | bit(SctpChunk.CookieAck);
/** These are alone in their packet. */
const ALONE = bit(SctpChunk.Init) | bit(SctpChunk.InitAck) | bit(SctpChunk.ShutdownComplete);
/** These are the first chunk. */
const FIRST = bit(SctpChunk.CookieAck) | bit(SctpChunk.CookieEcho);

/** The record that a packet which may begin an association would make. */
const trial = new Int32Array(SCTP_RECORD_WORDS);

/** May this packet, which belongs to no association, begin one? */
export function sctpMayBegin(pkt: Packet): boolean {
  return begin(trial, 0, pkt) !== SctpState.None;
}

/** State and record of an association that this packet has just begun. Pre: `sctpMayBegin`. */
export function beginSctp(connections: Connections, connection: number, pkt: Packet, nowMs: number): void {
  const state = begin(connections.records, connections.recordOf(connection), pkt);
  connections.state[connection] = state;
  connections.refresh(connection, nowMs, sctpTimeoutMs(state));
}

/** Pre: `pkt.connection` and `pkt.direction` are set. Post: known flow, or INVALID. */
export function trackSctp(connections: Connections, pkt: Packet, nowMs: number): Outcome {
  const { connection, direction } = pkt;
  const { records } = connections;
  const types = chunkTypes(pkt);
  if (types === 0) return Drop.Invalid;
  const record = connections.recordOf(connection);
  records[record + SctpWord.State] = connections.state[connection]!;
  const walk = walkChunks(records, record, pkt, direction, types, true);
  const state = records[record + SctpWord.State]!;
  connections.state[connection] = state;
  if (records[record + SctpWord.Established]) connections.flags[connection]! |= ConnectionFlag.Assured;
  if (walk === Walk.Invalid) return Drop.Invalid;
  if (walk === Walk.Refreshes) connections.refresh(connection, nowMs, sctpTimeoutMs(state));
  return Place.KnownFlow;
}

function bit(chunkType: number): number {
  return 1 << chunkType;
}

/** The first state, or `SctpState.None` when the packet may not begin an association; fills the record. */
function begin(records: Int32Array, record: number, pkt: Packet): number {
  records.fill(0, record, record + SCTP_RECORD_WORDS);
  const types = chunkTypes(pkt);
  if (types === 0 || types & BEGINS_NOTHING || !beginTags(records, record, pkt)) return SctpState.None;
  const walk = walkChunks(records, record, pkt, 0, types, false);
  return walk === Walk.Invalid ? SctpState.None : records[record + SctpWord.State]!;
}

/** Tags that follow from the first packet alone; false when it has a chunk that begins nothing. */
function beginTags(records: Int32Array, record: number, pkt: Packet): boolean {
  const { view } = pkt;
  const tag = sctpVerificationTag(view, pkt.l4At);
  for (let chunk = firstChunk(pkt); hasChunk(pkt, chunk); chunk = sctpNextChunk(view, chunk)) {
    const type = sctpChunkType(view, chunk);
    const next = nextSctpState(0, type, SctpState.None);
    if (next === SctpState.None || next === SCTP_INVALID) return false;
    if (type === SctpChunk.Init) {
      if (!hasInit(pkt, chunk)) return false;
      records[record + SctpWord.Tag + 1] = sctpInitiateTag(view, chunk);
    } else if (type === SctpChunk.Heartbeat) {
      records[record + SctpWord.Tag] = tag;
    } else if (type === SctpChunk.ShutdownAck) {
      records[record + SctpWord.Tag + 1] = tag; // a SHUTDOWN COMPLETE reflects it (RFC 9260 section 8.4)
    }
  }
  return true;
}

function firstChunk(pkt: Packet): number {
  return pkt.l4At + SCTP_HEADER_LEN;
}

function hasChunk(pkt: Packet, chunk: number): boolean {
  return chunk + SCTP_CHUNK_HEADER_LEN <= pkt.l4At + pkt.l4Len;
}

function hasInit(pkt: Packet, chunk: number): boolean {
  return chunk + SCTP_CHUNK_HEADER_LEN + SCTP_INIT_LEN <= pkt.l4At + pkt.l4Len;
}

/** Bit set of the chunk types below 32, and bit 31 for the others; 0 when there is no chunk, or they do not go together. */
function chunkTypes(pkt: Packet): number {
  const { view } = pkt;
  let types = 0;
  for (let chunk = firstChunk(pkt); hasChunk(pkt, chunk); chunk = sctpNextChunk(view, chunk)) {
    if (sctpChunkLength(view, chunk) === 0) return 0;
    const type = bit(Math.min(sctpChunkType(view, chunk), 31));
    if (types !== 0 && (type & FIRST || (types | type) & ALONE)) return 0;
    types |= type;
  }
  return types;
}

/** Chunk by chunk. What chunks before an invalid one have done stays done, as in Linux. */
function walkChunks(
  records: Int32Array,
  record: number,
  pkt: Packet,
  direction: number,
  types: number,
  known: boolean,
): number {
  const { view } = pkt;
  const tag = sctpVerificationTag(view, pkt.l4At);
  if ((types & OWN_TAG_RULE) === 0 && tag !== records[record + SctpWord.Tag + direction]) return Walk.Invalid;
  let walk: number = Walk.Refreshes;
  for (let chunk = firstChunk(pkt); hasChunk(pkt, chunk); chunk = sctpNextChunk(view, chunk)) {
    const mayDiffer = (types & bit(SctpChunk.Data)) === 0 && walk === Walk.Refreshes;
    const verified = verifyTag(records, record, direction, view, chunk, tag, mayDiffer);
    const step = verified === Walk.Refreshes ? takeChunk(records, record, pkt, direction, chunk, known) : verified;
    if (step === Walk.Invalid) return Walk.Invalid;
    if (step === Walk.Passes) walk = Walk.Passes;
  }
  return walk;
}

/** Moves the state, and learns the tag that an INIT or INIT ACK brings. */
function takeChunk(
  records: Int32Array,
  record: number,
  pkt: Packet,
  direction: number,
  chunk: number,
  known: boolean,
): number {
  const type = sctpChunkType(pkt.view, chunk);
  const before = records[record + SctpWord.State]!;
  const next = nextSctpState(direction, type, before);
  if (next === SCTP_INVALID) return Walk.Invalid;
  if (type === SctpChunk.Init || type === SctpChunk.InitAck) {
    if (!hasInit(pkt, chunk)) return Walk.Invalid;
    const theirs = sctpInitiateTag(pkt.view, chunk);
    if (!noteInitiateTag(records, record, direction, type, theirs)) return Walk.Invalid;
  }
  records[record + SctpWord.State] = next;
  if (next === SctpState.Established) records[record + SctpWord.Established] = 1;
  // A repeated INIT does not keep an unanswered attempt alive.
  const repeated = type === SctpChunk.Init && known && before === SctpState.Closed && next === before;
  return repeated ? Walk.Passes : Walk.Refreshes;
}
