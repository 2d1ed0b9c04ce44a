/** ICMP errors that the node itself sends: when, to whom, and what they quote. */
import { describe, expect, test } from 'vitest';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { parseFrame } from '../support/read-frame.ts';
import { servicesOf } from '../support/services.ts';
import { NODE_MAC, nodes, places, prefix, World, words } from './world.ts';

const SYN = 2;
const gateways = ['10.244.1.1', 'fd00:10:244:1::1'] as const;
const ICMP_AT = [34, 54] as const;

interface Told {
  readonly name: string;
  readonly outcome: string;
  readonly send: (family: 0 | 1) => FrameSpec;
  /** Type and code, IPv4 then IPv6; the second word. */
  readonly type: readonly [number, number];
  readonly code: readonly [number, number];
  readonly word?: number;
}

const told: readonly Told[] = [
  {
    name: 'TTL',
    outcome: 'TtlExceeded',
    send: (family) => ({ destination: nodes.n2.pod[family], ttl: 1 }),
    type: [11, 3],
    code: [0, 0],
  },
  {
    name: 'length',
    outcome: 'MtuExceeded',
    send: (family) => ({ destination: nodes.n2.pod[family], payload: 1500 }),
    type: [3, 2],
    code: [4, 0],
    word: 1450,
  },
  {
    name: 'no route',
    outcome: 'NoRoute',
    send: (family) => ({ destination: ['192.0.2.1', '2001:db8::1'][family]! }),
    type: [3, 1],
    code: [0, 0],
  },
  {
    name: 'no pod with this address',
    outcome: 'NoSuchPod',
    send: (family) => ({ destination: ['10.244.1.99', 'fd00:10:244:1::99'][family]! }),
    type: [3, 1],
    code: [1, 3],
  },
];

/** What `web` sends, before anything happens to it. */
function sent(family: 0 | 1, spec: FrameSpec): Uint8Array {
  return buildFrame({
    sourceMac: places.web.mac,
    destinationMac: NODE_MAC,
    source: places.web.addresses[family],
    ...spec,
  });
}

