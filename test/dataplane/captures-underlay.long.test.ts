/** Captures at the underlay: outer headers that a socket took off or puts on, those that came, and links. */
import { describe, expect, test } from 'vitest';
import { Verdicts } from '../../src/dataplane/capture.ts';
import { LinkedUnderlay } from '../../src/dataplane/linked-underlay.ts';
import type { LinkSettings } from '../../src/links/link.ts';
import { slowSegments } from '../oracle/slow-segmenter.ts';
import { buildFrame } from '../support/frames.ts';
import { parseFrame } from '../support/read-frame.ts';
import { CapturedWorld, N2, N3, OUTER_LEN, putOuter, ROUTER_MAC, type Seen, UNDERLAY, WEB } from './captured-world.ts';
import { encapsulated, NODE_MAC, nodes, places, World } from './world.ts';

const OWN = '172.18.0.2';
const INNER = OUTER_LEN + 8;

/** The outer headers in words; the frame must be a datagram for VXLAN's port, sound in itself. */
function outerOf({ bytes, innerOffset }: Seen) {
  const { sourceMac, destinationMac, source, destination, sourcePort, tos, ttl, ...rest } = parseFrame(bytes);
  expect(rest).toMatchObject({ destinationPort: 4789, ipChecksum: 'right', checksum: 'zero', padding: 0 });
  expect(rest).toMatchObject({
    ipLen: bytes.length - 14,
    udpLength: bytes.length - 34,
    dontFragment: expect.anything(),
  });
  expect(innerOffset).toBe(INNER);
  return { sourceMac, destinationMac, source, destination, sourcePort, tos, ttl };
}

describe('outer headers where the kernel’s sockets have them', () => {
  test('of what is sent: this node to the other, by the router, from the flow’s own port, with its ECN', () => {
    const one = new CapturedWorld();
    const tap = one.tap({ hops: [UNDERLAY] });
    one.world.send('web', { destination: nodes.n3.pod[0], payload: 77, tos: 0xb9 });
    expect(outerOf(tap.seen()[0]!)).toEqual({
      ...{ sourceMac: NODE_MAC, destinationMac: ROUTER_MAC, source: OWN, destination: nodes.n3.underlay },
      ...{ sourcePort: one.world.underlay.sourcePort(one.world.pkt.hash), tos: 1, ttl: 64 },
    });
  });

  test('of what came: from the other node, from the port and with the TOS that it came with', () => {
    const one = new CapturedWorld();
    const tap = one.tap({ hops: [UNDERLAY] });
    one.world.pkt.outerPort = 51_234;
    one.world.tunnel('n2', { tos: 2 }, 0x2e);
    expect(outerOf(tap.seen()[0]!)).toMatchObject({
      ...{ sourceMac: ROUTER_MAC, destinationMac: NODE_MAC, source: nodes.n2.underlay, destination: OWN },
      ...{ sourcePort: 51_234, tos: 0x2e },
    });
  });

  test('without a router nodes are neighbours; of a stranger no MAC is known', () => {
    const bare = new CapturedWorld(new World(), '');
    const tap = bare.tap({ hops: [UNDERLAY] });
    bare.world.send('web', { destination: nodes.n2.pod[0] });
    bare.world.send('web', { destination: nodes.n3.pod[0] });
    bare.world.tunnel('n3');
    bare.world.tunnelBytes('172.18.9.9', encapsulated('n2'));
    const macs = tap.seen().map((seen) => {
      const { sourceMac, destinationMac, source } = outerOf(seen);
      return [source, sourceMac, destinationMac];
    });
    expect(macs).toEqual([
      [OWN, NODE_MAC, nodes.n2.mac],
      [OWN, NODE_MAC, nodes.n3.mac],
      [nodes.n3.underlay, nodes.n3.mac, NODE_MAC],
      ['172.18.9.9', '00:00:00:00:00:00', NODE_MAC],
    ]);
  });

  test('nothing of the packet itself is written', () => {
    const one = new CapturedWorld();
    const plain = new World();
    one.tap();
    for (const world of [one.world, plain]) {
      world.tunnel('n2', { payload: 50 });
      world.send('web', { destination: nodes.n2.pod[0], payload: 60, gsoSize: 20 });
    }
    expect(one.world.ports.web.sent).toEqual(plain.ports.web.sent);
    expect(one.world.underlay.sent).toEqual(plain.underlay.sent);
  });
});

