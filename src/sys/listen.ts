import { close } from './io.ts';
import { addressOf, check, checkReturned, libc } from './libc.ts';
import { openSocket, SocketType, setOption } from './socket.ts';
import { AF_INET6, familyOf, parseAddress } from './socket-address.ts';
import { writeSocketAddress } from './udp.ts';

/**
 * Sockets that wait for clients, made in the calling thread's network namespace and handed to Node by descriptor.
 *
 * Node cannot make them itself: `listen({ host })` and dgram's `bind` look the address up first and open the socket
 * later, when the thread has left the namespace. A socket stays in the namespace that it was made in.
 */

const STREAM = 1;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SOCKADDR_LEN_MAX = 28;

const cBind = libc.func('int bind(int fd, uintptr_t address, uint32_t length)') as (
  fd: number,
  address: number,
  length: number,
) => number;
const cListen = libc.func('int listen(int fd, int backlog)') as (fd: number, backlog: number) => number;

/** A socket bound to `address`, non-blocking; `::` takes IPv4 as well, whatever the namespace's bindv6only says. */
function boundSocket(type: number, address: string, port: number, reuse: boolean): number {
  const family = familyOf(parseAddress(address));
  const fd = openSocket(family, type | SocketType.nonBlocking | SocketType.closeOnExec, 0);
  try {
    if (family === AF_INET6) checkReturned(setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0), 'setsockopt(IPV6_V6ONLY)');
    if (reuse) checkReturned(setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1), 'setsockopt(SO_REUSEADDR)');
    bindSocket(fd, address, port);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** bind(2). @throws RangeError for a bad address; SystemCallError EADDRINUSE, EADDRNOTAVAIL, EACCES. */
export function bindSocket(fd: number, address: string, port: number): void {
  const bytes = new Uint8Array(SOCKADDR_LEN_MAX);
  const length = writeSocketAddress(new DataView(bytes.buffer), 0, address, port);
  check(cBind(fd, addressOf(bytes), length), `bind(${address} port ${port})`);
}

/**
 * A listening TCP socket. Connections of a predecessor that are still in TIME-WAIT do not keep it from the port.
 *
 * @param backlog finished handshakes that wait to be accepted; `net.core.somaxconn` of the namespace is the most.
 * @returns the descriptor, for `net.Server.listen({ fd })`, which closes it.
 * @throws RangeError for a bad address; SystemCallError EADDRINUSE, EADDRNOTAVAIL, EACCES, EMFILE.
 */
export function listenTcp(address: string, port: number, backlog: number): number {
  const fd = boundSocket(STREAM, address, port, true);
  try {
    // Two may be bound to one port with SO_REUSEADDR; of these, listen refuses the second.
    check(cListen(fd, backlog), `listen(${address} port ${port})`);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/**
 * A bound UDP socket. It does not share its port: with SO_REUSEADDR a second one would silently take the datagrams.
 *
 * @returns the descriptor, for `dgram.Socket.bind({ fd })`, which closes it.
 * @throws RangeError for a bad address; SystemCallError EADDRINUSE, EADDRNOTAVAIL, EACCES, EMFILE.
 */
export function bindUdp(address: string, port: number): number {
  return boundSocket(SocketType.datagram, address, port, false);
}
