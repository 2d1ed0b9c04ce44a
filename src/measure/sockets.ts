/** The meter's sockets: they wait in the kernel, and take whatever buffers the machine allows. */
import { makeBlocking } from '../sys/blocking.ts';
import { connectSocket } from '../sys/connect.ts';
import { close } from '../sys/io.ts';
import { bindUdp } from '../sys/listen.ts';
import { localAddress } from '../sys/probe-socket.ts';
import { setOption } from '../sys/socket.ts';

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
/** A receiver that is not run for 20 ms at a million datagrams a second of 64 bytes (768 with the kernel's own) loses none. */
const BUFFER_BYTES = 16 << 20;

/** Where servers listen: both families. */
export const ANYWHERE = '::';

/** A server's first line, with its port when the kernel was asked to choose one. */
export function readiness(fd: number, port: number): object {
  return port === 0 ? { ready: true, port: localAddress(fd).port } : { ready: true };
}

/**
 * A server on all addresses of the network namespace, of both families.
 *
 * @throws SystemCallError EADDRINUSE, EACCES.
 */
export function openServer(port: number, timeoutMs: number): number {
  return prepared(bindUdp(ANYWHERE, port), timeoutMs);
}

/**
 * A client, connected to its server.
 *
 * @throws RangeError for a bad address; SystemCallError ENETUNREACH.
 */
export function openClient(to: string, port: number, timeoutMs: number): number {
  const fd = prepared(bindUdp(to.includes(':') ? ANYWHERE : '0.0.0.0', 0), timeoutMs);
  try {
    connectSocket(fd, to, port);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

function prepared(fd: number, timeoutMs: number): number {
  try {
    makeBlocking(fd, timeoutMs);
    setBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    setBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Beyond the system's limit where the caller may (CAP_NET_ADMIN), else up to it. */
function setBuffer(fd: number, forced: number, plain: number): void {
  if (setOption(fd, SOL_SOCKET, forced, BUFFER_BYTES) !== 0) setOption(fd, SOL_SOCKET, plain, BUFFER_BYTES);
}
