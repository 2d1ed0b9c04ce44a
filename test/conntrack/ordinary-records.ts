/** Random records of one connection, and random segments that fall on the edges of what they allow. */
import { Connections } from '../../src/conntrack/connections.ts';
import { TcpState } from '../../src/conntrack/tcp-states.ts';
import { SideFlag, TcpLast, TcpSide, tcpSide } from '../../src/conntrack/tcp-window.ts';
import { KEY_WORDS } from '../../src/packet/flow-key.ts';
import type { Packet } from '../../src/packet/packet.ts';
import { newPacket } from '../support/frames.ts';
import type { Random } from '../support/random.ts';
import { strangeOptions } from './scripts-options.ts';
import { sackBlocks } from './tcp-ends.ts';
import { ACK } from './tracker.ts';

const PSH = 8;
const TIMESTAMPS = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
const WINDOWS = [1, 502, 502, 65_535, 66_000, 66_001, 1 << 20, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 0];

export class RandomRecords {
  readonly connections = new Connections(4, 1);
  readonly pkt: Packet = newPacket();
  nowMs = 1000;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
    this.connections.insert(this.connections.allocate(), key(1), key(2), 0);
  }

  /** Fills the record, and `pkt` with a segment. */
  next(): void {
    const random = this.#random;
    const { connections, pkt } = this;
    const { records: words } = connections;
    const record = connections.recordOf(0);
    pkt.connection = 0;
    pkt.direction = random.below(2);
    connections.state[0] = random.once(10) ? random.below(10) : TcpState.Established;
    connections.flags[0] = random.once(10) ? random.below(8) : 3 | (random.below(2) * 4);
    this.nowMs = random.pick([1000, 1000.25, 1_700_000_000_123.5, this.nowMs]);
    connections.refresh(0, this.nowMs, random.pick([1, 1000, 299_999, 300_000, 86_400_000, 86_400_000.5]));
    this.#fillSide(tcpSide(record, 0));
    this.#fillSide(tcpSide(record, 1));
    const sender = tcpSide(record, pkt.direction);
    const receiver = tcpSide(record, pkt.direction ^ 1);
    // What each may send follows from what the other has offered; now and then it does not.
    this.#fillMaxEnd(sender, words[receiver + TcpSide.MaxWindow]!);
    this.#fillMaxEnd(receiver, words[sender + TcpSide.MaxWindow]!);
    words[sender + TcpSide.MaxAck] = words[receiver + TcpSide.End]! - random.pick([0, 0, 100, random.word()]);
    this.#writeSegment(sender, receiver);
    this.#fillLast(record);
  }

  #fillSide(side: number): void {
    const random = this.#random;
    const { records: words } = this.connections;
    words[side + TcpSide.End] = random.word();
    words[side + TcpSide.MaxWindow] = random.pick(WINDOWS);
    words[side + TcpSide.MaxAck] = random.word();
    words[side + TcpSide.Scale] = random.pick([0, 0, 7, 14]);
    words[side + TcpSide.Flags] = random.below(64) | (random.once(10) ? 0 : SideFlag.MaxAckSet);
  }

  #fillMaxEnd(side: number, window: number): void {
    const random = this.#random;
    const { records: words } = this.connections;
    const ahead = random.pick([window, window, random.below(5000), 0, random.word()]);
    words[side + TcpSide.MaxEnd] = words[side + TcpSide.End]! + ahead;
  }

  #writeSegment(sender: number, receiver: number): void {
    const random = this.#random;
    const { pkt } = this;
    const { records: words } = this.connections;
    const end = words[sender + TcpSide.End]!;
    const maxEnd = words[sender + TcpSide.MaxEnd]!;
    const receiverEnd = words[receiver + TcpSide.End]!;
    const back = words[receiver + TcpSide.MaxWindow]!;
    const ackBack = Math.max(words[sender + TcpSide.MaxWindow]! >>> 0, 66_000);
    const aside = random.pick([-2, -1, -1, 0, 0, 1, 1, 2]);
    const len = random.pick([0, 0, 1, 1448, 60_000]);
    const edges = [maxEnd + aside, maxEnd - len + aside, maxEnd + 2 ** 31 + aside, end - back - len + aside];
    const sequence = random.once(3) ? random.pick([...edges, random.word()]) : end - random.pick([0, 0, 0, len, 1000]);
    const ackEdges = [receiverEnd + aside, receiverEnd + 2 ** 31 + aside, receiverEnd - ackBack + aside, random.word()];
    const ack = random.once(3) ? random.pick(ackEdges) : receiverEnd - random.pick([0, 0, 0, 1, 1448]);
    const sack = sackBlocks(receiverEnd - 10, receiverEnd + random.pick([0, aside, -2000]));
    const options = random.pick([[], TIMESTAMPS, TIMESTAMPS, TIMESTAMPS, sack, random.pick(strangeOptions)]);
    const headerLen = 20 + ((options.length + 3) & ~3);
    const { view, at } = pkt;
    pkt.l4At = at + 34;
    pkt.payloadAt = pkt.l4At + headerLen;
    pkt.l4Len = headerLen + len;
    view.setInt32(pkt.l4At + 4, sequence);
    view.setInt32(pkt.l4At + 8, ack);
    view.setUint8(pkt.l4At + 12, (headerLen / 4) << 4);
    view.setUint8(pkt.l4At + 13, random.once(10) ? random.below(256) : ACK | (random.below(2) * PSH));
    view.setUint16(pkt.l4At + 14, random.pick([502, 502, 65_535, 1, 0]));
    pkt.arena.bytes.fill(0, pkt.l4At + 20, pkt.payloadAt);
    pkt.arena.bytes.set(options, pkt.l4At + 20);
  }

  /** The segment before: mostly another, else this one, or this one but for one field. */
  #fillLast(record: number): void {
    const random = this.#random;
    const { pkt } = this;
    const { view, l4At } = pkt;
    const { records: words } = this.connections;
    const sequence = view.getInt32(l4At + 4);
    const flags = view.getUint8(l4At + 13);
    const control = (flags & 1) + ((flags >> 1) & 1);
    words[record + TcpLast.Kind] = random.below(6);
    words[record + TcpLast.Direction] = pkt.direction;
    words[record + TcpLast.Sequence] = sequence;
    words[record + TcpLast.Ack] = view.getInt32(l4At + 8);
    words[record + TcpLast.End] = sequence + pkt.l4Len - (pkt.payloadAt - l4At) + control;
    words[record + TcpLast.Window] = view.getUint16(l4At + 14);
    words[record + TcpLast.Scale] = random.below(15);
    words[record + TcpLast.Flags] = random.below(256);
    words[record + TcpLast.Retransmissions] = random.below(5);
    const { Direction, Sequence, Ack, End, Window } = TcpLast;
    if (!random.once(5)) words[record + random.pick([Direction, Sequence, Ack, End, Window])]! ^= 1;
  }
}

function key(word: number): Int32Array {
  return new Int32Array(KEY_WORDS).fill(word);
}
