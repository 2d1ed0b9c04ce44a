/** Blocking sockets, as ordinary programs have them, for the programs that the soak runs in pods. Linux only. */
import { writeSync } from 'node:fs';
import { acceptBlocking, makeBlocking } from '../../src/sys/blocking.ts';
import { connectSocket } from '../../src/sys/connect.ts';
import { Errno } from '../../src/sys/io.ts';
import { check, checkReturned, libc } from '../../src/sys/libc.ts';
import { bindUdp, listenTcp } from '../../src/sys/listen.ts';
import { openSocket, SocketType, setOption } from '../../src/sys/socket.ts';
import { familyOf, parseAddress } from '../../src/sys/socket-address.ts';

const STREAM = 1;
const SHUT_WR = 1;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
/** Streams wait as long as it takes: who watches the soak says when nothing comes any more. */
const FOR_EVER = 0;

const cShutdown = libc.func('int shutdown(int fd, int how)') as (fd: number, how: number) => number;

/** For clients of both families. */
export function listen(port: number): number {
  const fd = listenTcp('::', port, 16);
  makeBlocking(fd, FOR_EVER);
  return fd;
}

export function accept(listener: number): number {
  for (;;) {
    const fd = acceptBlocking(listener, FOR_EVER);
    if (fd !== -Errno.EINTR) return checkReturned(fd, 'accept');
  }
}

/** @throws SystemCallError when nobody answers for the kernel's time (127 s), or somebody refuses. */
export function connectTcp(address: string, port: number): number {
  const fd = openSocket(familyOf(parseAddress(address)), STREAM | SocketType.closeOnExec, 0);
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
  const fd = bindUdp(address, port);
  makeBlocking(fd, timeoutMs, FOR_EVER);
  setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes);
  return fd;
}

/** One line of JSON for whoever started this program. */
export function tell(message: object): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}
