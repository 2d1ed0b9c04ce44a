/**
 * A whole Kubernetes cluster in this process: control plane, nodes, and pods that answer, on a clock that moves only
 * when somebody waits for something. The same calls with the same seed give the same packets.
 */
import { ControlPlane } from '../cluster/control-plane.ts';
import { type Manifests, readManifests, readObjects } from '../cluster/manifests.ts';
import { Rollout } from '../cluster/rollout.ts';
import { planTopology, type Topology } from '../cluster/topology.ts';
import type { NodeUpdate, WorkloadSpec } from '../nodes/protocol.ts';
import { randomWords } from '../nodes/random-words.ts';
import { type ProbeProtocol, type ProbeResult, startProbe } from '../stack/probe.ts';
import { PodEnd } from './pod-end.ts';
import type { PlaceSpec } from './sim-node.ts';
import { serveWorkload } from './sim-workload.ts';
import { HOST, Simulation } from './simulation.ts';

/** Long enough for a lost SYN to be sent again twice. Virtual time. */
const PROBE_TIMEOUT_MS = 5000;
/** How long an answered probe's connection has to close in order. */
const CLOSING_MS = 1;

export interface SimClusterOptions {
  readonly nodes?: number | undefined;
  readonly seed?: number | undefined;
}

/** What an endpoint saw, and what the nodes meanwhile dropped: reason → packets. */
export interface ProbeReport extends ProbeResult {
  readonly dropped: Readonly<Record<string, number>>;
}

export class SimCluster {
  readonly topology: Topology;
  readonly plane: ControlPlane;
  readonly simulation: Simulation;
  readonly #rollout: Rollout;
  readonly #random: () => number;
  /** By node and port number. */
  readonly #ends = new Map<string, PodEnd>();
  /** The same, by node and first address. */
  readonly #endOf = new Map<string, PodEnd>();
  /** What closes the ports of a pod, by `namespace/name`. */
  readonly #closers = new Map<string, () => void>();

  constructor({ nodes, seed = 1 }: SimClusterOptions = {}, manifests: Manifests = NO_MANIFESTS) {
    let uids = 0;
    this.topology = planTopology(manifests, { nodes });
    this.plane = new ControlPlane(this.topology, { now: () => this.#now(), uid: () => `uid-${++uids}` });
    this.#random = randomWords(seed);
    this.#rollout = new Rollout(this.topology, this.plane, {
      podInterface: '',
      createPod: () => '',
      startPod: () => {},
      tell: async (node, update) => this.#tell(node, update),
      endPod: async ({ key }) => {
        this.#closers.get(key)?.();
        this.#closers.delete(key);
        this.simulation.advance(0);
      },
      removePod: () => {},
      log: () => {},
    });
    this.simulation = new Simulation(
      { topology: this.topology, feed: this.#rollout.feed },
      {
        seed,
        onPort: ({ node, port, bytes }) => this.#ends.get(endKey(node, port))?.receive(bytes),
        onWire: () => {},
      },
    );
    for (const node of this.topology.nodes) this.#addEnd(node.name, HOST, this.simulation.hostOf(node));
    for (const name of this.simulation.nodes.keys()) this.plane.nodeReady(name, true);
  }

  /** In force when it resolves. @throws ManifestError, with nothing changed. */
  async apply(input: string | object | readonly object[]): Promise<void> {
    const { objects } = read(input);
    this.plane.admit(objects);
    this.plane.apply(objects);
    await this.#rollout.settle();
  }

  async delete(input: string | object | readonly object[]): Promise<void> {
    this.plane.delete(read(input).objects.map(({ object }) => object));
    await this.#rollout.ended();
  }

  /** @param at a node, and an address there: a pod's or the node's own. */
  probe(at: { node: string; address: string }, target: { protocol: ProbeProtocol; address: string; port: number }) {
    const end = this.#endOf.get(`${at.node} ${at.address}`);
    if (end === undefined) throw new Error(`nobody has ${at.address} on ${at.node}`);
    const before = this.#drops();
    let result: ProbeResult | undefined;
    end.use((endpoint) =>
      startProbe(endpoint, { ...target, timeoutMs: PROBE_TIMEOUT_MS }, (found) => {
        result = found;
      }),
    );
    for (let step = 0; result === undefined; step = Math.min(50, step + 1)) this.simulation.advance(step);
    this.simulation.advance(CLOSING_MS);
    const dropped: Record<string, number> = {};
    for (const [reason, count] of this.#drops()) {
      if (count > (before.get(reason) ?? 0)) dropped[reason] = count - (before.get(reason) ?? 0);
    }
    return { ...result, dropped } satisfies ProbeReport;
  }

  #tell(node: string, update: NodeUpdate): void {
    this.simulation.update(node, update);
    for (const pod of update.addPods ?? []) this.#addEnd(node, pod.index, pod);
    for (const index of update.removePods ?? []) {
      this.#ends.get(endKey(node, index))?.close();
      this.#ends.delete(endKey(node, index));
    }
    for (const spec of update.workloads ?? []) this.#serve(node, spec);
  }

  #addEnd(node: string, port: number, place: PlaceSpec): void {
    const { simulation } = this;
    const end = new PodEnd({
      mac: place.mac,
      addresses: place.addresses,
      mtu: this.topology.podMtu,
      random: this.#random,
      send: (bytes) => simulation.send({ node, port }, bytes),
      nowMs: () => simulation.nowMs,
      plan: (timeMs, action) => simulation.plan(timeMs, action),
    });
    this.#ends.set(endKey(node, port), end);
    for (const address of place.addresses) this.#endOf.set(`${node} ${address}`, end);
  }

  #serve(node: string, spec: WorkloadSpec): void {
    const key = `${spec.namespace}/${spec.name}`;
    this.#closers.get(key)?.();
    const end = this.#endOf.get(`${node} ${spec.addresses[0]}`)!;
    this.#closers.set(
      key,
      end.use((endpoint) => serveWorkload(endpoint, spec)),
    );
    // What answers here answers probes too.
    if (spec.probes.length > 0) this.plane.podProbed(key, true);
  }

  #drops(): Map<string, number> {
    const drops = new Map<string, number>();
    for (const { dataplane } of this.simulation.nodes.values()) {
      for (const [reason, count] of Object.entries(dataplane.counters.snapshot().dropped)) {
        drops.set(reason, (drops.get(reason) ?? 0) + count);
      }
    }
    return drops;
  }

  /** Virtual time, counted from 1970. */
  #now(): string {
    return `${new Date(this.simulation?.nowMs ?? 0).toISOString().slice(0, 19)}Z`;
  }
}

const NO_MANIFESTS: Manifests = { cluster: undefined, objects: [], notes: [] };

function read(input: string | object | readonly object[]): Manifests {
  if (typeof input === 'string') return readManifests([{ file: 'input', text: input }]);
  return readObjects(Array.isArray(input) ? input : [input]);
}

function endKey(node: string, port: number): string {
  return `${node} ${port}`;
}
