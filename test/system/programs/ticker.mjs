/**
 * A TCP connection that says something all the time: the client sends numbers, the server sends them back, and the
 * client prints them. It ends when the connection does.
 *
 *     ticker.mjs serve PORT
 *     ticker.mjs connect HOST PORT
 */
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const PERIOD_MS = 20;
const [mode, ...rest] = process.argv.slice(2);

if (mode === 'serve') {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(Number(rest[0]), '::', () => process.stdout.write('listening\n'));
} else {
  const [host, port] = rest;
  const socket = connect({ host, port: Number(port), noDelay: true });
  let next = 1;
  socket.on('connect', () => setInterval(() => socket.write(`${next++}\n`), PERIOD_MS));
  createInterface({ input: socket }).on('line', (line) => process.stdout.write(`${line}\n`));
  socket.on('error', (error) => process.stdout.write(`error ${error.code}\n`));
  socket.on('close', () => process.exit(1));
}
