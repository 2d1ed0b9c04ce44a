/** A cluster in one process: the same seed gives the same bytes at the same times, and nothing vanishes. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { HOST, Simulation } from '../../src/sim/simulation.ts';
import { plainFrame, toTapBytes } from '../flows/wire-frame.ts';
import { namedCluster, type Place } from '../flows/worlds.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { Random } from '../support/random.ts';
import { smallRoom } from '../support/small-room.ts';

const { plan, topology, places } = namedCluster('three-nodes')!;
const pods = ['pod-a', 'pod-b', 'pod-d'].map((name) => places.get(name)!);
const addresses = pods.map((_, i) => `10.244.${i}.2`);
const PACKETS = 1000;

interface Trace {
  readonly lines: string[];
  readonly sim: Simulation;
}

function traced(seed: number): Trace {
  const lines: string[] = [];
  const hash = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex').slice(0, 12);
  const sim = new Simulation(plan, {
    room: smallRoom,
    seed,
    onPort: ({ timeMs, node, port, bytes }) => lines.push(`${timeMs} ${node}/${port} ${hash(bytes)}`),
    onWire: ({ timeMs, from, to, row }) => lines.push(`${timeMs} ${from}>${to} ${row.stride} ${hash(row.bytes)}`),
  });
  return { lines, sim };
}

function send(sim: Simulation, from: Place, spec: FrameSpec): void {
  const frame = { bytes: buildFrame({ ...from.ends, ...spec }), gsoSize: spec.gsoSize ?? 0, partial: !!spec.gsoSize };
  sim.send(from, toTapBytes(frame));
}

/** Three pods that talk over links with every fault for some simulated time. @param seed of links and nodes only. */
function conversation(seed: number): Trace {
  const trace = traced(seed);
  const { sim } = trace;
  const settings = { delayMs: 20, jitterMs: 15, loss: 0.1, duplicate: 0.1, reorder: 0.1 };
  for (const [i, { name }] of topology.nodes.entries()) {
    const others = topology.nodes.filter((other) => other.name !== name);
    sim.setLinks(name, new Map(others.map((other, j) => [other.name, { ...settings, seed: seed * 100 + i * 10 + j }])));
  }
  const random = new Random(1);
  for (let i = 0; i < PACKETS; i++) {
    const from = random.below(3);
    const ends = { source: addresses[from]!, destination: addresses[random.below(3)]! };
    const superframe = { ...ends, payload: random.between(1001, 5000), gsoSize: 1000, sequence: i * 5000 };
    const datagram = {
      ...ends,
      protocol: 'udp',
      payload: random.below(1400),
      sourcePort: random.between(1, 9),
    } as const;
    send(sim, pods[from]!, random.once(3) ? superframe : datagram);
    sim.advance(random.below(20));
  }
  sim.advance(1000);
  return trace;
}

describe('a simulated cluster', () => {
  test('does the same again with the same seed, and something else with another', () => {
    const first = conversation(1);
    expect(first.lines.length).toBeGreaterThan(PACKETS);
    expect(conversation(1).lines).toEqual(first.lines);
    expect(conversation(2).lines).not.toEqual(first.lines);
  });

  test('loses nothing but what it names', () => {
    const { sim } = conversation(3);
    for (const { dataplane } of sim.nodes.values()) {
      expect(dataplane.counters.check()).toBe(0);
      const { held, copied, split, dropped } = dataplane.counters.snapshot();
      expect(held).toBe(0);
      for (const count of [copied, split, dropped['LinkLoss']]) expect(count).toBeGreaterThan(10);
    }
  });

  test('every packet on a wire arrives at the other node, and nothing else does', () => {
    const { lines, sim } = conversation(4);
    const received = [...sim.nodes.values()].map(({ dataplane }) => dataplane.counters.snapshot().received);
    const onWires = lines.filter((line) => line.includes('>')).length;
    expect(received.reduce((a, b) => a + b)).toBe(PACKETS + onWires);
  });

  test('time moves only when it is told to, and events have the time at which they happen', () => {
    const { lines, sim } = traced(1);
    const link = { delayMs: 20, jitterMs: 0, loss: 0, duplicate: 0, reorder: 0, seed: 1 };
    sim.setLinks('n1', new Map([['n2', link]]));
    const times = () => lines.map((line) => line.split(' ').slice(0, 2).join(' '));
    send(sim, pods[0]!, { source: addresses[0]!, destination: addresses[1]!, protocol: 'udp' });
    expect(lines).toEqual([]);
    sim.advance(5);
    expect(lines).toEqual([]);
    send(sim, pods[0]!, { source: addresses[0]!, destination: addresses[1]!, protocol: 'udp' });
    sim.advance(100);
    expect(times()).toEqual(['20 n1>n2', '20 n2/0', '25 n1>n2', '25 n2/0']);
    expect(sim.nowMs).toBe(105);
  });

  test('connections time out while time passes', () => {
    const { sim } = traced(1);
    send(sim, pods[0]!, { source: addresses[0]!, destination: addresses[1]!, protocol: 'udp' });
    sim.advance(29_000);
    const { connections } = sim.nodes.get('n2')!.dataplane;
    expect(connections.count).toBe(1);
    sim.advance(3_000);
    expect(connections.count).toBe(0);
  });

  test('what a time-out makes a node say arrives within the same time', () => {
    const { lines, sim } = traced(1);
    const [n1, n2] = topology.nodes;
    const ends = { sourceMac: n1!.mac, destinationMac: n2!.mac, source: addresses[0]!, destination: addresses[1]! };
    const piece = { ...ends, protocol: 'udp', payload: 800, moreFragments: true, dontFragment: false } as const;
    const bytes = Uint8Array.of(8, 0, 0, 0, 0, 0, 1, 0, ...buildFrame(piece));
    sim.sendRow(n1!.underlayAddress, 'n2', { bytes, stride: bytes.length, tos: 0, port: 0 });
    sim.advance(40_000);
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['n2>n1']);
    expect(sim.nodes.get('n1')!.dataplane.counters.snapshot().received).toBe(1);
  });

  test('every node has a seed of its own, that follows from the one given', () => {
    const seeds = (seed: number) => [...traced(seed).sim.nodes.values()].map(({ dataplane }) => dataplane.node.seed);
    expect(new Set([...seeds(1), ...seeds(2)]).size).toBe(6);
    expect(seeds(1)).toEqual(seeds(1));
  });

  test('hosts have ports too', () => {
    const { lines, sim } = traced(1);
    const host = places.get('host-n1')!;
    expect(host.port).toBe(HOST);
    send(sim, host, { source: '172.18.0.2', destination: addresses[0]!, protocol: 'udp' });
    sim.advance(0);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^0 n1\/0 /);
  });

  test('a node that nobody knows is an error, not silence', () => {
    const { sim } = traced(1);
    const bytes = toTapBytes(plainFrame(buildFrame()));
    expect(() => sim.send({ node: 'n9', port: 0 }, bytes)).toThrow('no node n9');
  });
});
