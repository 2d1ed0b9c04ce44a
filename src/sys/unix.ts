import { close } from './io.ts';
import { addressOf, check, libc } from './libc.ts';
import { openSocket, SocketType, setOption } from './socket.ts';

/** Unix sockets of type SOCK_SEQPACKET: one write is one read at the other end, as with a TAP. */

const AF_UNIX = 1;
/** struct sockaddr_un: the family, then 108 bytes of path. */
const SOCKADDR_LEN = 110;
const PATH_AT = 2;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
/** Some superframes: what the other end has not read yet. */
const SEND_BUFFER_BYTES = 1 << 20;

const cConnect = libc.func('int connect(int fd, uintptr_t address, uint32_t length)') as (
  fd: number,
  address: number,
  length: number,
) => number;

/**
 * A connection to the socket that listens at `path`.
 *
 * @returns the descriptor, non-blocking.
 * @throws RangeError for a path that is too long; SystemCallError ENOENT, ECONNREFUSED.
 */
export function connectSeqpacket(path: string): number {
  const address = unixAddress(path);
  const fd = openSocket(AF_UNIX, SocketType.seqpacket | SocketType.nonBlocking | SocketType.closeOnExec, 0);
  try {
    check(cConnect(fd, addressOf(address), SOCKADDR_LEN), `connect(${path})`);
    setOption(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** struct sockaddr_un. @throws RangeError */
export function unixAddress(path: string): Uint8Array {
  const address = Buffer.alloc(SOCKADDR_LEN);
  address.writeUInt16LE(AF_UNIX);
  if (PATH_AT + Buffer.byteLength(path) >= SOCKADDR_LEN) throw new RangeError(`path too long for a socket: ${path}`);
  address.write(path, PATH_AT);
  return address;
}
