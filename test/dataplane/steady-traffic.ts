/**
 * Packets of open flows through the stories, in both directions, in a process of their own. Prints, as JSON, what they
 * left for the garbage collector; `allocation.test.ts` judges. `node --expose-gc --max-semi-space-size=1`: a collection
 * comes after one megabyte, counted from a collection that was asked for.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { receiveFromPod, receiveFromUnderlay } from '../../src/dataplane/receive.ts';
import { ChecksumState } from '../../src/packet/packet.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { tablesOf } from '../support/services.ts';
import { encapsulated, NODE_MAC, nodes, places, World, words } from './world.ts';

const WARM_UP = 256_000;
/** As many as a node's loop handles by one reading of the clock. Counts are multiples of it. */
const BATCH = 64;
/** Of one flow, both directions. */
const FLOW_COUNT = 20_032;
/** Entries of the collector reach their observer some turns of the event loop after the fact. */
const TURNS = 4;
const HEADERS_MAX = 128;
const VXLAN_LEN = 8;
const SYN = 2;
const SYN_ACK = 0x12;
const ACK = 0x10;
const TIMESTAMPS = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
const MSS = 1370;

/** One direction of a flow: a frame in the arena, received again and again. */
interface Leg {
  readonly fromPod: boolean;
  readonly at: number;
  readonly len: number;
  readonly payload: number;
  readonly gsoSize: number;
  readonly checksum: number;
  readonly partialStart: number;
  readonly partialOffset: number;
  /** From the frame's start; 0 for UDP. */
  readonly sequenceAt: number;
}

interface FlowSpec {
  readonly family: 0 | 1;
  readonly protocol: 'tcp' | 'udp';
  readonly translated: boolean;
  readonly superframe: boolean;
}

const vips = ['10.96.0.1', 'fd00:10:96::1'] as const;

const flowSpecs: readonly FlowSpec[] = ([0, 1] as const).flatMap((family) =>
  [false, true].flatMap((translated) => [
    { family, protocol: 'udp' as const, translated, superframe: false },
    { family, protocol: 'tcp' as const, translated, superframe: false },
    { family, protocol: 'tcp' as const, translated, superframe: true },
  ]),
);

let milliseconds = 1000.25;
function clock(): number {
  milliseconds += 0.37;
  return milliseconds;
}

/** A node with a Service, whose ports and underlay only count. */
class Traffic {
  readonly world = new World();
  readonly legs: Leg[] = [];
  readonly #at: number;
  /** How much TCP has sent in each flow, both sides the same. */
  readonly #sent: Int32Array;

  constructor() {
    const { world } = this;
    this.#at = world.pkt.at;
    this.#sent = new Int32Array(flowSpecs.length);
    const endpoints = nodes.n2.pod.map((address) => ({ address, port: 8080 }));
    const ports = (['TCP', 'UDP'] as const).flatMap((protocol) =>
      vips.map((address, family) => ({
        protocol,
        frontends: [{ address, port: 80 }],
        endpoints: [endpoints[family]!],
      })),
    );
    world.dp.setServices(tablesOf([{ key: 'default/s', ports }]));
    world.pkt.outerSource.set(words(nodes.n2.underlay));
    for (const [index, spec] of flowSpecs.entries()) this.#open(spec, 40_000 + index);
    for (const port of Object.values(world.ports)) port.keeps = false;
    world.underlay.keeps = false;
  }

