import { close } from './io.ts';
import { addressOf, errno, libc, SystemCallError } from './libc.ts';
import { openSocket, SocketType } from './socket.ts';
import { familyOf, parseAddress } from './socket-address.ts';
import { writeSocketAddress } from './udp.ts';

/** TCP clients in the calling thread's network namespace; why Node cannot make them itself, see listen.ts. */

const STREAM = 1;
const EINPROGRESS = 115;
const SOCKADDR_LEN_MAX = 28;

const cConnect = libc.func('int connect(int fd, uintptr_t address, uint32_t length)') as (
  fd: number,
  address: number,
  length: number,
) => number;

/**
 * Begins to connect and does not wait: the socket becomes writable when the connection stands, and a refusal comes
 * as the error of the first read.
 *
 * @returns the descriptor, for `new net.Socket({ fd })`, which closes it.
 * @throws RangeError for a bad address; SystemCallError ENETUNREACH, EADDRNOTAVAIL, EMFILE.
 */
export function beginConnecting(address: string, port: number): number {
  const fd = openSocket(familyOf(parseAddress(address)), STREAM | SocketType.nonBlocking | SocketType.closeOnExec, 0);
  try {
    connectSocket(fd, address, port);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/**
 * connect(2) without waiting. Of a socket without connections it sets the peer: from there it hears, and ICMP errors.
 *
 * @throws RangeError for a bad address; SystemCallError ENETUNREACH, EADDRNOTAVAIL, ECONNREFUSED.
 */
export function connectSocket(fd: number, address: string, port: number): void {
  const bytes = new Uint8Array(SOCKADDR_LEN_MAX);
  const length = writeSocketAddress(new DataView(bytes.buffer), 0, address, port);
  if (cConnect(fd, addressOf(bytes), length) === 0) return;
  const reason = errno();
  if (reason !== EINPROGRESS) throw new SystemCallError(`connect(${address} port ${port})`, reason);
}
