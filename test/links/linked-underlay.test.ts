/** Links between a node and its underlay: what waits, is lost or doubled is counted, and nothing vanishes. */
import { describe, expect, test } from 'vitest';
import { LinkedUnderlay } from '../../src/dataplane/linked-underlay.ts';
import type { LinkSettings } from '../../src/links/link.ts';
import { Drop } from '../../src/packet/outcome.ts';
import { ChecksumState } from '../../src/packet/packet.ts';
import { nodes, World } from '../dataplane/world.ts';
import { withRandom } from '../support/random.ts';
import { parseFrame } from '../support/read-frame.ts';

const PLAIN: LinkSettings = { delayMs: 0, jitterMs: 0, loss: 0, duplicate: 0, reorder: 0, seed: 7 };
const n2 = nodes.n2.pod;
const n3 = nodes.n3.pod;

/** A world with a link to n2, and none to n3. */
function linked(settings: Partial<LinkSettings>): { world: World; links: LinkedUnderlay } {
  const world = new World({ arenaBytes: 16 << 20 });
  const links = new LinkedUnderlay(world.dp.arena, world.dp.counters, world.underlay, world.dp.node.tunnelMtu);
  links.setLinks([{ ...PLAIN, ...settings }]);
  world.dp.underlay = links;
  return { world, links };
}

function payloads(world: World): string[] {
  return world.underlay.sent.map(({ bytes }) => new TextDecoder().decode(parseFrame(bytes.slice(8)).payload));
}

const udp = (payload: string | number, destination: string = n2[0]) =>
  ({ protocol: 'udp', payload, destination }) as const;

