import { Errno } from './io.ts';
import { addressOf, errno, libc } from './libc.ts';

/** Waiting for a few descriptors, or only for a time, more finely than by milliseconds (ppoll(2)). */

/** Bits of struct pollfd. The kernel reports `error` and `hangup` unasked. */
export const PollEvent = { readable: 0x1, writable: 0x4, error: 0x8, hangup: 0x10 } as const;

/** struct pollfd: int fd, short events, short revents. */
const POLLFD_LEN = 8;
const EVENTS = 4;
const REPORTED = 6;
const NS_PER_MS = 1e6;
const PR_SET_TIMERSLACK = 29;

const cPpoll = libc.func('int ppoll(uintptr_t fds, uint64_t count, uintptr_t timeout, uintptr_t mask)') as (
  fds: number,
  count: number,
  timeout: number,
  mask: number,
) => number;
const cPrctl = libc.func('int prctl(int option, uint64_t value)') as (option: number, value: number) => number;
const cYield = libc.func('int sched_yield()') as () => number;

/** What is waited for, kept from one wait to the next. A thread inside `wait` runs no JavaScript. */
export class Poll {
  readonly #view: DataView;
  readonly #address: number;
  readonly #count: number;
  /** struct timespec: seconds and nanoseconds, 64 bits each. */
  readonly #timeout = new BigInt64Array(2);
  readonly #timeoutAddress = addressOf(this.#timeout);

  /** @param events `PollEvent` bits, or-ed, for all of `fds`; none of these is a sleep. */
  constructor(fds: readonly number[], events: number = PollEvent.readable) {
    this.#view = new DataView(new ArrayBuffer(Math.max(1, fds.length) * POLLFD_LEN));
    this.#address = addressOf(this.#view);
    this.#count = fds.length;
    for (const [i, fd] of fds.entries()) {
      this.#view.setInt32(i * POLLFD_LEN, fd, true);
      this.#view.setInt16(i * POLLFD_LEN + EVENTS, events, true);
    }
  }

  /**
   * @param timeoutMs may have a fraction; negative waits for ever, 0 does not wait.
   * @returns how many have something, 0 after the time or a signal, or the negative errno.
   */
  wait(timeoutMs: number): number {
    if (timeoutMs >= 0) {
      const seconds = Math.floor(timeoutMs / 1000);
      this.#timeout[0] = BigInt(seconds);
      this.#timeout[1] = BigInt(Math.floor((timeoutMs - seconds * 1000) * NS_PER_MS));
    }
    const count = cPpoll(this.#address, this.#count, timeoutMs < 0 ? 0 : this.#timeoutAddress, 0);
    if (count >= 0) return count;
    const reason = errno();
    return reason === Errno.EINTR ? 0 : -reason;
  }

  /** What the last wait has found at the descriptor of this place: `PollEvent` bits. */
  found(i: number): number {
    return this.#view.getInt16(i * POLLFD_LEN + REPORTED, true);
  }
}

/** How late the kernel may wake this thread in order to save power: 50 µs where nobody has said otherwise. */
export function setTimerSlack(nanoseconds: number): void {
  cPrctl(PR_SET_TIMERSLACK, nanoseconds);
}

/** Lets others of the same processor go first (sched_yield(2)). */
export function yieldProcessor(): void {
  cYield();
}
