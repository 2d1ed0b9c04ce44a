import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { TcpService, type TcpTimeouts } from '../../src/workload/tcp-service.ts';
import { Random } from '../support/random.ts';
import { duplexPair } from './duplex-pair.ts';

/** Far beyond what any test takes, so that only the one under test runs out. */
const LONG = 20_000;

class Client {
  readonly #end: Duplex;
  readonly lines: string[] = [];
  readonly workload = {
    pod: { name: 'web', namespace: 'default', node: 'n1', hostname: 'web', addresses: ['10.244.0.2'] },
    ready: true,
    log: (line: string) => void this.lines.push(line),
  };
  received: Buffer = Buffer.alloc(0);
  readonly server: Duplex;
  #ended = false;
  #closed = false;

  constructor(timeouts: Partial<TcpTimeouts> = {}) {
    const { client, server } = duplexPair();
    this.#end = client;
    this.server = server;
    client.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    client.on('end', () => {
      this.#ended = true;
    });
    client.on('close', () => {
      this.#closed = true;
    });
    const all = { undecided: LONG, headers: LONG, keepAlive: LONG, idle: LONG, ...timeouts };
    new TcpService(all).accept(this.workload, server, '10.244.0.9:1234');
  }

  write(text: string | Uint8Array): this {
    this.#end.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    return this;
  }

  end(): this {
    this.#end.end();
    return this;
  }

  pause(): this {
    this.#end.pause();
    return this;
  }

