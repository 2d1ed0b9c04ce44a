/**
 * TCP, both ways at once. Each side sends random bytes and says which hash it sent and which it received.
 *
 *     transfer.mjs serve PORT BYTES          one connection, then it ends
 *     transfer.mjs connect HOST PORT BYTES
 */
import { createHash, randomFillSync } from 'node:crypto';
import { connect, createServer } from 'node:net';

const CHUNK = 1 << 20;

async function transfer(socket, bytes) {
  const received = createHash('sha256');
  let receivedBytes = 0;
  socket.on('data', (chunk) => {
    received.update(chunk);
    receivedBytes += chunk.length;
  });
  const ended = new Promise((resolve, reject) => {
    socket.on('end', resolve);
    socket.on('error', reject);
  });
  const sent = createHash('sha256');
  for (let left = bytes; left > 0; left -= CHUNK) {
    const chunk = randomFillSync(Buffer.alloc(Math.min(CHUNK, left)));
    sent.update(chunk);
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve));
  }
  socket.end();
  await ended;
  process.stdout.write(
    `${JSON.stringify({ sent: sent.digest('hex'), received: received.digest('hex'), receivedBytes })}\n`,
  );
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'serve') {
  const [port, bytes] = rest.map(Number);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    server.close();
    void transfer(socket, bytes);
  });
  server.listen(port, '::', () => process.stdout.write('listening\n'));
} else {
  const [host, port, bytes] = rest;
  const socket = connect({ host, port: Number(port), allowHalfOpen: true });
  void transfer(socket, Number(bytes));
}
