/** Fragments: every stage sees whole datagrams; what leaves is no longer than what came. */
import { describe, expect, test } from 'vitest';
import { expire } from '../../src/dataplane/receive.ts';
import { Place } from '../../src/packet/outcome.ts';
import { slowFragment, slowFragments, slowJoin } from '../oracle/slow-fragments.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { PACKETS } from '../support/packets.ts';
import { withRandom } from '../support/random.ts';
import { NODE_MAC, nodes, places, World } from './world.ts';

const ID = 0x4711;
const families = { IPv4: 0, IPv6: 1 } as const;

/** A datagram of `web`'s as its kernel sends it, before it is cut. */
function datagram(family: 0 | 1, payload: number, spec: FrameSpec = {}): Uint8Array {
  return buildFrame({
    sourceMac: places.web.mac,
    destinationMac: NODE_MAC,
    source: places.web.addresses[family],
    destination: nodes.n2.pod[family],
    protocol: 'udp',
    dontFragment: false,
    payload,
    ...spec,
  });
}

function headerLen(family: 0 | 1): number {
  return family === 1 ? 40 : 20;
}

/** What went into the tunnel since: inner frames. */
function tunnelled(world: World): Uint8Array[] {
  return world.underlay.sent.splice(0).map(({ bytes }) => bytes.slice(8));
}

/** Sends fragments and returns what became of each. */
function sendAll(world: World, fragments: readonly Uint8Array[]): string[] {
  return fragments.map((fragment) => world.sendBytes('web', fragment));
}

