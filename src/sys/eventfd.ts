import { read, write } from './io.ts';
import { addressOf, check, libc } from './libc.ts';

/** A counter behind a file descriptor (eventfd(2)): wakes a thread that waits in epoll. */

const EFD_CLOEXEC_NONBLOCK = 0x80000 | 0x800;

const cEventfd = libc.func('int eventfd(uint32_t initial, int flags)') as (initial: number, flags: number) => number;

// Only their use in the functions below keeps these alive: an address alone would not.
const one = BigUint64Array.of(1n);
const count = new BigUint64Array(1);

/** @throws SystemCallError EMFILE. */
export function createEventfd(): number {
  return check(cEventfd(0, EFD_CLOEXEC_NONBLOCK), 'eventfd');
}

/** Makes the descriptor readable. Any thread may, also from an exit handler. */
export function signalEventfd(fd: number): void {
  // The one refusal of an open eventfd is EAGAIN: the counter is full, so the waiter has been woken already.
  write(fd, addressOf(one), 8);
}

/** Makes the descriptor unreadable until the next signal. @returns whether there was one since the last drain. */
export function drainEventfd(fd: number): boolean {
  return read(fd, addressOf(count), 8) === 8;
}
