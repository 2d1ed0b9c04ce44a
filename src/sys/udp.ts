import { close } from './io.ts';
import { addressOf, check, checkReturned, libc } from './libc.ts';
import { openSocket, SocketType, setOption } from './socket.ts';
import { AF_INET, AF_INET6, familyOf, parseAddress } from './socket-address.ts';

/** UDP sockets with segmentation offload (UDP_SEGMENT, Linux 4.18) and coalescing (UDP_GRO, Linux 5.0). */

/** Level and types of the control messages, which are also socket options (linux/udp.h). */
export const SOL_UDP = 17;
/** Outgoing: u16 bytes per datagram into which the kernel cuts one message; only the last may be shorter. */
export const UDP_SEGMENT = 103;
/** Incoming: i32 bytes per datagram of which the kernel made one message; only the last may be shorter. */
export const UDP_GRO = 104;

/** Offsets of struct msghdr; pointers and lengths are 64 bits where not said otherwise. */
export const MessageHeader = {
  name: 0,
  /** u32 */
  nameLength: 8,
  vectors: 16,
  vectorCount: 24,
  control: 32,
  controlLength: 40,
  /** i32, written by the kernel */
  flags: 48,
} as const;
export const MESSAGE_HEADER_LEN = 56;

/** Offsets of struct iovec, both 64 bits. */
export const IoVector = { base: 0, length: 8 } as const;
export const IO_VECTOR_LEN = 16;

/** Offsets of struct cmsghdr. `length` (64 bits) counts header and data without the padding to 8 bytes. */
export const ControlHeader = { length: 0, level: 8, type: 12, data: 16 } as const;
export const CONTROL_HEADER_LEN = 16;
/** Space for one UDP_SEGMENT or UDP_GRO control message, padding included. */
export const UDP_CONTROL_SPACE = 24;

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

const SOCKADDR_IN_LEN = 16;
const SOCKADDR_IN6_LEN = 28;

const cBind = libc.func('int bind(int fd, uintptr_t address, uint32_t length)') as (
  fd: number,
  address: number,
  length: number,
) => number;

/**
 * Writes a struct sockaddr_in or sockaddr_in6, every byte of it.
 *
 * @returns its length: 16 or 28.
 * @throws RangeError when `address` is not an IP address.
 */
export function writeSocketAddress(view: DataView, at: number, address: string, port: number): number {
  const bytes = parseAddress(address);
  const family = familyOf(bytes);
  const length = family === AF_INET ? SOCKADDR_IN_LEN : SOCKADDR_IN6_LEN;
  const target = new Uint8Array(view.buffer, view.byteOffset + at, length).fill(0);
  view.setUint16(at, family, true);
  view.setUint16(at + 2, port);
  // IPv6 has four bytes of flow label before the address, and four of scope id after it; both stay 0.
  target.set(bytes, family === AF_INET ? 4 : 8);
  return length;
}

/** Sets a buffer's size beyond the system's limit where the caller may (CAP_NET_ADMIN), else up to that limit. */
function setBufferSize(fd: number, forced: number, plain: number, bytes: number): void {
  if (setOption(fd, SOL_SOCKET, forced, bytes) === 0) return;
  checkReturned(setOption(fd, SOL_SOCKET, plain, bytes), `setsockopt(SO_RCVBUF or SO_SNDBUF, ${bytes})`);
}

/**
 * A bound UDP socket in the calling thread's network namespace, non-blocking. An IPv6 address gives a socket for
 * IPv6 only, so that both families can have the same port.
 *
 * @param options.receiveBufferBytes of which the kernel reserves the double and counts its own overhead too; without
 * CAP_NET_ADMIN it silently stops at `net.core.rmem_max`. The same holds for `sendBufferBytes`.
 * @param options.gro asks for UDP_GRO.
 * @returns the descriptor, and whether messages may arrive coalesced: false on a kernel without UDP_GRO.
 * @throws RangeError for a bad address; SystemCallError EADDRINUSE, EADDRNOTAVAIL, EACCES.
 */
export function openUdp(options: {
  address: string;
  port: number;
  receiveBufferBytes: number;
  sendBufferBytes: number;
  gro: boolean;
}): { fd: number; gro: boolean } {
  const address = new Uint8Array(SOCKADDR_IN6_LEN);
  const length = writeSocketAddress(new DataView(address.buffer), 0, options.address, options.port);
  const family = length === SOCKADDR_IN_LEN ? AF_INET : AF_INET6;
  const fd = openSocket(family, SocketType.datagram | SocketType.nonBlocking | SocketType.closeOnExec, 0);
  try {
    if (family === AF_INET6) checkReturned(setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), 'setsockopt(IPV6_V6ONLY)');
    setBufferSize(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receiveBufferBytes);
    setBufferSize(fd, SO_SNDBUFFORCE, SO_SNDBUF, options.sendBufferBytes);
    check(cBind(fd, addressOf(address), length), `bind(${options.address} port ${options.port})`);
    return { fd, gro: options.gro && setOption(fd, SOL_UDP, UDP_GRO, 1) === 0 };
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Does this kernel cut messages into datagrams (UDP_SEGMENT)? The way out may still refuse: EIO on sending. */
export function supportsSegmentation(fd: number): boolean {
  const supported = setOption(fd, SOL_UDP, UDP_SEGMENT, 1400) === 0;
  if (supported) setOption(fd, SOL_UDP, UDP_SEGMENT, 0);
  return supported;
}
