import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { exchange, TimeoutError } from '../../src/api/exchange.ts';

const directory = mkdtempSync(join(tmpdir(), 'pw-exchange-'));
const path = join(directory, 'api.sock');
let server: Server | undefined;

afterEach(() => {
  server?.close();
  rmSync(path, { force: true });
});

function listen(one: Server): Promise<void> {
  server = one;
  return new Promise((resolve) => one.listen(path, resolve));
}

/** A server that writes this to whoever asks, and ends. */
function saying(...pieces: readonly string[]): Promise<void> {
  return listen(
    createServer((socket: Socket) => {
      socket.once('data', async () => {
        for (const piece of pieces) {
          socket.write(piece);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        socket.end();
      });
    }),
  );
}

const get = { method: 'GET', path: '/x', timeoutMs: 5000 };

test('what an HTTP server of Node says, in several writes, to a question with a body of more bytes than letters', async () => {
  const asked: string[] = [];
  const http = createHttp(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    asked.push(`${request.method} ${request.url} ${body}`);
    response.writeHead(201, { 'content-type': 'application/json' });
    response.write('{"grö');
    setTimeout(() => response.end('ße":1}'), 10);
  });
  await listen(http);
  const answer = await exchange(path, { ...get, method: 'POST', path: '/a?b=c', body: '{"ß":2}' });
  expect(answer).toEqual({ status: 201, text: '{"größe":1}' });
  expect(asked).toEqual(['POST /a?b=c {"ß":2}']);
});

test('an answer in pieces, its head and its letters divided', async () => {
  await saying('HTTP/1.1 40', '4 Not Found\r\nA: b\r', '\n\r\n{"a":', '1}\r\n\r\nx');
  expect(await exchange(path, get)).toEqual({ status: 404, text: '{"a":1}\r\n\r\nx' });
});

for (const [name, ...pieces] of [
  ['nothing'],
  ['half a head', 'HTTP/1.1 200 OK\r\nA: b\r\n'],
  ['something else', 'SSH-2.0-OpenSSH\r\n\r\n'],
] as const) {
  test(`${name} is no answer`, async () => {
    await saying(...pieces);
    await expect(exchange(path, get)).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
}

test('silence ends it, also in the middle; so does a signal, and there being nobody', async () => {
  await expect(exchange(path, get)).rejects.toMatchObject({ code: 'ENOENT' });
  const sockets: Socket[] = [];
  await listen(
    createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.write('HTTP/1.1 200 OK\r\n\r\n{');
    }),
  );
  await expect(exchange(path, { ...get, timeoutMs: 50 })).rejects.toBeInstanceOf(TimeoutError);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 20);
  await expect(exchange(path, { ...get, signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
  for (const socket of sockets) socket.destroy();
});
