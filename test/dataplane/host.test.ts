/** The node's own namespace: probes, host-network pods. The dataplane is its wire, not a hop. */
import { describe, expect, test } from 'vitest';
import { buildFrame } from '../support/frames.ts';
import { NODE_MAC, nodes, places, World } from './world.ts';

describe('host -> pod', () => {
  for (const [source, destination] of [
    ['172.18.0.2', '10.244.1.2'],
    ['10.244.1.1', '10.244.1.2'],
    ['fd00:172:18::2', 'fd00:10:244:1::2'],
  ] as const) {
    test(`${source} -> ${destination}: the TTL stays`, () => {
      const world = new World();
      const spec = { source, destination, payload: 'probe', ttl: 64 } as const;
      expect(world.send('host', spec)).toBe('delivered');
      const want = buildFrame({ ...spec, sourceMac: NODE_MAC, destinationMac: places.web.mac });
      expect(world.ports.web.last.bytes).toEqual(want);
      world.balance();
    });
  }

  test('a TTL of 1 is enough, both ways', () => {
    const world = new World();
    expect(world.send('host', { destination: '10.244.1.2', ttl: 1 })).toBe('delivered');
    expect(world.send('web', { destination: '172.18.0.2', ttl: 1 })).toBe('delivered');
    world.balance();
  });

  test('a superframe arrives whole', () => {
    const world = new World();
    expect(world.send('host', { destination: '10.244.1.2', payload: 5000, gsoSize: 1400 })).toBe('delivered');
    expect(world.ports.web.last).toMatchObject({ gsoSize: 1400 });
  });

  test('to a pod of another node it goes through the tunnel', () => {
    const world = new World();
    expect(world.send('host', { source: '10.244.1.1', destination: '10.244.2.7', ttl: 64 })).toBe('delivered');
    expect(world.underlay.last.frame).toMatchObject({ ttl: 64, destinationMac: nodes.n2.mac });
    world.balance();
  });

  test("the host's ARP and ND questions are answered like a pod's", () => {
    const world = new World();
    expect(world.send('host', { protocol: 'icmp', destination: '169.254.9.9' })).toBe('dropped: LinkLocal');
    world.balance();
  });
});

describe('pod -> own node', () => {
  for (const [i, destination] of [...places.host.addresses].entries()) {
    test(`${destination}: delivered to the host, TTL as it was, and the answer comes back by the same flow`, () => {
      const world = new World();
      const source = places.web.addresses[i === 2 ? 1 : 0];
      expect(world.send('web', { destination, flags: 2, ttl: 64 })).toBe('delivered');
      expect(world.ports.host.last.frame).toMatchObject({ ttl: 64, destinationMac: places.host.mac });
      const answer = { source: destination, destination: source, sourcePort: 8080, destinationPort: 40_000 };
      expect(world.send('host', { ...answer, flags: 0x12 })).toBe('delivered');
      expect(world.ports.web.last.frame).toMatchObject({ source: destination, ttl: 64 });
      expect(world.dp.connections.count).toBe(1);
      world.balance();
    });
  }

  test('from another node to this host through the tunnel: no hop either', () => {
    const world = new World();
    expect(world.tunnel('n2', { destination: '10.244.1.1', ttl: 63 })).toBe('delivered');
    expect(world.ports.host.last.frame.ttl).toBe(63);
    world.balance();
  });
});
