/**
 * What a TCP segment does to its connection: the table of `tcp-states.ts`, the window of `tcp-window.ts`, and the cases
 * that neither can tell. Follows Linux's `nf_conntrack_tcp_packet` (net/netfilter/nf_conntrack_proto_tcp.c, 6.18).
 */
import { CONTINUE, Drop, type Outcome, Place } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { tcpAcknowledgment, tcpFlags, tcpSequence, tcpWindow } from '../wire/tcp.ts';
import { tcpWindowScale } from '../wire/tcp-options.ts';
import { ConnectionFlag, type Connections } from './connections.ts';
import {
  nextTcpState,
  Segment,
  segmentKind,
  TCP_IGNORE,
  TCP_INVALID,
  TcpState,
  tcpClosing,
  tcpFlagsValid,
} from './tcp-states.ts';
import {
  beginWindow,
  checkWindow,
  Fit,
  LastFlag,
  SideFlag,
  segmentEnd,
  synFlags,
  TcpLast,
  TcpSide,
  tcpSide,
} from './tcp-window.ts';
import { TCP_GIVEN_UP_MS, TCP_UNACKNOWLEDGED_MS, tcpTimeoutMs } from './timeouts.ts';

/** Repeated acknowledgments after which nobody is believed to answer (CT-009). */
const RETRANSMISSIONS_MAX = 3;

/** May this segment, which belongs to no connection, begin one? A SYN, or an ACK from the middle (CT-039). */
export function tcpMayBegin(pkt: Packet): boolean {
  const flags = tcpFlags(pkt.view, pkt.l4At);
  return tcpFlagsValid(flags) && nextTcpState(0, segmentKind(flags), TcpState.None) !== TCP_INVALID;
}

/** State and record of a connection that this segment has just begun. Pre: `tcpMayBegin`. */
export function beginTcp(connections: Connections, connection: number, pkt: Packet, nowMs: number): void {
  const flags = tcpFlags(pkt.view, pkt.l4At);
  const kind = segmentKind(flags);
  const record = connections.recordOf(connection);
  beginWindow(connections.records, record, pkt, flags);
  checkWindow(connections.records, record, pkt, 0, kind, flags, TcpState.None);
  accept(connections, connection, 0, kind, TcpState.None, nextTcpState(0, kind, TcpState.None), nowMs);
}

/**
 * Any segment of a known connection; most need no more than `trackOrdinary`.
 *
 * Pre:  `pkt.connection` and `pkt.direction` are set.
 * Post: known flow, or INVALID; or continue: the segment begins a new connection, and the old one is gone (CT-029).
 */
export function trackTcp(connections: Connections, pkt: Packet, nowMs: number): Outcome {
  const flags = tcpFlags(pkt.view, pkt.l4At);
  if (!tcpFlagsValid(flags)) return Drop.Invalid;
  const { connection, direction } = pkt;
  const { records } = connections;
  const kind = segmentKind(flags);
  const record = connections.recordOf(connection);
  const before = connections.state[connection]!;
  let next = nextTcpState(direction, kind, before);
  switch (next) {
    case TCP_INVALID:
      return Drop.Invalid;
    case TCP_IGNORE:
      return outOfStep(connections, pkt, kind, flags, before, nowMs);
    case TcpState.SynSent:
      if (before < TcpState.TimeWait) break;
      if (!reopens(records, record, direction)) return outOfStep(connections, pkt, kind, flags, before, nowMs);
      connections.remove(connection);
      return CONTINUE;
    case TcpState.TimeWait:
      if (isChallengeAck(records, record, direction, kind, before)) {
        records[record + TcpLast.Flags]! &= ~LastFlag.ChallengeAckExpected;
        return Place.KnownFlow;
      }
      break;
    case TcpState.SynSent2:
      records[record + TcpLast.Flags]! |= LastFlag.SimultaneousOpen;
      break;
    case TcpState.SynReceived:
      // After a simultaneous open the answer to the SYN and ACK comes in this direction too.
      if (direction === 1 && kind === Segment.Ack && records[record + TcpLast.Flags]! & LastFlag.SimultaneousOpen) {
        next = TcpState.Established;
      }
      break;
    case TcpState.Close:
      if (kind === Segment.Rst) return reset(connections, pkt, flags, before, nowMs);
      break;
  }
  return check(connections, pkt, kind, flags, before, next, nowMs);
}

/** Closed properly, or reset by the side that now sends a SYN (CT-029). */
function reopens(records: Int32Array, record: number, direction: number): boolean {
  const sides = records[tcpSide(record, 0) + TcpSide.Flags]! | records[tcpSide(record, 1) + TcpSide.Flags]!;
  if (sides & SideFlag.CloseInit) return true;
  return records[record + TcpLast.Direction] === direction && records[record + TcpLast.Kind] === Segment.Rst;
}

/** The answer to a SYN that was let through, not to the last FIN (RFC 5961 section 4). */
function isChallengeAck(records: Int32Array, record: number, direction: number, kind: number, before: number): boolean {
  return (
    before === TcpState.LastAck &&
    kind === Segment.Ack &&
    records[record + TcpLast.Direction] !== direction &&
    records[record + TcpLast.Kind] === Segment.Syn &&
    (records[record + TcpLast.Flags]! & LastFlag.ChallengeAckExpected) !== 0
  );
}

