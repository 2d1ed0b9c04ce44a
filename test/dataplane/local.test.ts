/** Pod to pod on one node: one hop, nothing else changed. */
import { describe, expect, test } from 'vitest';
import { ChecksumState } from '../../src/packet/packet.ts';
import { buildFrame, payloadBytes } from '../support/frames.ts';
import { NODE_MAC, places, World } from './world.ts';

describe('pod -> pod of the same node', () => {
  for (const destination of places.api.addresses) {
    test(`${destination}: MACs are the next hop's, TTL is one less, every other byte is the same`, () => {
      const world = new World();
      const spec = { destination, protocol: 'udp', payload: 'hello', ttl: 64 } as const;
      expect(world.send('web', spec)).toBe('delivered');
      const source = places.web.addresses[destination.includes(':') ? 1 : 0];
      const want = buildFrame({
        ...spec,
        source,
        ttl: 63,
        sourceMac: NODE_MAC,
        destinationMac: places.api.mac,
      });
      expect(world.ports.api.last.bytes).toEqual(want);
      expect(world.ports.web.count + world.ports.host.count + world.underlay.count).toBe(0);
      world.balance();
    });

    test(`${destination}: a superframe arrives whole and partial`, () => {
      const world = new World();
      expect(world.send('web', { destination, payload: 6000, gsoSize: 1380 })).toBe('delivered');
      const got = world.ports.api.last;
      const l4At = destination.includes(':') ? 54 : 34;
      expect(got).toMatchObject({ gsoSize: 1380, checksum: ChecksumState.Partial });
      expect(got).toMatchObject({ partialStart: l4At, partialOffset: 16 });
      expect(got.frame).toMatchObject({ checksum: 'partial', ttl: 63 });
      expect(Buffer.compare(got.frame.payload, payloadBytes(6000))).toBe(0);
      world.balance();
    });

    test(`${destination}: a partial checksum stays partial, a complete one complete`, () => {
      const world = new World();
      expect(world.send('web', { destination, protocol: 'udp', payload: 9, checksum: 'partial' })).toBe('delivered');
      expect(world.ports.api.last).toMatchObject({ checksum: ChecksumState.Partial, gsoSize: 0 });
      expect(world.ports.api.last.frame.checksum).toBe('partial');
      expect(world.send('web', { destination, protocol: 'udp', payload: 9 })).toBe('delivered');
      expect(world.ports.api.last.checksum).toBe(ChecksumState.Complete);
      expect(world.ports.api.last.frame.checksum).toBe('right');
      world.balance();
    });
  }

  test('the header checksum of every TTL is right on the way out', () => {
    const world = new World();
    for (let ttl = 2; ttl < 256; ttl++) {
      expect(world.send('web', { ttl, sourcePort: 1024 + ttl })).toBe('delivered');
      expect(world.ports.api.last.frame).toMatchObject({ ttl: ttl - 1, ipChecksum: 'right' });
    }
    world.balance();
  });

  test('bytes after the IP packet do not travel on', () => {
    const world = new World();
    expect(world.send('web', { protocol: 'udp', payload: 2, padding: 16 })).toBe('delivered');
    expect(world.ports.api.last.frame.padding).toBe(0);
    expect(world.ports.api.last.bytes).toHaveLength(14 + 20 + 8 + 2);
  });

  test('the MTU is judged per segment, of a superframe too', () => {
    const world = new World();
    world.ports.api.mtu = 1000;
    expect(world.send('web', { payload: 960 })).toBe('delivered');
    expect(world.send('web', { payload: 961 })).toBe('dropped: MtuExceeded');
    expect(world.send('web', { payload: 4000, gsoSize: 960 })).toBe('delivered');
    expect(world.send('web', { payload: 4000, gsoSize: 961 })).toBe('dropped: MtuExceeded');
    world.balance();
  });

  test('a pod that sends to its own address gets it back', () => {
    const world = new World();
    expect(world.send('web', { destination: '10.244.1.2' })).toBe('delivered');
    expect(world.ports.web.last.frame).toMatchObject({ destination: '10.244.1.2', destinationMac: places.web.mac });
    world.balance();
  });
});
