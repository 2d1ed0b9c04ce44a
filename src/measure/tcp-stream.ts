/** Roles `stream` and `stream-sink`: bytes over one TCP connection, in the pieces that iperf3 takes. */
import { acceptBlocking, makeBlocking } from '../sys/blocking.ts';
import { beginConnecting } from '../sys/connect.ts';
import { close, Errno, read, write } from '../sys/io.ts';
import { addressOf, checkReturned } from '../sys/libc.ts';
import { listenTcp } from '../sys/listen.ts';
import { Poll, PollEvent } from '../sys/poll.ts';
import { answer, OrderError, OrderInput, obey, obeyAll, parseOrder, required, SECONDS } from './orders.ts';
import { ANYWHERE, readiness } from './sockets.ts';

/** iperf3's default for TCP. */
const PIECE_BYTES = 128 << 10;
const CONNECT_MS = 5000;
/** How long a transfer may stand still before the clock and standard input are looked at. */
const TIMEOUT_MS = 100;
const LOOK_MS = 50;
const STANDARD_INPUT = 0;
/** What is left of the time behind the last whole interval has a line too, unless it is this small a share of one. */
const INTERVAL_SHARE_MIN = 0.1;
const BACKLOG = 8;

const clientFields = {
  seconds: SECONDS,
  /** Seconds after each of which a line tells of that interval. */
  interval: { min: 0.1, max: 3600 },
} as const;
/** A server is given the same orders as its client; how long it takes is the client's affair. */
const serverFields = { seconds: SECONDS } as const;

/** Each order is a connection of its own. */
export function runStream(to: string, port: number): void {
  const piece = new Uint8Array(PIECE_BYTES);
  const pieceAddress = addressOf(piece);
  obeyAll((line) => {
    const order = parseOrder(line, clientFields);
    const seconds = required(order.seconds, 'seconds');
    const fd = connectBlocking(to, port);
    try {
      return send(fd, pieceAddress, piece.length, seconds * 1000, (order.interval ?? Infinity) * 1000);
    } finally {
      close(fd);
    }
  });
}

/** @throws SystemCallError ECONNREFUSED comes with the first write; OrderError when nobody answers. */
function connectBlocking(to: string, port: number): number {
  const fd = beginConnecting(to, port);
  try {
    if (new Poll([fd], PollEvent.writable).wait(CONNECT_MS) === 0) throw new OrderError(`${to} does not answer`);
    makeBlocking(fd, TIMEOUT_MS);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

function send(fd: number, piece: number, pieceBytes: number, forMs: number, intervalMs: number): object {
  const start = performance.now();
  let [bytes, elapsed, reported, reportedMs] = [0, 0, 0, 0];
  // On a schedule of its own, or each would push the next, and the last out of the time.
  let dueMs = intervalMs;
  const report = () => {
    answer({ interval: { bytes: bytes - reported, seconds: (elapsed - reportedMs) / 1000 } });
    [reported, reportedMs] = [bytes, elapsed];
  };
  while (elapsed < forMs) {
    const sent = write(fd, piece, pieceBytes);
    if (sent > 0) bytes += sent;
    else if (sent !== -Errno.EAGAIN && sent !== -Errno.EINTR) checkReturned(sent, 'send');
    elapsed = performance.now() - start;
    if (elapsed < dueMs) continue;
    report();
    dueMs = (Math.floor(elapsed / intervalMs) + 1) * intervalMs;
  }
  if (intervalMs < Infinity && elapsed - reportedMs >= intervalMs * INTERVAL_SHARE_MIN) report();
  return { bytes, seconds: elapsed / 1000 };
}

/** One connection after the other, a line for each when its client has closed it; until standard input ends. */
export function runStreamSink(port: number): void {
  const listener = listenTcp(ANYWHERE, port, BACKLOG);
  const sink = new StreamSink();
  const both = new Poll([listener, STANDARD_INPUT]);
  answer(readiness(listener, port));
  while (!sink.ended) {
    both.wait(-1);
    if (both.found(1) !== 0) sink.look();
    if (both.found(0) === 0 || sink.ended) continue;
    const fd = acceptBlocking(listener, TIMEOUT_MS);
    if (fd < 0) continue;
    const result = sink.receive(fd);
    close(fd);
    answer(result);
  }
}

class StreamSink {
  readonly #input = new OrderInput();
  readonly #piece = new Uint8Array(PIECE_BYTES);
  readonly #pieceAddress = addressOf(this.#piece);

  get ended(): boolean {
    return this.#input.ended;
  }

  look(): void {
    for (let line = this.#input.next(0); line !== undefined; line = this.#input.next(0)) {
      obey(line, (order) => void parseOrder(order, serverFields));
    }
  }

  receive(fd: number): object {
    const start = performance.now();
    let [bytes, elapsed, lookAt] = [0, 0, 0];
    while (!this.ended) {
      const length = read(fd, this.#pieceAddress, PIECE_BYTES);
      elapsed = performance.now() - start;
      if (length > 0) bytes += length;
      // Its end, or a client that was killed.
      else if (length !== -Errno.EAGAIN && length !== -Errno.EINTR) break;
      if (elapsed < lookAt) continue;
      lookAt = elapsed + LOOK_MS;
      this.look();
    }
    return { bytes, seconds: elapsed / 1000 };
  }
}
