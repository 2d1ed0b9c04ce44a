/**
 * SCTP associations as Linux 6.18 tracks them, from net/netfilter/nf_conntrack_proto_sctp.c (nf_conntrack_sctp_packet,
 * do_basic_checks, sctp_new) and RFC 9260. Nothing here may come from `src/`.
 */
import { type Direction, opposite, type SctpPacket, type SlowEntry, type TrackerVerdict } from './slow-packet.ts';

export interface SlowSctp {
  /** The verification tag that packets of each direction carry; 0 while it is unknown. */
  tags: [number, number];
  /** An INIT was seen and no COOKIE ACK since. */
  inits: [boolean, boolean];
  /** Direction of a HEARTBEAT with another tag (SCTP_FLAG_HEARTBEAT_VTAG_FAILED with last_dir). */
  strangeHeartbeat: Direction | undefined;
}

export interface SlowSctpEntry extends SlowEntry {
  sctp: SlowSctp;
}

export interface Chunk {
  readonly type: number;
  readonly flags: number;
  /** The length field, which may lie. */
  readonly length: number;
  /** From behind the chunk header to the end of the packet. */
  readonly rest: readonly number[];
}

/** Chunk types of RFC 9260 section 3.2 that move the state. */
export const chunkTypes = {
  ...{ data: 0, init: 1, initAck: 2, heartbeat: 4, heartbeatAck: 5, abort: 6, shutdown: 7, shutdownAck: 8 },
  ...{ error: 9, cookieEcho: 10, cookieAck: 11, shutdownComplete: 14 },
} as const;
const { data, init, initAck, heartbeat, heartbeatAck, abort, shutdown, shutdownAck } = chunkTypes;
const { error, cookieEcho, cookieAck, shutdownComplete } = chunkTypes;

/** INIT and INIT ACK have 16 octets behind the chunk header; the first four are the tag. */
const INIT_BODY_LEN = 16;
/** Of ABORT and SHUTDOWN COMPLETE: the tag is the sender's own, reflected (RFC 9260 section 8.5.1). */
const T_FLAG = 1;

const names: Readonly<Record<string, string>> = {
  ...{ NO: 'NONE', CL: 'CLOSED', CW: 'COOKIE_WAIT', CE: 'COOKIE_ECHOED', ES: 'ESTABLISHED', SS: 'SHUTDOWN_SENT' },
  ...{ SR: 'SHUTDOWN_RECD', SA: 'SHUTDOWN_ACK_SENT', HS: 'HEARTBEAT_SENT', IV: 'INVALID' },
};
const columns = ['NO', 'CL', 'CW', 'CE', 'ES', 'SS', 'SR', 'SA', 'HS'];
/** By direction and chunk type; other chunks leave the state as it is. */
const rows: Readonly<Record<Direction, Readonly<Record<number, string>>>> = {
  0: {
    [init]: 'CL CL CW CE ES CL CL SA CW',
    [initAck]: 'CL CL CW CE ES SS SR SA CL',
    [abort]: 'CL CL CL CL CL CL CL CL CL',
    [shutdown]: 'CL CL CW CE SS SS SR SA CL',
    [shutdownAck]: 'SA CL CW CE ES SA SA SA SA',
    [error]: 'CL CL CW CE ES SS SR SA CL',
    [cookieEcho]: 'CL CL CE CE ES SS SR SA CL',
    [cookieAck]: 'CL CL CW ES ES SS SR SA CL',
    [shutdownComplete]: 'CL CL CW CE ES SS SR CL CL',
    [heartbeat]: 'HS CL CW CE ES SS SR SA HS',
    [heartbeatAck]: 'CL CL CW CE ES SS SR SA HS',
  },
  1: {
    [init]: 'IV CL CW CE ES SS SR SA IV',
    [initAck]: 'IV CW CW CE ES SS SR SA IV',
    [abort]: 'IV CL CL CL CL CL CL CL IV',
    [shutdown]: 'IV CL CW CE SR SS SR SA IV',
    [shutdownAck]: 'IV CL CW CE ES SA SA SA IV',
    [error]: 'IV CL CW CL ES SS SR SA IV',
    [cookieEcho]: 'IV CL CE CE ES SS SR SA IV',
    [cookieAck]: 'IV CL CW ES ES SS SR SA IV',
    [shutdownComplete]: 'IV CL CW CE ES SS SR CL IV',
    [heartbeat]: 'IV CL CW CE ES SS SR SA HS',
    [heartbeatAck]: 'IV CL CW CE ES SS SR SA ES',
  },
};

