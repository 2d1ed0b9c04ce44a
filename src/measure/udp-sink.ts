/** Role `sink`: counts datagrams, and those that come twice or late. */
import { DatagramBurst } from '../sys/datagrams.ts';
import { Errno } from '../sys/io.ts';
import { checkReturned } from '../sys/libc.ts';
import { setOption } from '../sys/socket.ts';
import { SOL_UDP, UDP_GRO } from '../sys/udp.ts';
import { answer, OrderError, OrderInput, obey, parseOrder } from './orders.ts';
import { SequenceWindow } from './sequence-window.ts';
import { openServer, readiness } from './sockets.ts';

/** How often standard input is looked at. */
const LOOK_MS = 20;
/** What the socket still holds is counted before an order is obeyed; but not for ever, when more keeps coming. */
const DRAIN_MS = 100;
const BURST = 64;
/** The largest row that UDP_GRO makes. */
const ROW_BYTES_MAX = 65_536;
const SEQUENCE_BYTES = 4;

const fields = {
  report: 'flag',
  reset: 'flag',
  /** With reset: the sequence number from which on datagrams count; earlier ones are late, of what was before. */
  first: { min: 0, max: 0xffff_ffff, whole: true },
} as const;

/** Until standard input ends. @throws SystemCallError EADDRINUSE; ENOPROTOOPT from a kernel without UDP_GRO. */
export function runSink(port: number, gro: boolean): void {
  const fd = openServer(port, LOOK_MS);
  if (gro) checkReturned(setOption(fd, SOL_UDP, UDP_GRO, 1), 'setsockopt(UDP_GRO)');
  const sink = new Sink(fd);
  const input = new OrderInput();
  answer(readiness(fd, port));
  let lookAt = 0;
  while (!input.ended) {
    sink.receive(true);
    const now = performance.now();
    if (now < lookAt) continue;
    lookAt = now + LOOK_MS;
    for (let line = input.next(0); line !== undefined; line = input.next(0)) obey(line, (order) => sink.obey(order));
  }
}

class Sink {
  readonly #fd: number;
  readonly #burst = new DatagramBurst(BURST, ROW_BYTES_MAX);
  readonly #window = new SequenceWindow();
  #packets = 0;
  #bytes = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @returns false when there was nothing. */
  receive(wait: boolean): boolean {
    const count = this.#burst.receive(this.#fd, wait);
    if (count < 0 && count !== -Errno.EAGAIN && count !== -Errno.EINTR) checkReturned(count, 'recvmmsg');
    for (let i = 0; i < count; i++) this.#count(i);
    return count > 0;
  }

  obey(line: string): object {
    const order = parseOrder(line, fields);
    if ((order.report === undefined) === (order.reset === undefined)) throw new OrderError('either report or reset');
    const end = performance.now() + DRAIN_MS;
    while (this.receive(false) && performance.now() < end);
    if (order.reset !== undefined) {
      this.#packets = 0;
      this.#bytes = 0;
      this.#window.reset(order.first);
      return { reset: true };
    }
    const { duplicates, reordered, early } = this.#window;
    return { packets: this.#packets - early, bytes: this.#bytes, duplicates, reordered };
  }

  /** One message: a datagram, or a row of them. One too short for a sequence number is only counted. */
  #count(i: number): void {
    const length = this.#burst.received(i);
    const stride = this.#burst.rowStride(i) || Math.max(1, length);
    const start = this.#burst.start(i);
    this.#bytes += length;
    let at = 0;
    do {
      this.#packets++;
      if (Math.min(stride, length - at) >= SEQUENCE_BYTES) this.#window.add(this.#burst.bytes.getUint32(start + at));
      at += stride;
    } while (at < length);
  }
}
