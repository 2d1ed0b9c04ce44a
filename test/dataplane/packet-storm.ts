/**
 * A million packets through all stories, in a process of their own: `node --import tsx packet-storm.ts`. Prints, as
 * JSON, what the garbage collector had to do meanwhile; `test/system/dataplane-alloc.test.ts` judges. With `captured`, while a capture runs.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { Verdicts } from '../../src/dataplane/capture.ts';
import { Captures } from '../../src/dataplane/captures.ts';
import { receiveFromHost, receiveFromPod, receiveFromUnderlay } from '../../src/dataplane/receive.ts';
import { ChecksumState, type Packet } from '../../src/packet/packet.ts';
import { PolicyCompiler } from '../../src/policy/policy-compiler.ts';
import type { CompiledPolicies } from '../../src/policy/policy-table.ts';
import { createRing } from '../../src/recording/ring.ts';
import type { ServiceSpec } from '../../src/service/service-spec.ts';
import { rules } from '../policy/rules.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { PACKETS } from '../support/packets.ts';
import { tablesOf } from '../support/services.ts';
import { arp, NEXT_HOP, solicitation } from './link-frames.ts';
import { encapsulated, NODE_MAC, nodes, type PlaceName, places, World, words } from './world.ts';

/** Captured ones are fewer in a hurry: `PODWIRE_PACKETS` says how many. */
const COUNT = process.argv.includes('captured') ? PACKETS : 1_000_000;
const WARM_UP = 200_000;
/** Packets that leave garbage, to show that it would be seen. */
const PROOF = 500_000;
const LEGS = 5;

/** A frame in the arena, ready to be received again and again. */
interface Template {
  readonly from: PlaceName | 'tunnel';
  readonly at: number;
  readonly len: number;
  readonly checksum: number;
  /** Where the source port is, from the frame's start; 0 for a frame that is always the same. */
  readonly portAt: number;
}

function template(world: World, from: PlaceName | 'tunnel', bytes: Uint8Array, portAt = 0, partial = false): Template {
  const at = world.dp.arena.reserve(bytes.length);
  world.dp.arena.bytes.set(bytes, at);
  return { from, at, len: bytes.length, checksum: partial ? ChecksumState.Partial : ChecksumState.Complete, portAt };
}

function pod(spec: FrameSpec): Uint8Array {
  const source = places.web.addresses[spec.destination?.includes(':') ? 1 : 0];
  return buildFrame({ sourceMac: places.web.mac, destinationMac: NODE_MAC, source, ...spec });
}

function templates(world: World): Template[] {
  const udp = { protocol: 'udp', payload: 60 } as const;
  const [own4, own6] = places.web.addresses;
  const [far4, far6] = nodes.n2.pod;
  const host = { sourceMac: places.host.mac, source: '172.18.0.2', destination: own4, ...udp } as const;
  const ask = arp({ sourceMac: places.web.mac, sender: own4, target: '169.254.1.1' });
  return [
    template(world, 'web', pod({ destination: '10.244.1.3', ...udp }), 34),
    template(world, 'web', pod({ destination: '10.244.1.3', payload: 1000, checksum: 'partial' }), 34, true),
    template(world, 'web', pod({ destination: far4, ...udp }), 34),
    template(world, 'web', pod({ destination: far6, ...udp }), 54),
    template(world, 'web', pod({ destination: '10.96.0.1', destinationPort: 80, ...udp }), 34),
    template(world, 'web', pod({ destination: '10.96.0.2', destinationPort: 80, ...udp }), 34), // its own backend
    template(world, 'web', pod({ destination: '10.96.0.3', destinationPort: 80, ...udp })), // no endpoint
    template(world, 'host', buildFrame({ ...host, destination: '10.96.0.1', destinationPort: 80 }), 34),
    template(world, 'web', pod({ destination: '8.8.8.8', ...udp })),
    template(world, 'web', pod({ destination: '10.244.1.3', flags: 0 })),
    template(world, 'web', ask),
    template(world, 'web', pod({ sourceMac: places.web.mac, ...solicitation(own6, NEXT_HOP) })),
    template(world, 'host', buildFrame(host), 34),
    template(world, 'web', pod({ destination: far4, destinationPort: 9, ...udp }), 34), // denied
    template(world, 'tunnel', encapsulated('n2', udp), 42),
    template(world, 'tunnel', encapsulated('n2', { destination: own6, ...udp }), 62),
  ];
}

/** Both let the same through, but for one port that nobody uses: the pod moves with each change. */
function storedPolicies(): readonly CompiledPolicies[] {
  const peers = { '10.244.1.3/32': 1, '10.244.2.7/32': 2, 'fd00:10:244:2::7/128': 2, '10.244.1.2/32': 3 };
  const ports = 'UDP 80-90, UDP 1000-2000, UDP 8000-9000';
  const compiler = new PolicyCompiler();
  return [7, 8].map((unused, revision) => {
    const passing = `${ports}, UDP ${unused}`;
    const web = { index: 0, egress: { 0: 'all', 1: 'all', 2: passing, 3: 'all' }, ingress: { 2: passing } };
    const spec = rules(peers, web, { index: 1, ingress: { 3: 'all' } });
    return compiler.compile({ identities: [], portSets: [], rulesets: [], pods: [], numbering: 1, revision, ...spec });
  });
}

const policies = storedPolicies();

