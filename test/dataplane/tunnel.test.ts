/** Pod to pod on two nodes: what goes into the tunnel, and what comes out of it. */
import { describe, expect, test } from 'vitest';
import { ChecksumState } from '../../src/packet/packet.ts';
import { buildFrame } from '../support/frames.ts';
import { NODE_MAC, nodes, places, World } from './world.ts';

describe('pod -> tunnel', () => {
  for (const family of [0, 1] as const) {
    const destination = nodes.n2.pod[family];
    test(`${destination}: VXLAN header, then the inner frame with the two nodes' MACs (TN-003, TN-004)`, () => {
      const world = new World({ vni: 0xabcdef });
      const spec = { destination, protocol: 'udp', payload: 'over there', ttl: 9 } as const;
      expect(world.send('web', spec)).toBe('delivered');
      const inner = buildFrame({
        ...spec,
        source: places.web.addresses[family],
        ttl: 8,
        sourceMac: NODE_MAC,
        destinationMac: nodes.n2.mac,
      });
      const header = [8, 0, 0, 0, 0xab, 0xcd, 0xef, 0];
      expect(world.underlay.last.bytes).toEqual(Uint8Array.of(...header, ...inner));
      expect(world.underlay.last.endpoint).toBe(0);
      world.balance();
    });

    test(`${destination}: a superframe stays one packet`, () => {
      const world = new World();
      expect(world.send('web', { destination, payload: 5000, gsoSize: 1390 })).toBe('delivered');
      expect(world.underlay.count).toBe(1);
      expect(world.underlay.last).toMatchObject({ gsoSize: 1390, checksum: ChecksumState.Partial });
      expect(world.underlay.last.frame.checksum).toBe('partial');
      world.balance();
    });
  }

  test('each node has its own endpoint', () => {
    const world = new World();
    world.send('web', { destination: nodes.n3.pod[0] });
    expect(world.underlay.last).toMatchObject({ endpoint: 1, frame: { destinationMac: nodes.n3.mac } });
  });

  for (const destination of nodes.n2.pod) {
    for (const tos of [0, 1, 2, 3, 0xb8, 0xbb, 0xff]) {
      test(`${destination}: of TOS ${tos} the ECN bits go to the outer header, DSCP does not (TN-017)`, () => {
        const world = new World();
        expect(world.send('web', { destination, tos })).toBe('delivered');
        expect(world.underlay.last.outerTos).toBe(tos & 3);
        expect(world.underlay.last.frame).toMatchObject({ tos, checksum: 'right' });
      });
    }
  }

  test('TN-013 of a 1450 byte tunnel MTU 1422 bytes of ping pass and 1423 do not', () => {
    const world = new World();
    const ping = (payload: number) => world.send('web', { destination: '10.244.2.7', protocol: 'icmp', payload });
    expect(ping(1422)).toBe('delivered');
    expect(ping(1423)).toBe('dropped: MtuExceeded');
    world.balance();
  });
});

describe('tunnel -> pod', () => {
  for (const family of [0, 1] as const) {
    test(`${places.web.addresses[family]}: the inner packet arrives, one hop older`, () => {
      const world = new World();
      const destination = places.web.addresses[family];
      const spec = { destination, payload: 'from afar', ttl: 62 } as const;
      expect(world.tunnel('n2', spec)).toBe('delivered');
      const want = buildFrame({
        ...spec,
        source: nodes.n2.pod[family],
        ttl: 61,
        sourceMac: NODE_MAC,
        destinationMac: places.web.mac,
      });
      expect(world.ports.web.last.bytes).toEqual(want);
      expect(world.ports.web.last.checksum).toBe(ChecksumState.Unverified);
      world.balance();
    });
  }

  test('TN-003 the other flag bits and the reserved fields are ignored', () => {
    const world = new World();
    const inner = buildFrame({ sourceMac: nodes.n2.mac, destinationMac: NODE_MAC, source: '10.244.2.7' });
    const odd = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0xff, ...inner);
    expect(world.tunnelBytes(nodes.n2.underlay, odd)).toBe('dropped: NoRoute'); // 10.1.1.5 is nobody's
    world.balance();
  });

  // RFC 6040 figure 4: rows are the inner field, columns the outer one; -1 is a drop.
  const figure4 = [
    [0, 0, 0, -1],
    [1, 1, 1, 3],
    [2, 1, 2, 3],
    [3, 3, 3, 3],
  ] as const;
  for (const [inner, row] of figure4.entries()) {
    for (const [outer, want] of row.entries()) {
      test(`TN-017 inner ECN ${inner} with outer ECN ${outer} becomes ${want < 0 ? 'a drop' : want}`, () => {
        const world = new World();
        for (const destination of places.web.addresses) {
          const outcome = world.tunnel('n2', { destination, tos: 0x28 | inner }, 0x40 | outer);
          expect(outcome).toBe(want < 0 ? 'dropped: EcnCongestion' : 'delivered');
          if (want < 0) continue;
          expect(world.ports.web.last.frame).toMatchObject({ tos: 0x28 | want, checksum: 'right' });
          if (!destination.includes(':')) expect(world.ports.web.last.frame.ipChecksum).toBe('right');
        }
        world.balance();
      });
    }
  }
});

describe('what belongs to one link', () => {
  const groups = ['224.0.0.251', '255.255.255.255', 'ff02::1'];
  for (const [destinations, outcome] of [
    [groups, 'dropped: Multicast'],
    [['169.254.1.1', 'fe80::1'], 'dropped: LinkLocal'],
  ] as const) {
    for (const destination of destinations) {
      test(`${destination} does not come out of a tunnel, and nobody is told (RFC 1122 section 3.2.2)`, () => {
        const world = new World();
        const source = nodes.n2.pod[destination.includes(':') ? 1 : 0];
        expect(world.tunnel('n2', { source, destination, protocol: 'udp' })).toBe(outcome);
        expect(world.errors).toBe(0);
        world.balance();
      });
    }
  }
});