/** CT-014, as sctp_timeouts has them in Linux 6.18; CT-014 has the older 432,000 s and 0.3 s of the documents. */
const SECONDS: Readonly<Record<string, number>> = {
  ...{ CLOSED: 10, COOKIE_WAIT: 3, COOKIE_ECHOED: 3, ESTABLISHED: 210, SHUTDOWN_SENT: 3, SHUTDOWN_RECD: 3 },
  ...{ SHUTDOWN_ACK_SENT: 3, HEARTBEAT_SENT: 30 },
};

/** sctp_can_early_drop */
export const CLOSING_SCTP = ['SHUTDOWN_SENT', 'SHUTDOWN_RECD', 'SHUTDOWN_ACK_SENT'];

/** Chunks with these are judged one by one, not by the packet's tag alone. */
const ownTagRules: readonly number[] = [
  ...[init, shutdownComplete, cookieEcho, abort, shutdownAck, heartbeat, heartbeatAck],
];

function nextState(direction: Direction, type: number, state: string): string {
  const row = rows[direction][type];
  return row === undefined ? state : names[row.split(' ')[columns.findIndex((short) => names[short] === state)]!]!;
}

/** The chunks up to the packet's end, or undefined when the packet is not sound (do_basic_checks). */
export function chunksOf({ chunks: bytes }: SctpPacket): Chunk[] | undefined {
  const found: Chunk[] = [];
  let alone = false;
  for (let at = 0; at + 4 <= bytes.length; ) {
    const type = bytes[at]!;
    const length = bytes[at + 2]! * 256 + bytes[at + 3]!;
    if (type === init || type === initAck || type === shutdownComplete) alone = true;
    const mustBeFirst = alone || type === cookieAck || type === cookieEcho;
    if ((mustBeFirst && found.length > 0) || length === 0) return undefined;
    found.push({ type, flags: bytes[at + 1]!, length, rest: bytes.slice(at + 4) });
    at += Math.ceil(length / 4) * 4;
  }
  return found.length === 0 ? undefined : found;
}

/** The tag that INIT and INIT ACK announce, or undefined when they are cut short. */
function announcedTag({ rest }: Chunk): number | undefined {
  if (rest.length < INIT_BODY_LEN) return undefined;
  return rest.slice(0, 4).reduce((value, octet) => value * 256 + octet, 0);
}

/** What a flow that this packet may begin knows (sctp_new), or undefined. The entry is in state NONE then. */
export function beginSctp(packet: SctpPacket): SlowSctp | undefined {
  const chunks = chunksOf(packet);
  if (chunks === undefined) return undefined;
  // RFC 9260 section 8.4: answers to nothing
  if (chunks.some(({ type }) => type === abort || type === shutdownComplete || type === cookieAck)) return undefined;
  const sctp: SlowSctp = { tags: [0, 0], inits: [false, false], strangeHeartbeat: undefined };
  for (const chunk of chunks) {
    if (nextState(0, chunk.type, 'NONE') === 'NONE') return undefined;
    if (chunk.type === init) {
      const tag = announcedTag(chunk);
      if (packet.verificationTag !== 0 || tag === undefined) return undefined;
      sctp.tags[1] = tag;
    } else if (chunk.type === heartbeat) {
      sctp.tags[0] = packet.verificationTag;
    } else if (chunk.type === shutdownAck) {
      sctp.tags[1] = packet.verificationTag;
    }
  }
  return sctp;
}

