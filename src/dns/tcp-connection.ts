/** Queries on one TCP connection, each behind two bytes of length (RFC 1035 §4.2.2, RFC 7766). */
import type { Socket } from 'node:net';

const LENGTH_LEN = 2;
/** Longest query, its length counted: a name, an OPT, perhaps a signature. A longer one could only be meant to fill memory. */
const QUERY_LEN_MAX = 4096;

/**
 * Answers in the order of the queries. A client may ask many at once (RFC 7766 §6.2.1.1) but must read what it gets: as
 * long as it does not, no more queries are read, so a connection holds one chunk of input and little more than one answer.
 *
 * Closes the connection when its bytes are no queries, and when none has been complete, or no answer been taken, for
 * `idleMs`: single bytes now and then keep nothing open.
 */
export function serveConnection(
  socket: Socket,
  respond: (query: Uint8Array) => Uint8Array | undefined,
  idleMs: number,
): void {
  let input: Buffer = Buffer.alloc(0);
  let ended = false;
  const idle = setTimeout(() => socket.destroy(), idleMs);

  const proceed = () => {
    while (!socket.writableNeedDrain && !socket.destroyed && input.length >= LENGTH_LEN) {
      const end = LENGTH_LEN + input.readUInt16BE();
      if (end > input.length && end <= QUERY_LEN_MAX) break;
      const answer = end <= QUERY_LEN_MAX ? respond(input.subarray(LENGTH_LEN, end)) : undefined;
      if (answer === undefined) {
        socket.destroy();
        return;
      }
      input = input.subarray(end);
      idle.refresh();
      socket.write(framed(answer));
    }
    if (socket.writableNeedDrain) socket.pause();
    else if (ended) socket.end();
    else socket.resume();
  };

  socket.on('data', (chunk: Buffer) => {
    input = input.length === 0 ? chunk : Buffer.concat([input, chunk]);
    proceed();
  });
  socket.on('drain', proceed);
  socket.on('end', () => {
    ended = true;
    proceed();
  });
  // Whatever it was, the client is gone.
  socket.on('error', () => {});
  socket.on('close', () => clearTimeout(idle));
}

/** In one write, so that both go in one segment. */
function framed(answer: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(LENGTH_LEN + answer.length);
  bytes.writeUInt16BE(answer.length);
  bytes.set(answer, LENGTH_LEN);
  return bytes;
}
