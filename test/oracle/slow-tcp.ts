/**
 * TCP states as Linux 6.18 tracks them, from net/netfilter/nf_conntrack_proto_tcp.c (nf_conntrack_tcp_packet,
 * nf_tcp_handle_invalid) and the rules CT-008 to CT-032. Nothing here may come from `src/`.
 */
import { type Direction, opposite, type SlowEntry, type TcpSegment, type TrackerVerdict } from './slow-packet.ts';
import {
  before,
  forget,
  judgeWindow,
  newTcp,
  readOptions,
  type SegmentKind,
  type SlowTcp,
  segmentEnd,
} from './slow-tcp-window.ts';

export interface SlowTcpEntry extends SlowEntry {
  tcp: SlowTcp;
}

const names: Readonly<Record<string, string>> = {
  ...{ NO: 'NONE', SS: 'SYN_SENT', SR: 'SYN_RECV', ES: 'ESTABLISHED', FW: 'FIN_WAIT', CW: 'CLOSE_WAIT' },
  ...{ LA: 'LAST_ACK', TW: 'TIME_WAIT', CL: 'CLOSE', S2: 'SYN_SENT2', IV: 'INVALID', IG: 'IGNORE' },
};
const columns = ['NO', 'SS', 'SR', 'ES', 'FW', 'CW', 'LA', 'TW', 'CL', 'S2'];
/** CT-017 to CT-026 */
const rows: Readonly<Record<Direction, Readonly<Record<SegmentKind, string>>>> = {
  0: {
    Syn: 'SS SS IG IG IG IG IG SS SS S2',
    SynAck: 'IV IV SR IV IV IV IV IV IV SR',
    Fin: 'IV IV FW FW LA LA LA TW CL IV',
    Ack: 'ES IV ES ES CW CW TW TW CL IV',
    Rst: 'IV CL CL CL CL CL CL CL CL CL',
    None: 'IV IV IV IV IV IV IV IV IV IV',
  },
  1: {
    Syn: 'IV S2 IV IV IV IV IV SS IV S2',
    SynAck: 'IV SR IG IG IG IG IG IG IG SR',
    Fin: 'IV IV FW FW LA LA LA TW CL IV',
    Ack: 'IV IG SR ES CW CW TW TW CL IG',
    Rst: 'IV CL CL CL CL CL CL CL CL CL',
    None: 'IV IV IV IV IV IV IV IV IV IV',
  },
};

/** CT-008, with ESTABLISHED and CLOSE_WAIT as kube-proxy sets them (CT-010). */
const SECONDS: Readonly<Record<string, number>> = {
  ...{ SYN_SENT: 120, SYN_RECV: 60, ESTABLISHED: 86_400, FIN_WAIT: 120, CLOSE_WAIT: 3600 },
  ...{ LAST_ACK: 30, TIME_WAIT: 120, CLOSE: 10, SYN_SENT2: 120 },
};
/** CT-009: max_retrans and unacknowledged. */
const SHORT_SECONDS = 300;
const MAX_RETRANSMISSIONS = 3;
/** CT-028, letters in the order of the alphabet. */
const VALID_FLAGS = ['S', 'SU', 'AS', 'R', 'AR', 'AF', 'AFU', 'A', 'AU'];
/** tcp_can_early_drop */
export const CLOSING_TCP = ['FIN_WAIT', 'LAST_ACK', 'TIME_WAIT', 'CLOSE', 'CLOSE_WAIT'];

/** CT-027 */
function kindOf(flags: string): SegmentKind {
  if (flags.includes('R')) return 'Rst';
  if (flags.includes('S')) return flags.includes('A') ? 'SynAck' : 'Syn';
  if (flags.includes('F')) return 'Fin';
  return flags.includes('A') ? 'Ack' : 'None';
}

function nextState(direction: Direction, kind: SegmentKind, state: string): string {
  const column = columns.findIndex((short) => names[short] === state);
  return names[rows[direction][kind].split(' ')[column]!]!;
}

function validFlags(flags: string): boolean {
  return VALID_FLAGS.includes([...flags.replace(/[PEC]/g, '')].sort().join(''));
}

/** The state of a flow that this segment may begin, or undefined (CT-039, loose). The entry is in state NONE then. */
export function beginTcp(segment: TcpSegment): SlowTcp | undefined {
  if (!validFlags(segment.flags)) return undefined;
  return nextState(0, kindOf(segment.flags), 'NONE') === 'INVALID' ? undefined : newTcp(segment);
}

