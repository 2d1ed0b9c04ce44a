/**
 * UDP, in a pod: `receive --port P [--gro]` checks every datagram that comes; `send --to A --port P[,P]... --bytes N --seed S
 * [--copies C] [--plant]` sends, to each of the ports in turn, single datagrams of random sizes, runs of equal ones, rows by
 * UDP_SEGMENT, and some that travel in fragments. `echo --port P` sends back what comes.
 *
 * The receiver tells the sender how far it is, and the sender keeps no more than a window in flight: what is lost, links
 * and full queues of the network lose, and not a receiver that is slow.
 */
import { parseArgs } from 'node:util';
import { AnsweredDatagram } from '../../src/sys/datagrams.ts';
import { close, Errno } from '../../src/sys/io.ts';
import { checkReturned } from '../../src/sys/libc.ts';
import { setOption } from '../../src/sys/socket.ts';
import { SOL_UDP, UDP_GRO } from '../../src/sys/udp.ts';
import { DatagramMessage } from './datagram-message.ts';
import { DATAGRAM_HEADER_LEN, DatagramBook, SESSION_DATAGRAMS_MAX, writeDatagram } from './datagrams.ts';
import { makeBlock } from './pattern.ts';
import { openDatagrams, tell } from './sockets.ts';

const BUFFER_BYTES = 8 << 20;
const SESSION_BYTES = 16 << 20;
/** Datagrams in flight. */
const WINDOW = 400;
const ACK_EVERY = 32;
const ACK_LEN = 12;
/** A sender whose window is full hears nothing for so long: then what is in flight is lost, or the answer is. */
const PATIENCE_MS = 20;
const TELL_MS = 500;
const ROW_MAX = 40;
const ROW_BYTES_MAX = 60_000;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '5002' },
    to: { type: 'string', default: '' },
    bytes: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    copies: { type: 'string', default: '1' },
    gro: { type: 'boolean', default: false },
    plant: { type: 'boolean', default: false },
  },
});
const ports = values.port.split(',').map(Number);
/** Payload of the longest datagram that needs no fragments, at the pods' MTU of 1450. */
const WHOLE_MAX = 1450 - (values.to.includes(':') ? 48 : 28);
const edges = [WHOLE_MAX, WHOLE_MAX - 1, DATAGRAM_HEADER_LEN, DATAGRAM_HEADER_LEN + 1];

function receive(): void {
  const block = makeBlock();
  const fd = openDatagrams('::', ports[0]!, BUFFER_BYTES, PATIENCE_MS / 2);
  if (values.gro) checkReturned(setOption(fd, SOL_UDP, UDP_GRO, 1), 'setsockopt(UDP_GRO)');
  const book = new DatagramBook(block);
  const incoming = new DatagramMessage();
  const answer = new DatagramMessage();
  let rows = 0;
  let unanswered = 0;
  let toldMs = 0;
  let told = -1;
  tell({ type: 'ready' });
  for (;;) {
    const got = incoming.receive(fd);
    if (got >= 0) {
      const pieces = incoming.eachDatagram(got, (datagram) => {
        const wrong = book.take(datagram);
        if (wrong !== undefined) tell({ type: 'wrong', what: wrong });
      });
      if (pieces > 1) rows++;
      unanswered += pieces;
      answer.toSenderOf(incoming);
    }
    if (unanswered >= ACK_EVERY || (got < 0 && unanswered > 0)) {
      answer.payload.writeUInt32BE(book.session, 0);
      answer.payload.writeUInt32BE(book.sequence, 4);
      answer.payload.writeUInt32BE(book.arrived >>> 0, 8);
      answer.send(fd, ACK_LEN);
      unanswered = 0;
    }
    if (performance.now() - toldMs < TELL_MS || (told === book.arrived && got < 0)) continue;
    toldMs = performance.now();
    told = book.arrived;
    const { bytes, arrived, repeated, overtaken } = book;
    tell({ type: 'verified', bytes, datagrams: { arrived, repeated, overtaken, rows } });
  }
}

/** One session: a socket of its own, so a flow of its own. */
class Sender {
  sequence = 0;
  bytes = 0;
  readonly #block: Buffer;
  readonly #fd: number;
  readonly #session: number;
  readonly #out = new DatagramMessage();
  readonly #in = new DatagramMessage();
  /** As far as the receiver has come. */
  #acknowledged = 0;
  #random: number;
  #plant: boolean;