for (const [name, family] of Object.entries(families)) {
  const toApi = { destination: places.api.addresses[family] };

  describe(name, () => {
    test('CT-007 fragments wait; the last one missing goes on as the whole datagram', () => {
      const world = new World();
      const fragments = slowFragments(datagram(family, 4000), 1450, ID);
      expect(sendAll(world, fragments)).toEqual(['held', 'held', 'delivered']);
      expect(world.dp.connections.count).toBe(1);
      expect(world.dp.counters.snapshot()).toMatchObject({ held: 0, split: 2, consumed: { Reassembled: 2 } });
      world.balance();
    });

    test('TN-051 what leaves has the fragments’ id, and none is longer than the longest that came', () => {
      for (const mtu of [1450, 1000, 568, 96]) {
        const world = new World();
        const whole = datagram(family, 3000);
        sendAll(world, slowFragments(whole, mtu, ID));
        const { data, lengths, ids } = slowJoin(tunnelled(world));
        expect(ids).toEqual([ID]);
        expect(Math.max(...lengths)).toBeLessThanOrEqual(mtu);
        expect(Buffer.from(data).equals(whole.slice(14 + headerLen(family)))).toBe(true);
        world.balance();
      }
    });

    // UDP has eight bytes; IPv6's payload length does not count its header.
    const longestPayload = 65_535 - 8 - (family === 0 ? 20 : 0);

    test('any order and any size, 65,535 bytes too: the datagram is what was sent', () => {
      withRandom((random) => {
        for (let round = 0; round < PACKETS / 1000; round++) {
          const world = new World();
          const payload = round === 0 ? longestPayload : random.between(1, 20_000);
          const whole = datagram(family, payload);
          const fragments = slowFragments(whole, random.between(round === 0 ? 1280 : 96, 1450), random.word());
          for (let i = fragments.length - 1; i > 0; i--) {
            const j = random.below(i + 1);
            [fragments[i], fragments[j]] = [fragments[j]!, fragments[i]!];
          }
          if (fragments.length === 1) continue;
          const outcomes = sendAll(world, fragments);
          expect(outcomes.pop()).toBe('delivered');
          expect(outcomes.every((outcome) => outcome === 'held')).toBe(true);
          const { data } = slowJoin(tunnelled(world));
          expect(Buffer.from(data).equals(whole.slice(14 + headerLen(family)))).toBe(true);
          world.balance();
        }
      });
    });

    test('a pod of the same node gets fragments too', () => {
      const world = new World();
      sendAll(world, slowFragments(datagram(family, 4000, toApi), 1450, ID));
      expect(slowJoin(world.ports.api.sent.map(({ bytes }) => bytes)).data.length).toBe(4008);
      world.balance();
    });

    test('from a tunnel they come in the same way', () => {
      const world = new World();
      const inner = buildFrame({
        sourceMac: nodes.n2.mac,
        destinationMac: NODE_MAC,
        source: nodes.n2.pod[family],
        destination: places.web.addresses[family],
        protocol: 'udp',
        dontFragment: false,
        payload: 4000,
      });
      const outcomes = slowFragments(inner, 1450, ID).map((fragment) =>
        world.tunnelBytes(nodes.n2.underlay, Uint8Array.of(8, 0, 0, 0, 0, 0, 1, 0, ...fragment)),
      );
      expect(outcomes).toEqual(['held', 'held', 'delivered']);
      expect(slowJoin(world.ports.web.sent.map(({ bytes }) => bytes)).data.length).toBe(4008);
      world.balance();
    });

    test('the wrong checksum of a datagram is seen when it is whole', () => {
      const world = new World();
      const whole = datagram(family, 4000);
      whole[2000]! ^= 1;
      expect(sendAll(world, slowFragments(whole, 1450, ID))).toEqual(['held', 'held', 'dropped: BadL4Checksum']);
      world.balance();
    });

    test('TN-051 a datagram is of one source, destination, id and port: others do not complete it', () => {
      const world = new World();
      const [first] = slowFragments(datagram(family, 2000), 1450, ID);
      const [, otherId] = slowFragments(datagram(family, 2000), 1450, ID + 1);
      const [, otherPlace] = slowFragments(datagram(family, 2000, toApi), 1450, ID);
      const own = datagram(family, 2000, { source: places.api.addresses[family], sourceMac: places.api.mac });
      const [, otherSource] = slowFragments(own, 1450, ID);
      expect(sendAll(world, [first!, otherId!, otherPlace!])).toEqual(['held', 'held', 'held']);
      expect(world.sendBytes('api', otherSource!)).toBe('held');
      const [, spoofed] = slowFragments(datagram(family, 2000, { sourceMac: places.api.mac }), 1450, ID);
      expect(world.sendBytes('api', spoofed!)).toBe('held'); // of web's address, through another port
      world.balance();
    });

    test('TN-056 a fragment that came before is ignored; the datagram completes', () => {
      const world = new World();
      const [first, second, third] = slowFragments(datagram(family, 4000), 1450, ID);
      expect(sendAll(world, [first!, second!, first!, second!, third!])).toEqual([
        ...['held', 'held', 'consumed: FragmentRepeated', 'consumed: FragmentRepeated', 'delivered'],
      ]);
      world.balance();
    });

    test('TN-056, TN-059 an overlap discards the whole datagram', () => {
      const whole = datagram(family, 4000);
      const data = whole.slice(14 + headerLen(family));
      const piece = (from: number, to: number, more = true) =>
        slowFragment(whole, headerLen(family), data.slice(from, to), from, more, ID);
      for (const overlapping of [piece(8, 1408), piece(1392, 2000), piece(0, 1408)]) {
        const world = new World();
        expect(sendAll(world, [piece(0, 1400), overlapping])).toEqual(['held', 'dropped: FragmentOverlap']);
        expect(world.dp.counters.snapshot()).toMatchObject({ held: 0, dropped: { FragmentOverlap: 2 } });
        world.balance();
      }
    });

    test('TN-054 an empty fragment, and a length that is no multiple of 8', () => {
      const whole = datagram(family, 4000);
      const data = whole.slice(14 + headerLen(family));
      for (const [part, more] of [
        [data.slice(0, 0), true],
        [data.slice(0, 0), false],
        [data.slice(0, 1399), true],
      ] as const) {
        const world = new World();
        const fragment = slowFragment(whole, headerLen(family), part, 8, more, ID);
        expect(world.sendBytes('web', fragment)).toBe('dropped: BadFragment');
        world.balance();
      }
    });

    test('TN-055 beyond the known end, another end, an end in the middle, or beyond 65,535 bytes', () => {
      const whole = datagram(family, 4000);
      const part = new Uint8Array(64);
      const piece = (offset: number, more: boolean) => slowFragment(whole, headerLen(family), part, offset, more, ID);
      for (const pair of [
        [piece(640, false), piece(1280, true)],
        [piece(640, false), piece(1280, false)],
        [piece(1280, true), piece(640, false)],
      ]) {
        const world = new World();
        expect(sendAll(world, pair)).toEqual(['held', 'dropped: BadFragment']);
        expect(world.dp.counters.snapshot().dropped).toEqual({ BadFragment: 2 });
        world.balance();
      }
      const world = new World();
      expect(world.sendBytes('web', piece(65_528, true))).toBe('dropped: BadFragment');
      world.balance();
    });

    test(`TN-052 after ${family === 1 ? 60 : 30} s from the first fragment, whatever came later, it is over`, () => {
      const world = new World();
      const limitMs = family === 1 ? 60_000 : 30_000;
      const [first, second, third] = slowFragments(datagram(family, 4000), 1450, ID);
      world.sendBytes('web', second!);
      world.nowMs += limitMs - 2000;
      expire(world.dp, world.nowMs, 100);
      expect(world.sendBytes('web', third!)).toBe('held');
      world.nowMs += 2000;
      expire(world.dp, world.nowMs, 100);
      expect(world.dp.counters.snapshot()).toMatchObject({ held: 0, dropped: { FragmentTimeout: 2 }, originated: 0 });
      expect(world.sendBytes('web', first!)).toBe('held');
      world.balance();
    });

    test('TN-053 the sender is told, when the first fragment had come: it is quoted as it came', () => {
      const world = new World();
      const [first] = slowFragments(datagram(family, 4000), 1450, ID);
      world.sendBytes('web', first!);
      world.nowMs += 61_000;
      expire(world.dp, world.nowMs, 100);
      const { frame, bytes } = world.ports.web.last;
      expect(frame).toMatchObject({
        source: family === 1 ? 'fd00:10:244:1::1' : '10.244.1.1',
        destination: places.web.addresses[family],
        icmpType: family === 1 ? 3 : 11,
        icmpCode: 1,
        checksum: 'right',
      });
      const quote = bytes.slice(14 + headerLen(family) + 8);
      expect(Buffer.from(quote).equals(first!.slice(14, 14 + quote.length))).toBe(true);
      world.balance();
    });

    test('TN-053 but nobody is told at an address that no pod has', () => {
      const world = new World();
      const nobody = family === 1 ? 'fd00:10:244:1::99' : '10.244.1.99';
      world.sendBytes('web', slowFragments(datagram(family, 4000, { source: nobody }), 1450, ID)[0]!);
      world.nowMs += 61_000;
      expire(world.dp, world.nowMs, 100);
      expect(world.dp.counters.snapshot()).toMatchObject({ originated: 0, dropped: { FragmentTimeout: 1 } });
      world.balance();
    });

    test('TN-058 the oldest makes room; one port cannot push out all of another’s', () => {
      const world = new World({ reassemblySlots: 8 });
      const from = (place: 'web' | 'api', id: number) => {
        const { mac, addresses } = places[place];
        const whole = datagram(family, 2000, { source: addresses[family], sourceMac: mac });
        return slowFragments(whole, 1450, id);
      };
      expect(world.sendBytes('api', from('api', 1)[0]!)).toBe('held');
      for (let id = 0; id < 20; id++) expect(world.sendBytes('web', from('web', id)[0]!)).toBe('held');
      expect(world.dp.counters.snapshot()).toMatchObject({ held: 8, dropped: { FragmentEvicted: 13 } });
      expect(world.sendBytes('api', from('api', 1)[1]!)).toBe('delivered');
      expect(world.sendBytes('web', from('web', 19)[1]!)).toBe('delivered');
      expect(world.sendBytes('web', from('web', 0)[1]!)).toBe('held');
      world.balance();
    });
  });
}

