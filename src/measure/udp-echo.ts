/** Role `echo`: each datagram goes back to where it came from. */
import { AnsweredDatagram } from '../sys/datagrams.ts';
import { Errno } from '../sys/io.ts';
import { checkReturned } from '../sys/libc.ts';
import { answer, OrderError, OrderInput, obey } from './orders.ts';
import { openServer, readiness } from './sockets.ts';

/** How often standard input is looked at. */
const LOOK_MS = 50;
const DATAGRAM_BYTES_MAX = 65_536;

/** Until standard input ends. @throws SystemCallError EADDRINUSE. */
export function runEcho(port: number): void {
  const fd = openServer(port, LOOK_MS);
  const datagram = new AnsweredDatagram(DATAGRAM_BYTES_MAX);
  const input = new OrderInput();
  answer(readiness(fd, port));
  let lookAt = 0;
  while (!input.ended) {
    const length = datagram.receive(fd);
    // What cannot be sent back is lost, as datagrams are.
    if (length >= 0) datagram.answer(fd, length);
    else if (length !== -Errno.EAGAIN && length !== -Errno.EINTR) checkReturned(length, 'recvfrom');
    const now = performance.now();
    if (now < lookAt) continue;
    lookAt = now + LOOK_MS;
    for (let line = input.next(0); line !== undefined; line = input.next(0)) obey(line, refuse);
  }
}

function refuse(): never {
  throw new OrderError('echo takes no orders');
}
