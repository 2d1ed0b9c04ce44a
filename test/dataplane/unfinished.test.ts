/** Tunnel packets that a kernel of this machine has left unfinished: n3 of the test world is one, n2 is not. */
import { describe, expect, test } from 'vitest';
import { ChecksumState } from '../../src/packet/packet.ts';
import { type FrameSpec, writeBytes } from '../support/frames.ts';
import { encapsulated, nodes, places, World } from './world.ts';

/** What becomes of an unfinished packet; its bytes hold the pseudo header's sum, and nothing else says so. */
function unfinished(world: World, from: 'n2' | 'n3', spec: FrameSpec, stride = 0): string {
  writeBytes(world.pkt, encapsulated(from, { ...spec, checksum: 'partial' }));
  world.pkt.gsoSize = stride;
  return world.tunnelStory(nodes[from].underlay, 0);
}

/**
 * `unfinished`, with the payload's last word changed so that the field with the pseudo header's sum verifies. Pre: an
 * even payload, and TCP without options.
 */
function lucky(world: World, from: 'n2' | 'n3', spec: FrameSpec & { readonly payload: number }): string {
  const bytes = encapsulated(from, { ...spec, checksum: 'partial' });
  const right = encapsulated(from, spec);
  const field = bytes.length - spec.payload - 4;
  const word = (from: Uint8Array, at: number) => (from[at]! << 8) | from[at + 1]!;
  const last = bytes.length - 2;
  // Ones' complement (RFC 1071): the sum of all but the field is ~right; with the field it must become 0xffff.
  const sum = word(bytes, last) + 0xffff - (((0xffff ^ word(right, field)) + word(bytes, field)) % 0xffff);
  const changed = sum % 0xffff;
  bytes.set([changed >> 8, changed & 0xff], last);
  return world.tunnelBytes(nodes[from].underlay, bytes);
}

for (const family of [0, 1] as const) {
  const destination = places.web.addresses[family];

  describe(family === 0 ? 'IPv4' : 'IPv6', () => {
    for (const protocol of ['tcp', 'udp'] as const) {
      test(`${protocol}: the checksum is left to the pod’s kernel, too; from anybody else it is wrong`, () => {
        const world = new World({ strictChecksums: true });
        const spec = { destination, protocol, flags: 2, payload: 100 } as const;
        expect(unfinished(world, 'n3', spec)).toBe('delivered');
        expect(world.ports.web.last).toMatchObject({ checksum: ChecksumState.Partial, gsoSize: 0 });
        expect(unfinished(world, 'n2', spec)).toBe('dropped: BadL4Checksum');
        world.balance();
      });
    }

    test('a TCP superframe without a segment size is cut to fill the tunnel’s MTU', () => {
      const world = new World();
      const spec = { destination, flags: 0x10, payload: 30_000 } as const;
      expect(unfinished(world, 'n3', spec)).toBe('delivered');
      expect(world.ports.web.last).toMatchObject({
        checksum: ChecksumState.Partial,
        gsoSize: 1450 - (family === 0 ? 40 : 60),
      });
      expect(unfinished(world, 'n2', spec)).toBe('dropped: MtuExceeded'); // nobody said that it is more than one packet
      expect(world.errors).toBe(0);
      world.balance();
    });

    test('a TCP superframe whose pseudo header’s sum is the right checksum by chance is one all the same', () => {
      const world = new World();
      const spec = { destination, flags: 0x10, payload: 30_000 } as const;
      expect(lucky(world, 'n3', spec)).toBe('delivered');
      expect(world.ports.web.last).toMatchObject({
        checksum: ChecksumState.Partial,
        gsoSize: 1450 - (family === 0 ? 40 : 60),
      });
      expect(lucky(world, 'n2', spec)).toBe('dropped: MtuExceeded'); // nobody said that it is more than one packet
      world.balance();
    });

    test('a UDP superframe needs its segment size: datagrams are not made one', () => {
      const world = new World();
      const spec = { destination, protocol: 'udp', payload: 5600 } as const;
      expect(unfinished(world, 'n3', spec)).toBe('dropped: BadL4Checksum');
      expect(unfinished(world, 'n3', spec, 1400)).toBe('delivered');
      expect(world.ports.web.last).toMatchObject({ checksum: ChecksumState.Partial, gsoSize: 1400 });
      expect(unfinished(world, 'n2', spec, 1400)).toBe('dropped: BadOffload');
      world.balance();
    });

    test('a wrong checksum stays wrong, whoever sends it', () => {
      const world = new World();
      const bytes = encapsulated('n3', { destination, protocol: 'udp', payload: 20 });
      bytes[bytes.length - 1]! ^= 1;
      expect(world.tunnelBytes(nodes.n3.underlay, bytes)).toBe('dropped: BadL4Checksum');
      world.balance();
    });
  });
}

test('headers that fill the MTU leave no room for segments: nothing is taken over', () => {
  const world = new World();
  const destination = places.web.addresses[1];
  const extensions = [{ type: 60, body: Array<number>(1998).fill(0) }];
  const spec = {
    source: nodes.n3.pod[1],
    destination,
    extensions,
    payload: 100,
    flags: 2,
    checksum: 'partial',
  } as const;
  expect(unfinished(world, 'n3', spec)).toBe('dropped: BadL4Checksum');
});
