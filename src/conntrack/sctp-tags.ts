/**
 * Verification tags of an SCTP association: every packet carries the one that its receiver chose (RFC 9260 sections 5.3
 * and 8.5). Functions of a connection's record; rules are those of Linux's net/netfilter/nf_conntrack_proto_sctp.c (6.18).
 */
import { SCTP_TAG_REFLECTED, SctpChunk, sctpChunkFlags, sctpChunkType } from '../wire/sctp.ts';
import { SctpState } from './sctp-states.ts';

/** Words of a record. Those with a direction are `word + direction`, the tag being the one that packets of it carry. */
export const SctpWord = {
  State: 0,
  Tag: 1,
  /** 1 once an INIT was seen in the direction, until a COOKIE ACK. */
  Init: 3,
  /** Direction + 1 of a HEARTBEAT with a tag that nobody knew; its answer may change the tags (multihoming). */
  StrangeHeartbeat: 5,
  /** 1 once the association was established. */
  Established: 6,
} as const;
export const SCTP_RECORD_WORDS = 7;

/** What becomes of the packet, and of the association's lifetime. */
export const Walk = { Invalid: 0, Passes: 1, Refreshes: 2 } as const;

/** Does the chunk come with the right tag? RFC 9260 section 8.5.1; chunks not named here were verified together. */
export function verifyTag(
  records: Int32Array,
  record: number,
  direction: number,
  view: DataView,
  chunk: number,
  tag: number,
  mayDiffer: boolean,
): number {
  const type = sctpChunkType(view, chunk);
  let right = true;
  switch (type) {
    case SctpChunk.Heartbeat:
    case SctpChunk.HeartbeatAck:
      return verifyHeartbeat(records, record, direction, type, tag, mayDiffer);
    case SctpChunk.Init:
      right = tag === 0;
      break;
    case SctpChunk.Abort:
    case SctpChunk.ShutdownComplete: {
      const reflected = (sctpChunkFlags(view, chunk) & SCTP_TAG_REFLECTED) !== 0;
      right = tag === records[record + SctpWord.Tag + (reflected ? direction ^ 1 : direction)];
      break;
    }
    case SctpChunk.CookieEcho:
      right = tag === records[record + SctpWord.Tag + direction];
      break;
    case SctpChunk.CookieAck:
      records[record + SctpWord.Init] = 0;
      records[record + SctpWord.Init + 1] = 0;
      break;
  }
  return right ? Walk.Refreshes : Walk.Invalid;
}

/**
 * A HEARTBEAT with a new tag passes uncounted; when the other side answers it with a new tag of its own, these are the
 * tags from then on.
 */
function verifyHeartbeat(
  records: Int32Array,
  record: number,
  direction: number,
  type: number,
  tag: number,
  mayDiffer: boolean,
): number {
  const own = record + SctpWord.Tag + direction;
  if (records[own] === 0) {
    records[own] = tag;
    return Walk.Refreshes;
  }
  const strange = record + SctpWord.StrangeHeartbeat;
  if (tag === records[own]) {
    records[strange] = 0;
    return Walk.Refreshes;
  }
  if (!mayDiffer) return Walk.Invalid;
  if (type === SctpChunk.Heartbeat) {
    records[strange] = direction + 1;
    return Walk.Passes;
  }
  if (records[strange] !== (direction ^ 1) + 1) return Walk.Invalid;
  records[strange] = 0;
  records[own] = tag;
  records[record + SctpWord.Tag + (direction ^ 1)] = 0;
  return Walk.Refreshes;
}

/** The tag that the sender of an INIT or INIT ACK wants to be addressed with; false when an INIT ACK contradicts. */
export function noteInitiateTag(
  records: Int32Array,
  record: number,
  direction: number,
  type: number,
  theirs: number,
): boolean {
  const other = direction ^ 1;
  const initHere = record + SctpWord.Init + direction;
  const initThere = record + SctpWord.Init + other;
  const known = records[record + SctpWord.Tag + other]!;
  if (type === SctpChunk.Init) {
    // One that tells nothing new is late, or repeated, and asks for no other answer (Linux 576a5d2bad48).
    if (known !== theirs || records[record + SctpWord.State] === SctpState.None) {
      if (records[initHere]) records[initThere] = 0;
      records[initHere] = 1;
    }
  } else if (known !== theirs) {
    if (records[initThere] === 0 && known !== 0) return false;
    if (records[initHere] && records[initThere]) return false; // both sides sent an INIT (RFC 9260 section 5.2)
  }
  records[record + SctpWord.Tag + other] = theirs;
  return true;
}
