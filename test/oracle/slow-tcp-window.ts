/**
 * TCP windows as Linux 6.18 tracks them, from net/netfilter/nf_conntrack_proto_tcp.c (tcp_in_window, tcp_init_sender,
 * tcp_options, tcp_sack, tcp_new) and the rules CT-033 to CT-039. Plain objects, sets and remainders: slow, to be read.
 * Nothing here may come from `src/`.
 */
import { type Direction, opposite, type TcpSegment } from './slow-packet.ts';

export type SegmentKind = 'Syn' | 'SynAck' | 'Fin' | 'Ack' | 'Rst' | 'None';

export type HalfFlag =
  | 'windowScale'
  | 'sackPermitted'
  | 'beganClosing'
  | 'liberal'
  | 'unacknowledged'
  | 'maxAckSet'
  | 'challengeAckExpected'
  | 'simultaneousOpen';

/** What one side has sent and offered; the names in brackets are Linux's. */
export interface SlowHalf {
  /** Behind the last byte that it sent (td_end). */
  end: number;
  /** Behind the last byte that it may send: the other side's highest acknowledgment and window (td_maxend). */
  maxEnd: number;
  /** The largest window that it has offered (td_maxwin); 0 before its first packet. */
  maxWindow: number;
  /** The highest acknowledgment that it has sent (td_maxack). */
  maxAck: number;
  scale: number;
  flags: Set<HalfFlag>;
}

/** struct ip_ct_tcp; `last` is its last_ fields. */
export interface SlowTcp {
  halves: [SlowHalf, SlowHalf];
  retransmissions: number;
  last: {
    kind: SegmentKind;
    direction: Direction;
    sequence: number;
    acknowledgment: number;
    end: number;
    window: number;
    scale: number;
    flags: Set<HalfFlag>;
  };
}

const WORD = 0x1_0000_0000;
/** MAXACKWINCONST */
export const ACK_WINDOW = 66_000;
const MAX_SCALE = 14;

function word(value: number): number {
  return ((value % WORD) + WORD) % WORD;
}

/** `a` comes before `b` in sequence space (RFC 9293 section 3.4). */
export function before(a: number, b: number): boolean {
  return word(a - b) >= WORD / 2;
}

function after(a: number, b: number): boolean {
  return before(b, a);
}

export function segmentEnd({ sequence, payloadLen, flags }: TcpSegment): number {
  return word(sequence + payloadLen + (flags.includes('S') ? 1 : 0) + (flags.includes('F') ? 1 : 0));
}

function newHalf(): SlowHalf {
  return { end: 0, maxEnd: 0, maxWindow: 0, maxAck: 0, scale: 0, flags: new Set() };
}

/** tcp_new: the first packet is a SYN, or (CT-039) one from the middle of a connection. */
export function newTcp(segment: TcpSegment): SlowTcp {
  const sender = newHalf();
  const receiver = newHalf();
  sender.end = segmentEnd(segment);
  sender.maxWindow = Math.max(segment.window, 1);
  if (segment.flags.includes('S')) {
    sender.maxEnd = sender.end;
    readOptions(sender, segment);
  } else {
    sender.maxEnd = word(sender.end + sender.maxWindow);
    for (const half of [sender, receiver]) half.flags = new Set(['sackPermitted', 'liberal']);
  }
  return { halves: [sender, receiver], retransmissions: 0, last: newLast() };
}

function newLast(): SlowTcp['last'] {
  const zeros = { sequence: 0, acknowledgment: 0, end: 0, window: 0, scale: 0 };
  return { kind: 'None', direction: 0, ...zeros, flags: new Set() };
}

/** nf_ct_tcp_state_reset */
export function forget(half: SlowHalf): void {
  Object.assign(half, newHalf(), { flags: half.flags.has('liberal') ? new Set(['liberal']) : new Set() });
}

interface Option {
  readonly kind: number;
  readonly body: readonly number[];
}