/** @param isNew the entry is not in the table yet: this is its first packet */
export function trackSctp(
  entry: SlowSctpEntry,
  packet: SctpPacket,
  direction: Direction,
  nowMs: number,
  isNew: boolean,
): TrackerVerdict {
  const chunks = chunksOf(packet);
  if (chunks === undefined) return 'invalid';
  const { sctp } = entry;
  const judgedByTag = !chunks.some(({ type }) => ownTagRules.includes(type));
  if (judgedByTag && packet.verificationTag !== sctp.tags[direction]) return 'invalid';
  const withData = chunks.some(({ type }) => type === data);
  let refreshes = true;
  let to = 'NONE';
  for (const chunk of chunks) {
    const tagVerdict = judgeTag(sctp, chunk, packet.verificationTag, direction, withData || !refreshes);
    if (tagVerdict === 'invalid') return 'invalid';
    if (tagVerdict === 'strange') {
      refreshes = false;
      continue;
    }
    const from = entry.state;
    to = nextState(direction, chunk.type, from);
    if (to === 'INVALID' || !noteTag(sctp, chunk, direction, from)) return 'invalid';
    const repeatedInit = chunk.type === init && from === 'CLOSED' && to === 'CLOSED' && !isNew;
    if (repeatedInit) refreshes = false;
    entry.state = to;
    if (to === 'ESTABLISHED' && from !== to) entry.assured = true;
  }
  if (refreshes) entry.deadlineMs = nowMs + SECONDS[to]! * 1000;
  return 'known';
}

/**
 * RFC 9260 section 8.5.1, chunk by chunk; `strange`: a heartbeat with another tag, which passes and counts for nothing.
 * @param strict no strange tags: the packet has data too, or had one before
 */
function judgeTag(
  sctp: SlowSctp,
  { type, flags }: Chunk,
  tag: number,
  direction: Direction,
  strict: boolean,
): 'right' | 'strange' | 'invalid' {
  const own = sctp.tags[direction];
  switch (type) {
    case init:
      return tag === 0 ? 'right' : 'invalid';
    case abort:
    case shutdownComplete:
      return tag === (flags & T_FLAG ? sctp.tags[opposite(direction)] : own) ? 'right' : 'invalid';
    case cookieEcho:
      return tag === own ? 'right' : 'invalid';
    case cookieAck:
      sctp.inits = [false, false];
      return 'right';
    case heartbeat:
    case heartbeatAck:
      break;
    default:
      return 'right';
  }
  if (own === 0) {
    sctp.tags[direction] = tag;
    return 'right';
  }
  if (tag === own) {
    sctp.strangeHeartbeat = undefined;
    return 'right';
  }
  if (strict) return 'invalid';
  if (type === heartbeat) {
    sctp.strangeHeartbeat = direction;
    return 'strange';
  }
  // The answer to a strange heartbeat: the peers have new tags.
  if (sctp.strangeHeartbeat !== opposite(direction)) return 'invalid';
  sctp.strangeHeartbeat = undefined;
  sctp.tags[direction] = tag;
  sctp.tags[opposite(direction)] = 0;
  return 'right';
}

/** Notes what INIT and INIT ACK announce; false when they may not. */
function noteTag(sctp: SlowSctp, chunk: Chunk, direction: Direction, from: string): boolean {
  if (chunk.type !== init && chunk.type !== initAck) return true;
  const other = opposite(direction);
  const tag = announcedTag(chunk);
  if (tag === undefined) return false;
  if (chunk.type === init) {
    // Neither late nor repeated (Linux 576a5d2bad48)
    if (from === 'NONE' || sctp.tags[other] !== tag) {
      if (sctp.inits[direction] && sctp.inits[other]) sctp.inits[other] = false;
      sctp.inits[direction] = true;
    }
  } else {
    const known = sctp.tags[other];
    if (!sctp.inits[other] && known !== 0 && known !== tag) return false;
    if (sctp.inits[0] && sctp.inits[1] && known !== tag) return false; // both began at once
  }
  sctp.tags[other] = tag;
  return true;
}
