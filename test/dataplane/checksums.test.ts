/** Checksums of what other nodes send: which are verified here, and which are left to the pod's kernel. */
import { describe, expect, test } from 'vitest';
import { ConnectionFlag } from '../../src/conntrack/connections.ts';
import { TcpState } from '../../src/conntrack/tcp-states.ts';
import { ChecksumState } from '../../src/packet/packet.ts';
import { slowFragments } from '../oracle/slow-fragments.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { parseFrame } from '../support/read-frame.ts';
import { tablesOf } from '../support/services.ts';
import { CapturedWorld, judge, N2 } from './captured-world.ts';
import { encapsulated, NODE_MAC, nodes, places, World } from './world.ts';

const families = [0, 1] as const;
const SYN = 2;
const SYN_ACK = 0x12;
const ACK = 0x10;

/** A tunnel packet of n2 with one bit of its last byte turned round on the way. */
function damaged(spec: FrameSpec): Uint8Array {
  const bytes = encapsulated('n2', { payload: 21, ...spec });
  bytes[bytes.length - 1]! ^= 1;
  return bytes;
}

function receive(world: World, bytes: Uint8Array): string {
  return world.tunnelBytes(nodes.n2.underlay, bytes);
}

/** What the pod's kernel finds; and what it would without the turned bit. */
function judgements(bytes: Uint8Array): unknown[] {
  const mended = bytes.slice();
  mended[mended.length - 1]! ^= 1;
  return [parseFrame(bytes).checksum, parseFrame(mended).checksum];
}

for (const family of families) {
  const destination = places.web.addresses[family];

  describe(`IPv${family === 0 ? 4 : 6}`, () => {
    for (const protocol of ['tcp', 'udp'] as const) {
      const spec = { destination, protocol, flags: SYN } as const;

      test(`CT-006, CT-040 strict: a wrong ${protocol} checksum is found here, not in the pod`, () => {
        const world = new World({ strictChecksums: true });
        expect(receive(world, damaged(spec))).toBe('dropped: BadL4Checksum');
        expect(world.tunnel('n2', spec)).toBe('delivered');
        expect(world.ports.web.last.checksum).toBe(ChecksumState.Complete);
        world.balance();
      });

      test(`a wrong ${protocol} checksum reaches the pod, wrong by as much, and nobody calls it right or unfinished`, () => {
        const world = new World();
        expect(receive(world, damaged(spec))).toBe('delivered');
        const { bytes, checksum } = world.ports.web.last;
        expect(checksum).toBe(ChecksumState.Unverified);
        expect(judgements(bytes)).toEqual(['wrong', 'right']);
        world.balance();
      });

      test(`CT-078 translated, a wrong ${protocol} checksum stays wrong by as much`, () => {
        const world = new World();
        const vip = family === 0 ? '10.96.0.1' : 'fd00:10:96::1';
        const endpoints = [{ address: nodes.n2.pod[family], port: 8080 }];
        const frontends = [{ address: vip, port: 80 }];
        const service = { protocol: protocol === 'tcp' ? 'TCP' : 'UDP', frontends, endpoints } as const;
        world.dp.setServices(tablesOf([{ key: 'default/s', ports: [service] }]));
        expect(world.send('web', { ...spec, destination: vip, destinationPort: 80 })).toBe('delivered');
        const answer = { ...spec, flags: SYN_ACK, sourcePort: 8080, destinationPort: 40_000 };
        expect(receive(world, damaged(answer))).toBe('delivered');
        const { bytes, frame } = world.ports.web.last;
        expect(frame).toMatchObject({ source: vip, sourcePort: 80 });
        expect(judgements(bytes)).toEqual(['wrong', 'right']);
        world.balance();
      });

      test(`what is wrong is not answered: ${protocol} to nobody`, () => {
        const world = new World();
        const nobody = { ...spec, destination: family === 0 ? '10.244.1.99' : 'fd00:10:244:1::99' };
        expect(receive(world, damaged(nobody))).toBe('dropped: NoSuchPod');
        expect(world.errors).toBe(0);
        expect(world.tunnel('n2', nobody)).toBe('dropped: NoSuchPod');
        expect(world.errors).toBe(1);
        world.balance();
      });
    }

    test('CT-006 ICMP is verified always: it can end connections', () => {
      const icmp = family === 0 ? ({ protocol: 'icmp' } as const) : ({ protocol: 'icmpv6' } as const);
      const world = new World();
      expect(receive(world, damaged({ destination, ...icmp }))).toBe('dropped: BadL4Checksum');
      expect(world.tunnel('n2', { destination, ...icmp, payload: 21 })).toBe('delivered');
      world.balance();
    });

    test('CT-006 SCTP is verified always: translated, its CRC32c would be computed anew', () => {
      const world = new World();
      expect(receive(world, damaged({ destination, protocol: 'sctp' }))).toBe('dropped: BadL4Checksum');
      world.balance();
    });

    for (const strictChecksums of [false, true]) {
      test(`a datagram in fragments is judged as one that came whole, ${strictChecksums ? '' : 'not '}strictly`, () => {
        const world = new World({ strictChecksums });
        const whole = damaged({ destination, protocol: 'udp', payload: 3000, dontFragment: false });
        const pieces = slowFragments(whole.slice(8), 1450, 7).map((piece) =>
          Uint8Array.of(...whole.slice(0, 8), ...piece),
        );
        const fate = strictChecksums ? 'dropped: BadL4Checksum' : 'delivered';
        expect(pieces.map((piece) => receive(world, piece)).at(-1)).toBe(fate);
        world.balance();
      });
    }

    for (const protocol of ['tcp', 'udp'] as const) {
      test(`CT-006 from a pod, ${protocol} is verified always`, () => {
        const world = new World();
        const [{ mac: sourceMac, addresses }, to] = [places.web, places.api.addresses[family]];
        const spec = { sourceMac, destinationMac: NODE_MAC, source: addresses[family], destination: to, protocol };
        const bytes = buildFrame({ ...spec, flags: SYN, payload: 21 });
        expect(world.sendBytes('web', bytes)).toBe('delivered');
        bytes[bytes.length - 1]! ^= 1;
        expect(world.sendBytes('web', bytes)).toBe('dropped: BadL4Checksum');
        world.balance();
      });
    }
  });
}

