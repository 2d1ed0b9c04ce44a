/**
 * Does a segment fit what both sides have said so far? Linux's `tcp_in_window` and what it rests on
 * (net/netfilter/nf_conntrack_proto_tcp.c, 6.18; rules CT-033 to CT-039), after "Real Stateful TCP Packet Filtering in
 * IP Filter" by Guido van Rooij. Of each side the record of a connection keeps how far it has sent, how far it may
 * send, the largest window it has offered, and what its SYN promised.
 *
 * Sequence numbers are signed words; they are compared by the sign of their difference, as they wrap. Windows are
 * unsigned. A superframe is one long segment.
 */
import type { Packet } from '../packet/packet.ts';
import { TCP_HEADER_LEN, TcpFlag, tcpAcknowledgment, tcpHeaderLen, tcpSequence, tcpWindow } from '../wire/tcp.ts';
import { tcpHighestSack, tcpSackPermitted, tcpWindowScale } from '../wire/tcp-options.ts';
import { Segment, TcpState } from './tcp-states.ts';

/** Words of a record: first those of the side that sends the original direction, then those of the other side. */
export const TcpSide = {
  /** Sequence number after the last one sent: td_end. */
  End: 0,
  /** Sequence number up to which the other side lets it send: td_maxend. */
  MaxEnd: 1,
  /** Largest window that it has offered, scaled; 0 while it has sent nothing: td_maxwin. */
  MaxWindow: 2,
  /** Highest acknowledgment that it has sent: td_maxack. */
  MaxAck: 3,
  /** Shift of the windows that it offers: td_scale. */
  Scale: 4,
  /** Bit set of `SideFlag`. */
  Flags: 5,
} as const;
const SIDE_WORDS = 6;

/** After both sides: about the last segment that counted, or was let through uncounted; Linux's `last_*`. */
export const TcpLast = {
  /** `Segment` of it. */
  Kind: 12,
  Direction: 13,
  Sequence: 14,
  Ack: 15,
  End: 16,
  /** As in the header. */
  Window: 17,
  /** Of a SYN that was let through: its window scale, and bit set of `SideFlag` and `LastFlag`. */
  Scale: 18,
  Flags: 19,
  /** How often the same acknowledgment was repeated without a break. */
  Retransmissions: 20,
} as const;
export const TCP_RECORD_WORDS = 21;

/** Values are those of Linux's IP_CT_TCP_FLAG_*. */
export const SideFlag = {
  WindowScale: 0x01,
  SackPermitted: 0x02,
  /** This side sent the first FIN. */
  CloseInit: 0x04,
  /** Picked up in mid-stream: nothing that it sends is out of its window. */
  BeLiberal: 0x08,
  DataUnacknowledged: 0x10,
  MaxAckSet: 0x20,
} as const;

export const Fit = { Accept: 0, /** It passes, and is not counted. */ Ignore: 1, Invalid: 2 } as const;

/** Beside `SideFlag`s in `TcpLast.Flags`. */
export const LastFlag = {
  /** A SYN was let through in LAST_ACK: an ACK may answer it, and not the last FIN (RFC 5961 section 4). */
  ChallengeAckExpected: 0x40,
  SimultaneousOpen: 0x80,
} as const;

// By name in this module: it runs for every segment, and what a module exports is looked up at every use, which made
// the check take twice its time (bench/dataplane.ts).
const { Accept, Ignore, Invalid } = Fit;
const { End, MaxEnd, MaxWindow, MaxAck, Scale, Flags } = TcpSide;
const { Kind: LastKind, Direction: LastDirection, Sequence: LastSequence, Ack: LastAck, End: LastEnd } = TcpLast;
const { Window: LastWindow, Retransmissions: LastRetransmissions } = TcpLast;
const { WindowScale, SackPermitted, BeLiberal, DataUnacknowledged, MaxAckSet } = SideFlag;
const { Fin, Syn, Rst, Ack } = TcpFlag;

/** How far back acknowledgments may lie, at least: a window without scaling, and a segment (CT-036). */
export const ACK_WINDOW_MIN = 66_000;

/** Index of the words of the side that sends this direction. @param record index of the record's first word. */
export function tcpSide(record: number, direction: number): number {
  return record + direction * SIDE_WORDS;
}

/** Sequence number after the segment: its payload, and one each for SYN and FIN. */
export function segmentEnd(pkt: Packet, flags: number): number {
  const payloadLen = pkt.l4At + pkt.l4Len - pkt.payloadAt;
  const controlLen = (flags & Syn ? 1 : 0) + (flags & Fin ? 1 : 0);
  return (tcpSequence(pkt.view, pkt.l4At) + payloadLen + controlLen) | 0;
}

function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

function after(a: number, b: number): boolean {
  return ((b - a) | 0) < 0;
}

