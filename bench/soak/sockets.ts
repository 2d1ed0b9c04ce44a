/** Blocking sockets, as ordinary programs have them, for the programs that the soak runs in pods. Linux only. */
import { writeSync } from 'node:fs';
import { connectSocket } from '../../src/sys/connect.ts';
import { Errno } from '../../src/sys/io.ts';
import { addressOf, check, checkReturned, errno, libc } from '../../src/sys/libc.ts';
import { bindUdp, listenTcp } from '../../src/sys/listen.ts';
import { openSocket, setOption } from '../../src/sys/socket.ts';
import { familyOf, parseAddress } from '../../src/sys/socket-address.ts';

const STREAM = 1;
const SOCK_CLOEXEC = 0x80000;
const F_SETFL = 4;
const SHUT_WR = 1;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_RCVTIMEO = 20;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;

type Three = (fd: number, a: number, b: number) => number;
const cFcntl = libc.func('int fcntl(int fd, int command, int64 value)') as Three;
const cShutdown = libc.func('int shutdown(int fd, int how)') as (fd: number, how: number) => number;
const cAccept = libc.func('int accept4(int fd, uintptr_t address, uintptr_t length, int flags)') as (
  fd: number,
  address: number,
  length: number,
  flags: number,
) => number;
const cSetsockopt = libc.func('int setsockopt(int fd, int level, int option, uintptr_t value, uint32_t length)') as (
  fd: number,
  level: number,
  option: number,
  value: number,
  length: number,
) => number;

function blocking(fd: number): number {
  check(cFcntl(fd, F_SETFL, 0), 'fcntl(F_SETFL)');
  return fd;
}

/** For clients of both families. */
export function listen(port: number): number {
  return blocking(listenTcp('::', port, 16));
}

export function accept(listener: number): number {
  for (;;) {
    const fd = cAccept(listener, 0, 0, SOCK_CLOEXEC);
    if (fd >= 0) return fd;
    if (errno() !== Errno.EINTR) return check(fd, 'accept');
  }
}

/** @throws SystemCallError when nobody answers for the kernel's time (127 s), or somebody refuses. */
export function connectTcp(address: string, port: number): number {
  const fd = openSocket(familyOf(parseAddress(address)), STREAM | SOCK_CLOEXEC, 0);
  connectSocket(fd, address, port);
  return fd;
}

export function setNoDelay(fd: number, on: boolean): void {
  checkReturned(setOption(fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0), 'setsockopt(TCP_NODELAY)');
}

export function endWriting(fd: number): void {
  check(cShutdown(fd, SHUT_WR), 'shutdown');
}

/**
 * A bound UDP socket with room for `receiveBufferBytes`, or what the system allows.
 *
 * @param address `::` hears both families. @param timeoutMs how long a receive may wait: EAGAIN after that.
 */
export function openDatagrams(address: string, port: number, receiveBufferBytes: number, timeoutMs: number): number {
  const fd = blocking(bindUdp(address, port));
  setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes);
  const time = BigInt64Array.of(BigInt(Math.floor(timeoutMs / 1000)), BigInt(timeoutMs % 1000) * 1000n);
  check(cSetsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, addressOf(time), time.byteLength), 'setsockopt(SO_RCVTIMEO)');
  return fd;
}

/** One line of JSON for whoever started this program. */
export function tell(message: object): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}