/** Where a segment would lead, and whether the window has a say. */
interface Step {
  from: string;
  to: string;
  /** Set when the segment's story ends before the window. */
  verdict?: TrackerVerdict;
  skipsWindow?: true;
}

export function trackTcp(
  entry: SlowTcpEntry,
  segment: TcpSegment,
  direction: Direction,
  nowMs: number,
): TrackerVerdict {
  if (!validFlags(segment.flags)) return 'invalid';
  const { tcp } = entry;
  const kind = kindOf(segment.flags);
  const step: Step = { from: entry.state, to: nextState(direction, kind, entry.state) };
  special(entry, step, kind, segment, direction);
  if (step.verdict !== undefined) return step.verdict;
  if (step.skipsWindow === undefined) {
    const judgement = judgeWindow(tcp, entry.state, direction, kind, segment);
    if (judgement === 'ignore') return 'known';
    if (judgement === 'invalid') {
      shorten(entry, kind, direction, nowMs);
      return 'invalid';
    }
  }
  return advance(entry, step, kind, direction, nowMs);
}

function special(entry: SlowTcpEntry, step: Step, kind: SegmentKind, segment: TcpSegment, direction: Direction): void {
  const { last } = entry.tcp;
  switch (step.to) {
    case 'INVALID':
      step.verdict = 'invalid';
      return;
    case 'IGNORE':
      ignored(entry, step, kind, segment, direction);
      return;
    case 'SYN_SENT':
      if (step.from !== 'TIME_WAIT' && step.from !== 'CLOSE') return;
      if (reopens(entry, direction)) step.verdict = 'reopens';
      else ignored(entry, step, kind, segment, direction);
      return;
    case 'TIME_WAIT':
      // RFC 5961: the ACK may answer a SYN that went through, not the FIN.
      if (step.from !== 'LAST_ACK' || kind !== 'Ack' || last.direction === direction || last.kind !== 'Syn') return;
      if (last.flags.delete('challengeAckExpected')) step.verdict = 'known';
      return;
    case 'SYN_SENT2':
      last.flags.add('simultaneousOpen');
      return;
    case 'SYN_RECV':
      if (direction === 1 && kind === 'Ack' && last.flags.has('simultaneousOpen')) step.to = 'ESTABLISHED';
      return;
    case 'CLOSE':
      if (kind === 'Rst') reset(entry, step, segment, direction);
  }
}

/** CT-029 */
function reopens({ tcp }: SlowTcpEntry, direction: Direction): boolean {
  const closed = tcp.halves.some((half) => half.flags.has('beganClosing'));
  return closed || (tcp.last.direction === direction && tcp.last.kind === 'Rst');
}

/** It passes and is noted, in case that we are the ones who are out of step. */
function ignored(
  { tcp }: SlowTcpEntry,
  step: Step,
  kind: SegmentKind,
  segment: TcpSegment,
  direction: Direction,
): void {
  const { last } = tcp;
  if (kind === 'SynAck' && last.kind === 'Syn' && last.direction !== direction && segment.acknowledgment === last.end) {
    // The answer to a SYN that was ignored: both ends agree, so we follow them.
    step.from = 'SYN_SENT';
    step.to = 'SYN_RECV';
    last.flags.delete('challengeAckExpected');
    const half = tcp.halves[last.direction];
    Object.assign(half, { end: last.end, maxEnd: last.end, maxWindow: Math.max(last.window, 1), scale: last.scale });
    half.flags = new Set(last.flags);
    forget(tcp.halves[direction]);
    return;
  }
  Object.assign(last, {
    kind,
    direction,
    sequence: segment.sequence,
    end: segmentEnd(segment),
    window: segment.window,
  });
  if (kind === 'Syn' && direction === 0) {
    const seen = { end: 0, maxEnd: 0, maxWindow: 0, maxAck: 0, scale: 0, flags: new Set<never>() };
    readOptions(seen, segment);
    last.flags = seen.flags;
    last.scale = seen.scale;
    if (step.from === 'LAST_ACK') last.flags.add('challengeAckExpected');
  }
  if (step.from === 'SYN_SENT' && kind === 'Ack' && direction === 1) last.acknowledgment = segment.acknowledgment;
  step.verdict = 'known';
}