for (const family of [0, 1] as const) {
  describe(family === 0 ? 'IPv4' : 'IPv6', () => {
    for (const { name, outcome, send, type, code, word = 0 } of told) {
      for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
        test(`${name}, ${protocol}: the sender gets the error, which quotes the packet as it came in`, () => {
          const world = new World();
          const spec = { ...send(family), protocol, flags: SYN } as const;
          expect(world.send('web', spec)).toBe(`dropped: ${outcome}`);
          expect(world.ports.web.count).toBe(1);
          const { bytes, frame } = world.ports.web.last;
          expect(frame).toMatchObject({
            sourceMac: NODE_MAC,
            destinationMac: places.web.mac,
            source: gateways[family],
            destination: places.web.addresses[family],
            ttl: 64,
            icmpType: type[family],
            icmpCode: code[family],
            checksum: 'right',
          });
          const icmp = ICMP_AT[family];
          expect(Buffer.from(bytes).readUInt32BE(icmp + 4)).toBe(word);
          const before = sent(family, spec).slice(14);
          const quote = bytes.slice(icmp + 8);
          expect(quote.length).toBe(Math.min(before.length, family === 0 ? 548 : 1232));
          expect(Buffer.from(quote).equals(before.slice(0, quote.length))).toBe(true);
          expect(world.dp.counters.snapshot()).toMatchObject({
            originated: 1,
            delivered: 1,
            dropped: { [outcome]: 1 },
          });
          world.balance();
        });
      }
    }

    test('a packet that came through a tunnel: the error goes back through it', () => {
      const world = new World();
      expect(world.tunnel('n2', { destination: places.web.addresses[family], ttl: 1, flags: SYN })).toBe(
        'dropped: TtlExceeded',
      );
      expect(world.underlay.last).toMatchObject({
        endpoint: 0,
        frame: { source: gateways[family], destination: nodes.n2.pod[family], checksum: 'right' },
      });
      world.balance();
    });

    test('of a superframe the first segment is quoted as if cut, in one error', () => {
      const world = new World({ tunnelMtu: 1300 });
      const spec = { destination: nodes.n2.pod[family], payload: 5000, gsoSize: 1390, flags: 0x18, id: 7 } as const;
      expect(world.send('web', spec)).toBe('dropped: MtuExceeded');
      expect(world.ports.web.count).toBe(1);
      const { gsoSize: _, ...first } = spec;
      const segment = sent(family, { ...first, payload: 1390, flags: 0x10 }).slice(14);
      const quote = world.ports.web.last.bytes.slice(ICMP_AT[family] + 8);
      expect(Buffer.from(quote).equals(segment.slice(0, quote.length))).toBe(true);
      world.balance();
    });

    test('a partial checksum is finished in the quote', () => {
      const world = new World();
      const spec = { destination: nodes.n2.pod[family], protocol: 'udp', payload: 10, ttl: 1 } as const;
      world.send('web', { ...spec, checksum: 'partial' });
      const quote = world.ports.web.last.bytes.slice(ICMP_AT[family] + 8);
      expect(Buffer.from(quote).equals(sent(family, spec).slice(14))).toBe(true);
    });

    test('CT-077 of a translated flow the address that the sender knows is quoted', () => {
      const world = new World({ tunnelMtu: 1300 });
      const vip = ['10.96.0.1', 'fd00:10:96::1'][family]!;
      const backend = { address: words(nodes.n2.pod[family]), port: 8080 };
      const protocolWord = ((family === 0 ? 4 : 6) << 8) | 17;
      world.dp.services = servicesOf([{ address: words(vip), port: 80, protocolWord, backends: [backend] }], 1);
      const spec = { destination: vip, destinationPort: 80, protocol: 'udp' } as const;
      expect(world.send('web', spec)).toBe('delivered');
      const long = { ...spec, payload: 1350 } as const;
      expect(world.send('web', long)).toBe('dropped: MtuExceeded');
      const quote = world.ports.web.last.bytes.slice(ICMP_AT[family] + 8);
      expect(Buffer.from(quote).equals(sent(family, long).slice(14, 14 + quote.length))).toBe(true);
      world.balance();
    });

    test('no error about an error, also when its TTL is over (RFC 1122 section 3.2.2)', () => {
      const world = new World();
      const flow = {
        source: places.web.addresses[family],
        destination: nodes.n2.pod[family],
        protocol: 'udp',
      } as const;
      world.send('web', flow);
      const about = { payload: buildFrame(flow).slice(14), identifier: 0, icmpSequence: 0 };
      const kind =
        family === 0 ? ({ protocol: 'icmp', icmpType: 3 } as const) : ({ protocol: 'icmpv6', icmpType: 1 } as const);
      const error = { ...about, ...kind, source: flow.destination, destination: flow.source, ttl: 1 };
      // More than the budget of errors, which they must leave untouched.
      for (let n = 0; n < 60; n++) expect(world.tunnel('n2', error)).toBe('dropped: TtlExceeded');
      expect(world.errors).toBe(0);
      world.send('web', { destination: ['192.0.2.1', '2001:db8::1'][family]!, flags: SYN });
      expect(world.errors).toBe(1);
      world.balance();
    });

    test('an echo request is no error: it is answered', () => {
      const world = new World();
      const echo = { protocol: family === 0 ? 'icmp' : 'icmpv6', icmpType: family === 0 ? 8 : 128 } as const;
      expect(world.send('web', { ...echo, destination: nodes.n2.pod[family], ttl: 1 })).toBe('dropped: TtlExceeded');
      expect(world.errors).toBe(1);
    });
  });
}

test('an error that its sender cannot be told has no other receiver', () => {
  const world = new World();
  world.ports.web.says = -1;
  world.send('web', { destination: nodes.n2.pod[0], ttl: 1, flags: SYN });
  expect(world.taken).toBe(0);
  world.balance();
});

test('a source without a route gets none', () => {
  const world = new World();
  world.route(prefix('172.18.0.2', 0x7fff_0000));
  world.send('host', { destination: '192.0.2.1', source: '10.244.1.1', flags: SYN });
  world.balance();
});

test('errors are few: 50 at once, then one a millisecond', () => {
  const world = new World();
  const probe = (port: number) => world.send('web', { destination: '192.0.2.1', sourcePort: port, flags: SYN });
  for (let i = 0; i < 200; i++) expect(probe(1000 + i)).toBe('dropped: NoRoute');
  expect(world.errors).toBe(50);
  world.nowMs += 10;
  for (let i = 0; i < 200; i++) probe(2000 + i);
  expect(world.errors).toBe(60);
  world.balance();
});

test('TOS: network control, with the sender’s delay and throughput bits (RFC 1812 section 4.3.2.5)', () => {
  const world = new World();
  world.send('web', { destination: nodes.n2.pod[0], ttl: 1, tos: 0x14, flags: SYN });
  expect(parseFrame(world.ports.web.last.bytes).tos).toBe(0xd4);
});
