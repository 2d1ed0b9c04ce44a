/** Captures of a simulated cluster: what every node tells of its packets, in the one order in which it happened. */
import { type CaptureScene, captureScene } from '../cluster/capture-scene.ts';
import type { ClusterPlan } from '../cluster/plan.ts';
import type { TopologyNode } from '../cluster/topology.ts';
import { Verdicts } from '../dataplane/capture.ts';
import { Captures } from '../dataplane/captures.ts';
import { addressWords } from '../nodes/compile-update.ts';
import { createRing, RingReader } from '../recording/ring.ts';
import { Sighting, SightingBytes, SightingKind } from '../recording/sighting.ts';
import { ADDRESS_WORDS } from '../wire/address.ts';
import type { Simulation } from './simulation.ts';

/** No event tells of more: one row of datagrams, in and out again, or the errors about all datagrams in pieces. */
const RING_BYTES = 1 << 20;
const WHOLE_FRAMES = 1 << 18;
const NS_PER_MS = 1_000_000;

interface Tapped {
  readonly stop: () => void;
  readonly scene: CaptureScene;
  readonly reader: RingReader;
}

/** Tells of every packet at every hop. Rings are emptied after every event, so nothing waits and nothing is lost. */
export class SimCaptures {
  /** Sightings that no ring had room for: anything but 0 is a bug. */
  lost = 0;
  readonly #sim: Simulation;
  readonly #take: (sighting: Sighting, scene: CaptureScene) => void;
  readonly #nodes = new Map<string, Tapped>();
  readonly #sighting = new Sighting();
  #lastNs = -1;

  /** @param take the sighting is used again: copy what is to be kept. Its time is virtual: ns since the start. */
  constructor(
    sim: Simulation,
    plan: Pick<ClusterPlan, 'topology' | 'feed'>,
    take: (sighting: Sighting, scene: CaptureScene) => void,
  ) {
    this.#sim = sim;
    this.#take = take;
    for (const node of plan.topology.nodes) this.#nodes.set(node.name, this.#tap(plan, node));
    sim.watcher = (name) => this.#drain(this.#nodes.get(name)!);
  }

  /** Nobody listens any more. */
  close(): void {
    this.#sim.watcher = undefined;
    for (const { stop } of this.#nodes.values()) stop();
  }

  #tap({ topology, feed }: Pick<ClusterPlan, 'topology' | 'feed'>, node: TopologyNode): Tapped {
    const scene = captureScene(topology, node, feed.nodes.get(node.name)!.pods);
    const { dataplane } = this.#sim.nodes.get(node.name)!;
    const address = addressWords(node.underlayAddress)[ADDRESS_WORDS - 1]!;
    const captures = new Captures(dataplane, { address, routerMac: undefined }, () => this.#clockNs());
    const ring = createRing(RING_BYTES);
    const hops = scene.hops.map((hop) => hop.way);
    const spec = { snapLen: WHOLE_FRAMES, verdicts: Verdicts.All, noise: true, hops, filter: undefined };
    const capture = captures.create(spec, ring);
    captures.start(capture);
    return { stop: () => captures.stop(capture), scene, reader: new RingReader(ring) };
  }

  /**
   * The virtual time of the event; what happens at one time is a nanosecond apart, so that an order by time is the order
   * in which it happened. (Exact for 104 days, 2^53 ns; the order that `take` is called in stays right.)
   */
  #clockNs(): number {
    this.#lastNs = Math.max(this.#lastNs + 1, Math.round(this.#sim.nowMs * NS_PER_MS));
    return this.#lastNs;
  }

  #drain({ scene, reader }: Tapped): void {
    const sighting = this.#sighting;
    for (let bytes = reader.take(RING_BYTES); bytes !== undefined; bytes = reader.take(RING_BYTES)) {
      const source = new SightingBytes(bytes.buffer as ArrayBuffer);
      for (let at = 0; at < bytes.length; ) {
        at += sighting.read(source, at);
        if (sighting.kind !== SightingKind.Packet) continue;
        this.lost += sighting.lost;
        this.#take(sighting, scene);
      }
    }
  }
}
