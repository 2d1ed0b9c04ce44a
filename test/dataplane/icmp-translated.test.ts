/** Errors about flows that are translated here: what their receiver gets is about what it has sent (CT-075, CT-077). */
import { describe, expect, test } from 'vitest';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { servicesOf } from '../support/services.ts';
import { NODE_MAC, nodes, places, World, words } from './world.ts';

const protocols = { tcp: 6, udp: 17, sctp: 132 } as const;
const SYN = 2;

interface Case {
  readonly family: 0 | 1;
  readonly protocol: keyof typeof protocols;
  /** Where the backend is. */
  readonly backend: 'here' | 'there';
}

const cases: readonly Case[] = ([0, 1] as const).flatMap((family) =>
  (['tcp', 'udp', 'sctp'] as const).flatMap((protocol) =>
    (['here', 'there'] as const).map((backend) => ({ family, protocol, backend })),
  ),
);

const vips = ['10.96.0.1', 'fd00:10:96::1'] as const;

/** A world in which `web` has just sent the first packet of a flow to a Service with one backend. */
function serviceFlow({ family, protocol, backend }: Case, spec: FrameSpec = {}) {
  const world = new World();
  const address = backend === 'here' ? places.api.addresses[family] : nodes.n2.pod[family];
  const protocolWord = ((family === 0 ? 4 : 6) << 8) | protocols[protocol];
  const backends = [{ address: words(address), port: 8080 }];
  world.dp.services = servicesOf([{ address: words(vips[family]), port: 80, protocolWord, backends }], 1);
  const sent = { source: places.web.addresses[family], destination: vips[family], destinationPort: 80 };
  // An INIT, so that SCTP may begin.
  const init = protocol === 'sctp' ? { payload: Uint8Array.of(1, 0, 0, 20, ...new Uint8Array(16).fill(9)) } : {};
  const first = { ...sent, protocol, flags: SYN, sourcePort: 40_000, ...init, ...spec } as const;
  expect(world.send('web', first)).toBe('delivered');
  return { world, address, first };
}

/** The IP packet that is quoted, `len` bytes of it. */
function quote(spec: FrameSpec, len = 1000): Uint8Array {
  return buildFrame(spec).slice(14, 14 + len);
}

for (const entry of cases) {
  const { family, protocol, backend } = entry;
  const icmp = { protocol: family === 0 ? 'icmp' : 'icmpv6', icmpType: family === 0 ? 3 : 1, icmpCode: 1 } as const;
  const ipLen = family === 0 ? 20 : 40;

  describe(`${protocol} over IPv${family === 0 ? 4 : 6}, backend ${backend}`, () => {
    /** The error as its receiver gets it, about the flow's first packet as the backend had it. */
    function received(spec: FrameSpec, from: string | undefined, quotedLen?: number) {
      const { world, address, first } = serviceFlow(entry, spec);
      const ttl = backend === 'here' ? 63 : 62;
      const asSeen = { ...first, destination: address, destinationPort: 8080, ttl };
      const error = {
        ...{ ...icmp, identifier: 0, icmpSequence: 0 },
        ...{ source: from ?? address, destination: first.source, payload: quote(asSeen, quotedLen) },
      };
      const { bytes: memory } = world.dp.arena;
      const whole = world.pkt.at + (backend === 'here' ? 0 : 8) + 14 + ipLen + 8 + error.payload.length;
      memory.fill(0xa5, whole, whole + 64);
      expect(backend === 'here' ? world.send('api', error) : world.tunnel('n2', error)).toBe('delivered');
      expect(memory.slice(whole, whole + 64).every((byte) => byte === 0xa5)).toBe(true);
      world.balance();
      const { bytes, frame } = world.ports.web.last;
      return { frame, quoted: bytes.slice(14 + ipLen + 8), want: quote({ ...first, ttl }, quotedLen) };
    }

    test('CT-075, CT-077 the client gets it from the Service, and it quotes what the client has sent', () => {
      const { frame, quoted, want } = received({}, undefined);
      expect(frame).toMatchObject({
        source: vips[family],
        destination: places.web.addresses[family],
        sourceMac: NODE_MAC,
        icmpType: icmp.icmpType,
        checksum: 'right',
        ...(family === 0 ? { ipChecksum: 'right' } : {}),
      });
      const end = protocol === 'sctp' ? ipLen + 8 : want.length; // a CRC is not translated back
      expect(Buffer.from(quoted.slice(0, end)).equals(want.slice(0, end))).toBe(true);
    });

    test('CT-075 a quote of eight bytes of the upper layer is enough, and nothing behind it is touched', () => {
      const { frame, quoted, want } = received({}, undefined, ipLen + 8);
      expect(frame.checksum).toBe('right');
      expect(Buffer.from(quoted).equals(want)).toBe(true);
    });

    if (protocol === 'udp' && family === 0) {
      test('CT-078 the zero that means no checksum stays zero in the quote', () => {
        const { quoted, want } = received({ checksum: 'none' }, undefined);
        expect(Buffer.from(quoted).equals(want)).toBe(true);
      });
    }
  });
}

test('CT-075 an error of a router on the way comes from the Service too, as with Linux', () => {
  const { world, first, address } = serviceFlow({ family: 0, protocol: 'udp', backend: 'there' });
  const payload = quote({ ...first, destination: address, destinationPort: 8080, ttl: 1 });
  const error = {
    protocol: 'icmp',
    icmpType: 11,
    identifier: 0,
    icmpSequence: 0,
    destination: first.source,
    payload,
  } as const;
  expect(world.tunnel('n2', { ...error, source: '10.244.2.1' })).toBe('delivered');
  expect(world.ports.web.last.frame).toMatchObject({ source: vips[0], checksum: 'right' });
});

test('CT-075 an error of the client about an answer reaches the backend as about what the backend has sent', () => {
  const { world, first, address } = serviceFlow({ family: 0, protocol: 'udp', backend: 'here' });
  const answer = {
    source: address,
    sourcePort: 8080,
    destination: first.source,
    destinationPort: 40_000,
    protocol: 'udp',
  } as const;
  expect(world.send('api', answer)).toBe('delivered');
  const asSeen = { ...answer, source: vips[0], sourcePort: 80, ttl: 63 };
  const error = {
    protocol: 'icmp',
    icmpType: 3,
    icmpCode: 3,
    identifier: 0,
    icmpSequence: 0,
    payload: quote(asSeen),
  } as const;
  expect(world.send('web', { ...error, source: first.source, destination: vips[0] })).toBe('delivered');
  const { bytes, frame } = world.ports.api.last;
  expect(frame).toMatchObject({ source: first.source, destination: address, checksum: 'right', ipChecksum: 'right' });
  expect(Buffer.from(bytes.slice(42)).equals(quote({ ...answer, ttl: 63 }))).toBe(true);
  world.balance();
});

test('CT-076 a redirect about a translated flow is dropped', () => {
  const { world, first, address } = serviceFlow({ family: 0, protocol: 'udp', backend: 'here' });
  const payload = quote({ ...first, destination: address, destinationPort: 8080, ttl: 63 });
  const redirect = { protocol: 'icmp', icmpType: 5, icmpCode: 1, payload, destination: first.source } as const;
  expect(world.send('api', { ...redirect, source: address })).toBe('dropped: Invalid');
  world.balance();
});
