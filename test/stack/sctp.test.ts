/** SCTP associations without data (RFC 9260). */
import { describe, expect, test } from 'vitest';
import { Wire, type WireOptions } from './wire.ts';

const A = ['10.244.0.2', 'fd00::2'];
const B = ['10.244.1.2', 'fd00::1:2'];

function pair(options: WireOptions = {}) {
  const wire = new Wire(options);
  const log: string[] = [];
  const events = (name: string) => ({
    open: () => log.push(`${name} open`),
    closed: (reason: string) => log.push(`${name} ${reason}`),
  });
  return { wire, log, events, a: wire.endpoint('a', A), b: wire.endpoint('b', B) };
}

const chunks = (wire: Wire) =>
  wire
    .frames()
    .filter(({ protocol }) => protocol === 132)
    .map(({ payload }) => payload[0]);

describe('RFC 9260', () => {
  test.each(B)('section 5.1 and 9.2: four-way handshake, and SHUTDOWN; to %s', (address) => {
    const { wire, log, events, a, b } = pair();
    b.listenSctp(5000, () => events('b'));
    const association = a.connectSctp(address, 5000, events('a'))!;
    wire.advance(100);
    expect(log).toEqual(['b open', 'a open']);
    association.shutdown();
    wire.advance(100);
    expect(log).toEqual(['b open', 'a open', 'a done', 'b done']);
    expect(chunks(wire)).toEqual([1, 2, 10, 11, 7, 8, 14]);
    const frames = wire.frames().filter(({ protocol }) => protocol === 132);
    expect(frames.every(({ checksum }) => checksum === 'right')).toBe(true);
    expect(frames[0]).toMatchObject({ verificationTag: 0 });
    expect([a.nextDueMs, b.nextDueMs]).toEqual([Infinity, Infinity]);
  });

  test('section 8.4: a closed port aborts with the tag of the INIT', () => {
    const { wire, log, events, a } = pair();
    a.connectSctp(B[0]!, 5000, events('a'));
    wire.advance(100);
    expect(log).toEqual(['a refused']);
    expect(chunks(wire)).toEqual([1, 6]);
  });

  test('section 5.1.6: opens and ends over a lossy wire; without an answer it gives up', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { wire, log, events, a, b } = pair({ seed, lossOnceIn: 4, duplicateOnceIn: 4, jitterMs: 10 });
      b.listenSctp(5000, () => events('b'));
      const association = a.connectSctp(B[0]!, 5000, events('a'))!;
      wire.advance(1_000_000);
      if (log.join().includes('timeout')) continue;
      association.shutdown();
      wire.advance(1_000_000);
      expect(log.sort(), `seed ${seed}`).toEqual(['a done', 'a open', 'b done', 'b open']);
    }
    const { wire, log, events, a } = pair({ filter: ({ protocol }) => protocol !== 132 });
    a.connectSctp(B[0]!, 5000, events('a'));
    wire.advance(1_000_000);
    expect([log.join(), chunks(wire).length]).toEqual(['a timeout', 9]);
  });

  test('section 8.5: a chunk with another tag is ignored; one out of the blue is told so', () => {
    const { wire, log, events, a, b } = pair();
    b.listenSctp(5000, () => events('b'));
    const association = a.connectSctp(B[0]!, 5000, events('a'))!;
    wire.advance(100);
    const init = wire.frames('a').find(({ protocol }) => protocol === 132)!;
    const forger = wire.script('c', ['10.244.2.2']);
    const packet = { destination: B[0]!, protocol: 'sctp', destinationPort: 5000, verificationTag: 1 } as const;
    const abort = Uint8Array.of(6, 0, 0, 4);
    forger.send({ ...packet, source: A[0]!, sourcePort: init.sourcePort!, payload: abort });
    wire.advance(100);
    expect(log).toEqual(['b open', 'a open']);
    forger.send({ ...packet, payload: abort });
    wire.advance(100);
    expect(forger.take()).toEqual([]);
    forger.send({ ...packet, payload: Uint8Array.of(4, 0, 0, 4) });
    forger.send({ ...packet, payload: Uint8Array.of(8, 0, 0, 4) });
    wire.advance(100);
    const seen = forger.take().map(({ payload, verificationTag }) => [payload[0], payload[1], verificationTag]);
    expect(seen).toEqual([
      [6, 1, 1],
      [14, 1, 1],
    ]);
    association.abort();
    wire.advance(100);
    expect(log).toEqual(['b open', 'a open', 'b reset']);
  });

  test('section 8.5.1: an INIT has no tag, or it is none', () => {
    const { wire, b } = pair();
    b.listenSctp(5000);
    const peer = wire.script('c', ['10.244.2.2']);
    const init = { destination: B[0]!, protocol: 'sctp', destinationPort: 5000 } as const;
    peer.send({ ...init, verificationTag: 1 });
    wire.advance(100);
    expect(peer.take()).toEqual([]);
    peer.send(init);
    wire.advance(100);
    expect(peer.take()[0]).toMatchObject({ verificationTag: 0x0a0b0c0d, checksum: 'right' });
  });

  test('section 5.1.5: a cookie that was not made here opens nothing', () => {
    const { wire, log, events, b } = pair();
    b.listenSctp(5000, () => events('b'));
    const forger = wire.script('c', ['10.244.2.2']);
    const cookie = Uint8Array.from([10, 0, 0, 24, ...Array<number>(20).fill(0)]);
    forger.send({ destination: B[0]!, protocol: 'sctp', destinationPort: 5000, verificationTag: 0, payload: cookie });
    wire.advance(100);
    expect([forger.received.length, log.length]).toEqual([0, 0]);
  });
});