test('CT-040 UDP without a checksum is forwarded, over IPv6 too (RFC 6935): whether it may be is the receiver’s to say', () => {
  const world = new World();
  const none = { protocol: 'udp', checksum: 'none', payload: 21 } as const;
  expect(world.tunnel('n2', { destination: places.web.addresses[0], ...none })).toBe('delivered');
  expect(world.tunnel('n2', { destination: places.web.addresses[1], ...none })).toBe('delivered');
  world.balance();
});

test('an IPv4 header is verified always', () => {
  const world = new World();
  const bytes = encapsulated('n2');
  bytes[8 + 14 + 10]! ^= 1;
  expect(receive(world, bytes)).toBe('dropped: BadIpChecksum');
  world.balance();
});

test('a TCP connection goes on over a damaged segment, and over its repetition', () => {
  const world = new World();
  const { connections } = world.dp;
  expect(world.tunnel('n2', { flags: SYN })).toBe('delivered');
  expect(
    world.send('web', { destination: nodes.n2.pod[0], sourcePort: 8080, destinationPort: 40_000, flags: SYN_ACK }),
  ).toBe('delivered');
  expect(world.tunnel('n2', { flags: ACK })).toBe('delivered');
  expect(receive(world, damaged({ flags: ACK }))).toBe('delivered');
  expect(world.tunnel('n2', { flags: ACK, payload: 21 })).toBe('delivered');
  expect(connections.count).toBe(1);
  expect(connections.state[0]).toBe(TcpState.Established);
  expect(connections.flags[0]! & ConnectionFlag.Assured).toBe(ConnectionFlag.Assured);
  world.balance();
});

test('a capture shows a damaged packet as it came and as it left', () => {
  const captured = new CapturedWorld();
  const { world } = captured;
  const tap = captured.tap();
  const bytes = damaged({ flags: SYN });
  expect(receive(world, bytes)).toBe('delivered');
  const sent = world.ports.web.last.bytes;
  const seen = tap.seen();
  expect(seen.map(({ partial }) => partial)).toEqual([false, false]);
  expect(judgements(seen[1]!.bytes)).toEqual(['wrong', 'right']);
  expect(seen[1]!.bytes).toEqual(sent);
  judge(world, seen, N2, bytes, 'delivered');
});
