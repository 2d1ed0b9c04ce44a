/** Role `ping`: round trips, one datagram in flight, waited for in the kernel as an ordinary program does. */
import { Errno, read, write } from '../sys/io.ts';
import { addressOf, checkReturned } from '../sys/libc.ts';
import { OrderError, obeyAll, parseOrder, SECONDS } from './orders.ts';
import { quantile } from './quantiles.ts';
import { openClient } from './sockets.ts';

const COUNT_MAX = 1_000_000;
const SIZE_MAX = 65_507;
const SIZE_DEFAULT = 64;
const US_PER_MS = 1000;

const fields = {
  count: { min: 1, max: COUNT_MAX, whole: true },
  seconds: SECONDS,
  size: { min: 4, max: SIZE_MAX, whole: true },
  /** How many quantiles, evenly spaced from the least to the most, the answer shall have. */
  quantiles: { min: 2, max: 10_000, whole: true },
} as const;

interface RoundTrips {
  readonly sent: number;
  /** Microseconds, ascending. */
  readonly sortedUs: Float64Array;
}

/**
 * Orders until standard input ends: `count` round trips, or as many as `seconds` allow, whichever is over first.
 *
 * @param timeoutMs an answer that takes longer is lost.
 */
export function runPing(to: string, port: number, timeoutMs: number): void {
  const pinger = new Pinger(openClient(to, port, timeoutMs), timeoutMs);
  obeyAll((line) => {
    const order = parseOrder(line, fields);
    if (order.count === undefined && order.seconds === undefined) throw new OrderError('count or seconds is missing');
    const trips = pinger.run(order.count ?? COUNT_MAX, order.seconds ?? Infinity, order.size ?? SIZE_DEFAULT);
    return describe(trips, order.quantiles);
  });
}

function describe({ sent, sortedUs }: RoundTrips, quantiles: number | undefined): object {
  const at = (q: number) => (sortedUs.length === 0 ? null : Math.round(quantile(sortedUs, q) * 1000) / 1000);
  return {
    count: sent,
    lost: sent - sortedUs.length,
    minUs: at(0),
    p50Us: at(0.5),
    p90Us: at(0.9),
    p99Us: at(0.99),
    maxUs: at(1),
    ...(quantiles !== undefined && {
      quantilesUs: Array.from({ length: quantiles }, (_, i) => at(i / (quantiles - 1))),
    }),
  };
}

class Pinger {
  readonly #fd: number;
  readonly #timeoutMs: number;
  readonly #sent = new DataView(new ArrayBuffer(SIZE_MAX));
  readonly #sentAddress = addressOf(this.#sent);
  readonly #received = new DataView(new ArrayBuffer(SIZE_MAX));
  readonly #receivedAddress = addressOf(this.#received);
  #sequence = 0;

  constructor(fd: number, timeoutMs: number) {
    this.#fd = fd;
    this.#timeoutMs = timeoutMs;
  }

  run(count: number, seconds: number, size: number): RoundTrips {
    const timesUs = new Float64Array(count);
    const end = performance.now() + seconds * 1000;
    let sent = 0;
    let returned = 0;
    while (sent < count && performance.now() < end) {
      const us = this.#roundTrip(size);
      sent++;
      if (us >= 0) timesUs[returned++] = us;
    }
    return { sent, sortedUs: timesUs.subarray(0, returned).sort() };
  }

  /** Microseconds, or -1: lost. @throws SystemCallError for what no repetition would change. */
  #roundTrip(size: number): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#sent.setUint32(0, this.#sequence);
    const start = performance.now();
    const wrote = write(this.#fd, this.#sentAddress, size);
    if (wrote < 0) return lostBy(wrote, 'send');
    for (;;) {
      const length = read(this.#fd, this.#receivedAddress, SIZE_MAX);
      const elapsed = performance.now() - start;
      if (length === size && this.#received.getUint32(0) === this.#sequence) return elapsed * US_PER_MS;
      // The answer to an earlier one, which counts as lost.
      if ((length >= 0 || length === -Errno.EINTR) && elapsed < this.#timeoutMs) continue;
      return length < 0 ? lostBy(length, 'receive') : -1;
    }
  }
}

/** Nobody listens, or there is no room just now: ordinary losses. */
function lostBy(result: number, call: string): number {
  const reason = -result;
  if (reason !== Errno.EAGAIN && reason !== Errno.EINTR && reason !== Errno.ECONNREFUSED && reason !== Errno.ENOBUFS) {
    checkReturned(result, call);
  }
  return -1;
}
