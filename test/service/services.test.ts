/** The stage alone: which Service a packet is for, and what becomes of its destination. */
import { describe, expect, test } from 'vitest';
import { Connections } from '../../src/conntrack/connections.ts';
import { trackPacket } from '../../src/conntrack/track.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE } from '../../src/packet/flow-key.ts';
import { loadKey } from '../../src/packet/load-key.ts';
import { CONTINUE, outcomeName } from '../../src/packet/outcome.ts';
import type { Packet } from '../../src/packet/packet.ts';
import { validate } from '../../src/packet/validate.ts';
import { Way, way } from '../../src/packet/way.ts';
import { Affinity } from '../../src/service/affinity.ts';
import { Services, serviceDnat } from '../../src/service/services.ts';
import { words } from '../dataplane/world.ts';
import { type FrameSpec, frameBytes, newPacket, writeFrame } from '../support/frames.ts';
import { Random, withRandom } from '../support/random.ts';
import { readFrame } from '../support/read-frame.ts';
import { servicesOf, type TestFrontend, tablesOf } from '../support/services.ts';

const numbers = { tcp: 6, udp: 17, sctp: 132 } as const;

function frontend(address: string, protocol: keyof typeof numbers, port: number, ...backends: string[]): TestFrontend {
  const version = address.includes(':') ? 6 : 4;
  return {
    address: words(address),
    port,
    protocolWord: (version << 8) | numbers[protocol],
    backends: backends.map((text) => {
      const at = text.lastIndexOf('/');
      return { address: words(text.slice(0, at)), port: Number(text.slice(at + 1)) };
    }),
  };
}

const services = servicesOf(
  [
    frontend('10.96.0.1', 'tcp', 80, '10.244.1.3/8080'),
    frontend('10.96.0.1', 'udp', 80, '10.244.1.4/8081'),
    frontend('10.96.0.1', 'sctp', 80, '10.244.1.5/8082'),
    frontend('10.96.0.1', 'tcp', 443, '10.244.1.3/443'),
    frontend('10.96.0.2', 'tcp', 80, '10.244.1.6/1', '10.244.1.7/2', '10.244.1.8/3'),
    frontend('10.96.0.3', 'tcp', 80),
    frontend('fd00:96::1', 'tcp', 80, 'fd00:244::3/8080'),
    frontend('fd00:96::1', 'udp', 80, 'fd00:244::4/0'),
  ],
  99,
);

const pkt = newPacket();

function received(spec: FrameSpec, hash = 0): Packet {
  writeFrame(pkt, spec);
  expect(validate(pkt)).toBe(CONTINUE);
  loadKey(pkt);
  pkt.hash = hash;
  pkt.ingress = way(Way.Pod, 0);
  return pkt;
}

/** Where it goes, or why nowhere. */
function sent(spec: FrameSpec, at: Services = services, hash = 0): string {
  received(spec, hash);
  const outcome = serviceDnat(at, pkt, 0);
  if (outcome !== CONTINUE) return outcomeName(outcome);
  const { destination, destinationPort } = readFrame(pkt);
  return `${destination}/${destinationPort ?? '-'}`;
}

describe('finding the frontend', () => {
  const cases = [
    { to: '10.96.0.1', protocol: 'tcp', port: 80, want: '10.244.1.3/8080' },
    { to: '10.96.0.1', protocol: 'udp', port: 80, want: '10.244.1.4/8081' },
    { to: '10.96.0.1', protocol: 'sctp', port: 80, want: '10.244.1.5/8082' },
    { to: '10.96.0.1', protocol: 'tcp', port: 443, want: '10.244.1.3/443' },
    { to: '10.96.0.1', protocol: 'udp', port: 443, want: 'dropped: NoServicePort' },
    { to: '10.96.0.1', protocol: 'tcp', port: 81, want: 'dropped: NoServicePort' },
    { to: '10.96.0.3', protocol: 'tcp', port: 80, want: 'dropped: NoEndpoints' },
    { to: '10.96.0.4', protocol: 'tcp', port: 80, want: '10.96.0.4/80' },
    { to: 'fd00:96::1', protocol: 'tcp', port: 80, want: 'fd00:244::3/8080' },
    { to: 'fd00:96::1', protocol: 'sctp', port: 80, want: 'dropped: NoServicePort' },
  ] as const;
  for (const { to, protocol, port, want } of cases) {
    test(`KP-051, KP-024 ${to} ${protocol} ${port}: ${want}`, () => {
      const source = to.includes(':') ? 'fd00:244::2' : '10.244.1.2';
      expect(sent({ source, destination: to, protocol, destinationPort: port })).toBe(want);
    });
  }

  test('the source port is not part of it', () => {
    for (const sourcePort of [1, 80, 65_535]) {
      expect(sent({ destination: '10.96.0.1', destinationPort: 80, sourcePort })).toBe('10.244.1.3/8080');
    }
  });

  test('KP-024 ICMP has no ports: type and code never look like one, and a cluster IP answers no echo', () => {
    const echo = { destination: '10.96.0.1', protocol: 'icmp', icmpType: 0, icmpCode: 80 } as const;
    expect(sent(echo)).toBe('dropped: NoServicePort');
    expect(sent({ ...echo, destination: '10.244.1.3' })).toBe('10.244.1.3/-');
  });

  test('an empty table finds nothing', () => {
    expect(sent({ destination: '10.96.0.1', destinationPort: 80 }, servicesOf([], 1))).toBe('10.96.0.1/80');
  });

  test('KP-025 an address of the Service networks that no Service has; the networks end where they end', () => {
    const empty = new Services(tablesOf([], ['10.96.0.0/16', 'fd00:10:96::/112']), new Affinity(1));
    expect(sent({ destination: '10.96.255.255', destinationPort: 80 }, empty)).toBe('dropped: NoService');
    expect(sent({ destination: '10.97.0.0', destinationPort: 80 }, empty)).toBe('10.97.0.0/80');
    const six = { source: 'fd00::1', destinationPort: 80 };
    expect(sent({ ...six, destination: 'fd00:10:96::ffff' }, empty)).toBe('dropped: NoService');
    expect(sent({ ...six, destination: 'fd00:10:96::1:0' }, empty)).toBe('fd00:10:96::1:0/80');
  });
});