  #open({ family, protocol, translated, superframe }: FlowSpec, sourcePort: number): void {
    const { world } = this;
    const there = nodes.n2.pod[family];
    const web = places.web.addresses[family];
    const way = translated
      ? { destination: vips[family], destinationPort: 80 }
      : { destination: there, destinationPort: 8080 };
    const out = { sourceMac: places.web.mac, destinationMac: NODE_MAC, source: web, protocol, sourcePort, ...way };
    const back = { destination: web, protocol, sourcePort: 8080, destinationPort: sourcePort };
    if (protocol === 'tcp') {
      world.sendBytes('web', buildFrame({ ...out, flags: SYN, window: 65_535 }));
      world.tunnel('n2', { ...back, flags: SYN_ACK, window: 65_535, sequence: 1000 });
    }
    const payload = superframe ? 20 * MSS : 100;
    const rest: FrameSpec = { flags: ACK, window: 65_535, tcpOptions: TIMESTAMPS, payload };
    const offload = superframe ? { gsoSize: MSS } : {};
    const sequenceAt = protocol === 'tcp' ? 14 + (family === 0 ? 20 : 40) + 4 : 0;
    const common = { payload, gsoSize: offload.gsoSize ?? 0, sequenceAt };
    // A pod's kernel leaves checksums undone; what comes from a wire is finished, unless it came whole.
    this.#leg(true, buildFrame({ ...out, ...rest, ...offload, checksum: 'partial' }), common, true);
    this.#leg(false, encapsulated('n2', { ...back, ...rest, ...offload }), common, superframe);
  }

  #leg(fromPod: boolean, bytes: Uint8Array, common: Pick<Leg, 'payload' | 'gsoSize' | 'sequenceAt'>, partial: boolean) {
    const { arena } = this.world.dp;
    const at = arena.reserve(bytes.length);
    arena.bytes.set(bytes, at);
    const inner = fromPod ? 0 : VXLAN_LEN;
    const partialStart = bytes[inner + 12] === 8 ? 34 : 54;
    this.legs.push({
      ...common,
      fromPod,
      at,
      len: bytes.length,
      checksum: partial ? ChecksumState.Partial : ChecksumState.Unverified,
      partialStart,
      partialOffset: common.sequenceAt > 0 ? 16 : 6,
      sequenceAt: common.sequenceAt > 0 ? common.sequenceAt + inner : 0,
    });
  }

  /** Receives that many packets, of those legs by turns, in batches as a node's loop does. @param plant is called for each. */
  run(legs: readonly number[], count: number, plant: (i: number) => void): void {
    for (let i = 0; i < count; i += BATCH) this.#batch(legs, i, clock(), plant);
  }

  #batch(legs: readonly number[], from: number, nowMs: number, plant: (i: number) => void): void {
    for (let i = from; i < from + BATCH; i++) {
      this.#receive(legs[i % legs.length]!, nowMs);
      plant(i);
    }
  }

  #receive(number: number, nowMs: number): void {
    const { world } = this;
    const { pkt, dp } = world;
    const { view } = dp.arena;
    const leg = this.legs[number]!;
    const at = this.#at;
    pkt.at = at;
    pkt.len = leg.len;
    pkt.checksum = leg.checksum;
    pkt.gsoSize = leg.gsoSize;
    pkt.partialStart = leg.partialStart;
    pkt.partialOffset = leg.partialOffset;
    dp.arena.copy(at, leg.at, Math.min(leg.len, HEADERS_MAX));
    if (leg.sequenceAt > 0) {
      // Both say as much as the other, one after the other; the first acknowledges all, the second what it has just got.
      const flow = number >> 1;
      const sent = this.#sent[flow]!;
      const ends = leg.fromPod ? sent : sent + leg.payload;
      view.setInt32(at + leg.sequenceAt, 1001 + sent);
      view.setInt32(at + leg.sequenceAt + 4, 1001 + ends);
      if (!leg.fromPod) this.#sent[flow] = sent + leg.payload;
    }
    const outcome = leg.fromPod ? receiveFromPod(dp, world.ports.web, pkt, nowMs) : receiveFromUnderlay(dp, pkt, nowMs);
    if (outcome < 0) throw new Error(`leg ${number} was dropped: ${outcome}`);
  }
}

export interface Allocation {
  readonly packets: number;
  readonly delivered: number;
  readonly connections: number;
  /** Collections while the packets went through. */
  readonly collections: number;
  /** Of each flow's packets, both directions. */
  readonly bytesPerPacket: Readonly<Record<string, number>>;
}

/** Sends packets of one flow after the other. */
async function measure(traffic: Traffic, plant: (i: number) => void): Promise<Allocation> {
  const { counters, connections } = traffic.world.dp;
  const growths = new Float64Array(flowSpecs.length);
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  observer.observe({ entryTypes: ['gc'] });
  (globalThis as unknown as { gc(options: object): void }).gc({ type: 'minor' });
  for (let turn = 0; turn < TURNS; turn++) await setImmediate();
  collections = 0;
  const before = counters.snapshot().delivered;
  for (let flow = 0; flow < flowSpecs.length; flow++) {
    const heap = process.memoryUsage().heapUsed;
    traffic.run([flow * 2, flow * 2 + 1], FLOW_COUNT, plant);
    growths[flow] = process.memoryUsage().heapUsed - heap;
  }
  for (let turn = 0; turn < TURNS; turn++) await setImmediate();
  observer.disconnect();
  return {
    packets: FLOW_COUNT * flowSpecs.length,
    delivered: counters.snapshot().delivered - before,
    connections: connections.count,
    collections,
    bytesPerPacket: Object.fromEntries(flowSpecs.map((spec, i) => [nameOf(spec), growths[i]! / FLOW_COUNT])),
  };
}

function isQuiet({ collections, bytesPerPacket }: Allocation): boolean {
  return collections === 0 && Math.max(...Object.values(bytesPerPacket)) < 1;
}

function nameOf({ family, protocol, translated, superframe }: FlowSpec): string {
  return `${protocol} IPv${family === 0 ? 4 : 6}${translated ? ' translated' : ''}${superframe ? ' superframes' : ''}`;
}

/** Where planted garbage is left, so that it is really made: objects, and numbers that need a box. */
const kept: unknown[] = [{}, 'box'];

function nothing(): void {}
function plantObject(i: number): void {
  kept[0] = { i };
}
function plantNumber(i: number): void {
  kept[1] = i + 0.5;
}

const traffic = new Traffic();
traffic.run([...traffic.legs.keys()], WARM_UP, nothing);
await measure(traffic, nothing);
let stories = await measure(traffic, nothing);
// On a loaded machine functions may be optimized late; what is wrong stays wrong.
for (let again = 0; again < 2 && !isQuiet(stories); again++) stories = await measure(traffic, nothing);
const object = await measure(traffic, plantObject);
const boxedNumber = await measure(traffic, plantNumber);
traffic.world.balance();
process.stdout.write(JSON.stringify({ stories, object, boxedNumber }));