describe('a frame that came with its headers', () => {
  const outer = buildFrame({
    ...{ source: nodes.n2.underlay, destination: OWN, sourceMac: ROUTER_MAC, destinationMac: NODE_MAC, ttl: 63 },
    ...{ protocol: 'udp', sourcePort: 50_001, destinationPort: 4789, id: 0x4444, ipOptions: [1, 1, 1, 1] },
  });

  test('is told as it came, options and all', () => {
    const one = new CapturedWorld();
    const tap = one.tap({ hops: [UNDERLAY] });
    const vxlan = encapsulated('n2', { payload: 41 });
    one.world.pkt.arena.bytes.set(vxlan, one.world.pkt.at);
    one.world.pkt.len = vxlan.length;
    putOuter(one.world, outer, vxlan);
    expect(one.world.tunnelStory(nodes.n2.underlay, 0)).toBe('delivered');
    const [seen] = tap.seen();
    expect(seen!.bytes).toEqual(Uint8Array.from([...outer, ...vxlan]));
    expect(seen).toMatchObject({ hop: N2, innerOffset: outer.length + 8, wireLen: outer.length + vxlan.length });
  });

  test('also when there is nothing in it for VXLAN', () => {
    const one = new CapturedWorld();
    const tap = one.tap({ hops: [UNDERLAY] });
    const { pkt } = one.world;
    putOuter(one.world, outer, Uint8Array.of(1, 2, 3));
    pkt.len = 0;
    pkt.gsoSize = 0;
    one.world.tunnelStory('172.18.9.9', 0);
    const [seen] = tap.seen();
    expect(seen!.bytes).toEqual(Uint8Array.from([...outer, 1, 2, 3]));
    expect(seen).toMatchObject({ hop: UNDERLAY, innerOffset: 0, outcome: 'dropped: UnknownEndpoint' });
  });
});

const PLAIN: LinkSettings = { delayMs: 5, jitterMs: 0, loss: 0, duplicate: 0, reorder: 0, seed: 7 };

function linked(settings: Partial<LinkSettings>): { one: CapturedWorld; links: LinkedUnderlay } {
  const world = new World({ arenaBytes: 16 << 20 });
  const links = new LinkedUnderlay(world.dp.arena, world.dp.counters, world.underlay, world.dp.node.tunnelMtu);
  links.setLinks([{ ...PLAIN, ...settings }]);
  world.dp.underlay = links;
  return { one: new CapturedWorld(world), links };
}

const superframe = { destination: nodes.n2.pod[0], payload: 1230, gsoSize: 100 } as const;