describe('an underlay behind links', () => {
  for (const destination of [n2[0], n2[1]]) {
    test(`holds a packet to ${destination} until its time, and sends on the same bytes`, () => {
      const { world, links } = linked({ delayMs: 20 });
      const straight = new World();
      straight.send('web', { ...udp('hello', destination), tos: 2, checksum: 'partial' });
      expect(world.send('web', { ...udp('hello', destination), tos: 2, checksum: 'partial' })).toBe('held');
      expect(world.dp.counters.snapshot()).toMatchObject({ held: 1, delivered: 0 });
      expect(world.dp.counters.check()).toBe(0);
      expect(links.nextDueMs).toBe(world.nowMs + 20);
      links.flush(world.nowMs + 19);
      expect(world.underlay.count).toBe(0);
      links.flush(world.nowMs + 20);
      expect(world.underlay.count).toBe(1);
      const { bytes, endpoint, outerTos, checksum } = world.underlay.sent[0]!;
      const frame = parseFrame(bytes.slice(8));
      expect(frame).toEqual({ ...parseFrame(straight.underlay.sent[0]!.bytes.slice(8)), checksum: 'right' });
      expect([endpoint, outerTos, checksum]).toEqual([0, 2, ChecksumState.Complete]);
      expect(world.dp.counters.snapshot()).toMatchObject({ held: 0, delivered: 1 });
      expect(links.nextDueMs).toBe(Infinity);
      world.balance();
    });
  }

  test('leaves endpoints without a link alone', () => {
    const { world, links } = linked({ delayMs: 20 });
    expect(world.send('web', udp('now', n3[0]))).toBe('delivered');
    expect(world.underlay.sent[0]!.endpoint).toBe(1);
    expect(links.nextDueMs).toBe(Infinity);
    world.balance();
  });

  test('cuts a superframe: each segment is held, and leaves, by itself', () => {
    const { world, links } = linked({ delayMs: 20 });
    const spec = { destination: n2[0], payload: 2500, gsoSize: 1000, sequence: 100, flags: 0x18 };
    expect(world.send('web', spec)).toBe('held');
    expect(world.dp.counters.snapshot()).toMatchObject({ received: 1, split: 2, held: 3 });
    expect(world.dp.counters.check()).toBe(0);
    links.flush(Infinity);
    const frames = world.underlay.sent.map(({ bytes }) => parseFrame(bytes.slice(8)));
    expect(frames.map(({ sequence }) => sequence)).toEqual([100, 1100, 2100]);
    expect(frames.map(({ payload }) => payload.length)).toEqual([1000, 1000, 500]);
    expect(frames.map(({ flags }) => flags)).toEqual([0x10, 0x10, 0x18]);
    for (const { checksum, ipChecksum } of frames) expect([checksum, ipChecksum]).toEqual(['right', 'right']);
    for (const { gsoSize } of world.underlay.sent) expect(gsoSize).toBe(0);
    world.balance();
  });

  test('drops by name what the link loses, segment by segment', () => {
    const { world } = linked({ loss: 1 });
    expect(world.send('web', udp('lost'))).toBe('dropped: LinkLoss');
    expect(world.send('web', { destination: n2[0], payload: 2500, gsoSize: 1000 })).toBe('dropped: LinkLoss');
    expect(world.dp.counters.snapshot()).toMatchObject({ received: 2, split: 2, held: 0, dropped: { LinkLoss: 4 } });
    world.balance();
  });

  test('doubles: the copy is counted as copied', () => {
    const { world, links } = linked({ duplicate: 1 });
    expect(world.send('web', udp('twice'))).toBe('held');
    expect(world.dp.counters.snapshot()).toMatchObject({ copied: 1, held: 2 });
    links.flush(world.nowMs);
    expect(payloads(world)).toEqual(['twice', 'twice']);
    world.balance();
  });

  test('has a defined answer when full, also for copies', () => {
    const { world, links } = linked({ delayMs: 1000, duplicate: 1 });
    let held = 0;
    let last = '';
    while (last !== 'dropped: LinkQueueFull' && held < 20_000) {
      last = world.send('web', udp('x'));
      held++;
    }
    expect(last).toBe('dropped: LinkQueueFull');
    const counted = world.dp.counters.snapshot();
    expect(counted.copied).toBe(held);
    expect(counted.dropped['LinkQueueFull']! + counted.held).toBe(2 * held);
    expect(world.dp.counters.check()).toBe(0);
    links.flush(Infinity);
    expect(world.send('web', udp('room again'))).toBe('held');
    links.flush(Infinity);
    world.balance();
  });

  test('what waits when links change leaves when it was going to', () => {
    const { world, links } = linked({ delayMs: 20 });
    world.send('web', udp('old'));
    links.setLinks([]);
    expect(world.send('web', udp('new'))).toBe('delivered');
    links.flush(world.nowMs + 20);
    expect(payloads(world)).toEqual(['new', 'old']);
    world.balance();
  });

  test('a link that stays as it is keeps its place in its decisions when another changes', () => {
    const fate = (disturb: boolean) => {
      const { world, links } = linked({ loss: 0.5 });
      return Array.from({ length: 40 }, (_, i) => {
        const other = { ...PLAIN, delayMs: i };
        if (disturb) links.setLinks([{ ...PLAIN, loss: 0.5 }, other]);
        return world.send('web', udp(i));
      });
    };
    expect(fate(true)).toEqual(fate(false));
    expect(new Set(fate(true)).size).toBe(2);
  });

  test('one that changes does as it is told from then on', () => {
    const { world, links } = linked({ loss: 1 });
    expect(world.send('web', udp(1))).toBe('dropped: LinkLoss');
    links.setLinks([PLAIN]);
    expect(world.send('web', udp(1))).toBe('held');
    links.setLinks([{ ...PLAIN, loss: 1 }]);
    expect(world.send('web', udp(1))).toBe('dropped: LinkLoss');
  });

  test('counts what the underlay refuses later', () => {
    const { world, links } = linked({ delayMs: 20 });
    world.send('web', udp('refused'));
    world.underlay.says = Drop.UnderlayBusy;
    links.flush(Infinity);
    expect(world.dp.counters.snapshot()).toMatchObject({ held: 0, delivered: 0, dropped: { UnderlayBusy: 1 } });
    expect(world.dp.counters.check()).toBe(0);
  });

  test('any traffic over any link adds up at any time', () => {
    withRandom((random) => {
      const { world, links } = linked({ delayMs: 10, jitterMs: 10, loss: 0.2, duplicate: 0.2, reorder: 0.2, seed: 5 });
      for (let i = 0; i < 2000; i++) {
        const tcp = { destination: random.pick(n2), payload: random.between(1, 4000), gsoSize: 1000 };
        world.send('web', random.once(3) ? tcp : udp(random.below(1300), random.pick([...n2, ...n3])));
        world.nowMs += random.below(3);
        if (random.once(2)) links.flush(world.nowMs);
        world.underlay.sent.length = 0;
        expect(world.dp.counters.check()).toBe(0);
      }
      links.flush(Infinity);
      world.balance();
      const { held, copied, split, dropped } = world.dp.counters.snapshot();
      expect(held).toBe(0);
      for (const term of [copied, split, dropped['LinkLoss']!]) expect(term).toBeGreaterThan(50);
    });
  });
});
