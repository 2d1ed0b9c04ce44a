/** The server on sockets of loopback, as it gets them: bound already, by descriptor. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { DnsServer, type DnsServerOptions } from '../../src/dns/server.ts';
import { bindUdp, listenTcp } from '../../src/sys/listen.ts';
import { type Answer, query, readAnswer, words } from '../dns/messages.ts';
import { endpoint, service, shop, shopZone } from '../dns/shop.ts';
import { Random } from '../support/random.ts';
import { missing } from '../support/requires.ts';

const lacks = missing('linux');
const name = 'web.default.svc.cluster.local';
const wideName = 'wide.default.svc.cluster.local';
const wide = service('wide', {
  headless: true,
  endpoints: Array.from({ length: 3000 }, (_, i) => endpoint(`10.244.${i >> 8}.${i & 255}`)),
});

const running: DnsServer[] = [];
const errors: Error[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
  expect(errors.splice(0)).toEqual([]);
});

async function started(options: Partial<DnsServerOptions> = {}): Promise<DnsServer> {
  const random = new Random(1);
  const server = new DnsServer({ random: () => random.word(), failed: (error) => errors.push(error), ...options });
  server.setZone(shopZone({}, [...shop, wide]));
  running.push(server);
  return server;
}

/** A port that is free for both protocols, as far as one can know. */
async function freePort(address: string): Promise<number> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4').bind(0, address);
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((resolve) => void socket.close(resolve));
  return port;
}

async function overUdp(port: number, address: string, ...queries: readonly Uint8Array[]): Promise<Answer[]> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const answers: Answer[] = [];
  for (const bytes of queries) socket.send(bytes, port, address);
  for (let i = 0; i < queries.length; i++) answers.push(readAnswer((await once(socket, 'message'))[0] as Buffer));
  socket.close();
  return answers;
}

function framed(bytes: Uint8Array): Buffer {
  return Buffer.concat([words(bytes.length), bytes]);
}

async function answersOf(socket: Socket, count: number): Promise<Answer[]> {
  return (await messagesOf(socket, count)).map(readAnswer);
}

/** Collects messages until there are `count`, or the connection ends. */
async function messagesOf(socket: Socket, count: number): Promise<Buffer[]> {
  const messages: Buffer[] = [];
  let input = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    input = Buffer.concat([input, chunk]);
    while (input.length >= 2 && input.length >= 2 + input.readUInt16BE()) {
      const end = 2 + input.readUInt16BE();
      messages.push(input.subarray(2, end));
      input = input.subarray(end);
    }
    if (messages.length >= count) break;
  }
  return messages;
}

async function tcpServer(options: Partial<DnsServerOptions> = {}): Promise<number> {
  const port = await freePort('127.0.0.1');
  const server = await started(options);
  await server.serveTcp(listenTcp('127.0.0.1', port, 16));
  return port;
}

async function client(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  // A server that closes while it is still being sent to makes a reset of it.
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** How the connection ends: with a FIN, or a reset. */
async function ended(socket: Socket): Promise<void> {
  if (!socket.closed)
    await Promise.race([once(socket, 'end'), new Promise((resolve) => socket.once('close', resolve))]);
  socket.destroy();
}

describe.skipIf(lacks)(`UDP${lacks === undefined ? '' : ` (needs ${lacks})`}`, () => {
  test.each([
    ['127.0.0.1', '127.0.0.1', 'udp4'],
    ['::1', '::1', 'udp6'],
    ['::', '127.0.0.1', 'udp6'],
  ] as const)('bound to %s, asked at %s', async (bound, asked, family) => {
    const server = await started();
    const port = await freePort(asked);
    await server.serveUdp(bindUdp(bound, port), family);
    const [first, second] = await overUdp(port, asked, query(name, 'A', { id: 1 }), query(wideName, 'A', { id: 2 }));
    expect(first).toMatchObject({ id: 1, answers: [`${name}. 5 A 10.96.0.20`] });
    expect(second).toMatchObject({ id: 2, flags: 'qr aa tc rd' });
    expect(second!.length).toBeLessThanOrEqual(512);
  });

  test('hostile datagrams are survived', async () => {
    const server = await started();
    const port = await freePort('127.0.0.1');
    await server.serveUdp(bindUdp('127.0.0.1', port), 'udp4');
    const socket = createSocket('udp4');
    const random = new Random(7);
    // Few at a time: what does not fit into the socket's buffer is lost, and a sound query among it.
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 25; i++) socket.send(random.bytes(random.below(600)), port, '127.0.0.1');
      socket.send('', port, '127.0.0.1');
      const [answer] = await overUdp(port, '127.0.0.1', query(name, 'A'));
      expect(answer!.status).toBe('NOERROR');
    }
    socket.close();
  });

  test('the zone is another from one query to the next', async () => {
    const server = await started();
    const port = await freePort('127.0.0.1');
    await server.serveUdp(bindUdp('127.0.0.1', port), 'udp4');
    server.setZone(shopZone({}, [service('web', { clusterIPs: ['10.96.0.99'] })]));
    const [answer] = await overUdp(port, '127.0.0.1', query(name, 'A'));
    expect(answer!.answers).toEqual([`${name}. 5 A 10.96.0.99`]);
  });

  test('a closed server leaves its port', async () => {
    const port = await freePort('127.0.0.1');
    for (let i = 0; i < 3; i++) {
      const server = await started();
      await Promise.all([
        server.serveUdp(bindUdp('127.0.0.1', port), 'udp4'),
        server.serveTcp(listenTcp('127.0.0.1', port, 16)),
      ]);
      const socket = await client(port);
      await server.close();
      await ended(socket);
    }
  });
});

