/** A cluster's nodes played in this process from what they were told, and one probe in it: no packet leaves. */
import type { ClusterTables } from '../api/cluster-api.ts';
import { ClusterFeed } from '../cluster/cluster-feed.ts';
import type { NodeUpdate, ProbeProtocol, ProbeReport, WorkloadPort, WorkloadSpec } from '../nodes/protocol.ts';
import { randomWords } from '../nodes/random-words.ts';
import { PodEnd } from '../sim/pod-end.ts';
import { ProbeRun } from '../sim/probe-run.ts';
import { SimCaptures } from '../sim/sim-captures.ts';
import type { PlaceSpec, SimRoom } from '../sim/sim-node.ts';
import { serveWorkload } from '../sim/sim-workload.ts';
import { HOST, Simulation } from '../sim/simulation.ts';
import { type Seen, seenOf } from './seen.ts';

const SEED = 1;
/** For one probe. */
const ROOM: SimRoom = { connections: 1024, affinity: 1024, linkBytes: 1 << 18, reassembly: 4 };

export interface DryQuestion {
  readonly node: string;
  /** Of a pod there, or its own. */
  readonly source: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: ProbeProtocol;
}

/** For one probe. */
export class DryCluster {
  readonly #tables: ClusterTables;
  readonly #programs: ReadonlyMap<string, readonly WorkloadPort[]>;
  readonly #feed: ClusterFeed;
  readonly #simulation: Simulation;
  readonly #random = randomWords(SEED);
  /** By node and port number; by node and address. */
  readonly #ends = new Map<string, PodEnd>();
  readonly #endOf = new Map<string, PodEnd>();

  /** @param programs ports of pods with programs of their own, by `namespace/name`: there is nobody else to answer. */
  constructor(tables: ClusterTables, programs: ReadonlyMap<string, readonly WorkloadPort[]> = new Map()) {
    const { topology } = tables;
    this.#tables = tables;
    this.#programs = programs;
    this.#feed = new ClusterFeed(topology);
    this.#simulation = new Simulation(
      { topology, feed: this.#feed },
      {
        seed: SEED,
        room: ROOM,
        onPort: ({ node, port, bytes }) => this.#ends.get(`${node} ${port}`)?.receive(bytes),
        onWire: () => {},
      },
    );
    for (const node of topology.nodes) this.#addEnd(node.name, HOST, this.#simulation.hostOf(node));
    for (const { name, update, pods } of tables.nodes) {
      const own = this.#feed.nodes.get(name)!.pods;
      for (const [pod, index] of pods) own.set(pod, index); // what captures name them by
      this.#tell(name, update);
    }
  }

  probe(question: DryQuestion): { report: ProbeReport; seen: Seen[] } {
    const { node, source, address, port, protocol } = question;
    const end = this.#endOf.get(`${node} ${source}`);
    if (end === undefined) throw new Error(`nobody has ${source} on ${node}`);
    const seen: Seen[] = [];
    const plan = { topology: this.#tables.topology, feed: this.#feed };
    const captures = new SimCaptures(this.#simulation, plan, (sighting, scene) => {
      const one = seenOf(sighting, scene);
      if (one !== undefined) seen.push(one);
    });
    const ask = { end, node, address, port, protocol: protocol.toLowerCase() as Lowercase<ProbeProtocol> };
    const [report] = new ProbeRun(this.#simulation, 'orderly').run([ask]);
    captures.close();
    return { report: { outcome: report!.outcome, detail: report!.detail, source: undefined }, seen };
  }

  #tell(node: string, update: NodeUpdate): void {
    this.#simulation.update(node, update);
    for (const pod of update.addPods ?? []) this.#addEnd(node, pod.index, pod);
    for (const spec of update.workloads ?? []) this.#serve(node, spec);
    const others = this.#tables.topology.nodes.filter(({ name }) => name !== node);
    const links = (update.links ?? []).flatMap(({ endpoint, ...settings }) => {
      const to = others[endpoint]?.name;
      return to === undefined ? [] : [[to, settings] as const];
    });
    this.#simulation.setLinks(node, new Map(links));
  }

  #addEnd(node: string, port: number, { mac, addresses }: PlaceSpec): void {
    const simulation = this.#simulation;
    const end = new PodEnd({
      ...{ mac, addresses, mtu: this.#tables.topology.podMtu, random: this.#random },
      send: (bytes) => simulation.send({ node, port }, bytes),
      nowMs: () => simulation.nowMs,
      plan: (timeMs, action) => simulation.plan(timeMs, action),
    });
    this.#ends.set(`${node} ${port}`, end);
    for (const address of addresses) this.#endOf.set(`${node} ${address}`, end);
  }

  /** As in a real pod, where nothing serves SCTP. */
  #serve(node: string, spec: WorkloadSpec): void {
    const declared = [...spec.ports, ...(this.#programs.get(`${spec.namespace}/${spec.name}`) ?? [])];
    const ports = declared.filter(({ protocol }) => protocol !== 'SCTP');
    this.#endOf.get(`${node} ${spec.addresses[0]}`)?.use((endpoint) => serveWorkload(endpoint, { ...spec, ports }));
  }
}
