import { errno, libc } from './libc.ts';

/**
 * Reading and writing file descriptors by memory address: the dataplane's hot path.
 *
 * Nothing here throws or allocates. Each function returns what C returns, or the negative errno.
 */

/** The errno values that callers tell apart, positive (Linux, x86-64 and arm64 alike). */
export const Errno = {
  EPERM: 1,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  EINVAL: 22,
  ENOSPC: 28,
  EBADFD: 77,
  EMSGSIZE: 90,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
} as const;

/** Flags of open(2). */
export const OpenFlag = {
  readOnly: 0,
  readWrite: 2,
  nonBlocking: 0x800,
  closeOnExec: 0x80000,
  path: 0x200000,
} as const;

type Transfer = (fd: number, address: number, length: number) => number;

const cRead = libc.func('int64 read(int fd, uintptr_t address, size_t length)') as Transfer;
const cWrite = libc.func('int64 write(int fd, uintptr_t address, size_t length)') as Transfer;
const cSendmsg = libc.func('int64 sendmsg(int fd, uintptr_t message, int flags)') as Transfer;
const cRecvmsg = libc.func('int64 recvmsg(int fd, uintptr_t message, int flags)') as Transfer;
const cClose = libc.func('int close(int fd)') as (fd: number) => number;
const cOpen = libc.func('int open(const char *path, int flags)') as (path: string, flags: number) => number;

/** @returns bytes read, 0 at the end of a stream, or the negative errno. */
export function read(fd: number, address: number, length: number): number {
  const result = cRead(fd, address, length);
  return result < 0 ? -errno() : result;
}

/** @returns bytes written, or the negative errno. */
export function write(fd: number, address: number, length: number): number {
  const result = cWrite(fd, address, length);
  return result < 0 ? -errno() : result;
}

/**
 * sendmsg(2).
 *
 * @param message address of a struct msghdr, laid out by `MessageHeader` of udp.ts.
 * @returns bytes sent, or the negative errno.
 */
export function sendMessage(fd: number, message: number, flags: number): number {
  const result = cSendmsg(fd, message, flags);
  return result < 0 ? -errno() : result;
}

/**
 * recvmsg(2). The kernel shrinks the lengths of the name and the control area in the header: set them before each call.
 *
 * @param message address of a struct msghdr, laid out by `MessageHeader` of udp.ts.
 * @returns bytes received, or the negative errno.
 */
export function receiveMessage(fd: number, message: number, flags: number): number {
  const result = cRecvmsg(fd, message, flags);
  return result < 0 ? -errno() : result;
}

/**
 * Opens a file behind Node's back, so that a worker thread that ends does not close it.
 *
 * @param flags `OpenFlag`s, or-ed.
 * @returns the descriptor, or the negative errno.
 */
export function open(path: string, flags: number): number {
  const result = cOpen(path, flags);
  return result < 0 ? -errno() : result;
}

/** @returns 0, or the negative errno; the descriptor is gone either way. */
export function close(fd: number): number {
  return cClose(fd) < 0 ? -errno() : 0;
}
