/**
 * Every new flow's reply tuple is its own on the node, translated or not: where another flow has it already, the
 * source port moves. Otherwise one flow could take another's packets ("port shadow").
 */
import { describe, expect, test } from 'vitest';
import { ConnectionFlag } from '../../src/conntrack/connections.ts';
import type { FrameSpec } from '../support/frames.ts';
import { Random } from '../support/random.ts';
import { readFrame } from '../support/read-frame.ts';
import { CLIENT, reply, SERVER, SYN, SYN_ACK, Tracker } from './tracker.ts';

/** Two Services of one backend, and ICMP and a protocol without ports translated alike. */
const translations = {
  '10.96.0.1/80': '10.1.1.5/8080',
  '10.96.0.2/80': '10.1.1.5/8080',
  '10.96.0.1/2048': '10.1.1.5/2048', // an echo request's type and code, where ports have the destination's
  '10.96.0.1/0': '10.1.1.5/0',
  'fd00:96::1/80': 'fd00:1::5/8080',
} as const;

const direct = { source: CLIENT, destination: SERVER, protocol: 'udp', destinationPort: 8080 } as const;
const first = { ...direct, destination: '10.96.0.1', destinationPort: 80 } as const;
const second = { ...first, destination: '10.96.0.2' } as const;

function tracker(capacity = 2048): Tracker {
  return new Tracker({ translations, capacity });
}

function seen(tracked: Tracker): string {
  const { source, sourcePort, destination, destinationPort, checksum } = readFrame(tracked.pkt);
  return `${source}:${sourcePort} > ${destination}:${destinationPort} ${checksum}`;
}

describe('the source port', () => {
  test('CT-067 stays when the reply tuple is free', () => {
    const tracked = tracker();
    tracked.random = 99;
    expect(tracked.send(first)).toBe('new');
    expect(seen(tracked)).toBe('10.1.0.2:40000 > 10.1.1.5:8080 right');
    expect(tracked.send({ ...second, sourcePort: 40_001 })).toBe('new');
    expect(seen(tracked)).toBe('10.1.0.2:40001 > 10.1.1.5:8080 right');
  });

  for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
    test(`moves when a second Service has the same backend (${protocol}), and the replies find their own way`, () => {
      const tracked = tracker();
      tracked.random = 100;
      tracked.send({ ...first, protocol, flags: SYN });
      expect(tracked.send({ ...second, protocol, flags: SYN })).toBe('new');
      expect(seen(tracked)).toBe('10.1.0.2:1124 > 10.1.1.5:8080 right');
      expect(tracked.has(ConnectionFlag.Translated)).toBe(true);
      const back = reply({ ...direct, protocol, flags: SYN_ACK });
      for (const [destinationPort, connection] of [
        [40_000, 0],
        [1124, 1],
      ] as const) {
        expect(tracked.send({ ...back, destinationPort })).toBe('known');
        expect(tracked.pkt).toMatchObject({ connection, direction: 1 });
      }
    });
  }

  test('moves for a flow that nothing else translates, too', () => {
    const tracked = tracker();
    tracked.send(first);
    expect(tracked.has(ConnectionFlag.Translated)).toBe(true);
    expect(tracked.send(direct)).toBe('new');
    expect(tracked.has(ConnectionFlag.Translated)).toBe(true);
    expect(seen(tracked)).toBe('10.1.0.2:1024 > 10.1.1.5:8080 right');
  });

  test('moves in IPv6', () => {
    const tracked = tracker();
    const six = { protocol: 'udp', source: 'fd00:1::2', destination: 'fd00:96::1', destinationPort: 80 } as const;
    tracked.send({ ...six, destination: 'fd00:1::5', destinationPort: 8080 });
    expect(tracked.send(six)).toBe('new');
    expect(seen(tracked)).toBe('fd00:1::2:1024 > fd00:1::5:8080 right');
  });

  const classes = [
    { ports: [1, 80, 511], low: 1, high: 511 },
    { ports: [512, 600, 1023], low: 600, high: 1023 },
    { ports: [1024, 40_000, 65_535], low: 1024, high: 65_535 },
  ] as const;
  for (const { ports, low, high } of classes) {
    test(`CT-069 ${ports.join(', ')} move within ${low} to ${high}, to every port of it`, () => {
      const random = new Random(3);
      const offsets = [
        0,
        high - low,
        high - low + 1,
        0x7fffffff,
        -1,
        ...Array.from({ length: 60 }, () => random.word() | 0),
      ];
      for (const sourcePort of ports) {
        for (const offset of offsets) {
          const tracked = tracker(4);
          tracked.random = offset;
          tracked.send({ ...first, sourcePort });
          expect(tracked.send({ ...second, sourcePort })).toBe('new');
          const moved = readFrame(tracked.pkt).sourcePort!;
          expect(moved).toBeGreaterThanOrEqual(low);
          expect(moved).toBeLessThanOrEqual(high);
          expect(moved).not.toBe(sourcePort);
          const want = low + ((offset >>> 0) % (high - low + 1));
          expect(moved).toBe(want === sourcePort ? low + ((want + 1 - low) % (high - low + 1)) : want);
        }
      }
    });
  }
});

