/** Sends a file's worth of random bytes over TCP and compares hashes: `serve`, or `send ADDRESS [MEGABYTES]`. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const PORT = 7000;
const CHUNK = randomBytes(1 << 20);

async function serve() {
  const server = createServer({ allowHalfOpen: true });
  server.listen(PORT);
  const [socket] = await once(server, 'connection');
  const hash = createHash('sha256');
  socket.on('data', (chunk) => hash.update(chunk));
  await once(socket, 'end');
  socket.end(hash.digest('hex'));
  server.close();
}

async function send(address, megabytes) {
  const socket = await connected(address);
  const hash = createHash('sha256');
  const start = performance.now();
  for (let i = 0; i < megabytes; i++) {
    CHUNK.writeUInt32LE(i);
    const chunk = Buffer.from(CHUNK);
    hash.update(chunk);
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  socket.end();
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => {
    answer += text;
  });
  await once(socket, 'end');
  const seconds = (performance.now() - start) / 1000;
  const sent = hash.digest('hex');
  if (answer !== sent) throw new Error(`hashes differ: sent ${sent}, received ${answer}`);
  console.log(`${megabytes} MB in ${seconds.toFixed(1)} s, SHA-256 equal on both sides: ${sent.slice(0, 16)}…`);
}

/** The other side may need a moment to listen. */
async function connected(address) {
  for (let attempt = 0; ; attempt++) {
    const socket = connect({ host: address, port: PORT, allowHalfOpen: true });
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

await (process.argv[2] === 'serve' ? serve() : send(process.argv[3], Number(process.argv[4] ?? 256)));
