/** Bends a TCP segment so that it falls on the edge of what its connection allows, or one beside it. */
import { type Direction, opposite, type TcpSegment } from '../oracle/slow-packet.ts';
import type { SlowTcpEntry } from '../oracle/slow-tcp.ts';
import { ACK_WINDOW, type SlowHalf, type SlowTcp } from '../oracle/slow-tcp-window.ts';
import type { Random } from '../support/random.ts';
import { octets } from './scripts-options.ts';

const SUPERFRAME_MAX = 60_000;
const SEGMENT_LEN = 1448;

export function aim(random: Random, segment: TcpSegment, { tcp }: SlowTcpEntry, direction: Direction): TcpSegment {
  const sender = tcp.halves[direction];
  const receiver = tcp.halves[opposite(direction)];
  const aside = random.pick([-2, -1, -1, 0, 0, 1, 1, 2]);
  switch (random.below(7)) {
    case 0:
      return { ...segment, sequence: word(sender.maxEnd + aside) };
    case 1:
      return endingAt(segment, sender.end - receiver.maxWindow + aside, segment.payloadLen);
    case 2:
      return { ...segment, acknowledgment: word(receiver.end + aside) };
    case 3:
      return { ...segment, acknowledgment: word(receiver.end - Math.max(sender.maxWindow, ACK_WINDOW) + aside) };
    case 4: // more than was offered, by as much as is forgiven
      return endingAt(segment, sender.maxEnd + receiver.maxWindow - 1 + aside, receiver.maxWindow - 1);
    case 5:
      return withSack(random, segment, receiver, aside);
    default:
      return reset(random, segment, tcp, receiver, aside);
  }
}

function endingAt(segment: TcpSegment, end: number, len: number): TcpSegment {
  if (/[SFR]/.test(segment.flags)) return { ...segment, sequence: word(end) };
  const payloadLen = Math.max(0, Math.min(len, SUPERFRAME_MAX));
  const gsoSize = payloadLen > SEGMENT_LEN ? SEGMENT_LEN : 0;
  return { ...segment, sequence: word(end - payloadLen), payloadLen, gsoSize };
}

function withSack(random: Random, segment: TcpSegment, receiver: SlowHalf, aside: number): TcpSegment {
  const acknowledgment = word(receiver.end - random.pick([1, 100, 5000]));
  const blocks = [word(receiver.end + aside), word(acknowledgment + 1 + random.below(50))].map((right) => [
    ...octets(word(right - 1)),
    ...octets(right),
  ]);
  const sack = (random.once(2) ? blocks : blocks.reverse()).flat();
  // Now and then the length is not that of whole blocks.
  const len = 2 + sack.length + (random.once(6) ? 2 : 0);
  return { ...segment, acknowledgment, options: [1, 1, 5, len, ...sack, ...(len > 18 ? [1, 1, 0, 0] : [])] };
}

function reset(random: Random, segment: TcpSegment, tcp: SlowTcp, receiver: SlowHalf, aside: number): TcpSegment {
  const { end, acknowledgment } = tcp.last;
  const sequence = word(random.pick([receiver.maxAck, receiver.maxAck, end, acknowledgment, 0]) + aside);
  const rest = { payloadLen: 0, gsoSize: 0, acknowledgment: random.pick([segment.acknowledgment, end, 0]) };
  return { ...segment, ...rest, flags: random.pick(['R', 'RA']), sequence };
}

function word(value: number): number {
  return value >>> 0;
}
