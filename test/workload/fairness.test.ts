import { describe, expect, test } from 'vitest';
import { PacedConnection } from '../../src/workload/paced-connection.ts';
import { TcpService } from '../../src/workload/tcp-service.ts';
import { Turns } from '../../src/workload/turns.ts';
import { duplexPair } from './duplex-pair.ts';

const turn = () => new Promise(setImmediate);

describe('turns', () => {
  test('one piece of work for each owner, in order, until none is left', async () => {
    const turns = new Turns();
    const done: string[] = [];
    const [a, b] = [{}, {}];
    for (const i of [1, 2, 3]) turns.take(a, () => done.push(`a${i}`));
    turns.take(b, () => {
      done.push('b1');
      turns.take(b, () => done.push('b2'));
    });
    expect(done).toEqual([]);
    await turn();
    expect(done).toEqual(['a1', 'b1']);
    for (let i = 0; i < 5; i++) await turn();
    expect(done).toEqual(['a1', 'b1', 'a2', 'b2', 'a3']);
    turns.take(a, () => done.push('later'));
    await turn();
    expect(done.at(-1)).toBe('later');
  });
});

describe('a paced connection', () => {
  test('gives small portions first, larger ones up to the most, and small ones again when asked', async () => {
    const { client, server } = duplexPair();
    const paced = new PacedConnection(server, new Turns(), {}, { least: 100, most: 1000 });
    const lengths: number[] = [];
    client.write(Buffer.alloc(10_000));
    client.end();
    paced.on('data', ({ length }: Buffer) => {
      lengths.push(length);
      if (lengths.length === 6) paced.beSmall();
    });
    await new Promise((resolve) => paced.on('end', resolve));
    expect(lengths.slice(0, 9)).toEqual([100, 200, 400, 800, 1000, 1000, 100, 200, 400]);
    expect(lengths.reduce((sum, length) => sum + length)).toBe(10_000);
  });
});

describe('a flood at one pod', () => {
  const request = 'GET /hostname HTTP/1.1\r\nHost: web\r\n\r\n';

  function pod(service: TcpService, connections: number) {
    const requests: string[] = [];
    const workload = {
      pod: { name: 'web', namespace: 'default', node: 'n1', hostname: 'web', addresses: [] },
      ready: true,
      log: (line: string) => void requests.push(line),
    };
    const clients = Array.from({ length: connections }, () => {
      const { client, server } = duplexPair();
      service.accept(workload, server, 'x');
      client.resume();
      return client;
    });
    return { clients, requests };
  }

  test('of pipelined requests: another pod answers before 150 of them are', async () => {
    const service = new TcpService();
    const flooded = pod(service, 10);
    const other = pod(service, 1);
    for (const client of flooded.clients) client.write(request.repeat(5000));
    await expect.poll(() => flooded.requests.length, { interval: 1, timeout: 5000 }).toBeGreaterThan(2000);
    const before = flooded.requests.length;
    other.clients[0]!.write(request);
    while (other.requests.length === 0) await turn();
    expect(flooded.requests.length - before).toBeLessThan(150);
    for (const client of [...flooded.clients, ...other.clients]) client.destroy();
  });

  test('of bytes to echo: another pod answers before a megabyte of them is echoed', async () => {
    const service = new TcpService();
    const flooded = pod(service, 50);
    const other = pod(service, 1);
    let echoed = 0;
    for (const client of flooded.clients) {
      client.on('data', ({ length }: Buffer) => {
        echoed += length;
      });
      for (let i = 0; i < 10; i++) client.write(Buffer.alloc(100_000, 'x'));
    }
    await expect.poll(() => echoed, { interval: 1 }).toBeGreaterThan(50 * 100_000);
    const before = echoed;
    other.clients[0]!.write(request);
    while (other.requests.length === 0) await turn();
    expect(echoed - before).toBeLessThan(1_000_000);
    for (const client of [...flooded.clients, ...other.clients]) client.destroy();
  });
});