describe('translation to a backend', () => {
  const cases = [
    { to: '10.96.0.1', protocol: 'tcp', backend: '10.244.1.3', port: 8080 },
    { to: '10.96.0.1', protocol: 'udp', backend: '10.244.1.4', port: 8081 },
    { to: '10.96.0.1', protocol: 'sctp', backend: '10.244.1.5', port: 8082 },
    { to: 'fd00:96::1', protocol: 'tcp', backend: 'fd00:244::3', port: 8080 },
  ] as const;
  for (const { to, protocol, backend, port } of cases) {
    const source = to.includes(':') ? 'fd00:244::2' : '10.244.1.2';
    for (const checksum of protocol === 'sctp' ? (['complete'] as const) : (['complete', 'partial'] as const)) {
      test(`${to} ${protocol}, checksum ${checksum}: destination and checksums, nothing else`, () => {
        const spec = { source, protocol, payload: 33, checksum, sourcePort: 1234 } as const;
        received({ ...spec, destination: to, destinationPort: 80 });
        expect(serviceDnat(services, pkt, 0)).toBe(CONTINUE);
        const want = frameBytes(writeFrame(newPacket(), { ...spec, destination: backend, destinationPort: port }));
        expect(frameBytes(pkt)).toEqual(want);
      });
    }
  }

  test('CT-078 a UDP checksum of zero stays zero', () => {
    sent({ destination: '10.96.0.1', destinationPort: 80, protocol: 'udp', checksum: 'none', payload: 3 });
    expect(readFrame(pkt)).toMatchObject({ destination: '10.244.1.4', checksum: 'zero' });
  });

  test('what is for no Service, or for one without backends, stays as it is', () => {
    for (const destination of ['10.244.1.3', '10.96.0.3']) {
      received({ destination, destinationPort: 80 });
      const before = frameBytes(pkt);
      serviceDnat(services, pkt, 0);
      expect(frameBytes(pkt)).toEqual(before);
      expect(pkt.masquerade).toBe(false);
    }
  });
});

describe('the choice of a backend', () => {
  test('KP-053 one flow always means one backend', () => {
    const random = new Random(5);
    for (let i = 0; i < 100; i++) {
      const hash = random.word() | 0;
      const [a, b] = [0, 1].map(() => sent({ destination: '10.96.0.2', destinationPort: 80 }, services, hash));
      expect(a).toBe(b);
    }
  });

  for (const count of [2, 3, 7, 100]) {
    test(`KP-053 10,000 connections spread evenly over ${count} backends, by chi-square`, () => {
      withRandom((random) => {
        const backends = Array.from({ length: count }, (_, i) => `10.244.1.${i + 1}/80`);
        const at = servicesOf([frontend('10.96.0.1', 'tcp', 80, ...backends)], random.word() | 0);
        const counts = spread(at, new Connections(8, random.word() | 0));
        const expected = 10_000 / count;
        const chiSquare = counts.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
        // The 99.99th percentile of chi-square, by Wilson and Hilferty's approximation.
        const freedom = count - 1;
        const limit = freedom * (1 - 2 / (9 * freedom) + 3.72 * Math.sqrt(2 / (9 * freedom))) ** 3;
        expect(counts).toHaveLength(count);
        expect(chiSquare).toBeLessThan(limit);
      });
    });
  }
});

/** How many of 10,000 connections each backend gets: four clients, source ports one after the other. */
function spread(at: Services, connections: Connections): number[] {
  const counts = new Map<number, number>();
  received({ destination: '10.96.0.1', destinationPort: 80, flags: 2 });
  const before = pkt.key.slice();
  for (let i = 0; i < 10_000; i++) {
    pkt.key.set(before);
    pkt.key[KEY_SOURCE + 3] = 0x0af40102 + (i & 3);
    pkt.key[KEY_PORTS] = ((32_768 + (i >> 2)) << 16) | 80;
    if (trackPacket(connections, pkt, 0) !== CONTINUE) throw new Error(`connection ${i} is not tracked`);
    serviceDnat(at, pkt, 0);
    const last = pkt.key[KEY_DESTINATION + 3]!;
    counts.set(last, (counts.get(last) ?? 0) + 1);
  }
  return [...counts.values()];
}