describe('a link', () => {
  test('tells of each wire packet when it meets the link, not when it goes on', () => {
    const { one, links } = linked({});
    const tap = one.tap();
    expect(one.world.send('web', { destination: nodes.n2.pod[0], payload: 9, checksum: 'partial' })).toBe('held');
    const [came, left, ...more] = tap.seen();
    expect(more).toEqual([]);
    expect([came!.outcome, left!.outcome, left!.hop, left!.partial]).toEqual(['held', 'held', N2, false]);
    links.flush(one.world.nowMs + 5);
    expect(tap.seen()).toEqual([]);
    expect(left!.bytes.slice(OUTER_LEN)).toEqual(one.world.underlay.sent[0]!.bytes);
    outerOf(left!);
  });

  test('a superframe is its wire packets, each with a fate of its own', () => {
    const { one, links } = linked({ loss: 0.4, duplicate: 0.3 });
    const tap = one.tap();
    one.world.send('web', superframe);
    const [came, ...pieces] = tap.seen();
    const spec = { ...superframe, source: places.web.addresses[0], sourceMac: NODE_MAC, destinationMac: nodes.n2.mac };
    const wanted = slowSegments(buildFrame({ ...spec, ttl: 63 }), 100);
    expect(pieces.map(({ bytes }) => Buffer.from(bytes.slice(INNER)))).toEqual(wanted.map((one) => Buffer.from(one)));
    for (const piece of pieces) {
      outerOf(piece);
      expect(piece).toMatchObject({
        number: came!.number,
        gsoSize: 0,
        kept: -1,
        partial: false,
        ingress: WEB,
        egress: N2,
      });
    }
    const held = pieces.filter(({ outcome }) => outcome === 'held');
    const lost = pieces.filter(({ outcome }) => outcome === 'dropped: LinkLoss');
    expect([held.length + lost.length, came!.outcome]).toEqual([13, pieces.at(-1)!.outcome]);
    expect(Math.min(held.length, lost.length)).toBeGreaterThan(0);
    links.flush(one.world.nowMs + 5);
    const went = new Set(one.world.underlay.sent.map(({ bytes }) => Buffer.from(bytes).toString('hex')));
    expect(new Set(held.map(({ bytes }) => Buffer.from(bytes.slice(OUTER_LEN)).toString('hex')))).toEqual(went);
  });

  test('drops: each lost wire packet once, the last one as the superframe itself', () => {
    for (const verdicts of [Verdicts.Dropped, Verdicts.Events]) {
      for (let seed = 1; seed < 12; seed++) {
        const { one } = linked({ loss: 0.4, seed });
        one.world.send('web', { ...superframe, sourcePort: 1 }); // the flow's first packet is an event
        const tap = one.tap({ verdicts });
        const before = one.world.dp.counters.snapshot().dropped['LinkLoss'] ?? 0;
        const outcome = one.world.send('web', { ...superframe, sourcePort: 1 });
        const seen = tap.seen();
        const lost = one.world.dp.counters.snapshot().dropped['LinkLoss']! - before;
        expect(seen.map((one) => one.outcome)).toEqual(Array(lost).fill('dropped: LinkLoss'));
        expect(seen.filter(({ outgoing }) => !outgoing)).toHaveLength(outcome === 'held' ? 0 : 1);
      }
    }
  });

  test('a full queue, and an endpoint without a link', () => {
    const { one } = linked({ delayMs: 1e9 });
    const tap = one.tap({ verdicts: Verdicts.Dropped });
    const seen: Seen[] = [];
    for (let i = 0; i < 100; i++) {
      one.world.send('web', { ...superframe, payload: 60_000, gsoSize: 1000 });
      seen.push(...tap.seen());
    }
    expect(new Set(seen.map(({ outcome }) => outcome))).toEqual(new Set(['dropped: LinkQueueFull']));
    expect(seen.length).toBe(one.world.dp.counters.snapshot().dropped['LinkQueueFull']);
    const all = one.tap({ hops: [UNDERLAY] });
    one.world.send('web', { destination: nodes.n3.pod[0], payload: 3000, gsoSize: 1000 });
    expect(all.seen()).toMatchObject([{ hop: N3, gsoSize: 1000, outcome: 'sent' }]);
  });

  test('links that come and go while capturing; afterwards nobody watches', () => {
    const { one, links } = linked({});
    const tap = one.tap({ hops: [UNDERLAY] });
    links.setLinks([]);
    one.world.send('web', superframe);
    expect(tap.seen()).toMatchObject([{ gsoSize: 100, outcome: 'sent' }]);
    links.setLinks([PLAIN]);
    one.world.send('web', superframe);
    expect(tap.seen()).toHaveLength(13);
    expect(links.watcher).toBe(one.captures);
    one.captures.stop(tap.capture);
    expect([links.watcher, one.world.dp.underlay]).toEqual([undefined, links]);
  });
});