describe.skipIf(lacks)(`TCP${lacks === undefined ? '' : ` (needs ${lacks})`}`, () => {
  test('DN-054 what UDP has cut is whole here', async () => {
    const socket = await client(await tcpServer());
    socket.write(framed(query(wideName, 'A')));
    const [answer] = await answersOf(socket, 1);
    expect([answer!.flags, answer!.answers.length]).toEqual(['qr aa rd', 3000]);
  });

  test('queries in one segment, and one in many, are answered in their order: RFC 7766 section 6.2.1.1', async () => {
    const socket = await client(await tcpServer());
    const many = Buffer.concat(Array.from({ length: 50 }, (_, id) => framed(query(name, 'A', { id }))));
    socket.write(many.subarray(0, many.length - 7));
    for (const byte of many.subarray(many.length - 7)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      socket.write(Buffer.of(byte));
    }
    const answers = await answersOf(socket, 50);
    expect(answers.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, id) => id));
  });

  test('a client that has closed its side still gets its answers, then the connection ends', async () => {
    const socket = await client(await tcpServer());
    socket.end(Buffer.concat([framed(query(name, 'A')), framed(query(wideName, 'A')), Buffer.of(0)]));
    expect(await answersOf(socket, 3)).toHaveLength(2);
  });

  test('a client that does not read is not read from; then it gets all, in order', async () => {
    const port = await tcpServer();
    const socket = await client(port);
    // 300 answers of 48 KB: the kernel's buffers hold some of them.
    const before = process.memoryUsage().arrayBuffers;
    socket.write(Buffer.concat(Array.from({ length: 300 }, (_, id) => framed(query(wideName, 'A', { id })))));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20);
    const other = await client(port);
    other.write(framed(query(name, 'A')));
    expect(await answersOf(other, 1)).toHaveLength(1);
    expect((await messagesOf(socket, 300)).map((message) => message.readUInt16BE())).toEqual(
      Array.from({ length: 300 }, (_, id) => id),
    );
  });

  test('queries without end, and nobody who reads the answers: they stay with the client', async () => {
    const socket = await client(await tcpServer());
    const batch = Buffer.concat(Array.from({ length: 1000 }, () => framed(query(wideName, 'A'))));
    const sent = 32 << 20;
    for (let len = 0; len < sent; len += batch.length) socket.write(batch);
    await new Promise((resolve) => setTimeout(resolve, 300));
    // The kernel's buffers hold some.
    expect(socket.writableLength).toBeGreaterThan(sent / 2);
    socket.destroy();
  });

  test.each([
    ['a length of 0', words(0)],
    ['a length of 11', Buffer.concat([words(11), Buffer.alloc(11)])],
    ['a length beyond any query', words(65_535)],
    ['an answer', framed(query(name, 'A', { flags: 0x8180 }))],
  ])('%s ends the connection', async (_what, bytes) => {
    const socket = await client(await tcpServer());
    socket.write(bytes);
    await ended(socket);
  });

  test('a connection without a whole query ends, however many bytes come', async () => {
    const socket = await client(await tcpServer({ idleMs: 150 }));
    socket.on('error', () => {}); // what it still writes then is answered by a reset
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const drip = setInterval(() => socket.write(Buffer.of(0)), 20);
    socket.write(Buffer.of(1));
    await closed;
    clearInterval(drip);
  });

  test('queries keep a connection', async () => {
    const socket = await client(await tcpServer({ idleMs: 800 }));
    const answers = answersOf(socket, 5);
    for (let id = 0; id < 5; id++) {
      socket.write(framed(query(name, 'A', { id })));
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    expect(await answers).toHaveLength(5);
  });

  test('too many connections are closed at once, and there is room again when others have ended', async () => {
    const port = await tcpServer({ connectionsMax: 2 });
    const [first, second] = [await client(port), await client(port)];
    // Both are known to the server once it has answered them.
    for (const socket of [first, second]) socket.write(framed(query(name, 'A')));
    await Promise.all([first, second].map((socket) => once(socket, 'data')));
    await ended(await client(port));
    await new Promise((resolve) => first.once('close', resolve).destroy());
    await new Promise((resolve) => setTimeout(resolve, 50));
    const third = await client(port);
    third.write(framed(query(name, 'A')));
    expect(await answersOf(third, 1)).toHaveLength(1);
    second.destroy();
  });
});
