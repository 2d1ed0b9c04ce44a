/** Sockets that ask one address, and hear what ICMP has to say of it (IP_RECVERR, ip(7)). */
import { connectSocket } from './connect.ts';
import { close, receiveMessage } from './io.ts';
import { addressOf, check, checkReturned, libc } from './libc.ts';
import { bindSocket } from './listen.ts';
import { openSocket, SocketType, setOption } from './socket.ts';
import { AF_INET, familyOf, formatAddress, parseAddress } from './socket-address.ts';
import { ControlHeader, IO_VECTOR_LEN, IoVector, MESSAGE_HEADER_LEN, MessageHeader } from './udp.ts';

const STREAM = 1;
const SOL_IP = 0;
const IP_RECVERR = 11;
const SOL_IPV6 = 41;
const IPV6_RECVERR = 25;
const MSG_ERRQUEUE = 0x2000;
const SOCKADDR_LEN_MAX = 28;
/** In struct sockaddr_in and sockaddr_in6. */
const SOCKADDR_PORT = 2;
const SOCKADDR_IN_ADDRESS = 4;
const SOCKADDR_IN6_ADDRESS = 8;
/** Offsets in struct sock_extended_err (linux/errqueue.h); the offender's address follows it. */
const ExtendedError = { origin: 4, type: 5, code: 6, offender: 16 } as const;
const ORIGIN_ICMP = 2;
const ORIGIN_ICMP6 = 3;
const CONTROL_BYTES = 256;
const QUOTED_BYTES = 64;

const cGetsockname = libc.func('int getsockname(int fd, uintptr_t address, uintptr_t length)') as (
  fd: number,
  address: number,
  length: number,
) => number;

/** Whom a probe asks, and how. `protocol` is an IP protocol number, of raw sockets only. */
export interface ProbePeer {
  readonly type: 'stream' | 'datagram' | 'raw';
  readonly protocol: number;
  readonly address: string;
  readonly port: number;
}

/**
 * Connected, or beginning to be; non-blocking; in the calling thread's network namespace.
 *
 * @param sourcePort undefined: any. Means nothing to raw sockets.
 * @throws RangeError for a bad address; SystemCallError ENETUNREACH, EADDRNOTAVAIL, EPERM, EMFILE; EADDRINUSE for a
 *   source port that another socket has.
 */
export function openProbeSocket({ type, protocol, address, port }: ProbePeer, sourcePort?: number): number {
  const family = familyOf(parseAddress(address));
  const kind = { stream: STREAM, datagram: SocketType.datagram, raw: SocketType.raw }[type];
  const fd = openSocket(family, kind | SocketType.nonBlocking | SocketType.closeOnExec, protocol);
  try {
    const [level, option] = family === AF_INET ? [SOL_IP, IP_RECVERR] : [SOL_IPV6, IPV6_RECVERR];
    checkReturned(setOption(fd, level, option, 1), 'setsockopt(RECVERR)');
    if (sourcePort !== undefined && type !== 'raw') bindSocket(fd, family === AF_INET ? '0.0.0.0' : '::', sourcePort);
    connectSocket(fd, address, port);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** What the socket sends from. @throws SystemCallError */
export function localAddress(fd: number): { address: string; port: number } {
  const bytes = new Uint8Array(SOCKADDR_LEN_MAX);
  const length = Uint32Array.of(SOCKADDR_LEN_MAX);
  check(cGetsockname(fd, addressOf(bytes), addressOf(length)), 'getsockname');
  const view = new DataView(bytes.buffer);
  return { address: addressIn(view, 0), port: view.getUint16(SOCKADDR_PORT) };
}

export interface IcmpReport {
  readonly type: number;
  readonly code: number;
  /** Who has sent the error. */
  readonly offender: string;
  /** What was sent, as the error quotes it: a raw socket's payload with the header that its program has written. */
  readonly quoted: Uint8Array;
}

/** The next ICMP error in the socket's error queue; undefined when there is none. */
export function takeIcmpError(fd: number): IcmpReport | undefined {
  const control = new Uint8Array(CONTROL_BYTES);
  const quoted = new Uint8Array(QUOTED_BYTES);
  const header = new DataView(new ArrayBuffer(MESSAGE_HEADER_LEN + IO_VECTOR_LEN));
  const headerAddress = addressOf(header);
  header.setBigUint64(MESSAGE_HEADER_LEN + IoVector.base, BigInt(addressOf(quoted)), true);
  header.setBigUint64(MESSAGE_HEADER_LEN + IoVector.length, BigInt(QUOTED_BYTES), true);
  header.setBigUint64(MessageHeader.vectors, BigInt(headerAddress + MESSAGE_HEADER_LEN), true);
  header.setBigUint64(MessageHeader.vectorCount, 1n, true);
  header.setBigUint64(MessageHeader.control, BigInt(addressOf(control)), true);
  header.setBigUint64(MessageHeader.controlLength, BigInt(CONTROL_BYTES), true);
  const length = receiveMessage(fd, headerAddress, MSG_ERRQUEUE);
  if (length < 0) return undefined;
  const filled = Number(header.getBigUint64(MessageHeader.controlLength, true));
  const report = readControl(new DataView(control.buffer, 0, filled));
  return report === undefined ? undefined : { ...report, quoted: quoted.subarray(0, length) };
}

function readControl(view: DataView): Omit<IcmpReport, 'quoted'> | undefined {
  for (let at = 0; at + ControlHeader.data <= view.byteLength; ) {
    const length = Number(view.getBigUint64(at + ControlHeader.length, true));
    const level = view.getInt32(at + ControlHeader.level, true);
    const type = view.getInt32(at + ControlHeader.type, true);
    const isError = (level === SOL_IP && type === IP_RECVERR) || (level === SOL_IPV6 && type === IPV6_RECVERR);
    const error = at + ControlHeader.data;
    const origin = isError ? view.getUint8(error + ExtendedError.origin) : 0;
    if (origin === ORIGIN_ICMP || origin === ORIGIN_ICMP6) {
      return {
        type: view.getUint8(error + ExtendedError.type),
        code: view.getUint8(error + ExtendedError.code),
        offender: addressIn(view, error + ExtendedError.offender),
      };
    }
    if (length < ControlHeader.data) return undefined;
    at += (length + 7) & ~7;
  }
  return undefined;
}

/** Of a struct sockaddr at `at`. */
function addressIn(view: DataView, at: number): string {
  const isIpv4 = view.getUint16(at, true) === AF_INET;
  const start = view.byteOffset + at + (isIpv4 ? SOCKADDR_IN_ADDRESS : SOCKADDR_IN6_ADDRESS);
  return formatAddress(new Uint8Array(view.buffer, start, isIpv4 ? 4 : 16));
}