/**
 * A segment of a connection that the two sides may see differently than this table does: it passes, and is noted.
 * When a SYN and ACK answers such a SYN, the two are right, and the table follows them.
 */
function outOfStep(
  connections: Connections,
  pkt: Packet,
  kind: number,
  flags: number,
  before: number,
  nowMs: number,
): Outcome {
  const { view, l4At, connection, direction } = pkt;
  const { records } = connections;
  const record = connections.recordOf(connection);
  const answersSyn =
    kind === Segment.SynAck &&
    records[record + TcpLast.Kind] === Segment.Syn &&
    records[record + TcpLast.Direction] !== direction &&
    records[record + TcpLast.End] === tcpAcknowledgment(view, l4At);
  if (answersSyn) {
    fallIntoStep(records, record, direction);
    return check(connections, pkt, kind, flags, TcpState.SynSent, TcpState.SynReceived, nowMs);
  }
  records[record + TcpLast.Kind] = kind;
  records[record + TcpLast.Direction] = direction;
  records[record + TcpLast.Sequence] = tcpSequence(view, l4At);
  records[record + TcpLast.End] = segmentEnd(pkt, flags);
  records[record + TcpLast.Window] = tcpWindow(view, l4At);
  if (kind === Segment.Syn && direction === 0) {
    const challenge = before === TcpState.LastAck ? LastFlag.ChallengeAckExpected : 0;
    records[record + TcpLast.Flags] = synFlags(pkt) | challenge;
    records[record + TcpLast.Scale] = Math.max(tcpWindowScale(view, l4At), 0);
  }
  if (before === TcpState.SynSent && kind === Segment.Ack && direction === 1) {
    records[record + TcpLast.Ack] = tcpAcknowledgment(view, l4At);
  }
  return Place.KnownFlow;
}

/** Puts what was noted of a SYN in the place of what its side had said before; the other side begins with its answer. */
function fallIntoStep(records: Int32Array, record: number, direction: number): void {
  const opener = tcpSide(record, direction ^ 1);
  const answerer = tcpSide(record, direction);
  records[record + TcpLast.Flags]! &= ~LastFlag.ChallengeAckExpected;
  records[opener + TcpSide.End] = records[record + TcpLast.End]!;
  records[opener + TcpSide.MaxEnd] = records[record + TcpLast.End]!;
  records[opener + TcpSide.MaxWindow] = records[record + TcpLast.Window]! || 1;
  records[opener + TcpSide.Scale] = records[record + TcpLast.Scale]!;
  records[opener + TcpSide.Flags] = records[record + TcpLast.Flags]!;
  const liberal = records[answerer + TcpSide.Flags]! & SideFlag.BeLiberal;
  records.fill(0, answerer, answerer + TcpSide.Flags);
  records[answerer + TcpSide.Flags] = liberal;
}

/** What a RST has to be like (CT-030; RFC 5961 section 3). */
function reset(connections: Connections, pkt: Packet, flags: number, before: number, nowMs: number): Outcome {
  const { view, l4At, connection, direction } = pkt;
  const { records } = connections;
  // The addresses and ports of a connection that is closing may be in use again: nothing to compare with.
  if (tcpClosing(before)) return accept(connections, connection, direction, Segment.Rst, before, TcpState.Close, nowMs);

  const record = connections.recordOf(connection);
  const sequence = tcpSequence(view, l4At);
  const lastKind = records[record + TcpLast.Kind]!;
  const other = tcpSide(record, direction ^ 1);
  let next: number = TcpState.Close;
  if (records[other + TcpSide.Flags]! & SideFlag.MaxAckSet && lastKind !== Segment.Syn) {
    const assured = (connections.flags[connection]! & ConnectionFlag.Assured) !== 0;
    const established = before === TcpState.Established && assured;
    const ahead = (sequence - records[other + TcpSide.MaxAck]!) | 0;
    const answersSyn = sequence === 0 && !established;
    if (ahead < 0 && !answersSyn) return Drop.Invalid;
    const inTrain =
      lastKind === Segment.Ack &&
      records[record + TcpLast.Direction] === direction &&
      records[record + TcpLast.End] === sequence;
    if (answersSyn || !established || ahead === 0 || inTrain) {
      return check(connections, pkt, Segment.Rst, flags, before, next, nowMs);
    }
    // Not exactly what is expected: the receiver will ask back with a challenge ACK, and may keep the connection.
    next = before;
  }
  if (answersUncounted(connections, pkt, record, before)) {
    return accept(connections, connection, direction, Segment.Rst, before, next, nowMs);
  }
  return check(connections, pkt, Segment.Rst, flags, before, next, nowMs);
}