/** The options up to the end, or to one whose length lies. */
function optionsOf({ options }: TcpSegment): Option[] {
  const found: Option[] = [];
  let at = 0;
  while (at < options.length) {
    const kind = options[at]!;
    if (kind === 0) break; // end of list
    if (kind === 1) {
      at += 1; // no operation
      continue;
    }
    const length = options[at + 1];
    if (length === undefined || length < 2 || at + length > options.length) break;
    found.push({ kind, body: options.slice(at + 2, at + length) });
    at += length;
  }
  return found;
}

/** tcp_options: a segment without any options changes nothing, one with options tells all. CT-037 clamps the scale. */
export function readOptions(half: SlowHalf, segment: TcpSegment): void {
  if (segment.options.length === 0) return;
  half.scale = 0;
  half.flags = half.flags.has('liberal') ? new Set(['liberal']) : new Set();
  for (const { kind, body } of optionsOf(segment)) {
    if (kind === 4 && body.length === 0) half.flags.add('sackPermitted');
    if (kind === 3 && body.length === 1) {
      half.scale = Math.min(body[0]!, MAX_SCALE);
      half.flags.add('windowScale');
    }
  }
}

/** tcp_sack: the highest right edge of the first SACK option, when that is above the acknowledgment. */
function highestAck(segment: TcpSegment): number {
  let highest = segment.acknowledgment;
  const sack = optionsOf(segment).find(({ kind, body }) => kind === 5 && body.length >= 8 && body.length % 8 === 0);
  if (sack === undefined) return highest;
  for (let at = 4; at < sack.body.length; at += 8) {
    const right = sack.body.slice(at, at + 4).reduce((value, octet) => value * 256 + octet, 0);
    if (after(right, highest)) highest = right;
  }
  return highest;
}

/** tcp_init_sender: the first SYN of a side, or one that begins anew. */
function initSender(sender: SlowHalf, receiver: SlowHalf, segment: TcpSegment, direction: Direction): void {
  sender.end = segmentEnd(segment);
  sender.maxEnd = sender.end;
  sender.maxWindow = Math.max(segment.window, 1);
  readOptions(sender, segment);
  // CT-037: both or neither
  const both = sender.flags.has('windowScale') && receiver.flags.has('windowScale');
  if (direction === 1 && !both) {
    sender.scale = 0;
    receiver.scale = 0;
  }
}

type Judgement = 'accept' | 'ignore' | 'invalid';

/** What the checks and the bookkeeping need of one segment. */
interface Numbers {
  sequence: number;
  acknowledgment: number;
  sack: number;
  end: number;
}

/** tcp_in_window. @param state of the connection before this segment */
export function judgeWindow(
  tcp: SlowTcp,
  state: string,
  direction: Direction,
  kind: SegmentKind,
  segment: TcpSegment,
): Judgement {
  const sender = tcp.halves[direction];
  const receiver = tcp.halves[opposite(direction)];
  const numbers: Numbers = {
    sequence: segment.sequence,
    acknowledgment: segment.acknowledgment,
    sack: receiver.flags.has('sackPermitted') ? highestAck(segment) : segment.acknowledgment,
    end: segmentEnd(segment),
  };
  if (greet(sender, receiver, state, direction, segment, numbers)) return 'accept';
  amend(numbers, sender, receiver, state, segment);
  const judgement = check(sender, receiver, numbers);
  // CT-038: what was picked up mid-stream passes unchecked, and unrecorded
  if (judgement !== 'accept') return sender.flags.has('liberal') ? 'accept' : judgement;
  record(sender, receiver, segment, numbers);
  if (kind === 'Ack') countRetransmissions(tcp, direction, segment, numbers);
  return 'accept';
}

