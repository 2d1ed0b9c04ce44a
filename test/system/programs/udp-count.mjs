/**
 * Numbered datagrams, one way.
 *
 *     udp-count.mjs take PORT COUNT                     says how they came, once COUNT have come or none comes any more
 *     udp-count.mjs send HOST PORT COUNT FLOWS SIZE     each flow in turn sends one, until COUNT are sent
 */
import { createSocket } from 'node:dgram';

const SILENCE_MS = 3000;
const [mode, ...rest] = process.argv.slice(2);

/** Its number, and bytes that follow from it. */
function datagram(number, size) {
  const bytes = Buffer.alloc(size, number % 251);
  bytes.writeUInt32BE(number);
  return bytes;
}

if (mode === 'take') {
  const [port, count] = rest.map(Number);
  const seen = new Set();
  const last = new Map();
  let damaged = 0;
  let disordered = 0;
  const socket = createSocket({ type: 'udp6', recvBufferSize: 4 << 20 });
  const end = () => {
    process.stdout.write(`${JSON.stringify({ seen: seen.size, damaged, disordered })}\n`);
    process.exit(0);
  };
  let patience;
  socket.on('message', (message, { port: from }) => {
    const number = message.length < 4 ? -1 : message.readUInt32BE();
    if (!message.equals(datagram(number, message.length)) || seen.has(number)) damaged++;
    if (number < (last.get(from) ?? -1)) disordered++;
    last.set(from, number);
    seen.add(number);
    clearTimeout(patience);
    patience = setTimeout(end, seen.size >= count ? 300 : SILENCE_MS); // a copy would come soon
  });
  socket.bind(port, '::', () => process.stdout.write('listening\n'));
} else {
  const [host, port, count, flows, size] = [rest[0], ...rest.slice(1).map(Number)];
  const type = host.includes(':') ? 'udp6' : 'udp4';
  const sockets = await Promise.all(
    Array.from({ length: flows }, () => {
      const socket = createSocket(type);
      return new Promise((resolve) => socket.connect(port, host, () => resolve(socket)));
    }),
  );
  const sent = Array.from({ length: count }, (_, i) => {
    return new Promise((resolve) => sockets[i % flows].send(datagram(i, size), resolve));
  });
  await Promise.all(sent);
  process.stdout.write('sent\n');
  process.exit(0);
}
