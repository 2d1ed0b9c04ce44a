import { close } from './io.ts';
import { check, checkReturned, errno, libc } from './libc.ts';
import { setOptionBytes } from './socket.ts';

/** Sockets that a thread waits at, inside the system call: nothing wakes it sooner than a packet does. */

const F_SETFL = 4;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const SOCK_CLOEXEC = 0x80000;
const US_PER_MS = 1000;
const MS_PER_S = 1000;

const cFcntl = libc.func('int fcntl(int fd, int command, int value)') as (
  fd: number,
  command: number,
  value: number,
) => number;
const cAccept = libc.func('int accept4(int fd, uintptr_t address, uintptr_t length, int flags)') as (
  fd: number,
  address: number,
  length: number,
  flags: number,
) => number;

/**
 * Makes a socket of this folder, which are all non-blocking, one that waits.
 *
 * @param timeoutMs whole; after which reading gives up with EAGAIN; 0: never. @param sendTimeoutMs of writing.
 * @throws SystemCallError EBADF.
 */
export function makeBlocking(fd: number, timeoutMs: number, sendTimeoutMs = timeoutMs): void {
  check(cFcntl(fd, F_SETFL, 0), 'fcntl(F_SETFL)');
  checkReturned(setOptionBytes(fd, SOL_SOCKET, SO_RCVTIMEO, timeval(timeoutMs)), 'setsockopt(SO_RCVTIMEO)');
  checkReturned(setOptionBytes(fd, SOL_SOCKET, SO_SNDTIMEO, timeval(sendTimeoutMs)), 'setsockopt(SO_SNDTIMEO)');
}

/** A struct timeval: seconds and microseconds, 64 bits each. */
function timeval(ms: number): BigInt64Array {
  return BigInt64Array.of(BigInt(Math.floor(ms / MS_PER_S)), BigInt((ms % MS_PER_S) * US_PER_MS));
}

/**
 * The next client of a listening socket, as a socket that waits; its `timeoutMs` as in `makeBlocking`.
 *
 * @returns its descriptor, or the negative errno.
 * @throws SystemCallError when it cannot be made blocking.
 */
export function acceptBlocking(listener: number, timeoutMs: number): number {
  const fd = cAccept(listener, 0, 0, SOCK_CLOEXEC);
  if (fd < 0) return -errno();
  try {
    makeBlocking(fd, timeoutMs);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}