describe('IPv4 alone', () => {
  test('TN-057 after 64 fragments of others from the same source it begins anew', () => {
    for (const [others, last] of [
      [63, 'delivered'],
      [64, 'held'],
    ] as const) {
      const world = new World();
      const [first, second] = slowFragments(datagram(0, 2000), 1450, ID);
      world.sendBytes('web', first!);
      for (let i = 0; i < others; i++) world.sendBytes('web', slowFragments(datagram(0, 2000), 1450, i >> 1)[i & 1]!);
      expect(world.sendBytes('web', second!)).toBe(last);
      world.balance();
    }
  });

  test('DF of the longest fragment stays, and that of a shorter one does not count', () => {
    const whole = datagram(0, 3000);
    for (const [dfOnFirst, want] of [
      [true, true],
      [false, false],
    ] as const) {
      const world = new World();
      const fragments = slowFragments(whole, 1450, ID);
      const withDf = slowFragments(datagram(0, 3000, { dontFragment: true }), 1450, ID);
      const chosen = fragments.map((fragment, i) =>
        (i === fragments.length - 1) !== dfOnFirst ? withDf[i]! : fragment,
      );
      sendAll(world, chosen);
      expect(slowJoin(tunnelled(world)).dontFragment).toBe(want);
      world.balance();
    }
  });

  test('a packet too long for its way out leaves in fragments, unless it has DF', () => {
    const world = new World();
    expect(world.send('web', { destination: '10.244.2.7', protocol: 'udp', payload: 3000, dontFragment: false })).toBe(
      'delivered',
    );
    const { data, lengths } = slowJoin(tunnelled(world));
    expect(data.length).toBe(3008);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(1450);
    expect(world.send('web', { destination: '10.244.2.7', protocol: 'udp', payload: 3000 })).toBe(
      'dropped: MtuExceeded',
    );
    world.balance();
  });

  test('fragments that wait on a link are not delivered yet', () => {
    const world = new World();
    world.underlay.says = Place.Held; // the link's own count of what it holds is its business
    world.send('web', { destination: '10.244.2.7', protocol: 'udp', payload: 3000, dontFragment: false });
    expect(world.dp.counters.snapshot()).toMatchObject({ split: 2, delivered: 0, dropped: {} });
  });

  test('a superframe without DF whose segments are too long is cut, and each segment leaves in fragments', () => {
    const world = new World();
    const spec = {
      destination: '10.244.2.7',
      protocol: 'udp',
      payload: 6000,
      gsoSize: 2000,
      dontFragment: false,
    } as const;
    expect(world.send('web', spec)).toBe('delivered');
    const frames = tunnelled(world);
    expect(frames.length).toBe(6);
    for (let i = 0; i < 3; i++) expect(slowJoin(frames.slice(i * 2, i * 2 + 2)).data.length).toBe(2008);
    world.balance();
  });

  test('options without the copied flag stay on the first fragment', () => {
    const world = new World();
    const options = { ipOptions: [7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 0] }; // record route; router alert (copied)
    world.send('web', { destination: '10.244.2.7', protocol: 'udp', payload: 2000, dontFragment: false, ...options });
    const [first, second] = tunnelled(world);
    expect([...first!.slice(34, 46)]).toEqual(options.ipOptions);
    expect([...second!.slice(34, 46)]).toEqual([1, 1, 1, 1, 1, 1, 1, 148, 4, 0, 0, 0]);
    world.balance();
  });

  test('marks of congestion on one fragment mark the datagram; marks that no sender makes drop it', () => {
    for (const [tosOfSecond, want] of [
      [3, 'delivered'],
      [0, 'dropped: BadFragment'],
    ] as const) {
      const world = new World();
      const [first] = slowFragments(datagram(0, 2000, { tos: tosOfSecond === 0 ? 3 : 2 }), 1450, ID);
      const [, second] = slowFragments(datagram(0, 2000, { tos: tosOfSecond }), 1450, ID);
      expect(sendAll(world, [first!, second!])).toEqual(['held', want]);
      if (want === 'delivered') expect(tunnelled(world).every((frame) => (frame[15]! & 3) === 3)).toBe(true);
      world.balance();
    }
  });
});

test('IPv6: a datagram whose fragments are longer than the way out is told to be smaller', () => {
  const world = new World({ tunnelMtu: 1300 });
  const fragments = slowFragments(datagram(1, 4000), 1450, ID);
  expect(sendAll(world, fragments).pop()).toBe('dropped: MtuExceeded');
  expect(world.ports.web.last.frame).toMatchObject({ icmpType: 2, checksum: 'right' });
  world.balance();
});

test('TN-060 a fragment alone reaches nobody, whatever ports it would claim', () => {
  const world = new World();
  const [, second] = slowFragments(datagram(0, 2000), 1450, ID);
  expect(world.sendBytes('web', second!)).toBe('held');
  expect(world.taken).toBe(0);
  world.balance();
});