/** What the options of a SYN promise. A segment without any options leaves what was known. */
function readOptions(words: Int32Array, side: number, pkt: Packet): void {
  const { view, l4At } = pkt;
  if (tcpHeaderLen(view, l4At) === TCP_HEADER_LEN) return;
  const scale = tcpWindowScale(view, l4At);
  words[side + Scale] = Math.max(scale, 0);
  words[side + Flags]! &= BeLiberal;
  words[side + Flags]! |= synFlags(pkt);
}

/** `SideFlag`s that the options of a SYN give its sender. */
export function synFlags(pkt: Packet): number {
  const scales = tcpWindowScale(pkt.view, pkt.l4At) >= 0;
  const sack = tcpSackPermitted(pkt.view, pkt.l4At);
  return (scales ? WindowScale : 0) | (sack ? SackPermitted : 0);
}

/** What the first segment of a connection says: a SYN, or one out of the middle (CT-039). Linux's `tcp_new`. */
export function beginWindow(words: Int32Array, record: number, pkt: Packet, flags: number): void {
  const sender = tcpSide(record, 0);
  const end = segmentEnd(pkt, flags);
  const window = tcpWindow(pkt.view, pkt.l4At) || 1;
  words[sender + End] = end;
  words[sender + MaxWindow] = window;
  words[record + LastKind] = Segment.None;
  if (flags & Syn) {
    words[sender + MaxEnd] = end;
    readOptions(words, sender, pkt);
    return;
  }
  words[sender + MaxEnd] = end + window;
  // Nobody knows how its windows are scaled, or whether SACK was agreed on.
  words[sender + Flags] = SackPermitted | BeLiberal;
  words[tcpSide(record, 1) + Flags] = SackPermitted | BeLiberal;
}

/**
 * Checks a segment, and learns from it when it is accepted.
 *
 * @param record index in `words` of the connection's record.
 * @param state the connection's state before this segment.
 * @returns a `Fit`.
 */
export function checkWindow(
  words: Int32Array,
  record: number,
  pkt: Packet,
  direction: number,
  kind: number,
  flags: number,
  state: number,
): number {
  const { view, l4At } = pkt;
  const sender = tcpSide(record, direction);
  const receiver = tcpSide(record, direction ^ 1);
  let sequence = tcpSequence(view, l4At);
  let end = segmentEnd(pkt, flags);
  let ack = tcpAcknowledgment(view, l4At);
  let sack = words[receiver + Flags]! & SackPermitted ? tcpHighestSack(view, l4At, ack) : ack;

  const unmet = words[sender + MaxWindow] === 0 || (flags & Syn) !== 0;
  // A SYN of both sides, simultaneous open: there is nothing yet to compare the second one with.
  if (unmet && meet(words, sender, receiver, pkt, direction, flags, end, sack, state)) return Accept;
  // Some stacks set ACK in a RST and leave the number zero.
  if ((flags & Ack) === 0 || (ack === 0 && (flags & Rst) !== 0)) {
    ack = words[receiver + End]!;
    sack = ack;
  }
  // A RST that answers a SYN has no sequence number of its own.
  if (sequence === 0 && (flags & Rst) !== 0 && state === TcpState.SynSent) {
    sequence = words[sender + End]!;
    end = sequence;
  }
  const fit = compare(words, sender, receiver, sequence, end, sack);
  if (fit !== Accept) return words[sender + Flags]! & BeLiberal ? Accept : fit;
  learn(words, sender, receiver, pkt, flags, end, ack, sack);
  if (kind === Segment.Ack) countRepeats(words, record, direction, sequence, ack, end, tcpWindow(view, l4At));
  return Accept;
}

/** Learns from the first segment of a side. Returns true when there is nothing to compare it with. */
function meet(
  words: Int32Array,
  sender: number,
  receiver: number,
  pkt: Packet,
  direction: number,
  flags: number,
  end: number,
  sack: number,
  state: number,
): boolean {
  const first = words[sender + MaxWindow] === 0;
  if ((flags & Syn) === 0) {
    meetMidstream(words, sender, receiver, pkt, end, sack);
    return false;
  }
  // A SYN, or SYN and ACK, with higher numbers than the one before starts this side anew (RFC 793 section 3.3).
  const again = state === TcpState.SynSent || state === TcpState.SynReceived;
  if (!first && !(again && after(end, words[sender + End]!))) return false;
  words[sender + End] = end;
  words[sender + MaxEnd] = end;
  words[sender + MaxWindow] = tcpWindow(pkt.view, pkt.l4At) || 1;
  readOptions(words, sender, pkt);
  if (direction === 1) agreeOnScaling(words, sender, receiver);
  return (flags & Ack) === 0 && (first || direction === 1);
}