  resume(): this {
    this.#end.resume();
    return this;
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  async got(wanted: RegExp): Promise<string> {
    await expect.poll(() => this.text, { timeout: 5000, interval: 2 }).toMatch(wanted);
    return this.text;
  }

  /** The end of what the server sends, by FIN or because the connection is gone. */
  async over(): Promise<string> {
    await expect.poll(() => this.#ended || this.#closed, { timeout: 5000, interval: 2 }).toBe(true);
    return this.text;
  }

  get isOver(): boolean {
    return this.#ended || this.#closed;
  }
}

const get = (target: string, more = '') => `GET ${target} HTTP/1.1\r\nHost: web\r\n${more}\r\n`;

describe('echo', () => {
  test('every byte comes back in order, and FIN comes after the last', async () => {
    const random = new Random(3);
    const sent = Buffer.concat(Array.from({ length: 40 }, () => random.bytes(random.between(1, 60_000))));
    const client = new Client();
    for (let at = 0; at < sent.length; ) {
      const next = at + random.between(1, 90_000);
      client.write(sent.subarray(at, next));
      at = next;
    }
    client.end();
    await client.over();
    expect(client.received.equals(sent)).toBe(true);
    expect(client.lines).toEqual(['10.244.0.9:1234 echo']);
  });

  test('one byte at a time, also when they begin like a method', async () => {
    const client = new Client();
    for (const letter of 'GEH') client.write(letter);
    await client.got(/^GEH$/);
    await client.write('x').got(/^GEHx$/);
  });

  test('what could still become a request is echoed when no more comes', async () => {
    const client = new Client({ undecided: 20 });
    await client.write('GET').got(/^GET$/);
    await client.write(' / HTTP/1.1\r\n\r\n').got(/^GET \/ HTTP\/1.1\r\n\r\n$/);
    expect(client.isOver).toBe(false);
  });

  test('and when FIN comes', async () => {
    expect(await new Client().write('PUT').end().over()).toBe('PUT');
  });

  test('a client that says nothing gets nothing, and FIN for FIN', async () => {
    const client = new Client({ undecided: 5, headers: 5 });
    await sleep(30);
    expect([client.text, client.isOver]).toEqual(['', false]);
    expect(await client.end().over()).toBe('');
    expect(client.lines).toEqual([]);
  });

  test('a client that does not read stops being read from', async () => {
    const client = new Client().pause();
    for (let i = 0; i < 200; i++) client.write(Buffer.alloc(10_000, 'x'));
    await sleep(20);
    const { readableLength, writableLength } = client.server;
    expect(readableLength + writableLength).toBeLessThan(200_000);
  });
});

describe('what nobody here speaks', () => {
  test.each([
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('%s is closed, and the log says so', async (name, bytes) => {
    const client = new Client();
    expect(await client.write(bytes).over()).toBe('');
    expect(client.lines).toHaveLength(1);
    expect(client.lines[0]).toContain(name);
  });
});

describe('http', () => {
  test('one request after another on one connection', async () => {
    const client = new Client();
    await client.write(get('/hostname')).got(/200 OK\r\n.*content-length: 3\r\n.*\r\n\r\nweb$/s);
    client.workload.ready = false;
    await client.write(get('/healthz')).got(/503 Service Unavailable.*not ready$/s);
    expect(client.lines).toEqual(['10.244.0.9:1234 GET /hostname 200', '10.244.0.9:1234 GET /healthz 503']);
    expect(client.isOver).toBe(false);
  });

  test('a request in single bytes', async () => {
    const client = new Client();
    for (const letter of get('/echo?msg=hi')) {
      client.write(letter);
      await new Promise(setImmediate);
    }
    await client.got(/\r\n\r\nhi$/);
  });

  test('pipelined requests are answered in order', async () => {
    const client = new Client();
    client.write(Array.from({ length: 300 }, (_, i) => get(`/echo?msg=<${i}>`)).join(''));
    await client.got(/<299>$/);
    expect([...client.text.matchAll(/<(\d+)>/g)].map(([, i]) => Number(i))).toEqual([...Array(300).keys()]);
  });

  test('a request and FIN at once are answered, then FIN', async () => {
    const text = await new Client().write(get('/hostname')).end().over();
    expect(text).toMatch(/200 OK.*\r\n\r\nweb$/s);
    const posted = new Client().write('POST /x HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\n\r\nabc').end();
    expect(await posted.over()).toMatch(/"bodyBytes": 3/);
  });

  test('so are many, by a client that takes its time to read', async () => {
    const client = new Client().pause();
    client.write(Array.from({ length: 300 }, (_, i) => get(`/echo?msg=<${i}>`)).join('')).end();
    await sleep(50);
    expect((await client.resume().over()).match(/<\d+>/g)).toHaveLength(300);
  });

  test('HEAD has the headers and no body', async () => {
    const client = new Client();
    client
      .write('HEAD /hostname HTTP/1.1\r\nHost: web\r\n\r\n')
      .write(get('/echo?msg=behind', 'Connection: close\r\n'));
    expect(await client.over()).toMatch(/^HTTP\/1.1 200 OK\r\n.*content-length: 3\r\n.*\r\n\r\nHTTP\/1.1 200 OK/s);
  });

  test('HTTP/1.0 is answered and closed', async () => {
    expect(await new Client().write('GET /hostname HTTP/1.0\r\n\r\n').over()).toMatch(/\r\n\r\nweb$/);
  });

  test('100-continue comes before the body, and bodies in chunks are counted', async () => {
    const client = new Client();
    client.write('POST /upload HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n');
    await client.got(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
    await client
      .write('5\r\nhello\r\n')
      .write('3;x=y\r\nyou\r\n0\r\n\r\n')
      .got(/"bodyBytes": 8/);
    await client.write(get('/hostname')).got(/web$/);
  });

  test('a body that stops in the middle ends with the connection, not with the process', async () => {
    const client = new Client();
    client.write('POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 100\r\n\r\nabc');
    await sleep(10);
    expect(await client.end().over()).toBe('');
    expect(client.lines.join()).not.toContain('200');
  });

  test.each([
    ['a long header', `GET / HTTP/1.1\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
    ['a long target', `GET /${'x'.repeat(17_000)}`, /^HTTP\/1.1 431 /],
    ['no HTTP after all', 'GET /\x00\x01\x02\r\n\r\n', /^HTTP\/1.1 400 /],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx', /^HTTP\/1.1 400 /],
  ])('%s is refused and closed', async (_, request, refusal) => {
    const client = new Client();
    expect(await client.write(request).over()).toMatch(refusal);
    expect(client.lines.join()).toMatch(/^10.244.0.9:1234 4\d\d [ -~]+$/);
  });

  test('a request without Host is refused (RFC 9112 §3.2)', async () => {
    expect(await new Client().write('GET / HTTP/1.1\r\n\r\n').over()).toMatch(/^HTTP\/1.1 400 /);
  });

  test('garbage behind good requests does not spoil their answers', async () => {
    const client = new Client();
    client.write(get('/echo?msg=good')).write('\x00garbage\r\n\r\n');
    const text = await client.over();
    expect(text).toMatch(/^HTTP\/1.1 200 OK.*good/s);
    expect(client.lines[0]).toBe('10.244.0.9:1234 GET /echo?msg=good 200');
  });

  test('CONNECT and upgrades find nobody, and do no harm', async () => {
    expect(await new Client().write('CONNECT web:443 HTTP/1.1\r\nHost: web\r\n\r\n').over()).toBe('');
    const client = new Client().write(get('/hostname', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'));
    await client.got(/200 OK.*web$/s);
  });
});

describe('slow clients', () => {
  test('headers that do not end in time', async () => {
    const client = new Client({ headers: 40 });
    const started = performance.now();
    client.write('GET / HTTP/1.1\r\n');
    const drip = setInterval(() => client.write('X: y\r\n'), 5);
    await client.over();
    clearInterval(drip);
    expect(performance.now() - started).toBeGreaterThan(35);
  });

  test('the same on the second request, counted from the end of the first', async () => {
    const client = new Client({ headers: 40, keepAlive: 10 });
    await client.write(get('/hostname')).got(/web$/);
    client.write('GET / HTTP/1.1\r\n');
    const drip = setInterval(() => client.write('X: y\r\n'), 5);
    await client.over();
    clearInterval(drip);
    expect(client.text).not.toContain('400');
  });

  test('a slow body is none of these', async () => {
    const client = new Client({ headers: 20, keepAlive: 1 });
    client.write('POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\n\r\n');
    await sleep(50);
    await client.write('abc').got(/"bodyBytes": 3/);
  });
});
