/**
 * A whole Kubernetes cluster in this process: control plane, nodes, and pods that answer, on a clock that moves only
 * when somebody waits for something. The same calls with the same seed give the same packets.
 */
import { ControlPlane } from '../cluster/control-plane.ts';
import type { ManifestObject } from '../cluster/manifest-object.ts';
import { type Manifests, readManifests, readObjects } from '../cluster/manifests.ts';
import type { ClusterPlan } from '../cluster/plan.ts';
import { Rollout } from '../cluster/rollout.ts';
import { planTopology, type Topology } from '../cluster/topology.ts';
import type { PolicyWorld } from '../network-policy/policy-world.ts';
import type { NodeUpdate, WorkloadSpec } from '../nodes/protocol.ts';
import { randomWords } from '../nodes/random-words.ts';
import type { ProbeProtocol } from '../stack/probe.ts';
import { PodEnd } from './pod-end.ts';
import { type ProbeAsk, type ProbeReport, ProbeRun } from './probe-run.ts';
import type { PlaceSpec, SimRoom } from './sim-node.ts';
import { serveWorkload } from './sim-workload.ts';
import { HOST, Simulation } from './simulation.ts';

/** How long an answered probe's connection has to close in order. */
const CLOSING_MS = 1;
/** Fewer than the ICMP errors that a node may send at once, and than the connections that an end may open at once. */
const PROBES_AT_ONCE = 48;
/** After so long a node may send as many errors again. */
const ERRORS_MS = 50;
/** After so long connection tracking has forgotten what was never answered (Linux's nf_conntrack_tcp_timeout_syn_sent). */
const FORGOTTEN_MS = 121_000;
/** A tenth of a real node's: a cluster is made in milliseconds. Probes see to it that it is enough. */
const ROOM: SimRoom = { connections: 4096, affinity: 1024, linkBytes: 1 << 20, reassembly: 16 };

export interface SimClusterOptions {
  readonly nodes?: number | undefined;
  readonly seed?: number | undefined;
}

/** A place that asks: an address that is at home on a node. */
export interface SimAddress {
  readonly node: string;
  readonly address: string;
}

export interface SimTarget {
  readonly protocol: ProbeProtocol;
  readonly address: string;
  readonly port: number;
}

export interface SimQuestion {
  readonly at: SimAddress;
  readonly target: SimTarget;
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
    this.simulation = new Simulation(this.plan, {
      seed,
      room: ROOM,
      onPort: ({ node, port, bytes }) => this.#ends.get(endKey(node, port))?.receive(bytes),
      onWire: () => {},
    });
    for (const node of this.topology.nodes) this.#addEnd(node.name, HOST, this.simulation.hostOf(node));
    for (const name of this.simulation.nodes.keys()) this.plane.nodeReady(name, true);
  }

  /** In force when it resolves. @throws ManifestError, with nothing changed. */
  async apply(input: string | object | readonly object[]): Promise<void> {
    await this.applyManifests(read(input).objects);
  }

  /** The same for what has been read from files: answers then name them. */
  async applyManifests(objects: readonly ManifestObject[]): Promise<void> {
    this.plane.admit(objects);
    this.plane.apply(objects);
    await this.#rollout.settle();
  }

  async delete(input: string | object | readonly object[]): Promise<void> {
    this.plane.delete(read(input).objects.map(({ object }) => object));
    await this.#rollout.ended();
  }

  /** What captures are made from. */
  get plan(): Pick<ClusterPlan, 'topology' | 'feed'> {
    return { topology: this.topology, feed: this.#rollout.feed };
  }

  /** What decides over policies now. */
  policyWorld(): PolicyWorld {
    return this.plane.policyWorld()!;
  }

  /** @param at a node, and an address there: a pod's or the node's own. */
  probe(at: SimAddress, target: SimTarget): ProbeReport {
    const [report] = new ProbeRun(this.simulation, 'orderly').run([this.#ask({ at, target })]);
    this.simulation.advance(CLOSING_MS);
    return report!;
  }

  /** Many at once, some dozens of which begin at one moment. Their connections end by RST or ABORT once they are answered. */
  probeAll(questions: readonly SimQuestion[]): ProbeReport[] {
    const asks = questions.map((question) => this.#ask(question));
    const reports: ProbeReport[] = [];
    for (let from = 0; from < asks.length; from += PROBES_AT_ONCE) {
      const some = new ProbeRun(this.simulation, 'abort').run(asks.slice(from, from + PROBES_AT_ONCE));
      for (const report of some) reports.push(report);
      this.#rest(some);
    }
    return reports;
  }

  /** Ends it. Answers that were given stay; nothing more may be asked or applied. */
  close(): void {
    this.simulation.close();
  }

  /** Nobody waits for a place in a connection table, or for the right to be told of an error. */
  #rest(reports: readonly ProbeReport[]): void {
    let waitMs = reports.some(({ drop }) => drop !== undefined && drop.reason !== 'PolicyDenied') ? ERRORS_MS : 0;
    for (const { dataplane } of this.simulation.nodes.values()) {
      const { count, capacity } = dataplane.connections;
      if (count > capacity / 2) waitMs = FORGOTTEN_MS;
    }
    this.simulation.advance(waitMs);
  }

  #ask({ at: { node, address: own }, target: { protocol, address, port } }: SimQuestion): ProbeAsk {
    const end = this.#endOf.get(`${node} ${own}`);
    if (end === undefined) throw new Error(`nobody has ${own} on ${node}`);
    return { end, node, protocol, address, port };
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
