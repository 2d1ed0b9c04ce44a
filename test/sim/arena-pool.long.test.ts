/** Arenas that go from one simulated node to another: what was left in them changes no packet. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Arena } from '../../src/packet/arena.ts';
import { giveArena, takeArena } from '../../src/sim/arena-pool.ts';
import { Simulation } from '../../src/sim/simulation.ts';
import { toTapBytes } from '../flows/wire-frame.ts';
import { namedCluster } from '../flows/worlds.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { Random } from '../support/random.ts';
import { smallRoom } from '../support/small-room.ts';

const { plan, topology, places } = namedCluster('three-nodes')!;
const pods = ['pod-a', 'pod-b', 'pod-d'].map((name) => places.get(name)!);
const PACKETS = 600;

function started(lines: string[]): Simulation {
  const hash = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex');
  const sim = new Simulation(plan, {
    room: smallRoom,
    seed: 1,
    onPort: ({ timeMs, node, port, bytes }) => lines.push(`${timeMs} ${node}/${port} ${hash(bytes)}`),
    onWire: ({ timeMs, from, to, row }) => lines.push(`${timeMs} ${from}>${to} ${row.stride} ${hash(row.bytes)}`),
  });
  const link = { delayMs: 5, jitterMs: 3, loss: 0.05, duplicate: 0.05, reorder: 0.1, seed: 7 };
  sim.setLinks('n1', new Map([['n2', link]])); // frames that wait; other nodes merge what comes in one row
  return sim;
}

/** Superframes, datagrams in pieces, errors: everything that a dataplane keeps in its arena on the way. */
function talk(sim: Simulation): void {
  const random = new Random(3);
  const send = (from: number, spec: FrameSpec) => {
    const place = pods[from]!;
    const ends = { source: `10.244.${from}.2`, destination: `10.244.${random.below(3)}.${random.once(9) ? 99 : 2}` };
    const bytes = buildFrame({ ...place.ends, ...ends, ...spec });
    sim.send(place, toTapBytes({ bytes, gsoSize: spec.gsoSize ?? 0, partial: !!spec.gsoSize }));
  };
  for (let i = 0; i < PACKETS; i++) {
    const from = random.below(3);
    const udp = { protocol: 'udp', sourcePort: random.between(1, 9), dontFragment: false } as const;
    if (random.once(3)) send(from, { payload: random.between(1001, 9000), gsoSize: 1000, sequence: i * 9000 });
    else send(from, random.once(3) ? { ...udp, payload: 800, moreFragments: true } : { ...udp, payload: 1400 });
    sim.advance(random.below(9));
  }
  sim.advance(60_000);
}

describe('an arena', () => {
  test('that held anything at all serves as well as a new one', () => {
    const fresh: string[] = [];
    const sim = started(fresh);
    const { length } = sim.nodes.get('n1')!.dataplane.arena.bytes;
    talk(sim);
    expect(fresh.length).toBeGreaterThan(PACKETS);
    for (const fill of [0xa5, 0xff]) {
      const used = topology.nodes.map(() => new Arena(length));
      for (const arena of used) {
        arena.bytes.fill(fill);
        giveArena(arena);
      }
      const lines: string[] = [];
      const again = started(lines);
      for (const { dataplane } of again.nodes.values()) expect(used.includes(dataplane.arena)).toBe(true);
      talk(again);
      expect(lines).toEqual(fresh);
    }
  });

  test('of a cluster that has ended goes to the next, which does the same; of one that lives to nobody', () => {
    const lines: string[][] = [[], []];
    const first = started(lines[0]!);
    const arenas = new Set([...first.nodes.values()].map(({ dataplane }) => dataplane.arena));
    talk(first);
    const told = lines[0]!.length;
    const ends = { ...pods[0]!.ends, source: '10.244.0.2', destination: '10.244.2.2' };
    const last = toTapBytes({ bytes: buildFrame({ ...ends, protocol: 'udp' }), gsoSize: 0, partial: false });
    first.send(pods[0]!, last);
    first.close();
    first.advance(1000);
    expect(lines[0]).toHaveLength(told);
    const second = started(lines[1]!);
    for (const { dataplane } of second.nodes.values()) expect(arenas.delete(dataplane.arena)).toBe(true);
    talk(second);
    expect(lines[1]).toEqual(lines[0]);
    const third = started([]);
    const held = new Set([...second.nodes.values()].map(({ dataplane }) => dataplane.arena));
    for (const { dataplane } of third.nodes.values()) expect(held.has(dataplane.arena)).toBe(false);
    expect(() => first.send(pods[0]!, last)).toThrow('no node n1');
  });

  test('has the size that was asked for, and all of it to give', () => {
    giveArena(new Arena(1 << 17));
    const small = takeArena(1 << 16);
    const large = takeArena((1 << 17) - 1);
    expect([small.bytes.length, large.bytes.length]).toEqual([1 << 16, 1 << 17]);
    const free = (1 << 17) - 64;
    large.reserve(free);
    giveArena(large);
    const again = takeArena(1 << 17);
    expect(again === large).toBe(true);
    expect(again.reserve(free)).toBe(64);
    expect(() => again.reserve(1)).toThrow('arena exhausted');
  });
});