/** Receives one packet; about every tenth begins a flow, the others belong to one that is known. */
function receive(world: World, from: Template, pkt: Packet, at: number, i: number): void {
  const { dp } = world;
  pkt.at = at;
  pkt.len = from.len;
  pkt.checksum = from.checksum;
  pkt.gsoSize = 0;
  pkt.partialStart = 34;
  pkt.partialOffset = 16;
  dp.arena.copy(at, from.at, from.len);
  if (from.portAt !== 0) dp.arena.view.setUint16(at + from.portAt, 1024 + ((i >> 7) & 0x3fff));
  const nowMs = i >> 3;
  if (from.from === 'tunnel') receiveFromUnderlay(dp, pkt, nowMs);
  else if (from.from === 'host') receiveFromHost(dp, world.ports.host, pkt, nowMs);
  else receiveFromPod(dp, world.ports.web, pkt, nowMs);
  if ((i & 255) === 0) dp.connections.expire(nowMs, 1000);
  if ((i & 0x3fff) === 0) dp.setPolicies(policies[(i >> 14) & 1]!); // live flows are judged again
}

function service(address: string, ...backends: readonly string[]): ServiceSpec {
  const endpoints = backends.map((backend) => ({ address: backend, port: 8081 }));
  return { key: `default/${address}`, ports: [{ protocol: 'UDP', frontends: [{ address, port: 80 }], endpoints }] };
}

function quietWorld(): World {
  const world = new World({ connectionsMax: 65_536 });
  for (const port of Object.values(world.ports)) port.keeps = false;
  world.underlay.keeps = false;
  world.dp.setServices(
    tablesOf([
      { ...service('10.96.0.1', '10.244.1.3', nodes.n2.pod[0]), affinitySeconds: 2 },
      service('10.96.0.2', places.web.addresses[0]),
      service('10.96.0.3'),
    ]),
  );
  world.pkt.outerSource.set(words(nodes.n2.underlay));
  return world;
}

/** A reader that makes no copies: what has been told is read. Returns the bytes told since the last call. */
type Reader = () => number;

/** Words of the ring's head: bytes written, bytes read (`recording/ring.ts`). */
const HEAD = 0;
const TAIL = 1;

/** The clock is a small integer: a real one leaves a double behind each time it is read, measured as 15 collections. */
function captured(world: World): Reader {
  let now = 0;
  const captures = new Captures(world.dp, { address: 0x0a000001, routerMac: [1, 2] }, () => ++now);
  const ring = createRing(1 << 20);
  const hops = [0, ...Object.values(world.ports).map(({ way }) => way)];
  captures.start(captures.create({ snapLen: 256, verdicts: Verdicts.All, noise: true, hops, filter: undefined }, ring));
  const control = new Int32Array(ring, 0, 2);
  return () => {
    const told = control[HEAD]! - control[TAIL]!;
    control[TAIL] = control[HEAD]!;
    return told;
  };
}

export interface Storm {
  readonly packets: number;
  readonly received: number;
  readonly delivered: number;
  readonly inserted: number;
  readonly denied: number;
  /** Bytes told by a capture; 0 without one. */
  readonly told: number;
  readonly collections: number;
  /** Growth of the heap in a fifth of the packets, the middle one of five: a collection or two does not hide it. */
  readonly heapGrowthBytes: number;
  /** Collections of half as many packets that leave one small object each: proof that they would be seen. */
  readonly collectionsOfProof: number;
}

/** Entries of the collector reach their observer two turns of the event loop after the fact. */
async function collectionsDuring(run: () => void): Promise<number> {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  observer.observe({ entryTypes: ['gc'] });
  for (let turn = 0; turn < 4; turn++) await setImmediate();
  collections = 0;
  run();
  for (let turn = 0; turn < 4; turn++) await setImmediate();
  observer.disconnect();
  return collections;
}

/** Where the proof leaves its objects, so that they are really made. */
const kept: object[] = [];

async function storm(): Promise<Storm> {
  const world = quietWorld();
  const all = templates(world);
  const { pkt } = world;
  const { at } = pkt;
  const read = process.argv.includes('captured') ? captured(world) : () => 0;
  let told = 0;
  const run = (from: number, count: number) => {
    for (let i = from; i < from + count; i++) {
      receive(world, all[i % all.length]!, pkt, at, i);
      if ((i & 255) === 0) told += read();
    }
  };
  run(0, WARM_UP);
  const growths: number[] = [];
  const collections = await collectionsDuring(() => {
    for (let leg = 0; leg < LEGS; leg++) {
      const heap = process.memoryUsage().heapUsed;
      run(WARM_UP + (leg * COUNT) / LEGS, COUNT / LEGS);
      growths.push(process.memoryUsage().heapUsed - heap);
    }
  });
  const heapGrowthBytes = growths.sort((a, b) => a - b)[LEGS >> 1]!;
  const collectionsOfProof = await collectionsDuring(() => {
    for (let i = 0; i < PROOF; i++) {
      receive(world, all[i % all.length]!, pkt, at, WARM_UP + COUNT + i);
      kept[0] = { i };
      if ((i & 255) === 0) read();
    }
  });
  world.balance();
  const { received, delivered, dropped } = world.dp.counters.snapshot();
  const inserted = world.dp.connections.statistics.insert;
  const denied = dropped['PolicyDenied'] ?? 0;
  const flows = { received, delivered, inserted, denied };
  return { packets: COUNT, ...flows, told, collections, heapGrowthBytes, collectionsOfProof };
}

process.stdout.write(JSON.stringify(await storm()));
