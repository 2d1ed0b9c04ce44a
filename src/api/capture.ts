/**
 * A capture is a connection that is handed over: the cluster process answers the upgrade and gives the connection to the
 * node, which tells there of its packets (`nodes/capture-stream.ts`). So no packet passes through the cluster process.
 *
 * What is asked for comes as a header of the upgrade, and the reader says nothing after it: while a connection is on its
 * way two processes would read from it.
 */
import type { Socket } from 'node:net';
import type { RunningNode } from '../cluster/cluster.ts';
import { ApiError } from './api-error.ts';

/** Protocol name of the upgrade. */
export const CAPTURE_PROTOCOL = 'podwire-capture';
/** Holds a `CaptureRequest` as JSON. */
export const CAPTURE_REQUEST_HEADER = 'podwire-capture-request';

/** Answers the upgrade and hands the connection over. @param request a `CaptureRequest` as JSON. */
export function handOver(running: RunningNode, request: string | undefined, socket: Socket): void {
  const { supervisor, node } = running;
  if (supervisor.pid === undefined) throw new ApiError(503, 'ServiceUnavailable', `node ${node.name} is starting`);
  if (request === undefined) throw new ApiError(400, 'BadRequest', `no header ${CAPTURE_REQUEST_HEADER}`);
  const head = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${CAPTURE_PROTOCOL}\r\n\r\n`;
  socket.on('error', () => socket.destroy());
  socket.write(head, () => supervisor.capture(socket, request));
}
