import { describe, expect, test } from 'vitest';
import { loadKey } from '../../src/packet/load-key.ts';
import { CONTINUE } from '../../src/packet/outcome.ts';
import type { Packet } from '../../src/packet/packet.ts';
import { validate } from '../../src/packet/validate.ts';
import { type Frontend, Services, serviceDnat } from '../../src/service/services.ts';
import { words } from '../dataplane/world.ts';
import { type FrameSpec, frameBytes, newPacket, writeFrame } from '../support/frames.ts';
import { Random } from '../support/random.ts';
import { readFrame } from '../support/read-frame.ts';

const numbers = { tcp: 6, udp: 17, sctp: 132 } as const;

function frontend(address: string, protocol: keyof typeof numbers, port: number, ...backends: string[]): Frontend {
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

const services = new Services(
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
  return pkt;
}

describe('finding the frontend', () => {
  const cases = [
    { to: '10.96.0.1', protocol: 'tcp', port: 80, want: 0 },
    { to: '10.96.0.1', protocol: 'udp', port: 80, want: 1 },
    { to: '10.96.0.1', protocol: 'sctp', port: 80, want: 2 },
    { to: '10.96.0.1', protocol: 'tcp', port: 443, want: 3 },
    { to: '10.96.0.1', protocol: 'udp', port: 443, want: -1 },
    { to: '10.96.0.1', protocol: 'tcp', port: 81, want: -1 },
    { to: '10.96.0.4', protocol: 'tcp', port: 80, want: -1 },
    { to: 'fd00:96::1', protocol: 'tcp', port: 80, want: 6 },
    { to: 'fd00:96::1', protocol: 'sctp', port: 80, want: -1 },
  ] as const;
  for (const { to, protocol, port, want } of cases) {
    test(`${to} ${protocol} ${port}: ${want < 0 ? 'none' : `number ${want}`}`, () => {
      const source = to.includes(':') ? 'fd00:244::2' : '10.244.1.2';
      const found = services.find(received({ source, destination: to, protocol, destinationPort: port }));
      expect(found).toBe(want);
    });
  }

  test('the source port is not part of it', () => {
    for (const sourcePort of [1, 80, 65_535]) {
      expect(services.find(received({ destination: '10.96.0.1', destinationPort: 80, sourcePort }))).toBe(0);
    }
  });

  test('ICMP has no ports: type and code never look like one', () => {
    const echo = { destination: '10.96.0.1', protocol: 'icmp', icmpType: 0, icmpCode: 80 } as const;
    expect(services.find(received(echo))).toBe(-1);
  });

  test('an empty table finds nothing', () => {
    expect(new Services([], 1).find(received({ destination: '10.96.0.1', destinationPort: 80 }))).toBe(-1);
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
        expect(serviceDnat(services, pkt)).toBe(CONTINUE);
        const want = frameBytes(writeFrame(newPacket(), { ...spec, destination: backend, destinationPort: port }));
        expect(frameBytes(pkt)).toEqual(want);
      });
    }
  }

  test('CT-078 a UDP checksum of zero stays zero', () => {
    received({ destination: '10.96.0.1', destinationPort: 80, protocol: 'udp', checksum: 'none', payload: 3 });
    serviceDnat(services, pkt);
    expect(readFrame(pkt)).toMatchObject({ destination: '10.244.1.4', checksum: 'zero' });
  });

  test('what is for no Service, or for one without backends, stays as it is', () => {
    for (const destination of ['10.244.1.3', '10.96.0.3']) {
      received({ destination, destinationPort: 80 });
      const before = frameBytes(pkt);
      expect(serviceDnat(services, pkt)).toBe(CONTINUE);
      expect(frameBytes(pkt)).toEqual(before);
    }
  });

  test('the hash chooses: every backend is used, about equally, and one hash always means one backend', () => {
    const random = new Random(5);
    const seen = new Map<string, number>();
    for (let i = 0; i < 900; i++) {
      const hash = random.word() | 0;
      const chosen = [0, 1].map(() => {
        received({ destination: '10.96.0.2', destinationPort: 80 }, hash);
        serviceDnat(services, pkt);
        const { destination, destinationPort } = readFrame(pkt);
        return `${destination}/${destinationPort}`;
      });
      expect(chosen[0]).toBe(chosen[1]);
      seen.set(chosen[0]!, (seen.get(chosen[0]!) ?? 0) + 1);
    }
    expect([...seen.keys()].sort()).toEqual(['10.244.1.6/1', '10.244.1.7/2', '10.244.1.8/3']);
    for (const count of seen.values()) expect(count).toBeGreaterThan(240);
  });
});