/** Takes `count` reply tuples of the backend, ports `from`, `from` + 1, … */
function occupy(tracked: Tracker, from: number, count: number): void {
  for (let i = 0; i < count; i++) expect(tracked.send({ ...first, sourcePort: from + i })).toBe('new');
}

describe('the search', () => {
  test('CT-070 begins at the random offset and tries 128 ports', () => {
    const tracked = tracker();
    tracked.random = 976; // port 2000
    occupy(tracked, 2000, 127);
    expect(tracked.send({ ...second, sourcePort: 2000 })).toBe('new');
    expect(readFrame(tracked.pkt).sourcePort).toBe(2127);
  });

  test('CT-070 when all 128 are taken it goes on from other offsets', () => {
    const tracked = tracker();
    tracked.random = 976;
    occupy(tracked, 2000, 128);
    expect(tracked.send({ ...second, sourcePort: 2000 })).toBe('new');
    const { sourcePort } = readFrame(tracked.pkt);
    expect(sourcePort! < 2000 || sourcePort! >= 2128, `port ${sourcePort}`).toBe(true);
  });

  test('CT-072 no port left: dropped by name, and no entry stays', () => {
    const tracked = tracker();
    occupy(tracked, 1, 511);
    expect(tracked.send({ ...second, sourcePort: 80 })).toBe('dropped: NatExhausted');
    expect(tracked.connections.count).toBe(511);
    expect(tracked.send({ ...second, sourcePort: 1024 })).toBe('new');
  });

  test('CT-072 a protocol without ports has nothing that could move', () => {
    const tracked = tracker();
    const bare = { source: CLIENT, protocol: 50, payload: 8 } as const;
    expect(tracked.send({ ...bare, destination: SERVER })).toBe('new');
    expect(tracked.send({ ...bare, destination: '10.96.0.1' })).toBe('dropped: NatExhausted');
    expect(tracked.connections.count).toBe(1);
  });

  test('CT-074 an ICMP identifier moves instead of a port, anywhere in 16 bits', () => {
    for (const [random, identifier] of [
      [0, 0],
      [3, 3],
      [65_535, 65_535],
      [65_536, 0],
      [77, 78], // 77 is the one that is taken
    ] as const) {
      const tracked = tracker();
      const ping = { source: CLIENT, protocol: 'icmp', identifier: 77 } as const;
      tracked.random = random;
      tracked.send({ ...ping, destination: SERVER });
      expect(tracked.send({ ...ping, destination: '10.96.0.1' })).toBe('new');
      expect(readFrame(tracked.pkt)).toMatchObject({ identifier, destination: SERVER, checksum: 'right' });
      const answer = { source: SERVER, destination: CLIENT, protocol: 'icmp', icmpType: 0, identifier } as const;
      expect(tracked.send(answer)).toBe('known');
      expect(tracked.pkt).toMatchObject({ connection: 1, direction: 1 });
    }
  });

  test("an entry whose time is over is in nobody's way", () => {
    const tracked = tracker();
    tracked.send(first);
    tracked.nowMs += 30_000;
    expect(tracked.send(second)).toBe('new');
    expect(seen(tracked)).toBe('10.1.0.2:40000 > 10.1.1.5:8080 right');
    expect(tracked.connections.count).toBe(1);
  });
});

describe('port shadow', () => {
  // As in Linux's nft_nat selftest: whoever can make a translated flow chooses its port so that the flow's replies
  // look like somebody else's traffic.
  test('a translated flow cannot take the packets of a flow that was there before', () => {
    const tracked = tracker();
    const victim: FrameSpec = { ...reply(direct), payload: 4 }; // SERVER:8080 > CLIENT:40000, begun by the server
    expect(tracked.send(victim)).toBe('new');
    expect(tracked.send(first)).toBe('new'); // its replies would be the victim's packets
    expect(readFrame(tracked.pkt).sourcePort).not.toBe(40_000);
    expect(tracked.send(victim)).toBe('known');
    expect(tracked.pkt).toMatchObject({ connection: 0, direction: 0 });
    expect(tracked.has(ConnectionFlag.Translated)).toBe(false);
    expect(tracked.send(direct)).toBe('known');
    expect(tracked.pkt).toMatchObject({ connection: 0, direction: 1 });
  });

  test('no two entries ever have a key in common, whatever is sent', () => {
    const random = new Random(11);
    const tracked = tracker(512);
    for (let i = 0; i < 3000; i++) {
      tracked.random = random.word() | 0;
      const spec = random.pick<FrameSpec>([first, second, direct, reply(direct)]);
      const port = 1024 + random.below(6);
      tracked.send(spec.source === SERVER ? { ...spec, destinationPort: port } : { ...spec, sourcePort: port });
      tracked.nowMs += random.below(4000);
      tracked.connections.expire(tracked.nowMs, 100);
    }
    expect(new Set(liveKeys(tracked)).size).toBe(tracked.connections.count * 2);
  });
});

function liveKeys({ connections }: Tracker): string[] {
  const { table } = connections;
  return Array.from({ length: connections.highWater * 2 }, (_, half) => half)
    .filter((half) => connections.state[half >> 1] !== 0)
    .map((half) => table.entries.slice(table.keyAt(half), table.keyAt(half) + table.words).join());
}