/** A RST that would close the connection. */
function reset(entry: SlowTcpEntry, step: Step, segment: TcpSegment, direction: Direction): void {
  if (CLOSING_TCP.includes(entry.state)) {
    step.skipsWindow = true;
    return;
  }
  const { last, halves } = entry.tcp;
  const { maxAck, flags } = halves[opposite(direction)];
  if (flags.has('maxAckSet') && last.kind !== 'Syn') {
    const place = resetPlace(entry, segment, direction, maxAck);
    if (place === 'below') step.verdict = 'invalid';
    if (place !== 'elsewhere') return;
    step.to = step.from; // perhaps forged: the end itself will tell, by a challenge ACK
  }
  if (answersWhatPassed(entry, step, segment, direction)) step.skipsWindow = true;
}

/** CT-030, and the exact sequence number of RFC 5961 section 3.2. @param maxAck highest that the other side has acknowledged */
function resetPlace(
  entry: SlowTcpEntry,
  { sequence }: TcpSegment,
  direction: Direction,
  maxAck: number,
): 'below' | 'right' | 'elsewhere' {
  const { last } = entry.tcp;
  const established = entry.state === 'ESTABLISHED' && entry.assured;
  if (!established && sequence === 0) return 'right'; // an answer to a SYN that passed
  if (before(sequence, maxAck)) return 'below';
  if (!established || sequence === maxAck) return 'right';
  const followsData = last.kind === 'Ack' && last.direction === direction && sequence === last.end;
  return followsData ? 'right' : 'elsewhere';
}

/** Is it the answer to a SYN or an ACK that was not in order, and passed? */
function answersWhatPassed(
  entry: SlowTcpEntry,
  step: Step,
  { sequence, acknowledgment }: TcpSegment,
  direction: Direction,
): boolean {
  const { last } = entry.tcp;
  const syn = entry.seenReply && last.kind === 'Syn' && last.direction !== direction;
  const ack = !entry.assured && last.kind === 'Ack';
  if ((syn || ack) && acknowledgment === last.end) return true;
  const challenge = last.kind === 'Ack' && last.direction === 1 && sequence === last.acknowledgment;
  return step.from === 'SYN_SENT' && challenge;
}

/** nf_tcp_handle_invalid: FIN or RST out of window, answered by one of the other side. */
function shorten(entry: SlowTcpEntry, kind: SegmentKind, direction: Direction, nowMs: number): void {
  const { last } = entry.tcp;
  if (!entry.assured || (kind !== 'Rst' && kind !== 'Fin')) return;
  if (last.direction !== direction && (last.kind === 'Fin' || last.kind === 'Rst')) {
    if (entry.deadlineMs - nowMs > SHORT_SECONDS * 1000) entry.deadlineMs = nowMs + SHORT_SECONDS * 1000;
  } else {
    last.kind = kind;
    last.direction = direction;
  }
}

/** The segment counts: it moves the state and the deadline. */
function advance(
  entry: SlowTcpEntry,
  step: Step,
  kind: SegmentKind,
  direction: Direction,
  nowMs: number,
): TrackerVerdict {
  const { tcp } = entry;
  tcp.last.kind = kind;
  tcp.last.direction = direction;
  entry.state = step.to;
  if (step.from !== step.to && step.to === 'FIN_WAIT') tcp.halves[direction].flags.add('beganClosing');
  let seconds = secondsFor(tcp, step.to, kind);
  if (entry.seenReply) {
    const wasOpen = step.from === 'SYN_RECV' || step.from === 'ESTABLISHED';
    if (wasOpen && step.to === 'ESTABLISHED') entry.assured = true; // CT-032
  } else {
    if (kind === 'Rst') return 'gone'; // CT-031
    if (kind === 'Syn' && step.from === 'SYN_SENT') return 'known'; // repeated: the time goes on
    if (step.to === 'ESTABLISHED') seconds = Math.min(seconds, SHORT_SECONDS);
  }
  entry.deadlineMs = nowMs + seconds * 1000; // CT-016
  return 'known';
}

/** CT-008, CT-009 */
function secondsFor(tcp: SlowTcp, state: string, kind: SegmentKind): number {
  const seconds = SECONDS[state]!;
  const short = Math.min(seconds, SHORT_SECONDS);
  if (tcp.retransmissions >= MAX_RETRANSMISSIONS && seconds > SHORT_SECONDS) return short;
  if (kind === 'Rst') return SECONDS['CLOSE']!;
  if (tcp.halves.some((half) => half.flags.has('unacknowledged'))) return short;
  return tcp.last.window === 0 ? short : seconds;
}