/** Windows are scaled when both sides have offered it, and else not at all (RFC 7323 section 2.2, CT-037). */
function agreeOnScaling(words: Int32Array, sender: number, receiver: number): void {
  if (words[sender + Flags]! & words[receiver + Flags]! & WindowScale) return;
  words[sender + Scale] = 0;
  words[receiver + Scale] = 0;
}

/** The first segment of a side is none of a handshake: it is taken for right (CT-039). */
function meetMidstream(
  words: Int32Array,
  sender: number,
  receiver: number,
  pkt: Packet,
  end: number,
  sack: number,
): void {
  const window = tcpWindow(pkt.view, pkt.l4At) << words[sender + Scale]! || 1;
  words[sender + End] = end;
  words[sender + MaxWindow] = window;
  words[sender + MaxEnd] = end + window;
  if (words[receiver + MaxWindow] === 0) {
    words[receiver + End] = sack;
    words[receiver + MaxEnd] = sack;
  } else if (sack === ((words[receiver + End]! + 1) | 0)) {
    words[receiver + End] = sack; // it answers a keep-alive, which repeats the last byte
  }
}

/** The four bounds: I and II for what is sent (CT-033, CT-034), III and IV for what is acknowledged (CT-035, CT-036). */
function compare(
  words: Int32Array,
  sender: number,
  receiver: number,
  sequence: number,
  end: number,
  sack: number,
): number {
  const maxEnd = words[sender + MaxEnd]!;
  const receiverEnd = words[receiver + End]!;
  const receiverWindow = words[receiver + MaxWindow]!;
  const ackWindow = Math.max(words[sender + MaxWindow]! >>> 0, ACK_WINDOW_MIN);

  const lowest = words[sender + End]! - receiverWindow - 1;
  const fresh = receiverWindow === 0 || after(end, lowest);
  const ackFresh = after(sack, receiverEnd - ackWindow - 1);
  const ackSent = before(sack, receiverEnd + 1);
  if (!before(sequence, maxEnd + 1)) {
    // More than the window allows, but not more than twice: when it arrives all the same, its acknowledgment is no lie.
    const overshot = (end - maxEnd + 1) >>> 0;
    if (receiverWindow === 0 || !fresh || !ackFresh || !ackSent || overshot > receiverWindow >>> 0) return Invalid;
    words[sender + End] = end;
    words[sender + Flags]! |= DataUnacknowledged;
    return Ignore;
  }
  if (!ackSent) return Invalid;
  // Old data, or an old acknowledgment: late or repeated, and nothing to learn from.
  return fresh && ackFresh ? Accept : Ignore;
}

function learn(
  words: Int32Array,
  sender: number,
  receiver: number,
  pkt: Packet,
  flags: number,
  end: number,
  ack: number,
  sack: number,
): void {
  const scale = flags & Syn ? 0 : words[sender + Scale]!; // no SYN's window is scaled (RFC 7323 2.2)
  const window = tcpWindow(pkt.view, pkt.l4At) << scale;
  const offered = (window + ((sack - ack) | 0)) >>> 0;
  if (words[sender + MaxWindow]! >>> 0 < offered) words[sender + MaxWindow] = offered;
  if (after(end, words[sender + End]!)) {
    words[sender + End] = end;
    words[sender + Flags]! |= DataUnacknowledged;
  }
  if (flags & Ack) {
    const known = words[sender + Flags]! & MaxAckSet;
    if (known === 0 || after(ack, words[sender + MaxAck]!)) words[sender + MaxAck] = ack;
    words[sender + Flags]! |= MaxAckSet;
  }

  const maxEnd = words[sender + MaxEnd]!;
  if (words[receiver + MaxWindow] !== 0 && after(end, maxEnd)) {
    words[receiver + MaxWindow]! += end - maxEnd; // it has sent more than was offered, so more was offered
  }
  const allowed = (sack + window) | 0;
  if (after(allowed, words[receiver + MaxEnd]! - 1)) {
    words[receiver + MaxEnd] = allowed + (window === 0 ? 1 : 0); // one byte probes a closed window
  }
  if (ack === words[receiver + End]) words[receiver + Flags]! &= ~DataUnacknowledged;
}

/** The same acknowledgment again and again: nobody answers any more (CT-009). */
function countRepeats(
  words: Int32Array,
  record: number,
  direction: number,
  sequence: number,
  ack: number,
  end: number,
  window: number,
): void {
  const same =
    words[record + LastDirection] === direction &&
    words[record + LastSequence] === sequence &&
    words[record + LastAck] === ack &&
    words[record + LastEnd] === end &&
    words[record + LastWindow] === window;
  if (same) {
    words[record + LastRetransmissions]!++;
    return;
  }
  words[record + LastDirection] = direction;
  words[record + LastSequence] = sequence;
  words[record + LastAck] = ack;
  words[record + LastEnd] = end;
  words[record + LastWindow] = window;
  words[record + LastRetransmissions] = 0;
}
