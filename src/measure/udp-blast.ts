/** Role `blast`: datagrams at a steady rate, or as fast as this thread can. */
import { DatagramBurst } from '../sys/datagrams.ts';
import { Errno, write } from '../sys/io.ts';
import { addressOf, checkReturned } from '../sys/libc.ts';
import { Poll, setTimerSlack, yieldProcessor } from '../sys/poll.ts';
import { setOption } from '../sys/socket.ts';
import { SOL_UDP, UDP_SEGMENT } from '../sys/udp.ts';
import { obeyAll, parseOrder, required, SECONDS } from './orders.ts';
import { Pacer } from './pacer.ts';
import { openClient } from './sockets.ts';

/** Datagrams of one system call; the kernel's limit for UDP_SEGMENT before Linux 6.9 (UDP_MAX_SEGMENTS). */
const BURST = 64;
/** What one message may have over IPv4. */
const MESSAGE_BYTES_MAX = 65_507;
const SIZE_DEFAULT = 64;
/** A send that waits longer than this gives way to a look at the clock. */
const SEND_TIMEOUT_MS = 200;
/** What is due sooner is not worth sleeping for. */
const SLEEP_MS_MIN = 0.05;
const TIMER_SLACK_NS = 1000;
/** A refused burst is tried again: the refusal may be an ICMP error about an earlier datagram. */
const ATTEMPTS = 3;

const fields = {
  /** 0: as fast as it can. */
  pps: { min: 0, max: 1e8 },
  seconds: SECONDS,
  size: { min: 4, max: MESSAGE_BYTES_MAX, whole: true },
} as const;

/** Orders until standard input ends. */
export function runBlast(to: string, port: number, segment: boolean): void {
  setTimerSlack(TIMER_SLACK_NS);
  const fd = openClient(to, port, SEND_TIMEOUT_MS);
  let generator: Generator | undefined;
  let sequence = 0;
  obeyAll((line) => {
    const order = parseOrder(line, fields);
    const seconds = required(order.seconds, 'seconds');
    const rate = required(order.pps, 'pps');
    const size = order.size ?? SIZE_DEFAULT;
    if (generator?.size !== size) generator = segment ? new SegmentedRows(fd, size) : new SingleDatagrams(fd, size);
    const blast = new Blast(generator, sequence);
    const elapsedMs = rate === 0 ? blast.flood(seconds * 1000) : blast.paced(new Pacer(rate, seconds, generator.burst));
    sequence = blast.sequence;
    return {
      sent: blast.sent,
      bytes: blast.sent * size,
      seconds: elapsedMs / 1000,
      busy: Math.max(0, 1 - blast.waitedMs / elapsedMs),
      next: sequence,
    };
  });
}

/** How a burst leaves. */
interface Generator {
  readonly size: number;
  /** Datagrams of a burst at most. */
  readonly burst: number;
  /** Sends `count` datagrams with sequence numbers from `sequence` on. @returns how many, or the negative errno. */
  send(sequence: number, count: number): number;
}

/** Each datagram a message of its own: one sendmmsg(2). */
class SingleDatagrams implements Generator {
  readonly size: number;
  readonly burst = BURST;
  readonly #fd: number;
  readonly #datagrams: DatagramBurst;

  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.size = size;
    this.#datagrams = new DatagramBurst(BURST, size);
  }

  send(sequence: number, count: number): number {
    const { bytes } = this.#datagrams;
    for (let i = 0; i < count; i++) bytes.setUint32(this.#datagrams.start(i), sequence + i);
    return this.#datagrams.send(this.#fd, 0, count);
  }
}

/** A burst is one message, which the kernel, or whoever is at the end of its way, cuts (UDP_SEGMENT). */
class SegmentedRows implements Generator {
  readonly size: number;
  readonly burst: number;
  readonly #fd: number;
  readonly #row: DataView;
  readonly #rowAddress: number;

  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.size = size;
    this.burst = Math.min(BURST, Math.floor(MESSAGE_BYTES_MAX / size));
    this.#row = new DataView(new ArrayBuffer(this.burst * size));
    this.#rowAddress = addressOf(this.#row);
    checkReturned(setOption(fd, SOL_UDP, UDP_SEGMENT, size), 'setsockopt(UDP_SEGMENT)');
  }

  send(sequence: number, count: number): number {
    for (let i = 0; i < count; i++) this.#row.setUint32(i * this.size, sequence + i);
    const written = write(this.#fd, this.#rowAddress, count * this.size);
    return written < 0 ? written : written / this.size;
  }
}

class Blast {
  sent = 0;
  waitedMs = 0;
  sequence: number;
  readonly #generator: Generator;
  readonly #sleep = new Poll([]);

  constructor(generator: Generator, sequence: number) {
    this.#generator = generator;
    this.sequence = sequence;
  }

  /** As fast as it can. @returns milliseconds that it took. */
  flood(forMs: number): number {
    const start = performance.now();
    let elapsed = 0;
    while (elapsed < forMs) {
      this.#send(this.#generator.burst);
      elapsed = performance.now() - start;
    }
    return elapsed;
  }

  /** @returns milliseconds that it took. */
  paced(pacer: Pacer): number {
    const start = performance.now();
    let elapsed = 0;
    while (!pacer.done) {
      const count = pacer.take(elapsed);
      if (count > 0) this.#send(count);
      else this.#wait(pacer.dueMs - elapsed);
      elapsed = performance.now() - start;
    }
    // The last burst has its time too, or the rate would seem higher than it was.
    while (elapsed < pacer.totalMs) {
      this.#wait(pacer.totalMs - elapsed);
      elapsed = performance.now() - start;
    }
    return elapsed;
  }

  #wait(ms: number): void {
    const before = performance.now();
    if (ms >= SLEEP_MS_MIN) this.#sleep.wait(ms);
    else yieldProcessor();
    this.waitedMs += performance.now() - before;
  }

  /** @throws SystemCallError for what no repetition would change, such as EMSGSIZE. */
  #send(count: number): void {
    let done = 0;
    for (let attempt = 0; done < count && attempt < ATTEMPTS; ) {
      const n = this.#generator.send(this.sequence, count - done);
      if (n > 0) {
        done += n;
        this.sequence = (this.sequence + n) >>> 0;
      } else {
        attempt++;
        if (!isPassing(-n)) checkReturned(n, `send(${this.#generator.size} bytes)`);
      }
    }
    this.sent += done;
  }
}

/** Nobody listens, or there is no room just now. */
function isPassing(errno: number): boolean {
  const { EAGAIN, EINTR, ENOBUFS, ECONNREFUSED } = Errno;
  return errno === EAGAIN || errno === EINTR || errno === ENOBUFS || errno === ECONNREFUSED;
}