/** A RST in answer to a segment that was let through uncounted: it may acknowledge what the window knows nothing of. */
function answersUncounted(connections: Connections, pkt: Packet, record: number, before: number): boolean {
  const { records } = connections;
  const flags = connections.flags[pkt.connection]!;
  const lastKind = records[record + TcpLast.Kind];
  // Who has sent the SYN does not answer it as well (Linux bed6e04be8e6).
  const ofOther = records[record + TcpLast.Direction] !== pkt.direction;
  const toSyn = lastKind === Segment.Syn && ofOther && (flags & ConnectionFlag.SeenReply) !== 0;
  const toAck = lastKind === Segment.Ack && (flags & ConnectionFlag.Assured) === 0;
  if ((toSyn || toAck) && tcpAcknowledgment(pkt.view, pkt.l4At) === records[record + TcpLast.End]) return true;
  // To a challenge ACK: the client does not know of the connection that the server still has.
  return (
    before === TcpState.SynSent &&
    lastKind === Segment.Ack &&
    records[record + TcpLast.Direction] === 1 &&
    tcpSequence(pkt.view, pkt.l4At) === records[record + TcpLast.Ack]
  );
}

/** Counts the segment when it is in the window. @param before the state that it is seen to come from. */
function check(
  connections: Connections,
  pkt: Packet,
  kind: number,
  flags: number,
  before: number,
  next: number,
  nowMs: number,
): Outcome {
  const { connection, direction } = pkt;
  const record = connections.recordOf(connection);
  const state = connections.state[connection]!;
  const fit = checkWindow(connections.records, record, pkt, direction, kind, flags, state);
  if (fit === Fit.Accept) return accept(connections, connection, direction, kind, before, next, nowMs);
  if (fit === Fit.Ignore) return Place.KnownFlow;
  if (kind === Segment.Fin || kind === Segment.Rst) suspect(connections, connection, direction, kind, nowMs);
  return Drop.Invalid;
}

/**
 * Both sides close, or reset, in numbers that do not fit: the table is out of step with them, and should not keep an
 * established connection for as long as else. Linux's `nf_tcp_handle_invalid`.
 */
function suspect(connections: Connections, connection: number, direction: number, kind: number, nowMs: number): void {
  if ((connections.flags[connection]! & ConnectionFlag.Assured) === 0) return;
  const { records } = connections;
  const record = connections.recordOf(connection);
  const lastKind = records[record + TcpLast.Kind];
  const answers = records[record + TcpLast.Direction] !== direction;
  if (answers && (lastKind === Segment.Fin || lastKind === Segment.Rst)) {
    if (connections.deadlineMs[connection]! - nowMs > TCP_UNACKNOWLEDGED_MS) {
      connections.refresh(connection, nowMs, TCP_UNACKNOWLEDGED_MS);
    }
    return;
  }
  records[record + TcpLast.Kind] = kind;
  records[record + TcpLast.Direction] = direction;
}

/** The segment is one of this connection: state and lifetime move on. */
function accept(
  connections: Connections,
  connection: number,
  direction: number,
  kind: number,
  before: number,
  next: number,
  nowMs: number,
): Outcome {
  const { records } = connections;
  const record = connections.recordOf(connection);
  records[record + TcpLast.Kind] = kind;
  records[record + TcpLast.Direction] = direction;
  connections.state[connection] = next;
  if (next === TcpState.FinWait && before !== next) {
    records[tcpSide(record, direction) + TcpSide.Flags]! |= SideFlag.CloseInit;
  }

  const flags = connections.flags[connection]!;
  let lifeMs = lifetimeMs(records, record, kind, next);
  if ((flags & ConnectionFlag.SeenReply) === 0) {
    if (kind === Segment.Rst) {
      connections.end(connection, nowMs); // nothing was ever answered but this (CT-031)
      return Place.KnownFlow;
    }
    // A repeated SYN does not keep an unanswered attempt alive (Linux e15d4cdf27cb).
    if (kind === Segment.Syn && before === TcpState.SynSent) return Place.KnownFlow;
    if (next === TcpState.Established) lifeMs = Math.min(lifeMs, TCP_UNACKNOWLEDGED_MS);
  } else if (next === TcpState.Established && (before === TcpState.SynReceived || before === next)) {
    connections.flags[connection] = flags | ConnectionFlag.Assured; // CT-032
  }
  connections.refresh(connection, nowMs, lifeMs);
  return Place.KnownFlow;
}

/** A connection whose other side is silent, or offers no window, is not kept for days (CT-009). */
function lifetimeMs(records: Int32Array, record: number, kind: number, state: number): number {
  const normal = tcpTimeoutMs(state);
  if (normal > TCP_GIVEN_UP_MS && records[record + TcpLast.Retransmissions]! >= RETRANSMISSIONS_MAX) {
    return TCP_GIVEN_UP_MS;
  }
  if (kind === Segment.Rst) return tcpTimeoutMs(TcpState.Close); // whatever state it leaves
  const sides = records[tcpSide(record, 0) + TcpSide.Flags]! | records[tcpSide(record, 1) + TcpSide.Flags]!;
  if (sides & SideFlag.DataUnacknowledged) return Math.min(normal, TCP_UNACKNOWLEDGED_MS);
  return records[record + TcpLast.Window] === 0 ? Math.min(normal, TCP_GIVEN_UP_MS) : normal;
}