  constructor(block: Buffer, session: number, port: number, plant: boolean) {
    this.#block = block;
    this.#session = session;
    this.#random = session;
    this.#plant = plant;
    this.#fd = openDatagrams(values.to.includes(':') ? '::' : '0.0.0.0', 0, BUFFER_BYTES, PATIENCE_MS);
    this.#out.to(values.to, port);
  }

  run(bytes: number): void {
    while (this.bytes < bytes && this.sequence < SESSION_DATAGRAMS_MAX - ROW_MAX) {
      this.#sendSome();
      while (this.sequence - this.#acknowledged > WINDOW) this.#listen();
    }
    close(this.#fd);
  }

  #below(count: number): number {
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) | 0;
    return ((this.#random >>> 8) & 0xff_ffff) % count;
  }

  /** One datagram, in fragments perhaps; some equal ones; or a row. */
  #sendSome(): void {
    const kind = this.#below(100);
    if (kind < 20) this.#sendEach([this.#size()]);
    else if (kind < 22) this.#sendEach([WHOLE_MAX + 1 + this.#below(6 * WHOLE_MAX)]);
    else if (kind < 50) this.#sendEach(this.#run());
    else this.#sendRow(this.#run());
  }

  /** Most sizes are as likely as others; the longest and the shortest are where mistakes live. */
  #size(): number {
    if (this.#below(3) === 0) return edges[this.#below(edges.length)]!;
    return DATAGRAM_HEADER_LEN + this.#below(WHOLE_MAX - DATAGRAM_HEADER_LEN + 1);
  }

  /** Equal sizes, and a last one that may be shorter. */
  #run(): number[] {
    const size = this.#size();
    const count = Math.min(2 + this.#below(ROW_MAX - 1), Math.floor(ROW_BYTES_MAX / size));
    const last = DATAGRAM_HEADER_LEN + this.#below(size - DATAGRAM_HEADER_LEN + 1);
    return Array.from({ length: count }, (_, i) => (i < count - 1 ? size : last));
  }

  #sendEach(sizes: readonly number[]): void {
    for (const size of sizes) {
      this.#write(0, size);
      this.#send(size, 0);
    }
  }

  #sendRow(sizes: readonly number[]): void {
    let at = 0;
    for (const size of sizes) {
      this.#write(at, size);
      at += size;
    }
    this.#send(at, sizes[0]!);
  }

  #write(at: number, length: number): void {
    const to = this.#out.payload.subarray(at, at + length);
    const copies = Number(values.copies);
    writeDatagram(this.#block, to, { session: this.#session, sequence: this.sequence, length, copies });
    if (this.#plant && this.sequence > 1000) {
      to[length >> 1]! ^= 1;
      this.#plant = false;
    }
    this.sequence++;
    this.bytes += length;
  }

  /** @param segment bytes of each datagram of a row, 0 for one datagram. */
  #send(length: number, segment: number): void {
    const result = this.#out.send(this.#fd, length, segment);
    // Full queues and, for a moment, an ICMP error that says so: a datagram that is lost.
    const lost = [-Errno.ENOBUFS, -Errno.EAGAIN, -Errno.ECONNREFUSED, -Errno.EPERM, -Errno.EHOSTUNREACH];
    if (result >= 0 || lost.includes(result)) return;
    tell({ type: 'wrong', what: `sendmsg(${length} bytes, segments of ${segment}): errno ${-result}` });
  }

  #listen(): void {
    const got = this.#in.receive(this.#fd);
    if (got < 0) this.#acknowledged = this.sequence;
    if (got !== ACK_LEN || this.#in.payload.readUInt32BE(0) !== this.#session) return;
    this.#acknowledged = Math.max(this.#acknowledged, this.#in.payload.readUInt32BE(4) + 1);
  }
}

function send(): void {
  const block = makeBlock();
  const wanted = Number(values.bytes);
  let session = Number(values.seed);
  let bytes = 0;
  let datagrams = 0;
  for (let turn = 0; bytes < wanted; turn++) {
    const sender = new Sender(block, session, ports[turn % ports.length]!, values.plant && bytes === 0);
    sender.run(Math.min(SESSION_BYTES, wanted - bytes));
    bytes += sender.bytes;
    datagrams += sender.sequence;
    session += 2;
  }
  tell({ type: 'sent', bytes, datagrams });
}

function echo(): void {
  const fd = openDatagrams('::', ports[0]!, BUFFER_BYTES, 1000);
  const datagram = new AnsweredDatagram(1);
  tell({ type: 'ready' });
  for (;;) if (datagram.receive(fd) >= 0) datagram.answer(fd, 1);
}

if (positionals[0] === 'receive') receive();
else if (positionals[0] === 'echo') echo();
else send();
