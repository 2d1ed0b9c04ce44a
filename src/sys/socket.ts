import { addressOf, check, errno, libc } from './libc.ts';

/** Sockets, as far as UDP and netlink need the same of them. */

/** Types and flags of socket(2). */
export const SocketType = { datagram: 2, raw: 3, seqpacket: 5, nonBlocking: 0x800, closeOnExec: 0x80000 } as const;

const cSocket = libc.func('int socket(int family, int type, int protocol)') as (
  family: number,
  type: number,
  protocol: number,
) => number;
const cSetsockopt = libc.func('int setsockopt(int fd, int level, int option, uintptr_t value, uint32_t length)') as (
  fd: number,
  level: number,
  option: number,
  value: number,
  length: number,
) => number;

/**
 * A socket in the calling thread's network namespace, where it stays wherever its descriptor goes.
 *
 * @param type `SocketType`s, or-ed.
 * @throws SystemCallError
 */
export function openSocket(family: number, type: number, protocol: number): number {
  return check(cSocket(family, type, protocol), `socket(${family}, ${type}, ${protocol})`);
}

/** Sets an option whose value is an int. @returns 0, or the negative errno. */
export function setOption(fd: number, level: number, option: number, value: number): number {
  return setOptionBytes(fd, level, option, Int32Array.of(value));
}

/** Sets an option whose value is a struct. @returns 0, or the negative errno. */
export function setOptionBytes(fd: number, level: number, option: number, value: ArrayBufferView): number {
  return cSetsockopt(fd, level, option, addressOf(value), value.byteLength) < 0 ? -errno() : 0;
}
