/** TCP between two endpoints over a network with every fault: what is written arrives, once and in order. */
import { describe, expect, test } from 'vitest';
import { serveEcho } from '../../src/stack/probe.ts';
import type { TcpConnection } from '../../src/stack/tcp-connection.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { Wire, type WireOptions } from './wire.ts';

const A = ['10.244.0.2', 'fd00::2'];
const B = ['10.244.1.2', 'fd00::1:2'];
const LONG_MS = 3_600_000;
/** `PODWIRE_PACKETS=1000000` makes it 1,000. */
const TRANSFERS = PACKETS / 1000;

interface Received {
  readonly parts: Uint8Array[];
  events: string;
}

/** Writes bytes in random parts with random pauses, then ends. */
function write(wire: Wire, connection: TcpConnection, bytes: Uint8Array, random: Random): void {
  for (let at = 0; at < bytes.length; ) {
    const len = random.between(1, 5000);
    connection.write(bytes.subarray(at, at + len));
    at += len;
    if (random.once(3)) wire.advance(random.below(300));
  }
  connection.end();
}

function handlers(received: Received) {
  return {
    open: () => (received.events += 'open '),
    data: (bytes: Uint8Array) => received.parts.push(bytes.slice()),
    end: () => (received.events += 'end '),
    closed: (reason: string) => (received.events += reason),
  };
}

/** @returns false when all seven SYNs, or what answers them, were lost. */
function transfer(random: Random, options: WireOptions): boolean {
  const wire = new Wire(options);
  const [a, b] = [wire.endpoint('a', A), wire.endpoint('b', B)];
  const [there, back] = [random.bytes(random.below(40_000)), random.bytes(random.below(40_000))];
  const atA: Received = { parts: [], events: '' };
  const atB: Received = { parts: [], events: '' };
  let server: TcpConnection | undefined;
  b.listen(80, (connection) => {
    server = connection;
    return handlers(atB);
  });
  const client = a.connect(B[random.below(2)]!, 80, handlers(atA))!;
  wire.until(() => server !== undefined || client.state === 'closed', LONG_MS);
  if (server === undefined) return false;
  write(wire, server, back, random);
  write(wire, client, there, random);
  expect(wire.until(() => / done/.test(atA.events) && / done/.test(atB.events), LONG_MS)).toBe(true);
  expect([atA.events, atB.events]).toEqual(['open end done', 'open end done']);
  expect(Buffer.compare(Buffer.concat(atB.parts), there)).toBe(0);
  expect(Buffer.compare(Buffer.concat(atA.parts), back)).toBe(0);
  wire.advance(20_000);
  expect([a.connectionCount, b.connectionCount, a.nextDueMs, b.nextDueMs]).toEqual([0, 0, Infinity, Infinity]);
  return true;
}

describe('RFC 9293 section 1: a reliable, in-order byte stream', () => {
  test(`${TRANSFERS} transfers both ways over wires that lose, double and reorder`, { timeout: 240_000 }, () =>
    withRandom((random) => {
      let opened = 0;
      for (let i = 0; opened < TRANSFERS; i++) {
        expect(i).toBeLessThan(TRANSFERS * 1.02 + 1);
        const seed = random.word();
        try {
          const done = transfer(random, {
            seed,
            mtu: random.pick([1280, 1400, 1450, 9000]),
            delayMs: random.between(0, 30),
            jitterMs: random.pick([0, 0, 5, 40]),
            lossOnceIn: random.pick([0, 4, 10, 50]),
            duplicateOnceIn: random.pick([0, 3, 20]),
          });
          if (done) opened++;
        } catch (error) {
          if (error instanceof Error) error.message += ` (transfer ${i})`;
          throw error;
        }
      }
    }),
  );

  test('RFC 9293 section 3.8.6.1: a window that closes for long opens again, whatever is lost', () => {
    const wire = new Wire({ seed: 7, lossOnceIn: 5, delayMs: 3 });
    const [a, b] = [wire.endpoint('a', A), wire.endpoint('b', B)];
    const bytes = Uint8Array.from({ length: 400_000 }, (_, i) => i * 7);
    const parts: Uint8Array[] = [];
    let server: TcpConnection | undefined;
    let drained = 0;
    b.listen(80, (connection) => {
      server = connection;
      connection.pause();
      return { data: (part) => parts.push(part.slice()) };
    });
    const client = a.connect(B[0]!, 80, { drain: () => drained++ })!;
    expect(client.write(bytes)).toBe(false);
    client.end();
    wire.advance(600_000);
    expect(parts).toEqual([]);
    expect(wire.frames('b').at(-1)).toMatchObject({ window: 0 });
    server!.resume();
    wire.advance(600_000);
    expect(drained).toBe(1);
    expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0);
  });

  test('an echo of 300 KB over a lossy wire', () => {
    const wire = new Wire({ seed: 8, lossOnceIn: 10, delayMs: 3, jitterMs: 3 });
    const [a, b] = [wire.endpoint('a', A), wire.endpoint('b', B)];
    serveEcho(b, 'tcp', 7);
    const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i * 13);
    const received: Received = { parts: [], events: '' };
    const client = a.connect(B[1]!, 7, handlers(received))!;
    client.write(bytes);
    client.end();
    expect(wire.until(() => received.events === 'open end done', LONG_MS)).toBe(true);
    expect(Buffer.compare(Buffer.concat(received.parts), bytes)).toBe(0);
  });
});
