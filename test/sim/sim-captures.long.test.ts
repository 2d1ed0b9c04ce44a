/** What captures of a simulated cluster tell, and that they change nothing of what it does. */
import { describe, expect, test } from 'vitest';
import type { CaptureScene } from '../../src/cluster/capture-scene.ts';
import { type Sighting, SightingBit } from '../../src/recording/sighting.ts';
import { SimCaptures } from '../../src/sim/sim-captures.ts';
import { Simulation } from '../../src/sim/simulation.ts';
import { plainFrame, toTapBytes } from '../flows/wire-frame.ts';
import { namedCluster, type Place } from '../flows/worlds.ts';
import { buildFrame, type FrameSpec, joined } from '../support/frames.ts';
import { Random } from '../support/random.ts';
import { parseFrame } from '../support/read-frame.ts';
import { smallRoom } from '../support/small-room.ts';

const { plan, topology, places } = namedCluster('three-nodes')!;
const pods = ['pod-a', 'pod-b', 'pod-d'].map((name) => places.get(name)!);
const addresses = pods.map((_, i) => `10.244.${i}.2`);

interface Seen {
  readonly node: string;
  readonly hop: string;
  readonly timeNs: number;
  readonly outgoing: boolean;
  readonly bytes: Uint8Array;
}

class World {
  /** Bytes that left by ports and wires. */
  readonly left: string[] = [];
  /** How often something left by a port. */
  toPorts = 0;
  readonly seen: Seen[] = [];
  readonly sim: Simulation;
  readonly captures: SimCaptures | undefined;

  constructor(captured = true) {
    this.sim = new Simulation(plan, {
      room: smallRoom,
      seed: 1,
      onPort: ({ timeMs, node, port, bytes }) => {
        this.toPorts++;
        this.left.push(`${timeMs} ${node} ${port} ${Buffer.from(bytes).toString('base64')}`);
      },
      onWire: ({ timeMs, from, to, row }) => {
        this.left.push(`${timeMs} ${from} ${to} ${Buffer.from(row.bytes).toString('base64')}`);
      },
    });
    const take = (sighting: Sighting, scene: CaptureScene) => this.#take(sighting, scene);
    this.captures = captured ? new SimCaptures(this.sim, plan, take) : undefined;
  }

  send(from: Place, spec: FrameSpec): void {
    const frame = { bytes: buildFrame({ ...from.ends, ...spec }), gsoSize: spec.gsoSize ?? 0, partial: !!spec.gsoSize };
    this.sim.send(from, toTapBytes(frame));
  }

  #take(sighting: Sighting, { node, hops, endpoints }: CaptureScene): void {
    const { hop, timeNs, bytes, at, captured } = sighting;
    const name = hops.find(({ way }) => way === hop)?.name ?? `to ${endpoints[hop & 0xff_ffff]}`;
    const outgoing = sighting.is(SightingBit.Outgoing);
    this.seen.push({ node, hop: name, timeNs, outgoing, bytes: bytes.slice(at, at + captured) });
  }
}

/** Superframes, datagrams and fragments between three pods, over links with every fault. */
function conversation(world: World): World {
  const { sim } = world;
  const settings = { delayMs: 20, jitterMs: 15, loss: 0.1, duplicate: 0.1, reorder: 0.1 };
  for (const [i, { name }] of topology.nodes.entries()) {
    const others = topology.nodes.filter((other) => other.name !== name);
    sim.setLinks(name, new Map(others.map((other, j) => [other.name, { ...settings, seed: i * 10 + j }])));
  }
  const random = new Random(1);
  for (let i = 0; i < 200; i++) {
    const from = random.below(3);
    const ends = { source: addresses[from]!, destination: addresses[random.below(3)]! };
    if (random.once(3)) world.send(pods[from]!, { ...ends, payload: 65_000, gsoSize: 1000, sequence: i * 65_000 });
    else
      world.send(pods[from]!, { ...ends, protocol: 'udp', payload: random.below(2000), dontFragment: random.once(2) });
    sim.advance(random.below(20));
  }
  sim.advance(1000);
  return world;
}

describe('captures of a simulated cluster', () => {
  test('tell of a packet at every hop, in order, at virtual times', () => {
    const world = new World();
    world.sim.advance(2500);
    world.send(pods[0]!, { source: addresses[0]!, destination: addresses[1]!, protocol: 'udp' });
    world.sim.advance(0);
    expect(world.seen.map(({ node, hop, timeNs, outgoing }) => [node, hop, timeNs - 2.5e9, outgoing])).toEqual([
      ['n1', 'pod/default/a', 0, false],
      ['n1', 'to n2', 1, true],
      ['n2', 'to n1', 2, false],
      ['n2', 'pod/default/b', 3, true],
    ]);
    const [sent, outer] = world.seen.map(({ bytes }) => parseFrame(bytes));
    expect(sent).toMatchObject({ source: addresses[0], destination: addresses[1] });
    expect(outer).toMatchObject({ source: '172.18.0.2', destination: '172.18.0.3', destinationPort: 4789 });
    expect(world.seen[1]!.bytes).toEqual(world.seen[2]!.bytes);
  });

  test('change nothing', () => {
    const bare = conversation(new World(false));
    const captured = conversation(new World());
    expect(captured.left.length).toBeGreaterThan(200);
    expect(captured.left).toEqual(bare.left);
  });

  test('lose nothing, and never go back in time', () => {
    const { seen, toPorts, captures, sim } = conversation(new World());
    expect(captures!.lost).toBe(0);
    for (const [i, { timeNs }] of seen.entries()) if (i > 0) expect(timeNs).toBeGreaterThan(seen[i - 1]!.timeNs);
    expect(seen.filter(({ hop, outgoing }) => outgoing && hop.startsWith('pod/'))).toHaveLength(toPorts);
    const received = [...sim.nodes.values()].map(({ dataplane }) => dataplane.counters.snapshot().received);
    expect(seen.filter(({ outgoing }) => !outgoing)).toHaveLength(received.reduce((all, one) => all + one));
  });
});

test('a frame with outer headers arrives as the row of datagrams in it does', () => {
  const world = new World();
  world.send(pods[0]!, { source: addresses[0]!, destination: addresses[1]!, protocol: 'udp', payload: 9 });
  world.sim.advance(0);
  const [, , received, delivered] = world.seen;
  const other = new World();
  other.sim.sendOuter('n2', received!.bytes);
  other.sim.advance(0);
  expect(other.seen.map(({ hop, bytes }) => [hop, bytes])).toEqual([
    [received!.hop, received!.bytes],
    [delivered!.hop, delivered!.bytes],
  ]);
});

test('a frame with other headers is dropped by name', () => {
  const { sim } = new World();
  const vxlan = joined([8, 0, 0, 0, 0, 0, 9, 0], buildFrame());
  const ends = { source: '172.18.0.2', destination: '172.18.0.3', protocol: 'udp' } as const;
  sim.sendOuter('n2', buildFrame({ ...ends, destinationPort: 4789, payload: vxlan }));
  sim.sendOuter('n2', buildFrame(ends));
  sim.sendOuter('n2', new Uint8Array(3));
  expect(() => sim.send({ node: 'n9', port: 0 }, toTapBytes(plainFrame(buildFrame())))).toThrow('no node n9');
  sim.advance(0);
  const { received, dropped } = sim.nodes.get('n2')!.dataplane.counters.snapshot();
  expect({ received, dropped }).toEqual({ received: 3, dropped: { UnknownVni: 1, BadVxlan: 1, UnknownEndpoint: 1 } });
});