/** The first segment of a side, and SYNs that begin anew. True when that is all there is to do. */
function greet(
  sender: SlowHalf,
  receiver: SlowHalf,
  state: string,
  direction: Direction,
  segment: TcpSegment,
  { sack, end }: Numbers,
): boolean {
  const syn = segment.flags.includes('S');
  const acknowledges = segment.flags.includes('A');
  if (sender.maxWindow === 0) {
    if (syn) {
      initSender(sender, receiver, segment, direction);
      return !acknowledges; // simultaneous open
    }
    // The middle of a connection whose history is lost.
    sender.end = end;
    sender.maxWindow = Math.max(segment.window * 2 ** sender.scale, 1);
    sender.maxEnd = word(end + sender.maxWindow);
    if (receiver.maxWindow === 0) {
      receiver.end = sack;
      receiver.maxEnd = sack;
    } else if (sack === word(receiver.end + 1)) {
      receiver.end = word(receiver.end + 1); // an answer to a keepalive
    }
    return false;
  }
  if (syn && after(end, sender.end) && (state === 'SYN_SENT' || state === 'SYN_RECV')) {
    initSender(sender, receiver, segment, direction);
    return direction === 1 && !acknowledges;
  }
  return false;
}

function amend(numbers: Numbers, sender: SlowHalf, receiver: SlowHalf, state: string, segment: TcpSegment): void {
  const { flags, acknowledgment, sequence } = segment;
  const brokenReset = flags.includes('R') && acknowledgment === 0;
  if (!flags.includes('A') || brokenReset) {
    numbers.acknowledgment = receiver.end;
    numbers.sack = receiver.end;
  }
  if (flags.includes('R') && sequence === 0 && state === 'SYN_SENT') {
    numbers.sequence = sender.end; // it answers the SYN
    numbers.end = sender.end;
  }
}

/** The four checks, CT-033 to CT-036. */
function check(sender: SlowHalf, receiver: SlowHalf, { sequence, sack, end }: Numbers): Judgement {
  const ackWindow = Math.max(sender.maxWindow, ACK_WINDOW);
  const one = before(sequence, word(sender.maxEnd + 1));
  const two = receiver.maxWindow === 0 || after(end, word(sender.end - receiver.maxWindow - 1));
  const three = before(sack, word(receiver.end + 1));
  const four = after(sack, word(receiver.end - ackWindow - 1));
  if (!one) {
    const overshot = word(end - sender.maxEnd + 1);
    // A sender that takes a little more than it was offered: its data may be acknowledged later.
    if (receiver.maxWindow !== 0 && two && three && four && overshot <= receiver.maxWindow) {
      sender.end = end;
      sender.flags.add('unacknowledged');
      return 'ignore';
    }
    return 'invalid';
  }
  if (!three) return 'invalid';
  return two && four ? 'accept' : 'ignore';
}

function record(sender: SlowHalf, receiver: SlowHalf, segment: TcpSegment, numbers: Numbers): void {
  const { acknowledgment, sack, end } = numbers;
  const window = segment.flags.includes('S') ? segment.window : segment.window * 2 ** sender.scale;
  sender.maxWindow = Math.max(sender.maxWindow, word(window + word(sack - acknowledgment)));
  if (after(end, sender.end)) {
    sender.end = end;
    sender.flags.add('unacknowledged');
  }
  if (segment.flags.includes('A')) {
    if (!sender.flags.has('maxAckSet') || after(acknowledgment, sender.maxAck)) sender.maxAck = acknowledgment;
    sender.flags.add('maxAckSet');
  }
  if (receiver.maxWindow !== 0 && after(end, sender.maxEnd)) {
    receiver.maxWindow = word(receiver.maxWindow + word(end - sender.maxEnd));
  }
  if (after(word(sack + window), word(receiver.maxEnd - 1))) {
    receiver.maxEnd = word(sack + Math.max(window, 1));
  }
  if (acknowledgment === receiver.end) receiver.flags.delete('unacknowledged');
}

/** CT-009: the same acknowledgment again and again. The count is one octet in Linux. */
function countRetransmissions(tcp: SlowTcp, direction: Direction, segment: TcpSegment, numbers: Numbers): void {
  const { last } = tcp;
  const { sequence, acknowledgment, end } = numbers;
  const again =
    last.direction === direction &&
    last.sequence === sequence &&
    last.acknowledgment === acknowledgment &&
    last.end === end &&
    last.window === segment.window;
  tcp.retransmissions = again ? (tcp.retransmissions + 1) % 256 : 0;
  if (!again) Object.assign(last, { direction, sequence, acknowledgment, end, window: segment.window });
}
