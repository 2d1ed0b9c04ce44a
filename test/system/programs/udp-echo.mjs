/**
 * UDP there and back, one datagram at a time.
 *
 *     udp-echo.mjs serve PORT
 *     udp-echo.mjs ask HOST PORT SIZE...     says how many came back as they were sent
 */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';

const PATIENCE_MS = 3000;
const [mode, ...rest] = process.argv.slice(2);

if (mode === 'serve') {
  const socket = createSocket('udp6');
  socket.on('message', (message, { address, port }) => socket.send(message, port, address));
  socket.bind(Number(rest[0]), '::', () => process.stdout.write('listening\n'));
} else {
  const [host, port, ...sizes] = rest;
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  let same = 0;
  for (const size of sizes) {
    const message = randomBytes(Number(size));
    const answer = new Promise((resolve) => {
      socket.once('message', resolve);
      setTimeout(resolve, PATIENCE_MS);
    });
    socket.send(message, Number(port), host);
    if ((await answer)?.equals(message)) same++;
  }
  process.stdout.write(`${same} of ${sizes.length}\n`);
  process.exit(0);
}
