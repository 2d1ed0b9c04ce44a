import { close, Errno } from './io.ts';
import { addressOf, check, errno, libc } from './libc.ts';

/** Waiting for many file descriptors at once (epoll(7)). */

/** Event bits (EPOLL*). The kernel reports `error` and `hangup` unasked. */
export const EpollEvent = {
  readable: 0x1,
  writable: 0x4,
  error: 0x8,
  hangup: 0x10,
  edgeTriggered: 0x8000_0000,
} as const;

const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

// struct epoll_event in 32-bit words: the events, then 64 bits of user data whose lower half is our token. Only
// x86-64 packs it; elsewhere the user data is aligned to 8 bytes.
const EVENT_WORDS = process.arch === 'x64' ? 3 : 4;
const TOKEN_WORD = process.arch === 'x64' ? 1 : 2;

const cCreate = libc.func('int epoll_create1(int flags)') as (flags: number) => number;
const cControl = libc.func('int epoll_ctl(int epfd, int operation, int fd, uintptr_t event)') as (
  epfd: number,
  operation: number,
  fd: number,
  event: number,
) => number;
const cWait = libc.func('int epoll_wait(int epfd, uintptr_t events, int capacity, int timeout)') as (
  epfd: number,
  events: number,
  capacity: number,
  timeoutMs: number,
) => number;

/**
 * One epoll instance with room for the events of one wait.
 *
 * A thread inside `wait` runs no JavaScript: it cannot be terminated and holds up the end of the process. Give each
 * instance an eventfd by which others wake it.
 */
export class Epoll {
  readonly #fd: number;
  readonly #capacity: number;
  /** Events of the last wait; the address is theirs, and the field keeps them alive. */
  readonly #words: Uint32Array;
  readonly #wordsAddress: number;
  readonly #request = new Uint32Array(EVENT_WORDS);

  /** @param capacity most events one `wait` returns; what is beyond comes with the next. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#words = new Uint32Array(capacity * EVENT_WORDS);
    this.#wordsAddress = addressOf(this.#words);
    this.#fd = check(cCreate(EPOLL_CLOEXEC), 'epoll_create1');
  }

  /**
   * @param token what `token(i)` shall say for this descriptor, unsigned 32 bits.
   * @param events `EpollEvent` bits, or-ed; readable alone when left out.
   * @throws SystemCallError EEXIST, EPERM for a regular file, EBADF.
   */
  add(fd: number, token: number, events: number = EpollEvent.readable): void {
    this.#control(EPOLL_CTL_ADD, fd, token, events);
  }

  /** Replaces token and events of a descriptor. @throws SystemCallError ENOENT when it was never added. */
  modify(fd: number, token: number, events: number): void {
    this.#control(EPOLL_CTL_MOD, fd, token, events);
  }

  /**
   * Remove a descriptor before closing it: as long as a copy of it is open elsewhere, closing alone leaves its events.
   *
   * @throws SystemCallError ENOENT when it was never added.
   */
  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0, 0);
  }

  /**
   * Waits for events; afterwards `token(i)` and `events(i)` hold for i below the result, until the next wait.
   *
   * @param timeoutMs -1 waits for ever, 0 does not wait.
   * @returns number of events, 0 after a time-out or a signal, or the negative errno. Never throws or allocates.
   */
  wait(timeoutMs: number): number {
    const count = cWait(this.#fd, this.#wordsAddress, this.#capacity, timeoutMs);
    if (count >= 0) return count;
    const reason = errno();
    return reason === Errno.EINTR ? 0 : -reason;
  }

  token(i: number): number {
    return this.#words[i * EVENT_WORDS + TOKEN_WORD]!;
  }

  events(i: number): number {
    return this.#words[i * EVENT_WORDS]!;
  }

  close(): void {
    close(this.#fd);
  }

  #control(operation: number, fd: number, token: number, events: number): void {
    this.#request[0] = events;
    this.#request[TOKEN_WORD] = token;
    check(cControl(this.#fd, operation, fd, addressOf(this.#request)), `epoll_ctl(${operation}, fd ${fd})`);
  }
}
