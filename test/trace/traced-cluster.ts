/** Traces in a simulated cluster: of a probe there, and of one in a dry run of its tables. */
import type { ClusterTables } from '../../src/api/cluster-api.ts';
import { fetchTables, getTables } from '../../src/api/tables.ts';
import type { PolicyWorld } from '../../src/network-policy/policy-world.ts';
import type { ProbeProtocol } from '../../src/nodes/protocol.ts';
import { SimCaptures } from '../../src/sim/sim-captures.ts';
import { SimCluster } from '../../src/sim/sim-cluster.ts';
import { kinds } from '../../src/store/resources.ts';
import { DryCluster } from '../../src/trace/dry-run.ts';
import { type Beginning, follow } from '../../src/trace/follow.ts';
import { Names } from '../../src/trace/names.ts';
import { type Seen, seenOf } from '../../src/trace/seen.ts';
import { tellStory } from '../../src/trace/story.ts';
import { makeTrace, type Trace, type TraceInput } from '../../src/trace/trace.ts';

export interface Question {
  readonly node: string;
  readonly source: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: ProbeProtocol;
}

const numbers = { TCP: 6, UDP: 17, SCTP: 132, ICMP: 1 } as const;

export class TracedCluster {
  readonly sim: SimCluster;
  /** Of the last trace. */
  seen: Seen[] = [];
  /** Set when the world was changed. */
  #tables: ClusterTables | undefined;

  constructor(nodes = 2, seed = 1) {
    this.sim = new SimCluster({ nodes, seed });
  }

  async apply(input: string | object | readonly object[]): Promise<void> {
    await this.sim.apply(input);
    this.#tables = undefined;
  }

  get world(): PolicyWorld {
    return this.sim.policyWorld();
  }

  /** By packets of the simulated cluster itself. @param world what policies are when it is told */
  trace(question: Question, world = this.world): Trace {
    const { node, source, address, port, protocol } = question;
    const seen: Seen[] = [];
    const captures = new SimCaptures(this.sim.simulation, this.sim.plan, (sighting, scene) => {
      const one = seenOf(sighting, scene);
      if (one !== undefined) seen.push(one);
    });
    const target = { address, port, protocol: protocol.toLowerCase() as Lowercase<ProbeProtocol> };
    const report = this.sim.probe({ node, address: source }, target);
    captures.close();
    return this.#told(question, { report, seen, dryRun: false, world });
  }

  /** By a copy, made from what `GET tables` answers. */
  async dryTrace(question: Question): Promise<Trace> {
    const { report, seen } = new DryCluster(await this.tables()).probe(question);
    return this.#told(question, { report, seen, dryRun: true, world: this.world });
  }

  async tables(): Promise<ClusterTables> {
    const { topology, feed } = this.sim.plan;
    const nodes = [...feed.nodes].map(([name, one]) => ({ name, update: one.snapshot(0), pods: [...one.pods] }));
    const text = JSON.stringify(getTables({ tables: () => ({ topology, nodes }) }));
    this.#tables ??= await fetchTables({ get: async () => JSON.parse(text) });
    return this.#tables;
  }

  #told(
    question: Question,
    { seen, ...input }: Pick<TraceInput, 'report' | 'dryRun' | 'world'> & { seen: Seen[] },
  ): Trace {
    const { node, protocol, source, address, port } = question;
    this.seen = seen;
    const isHost = this.sim.topology.nodes.some(({ underlayAddress }) => underlayAddress === source);
    const beginning: Beginning = {
      ...(isHost ? { node, from: 'host' } : { node, from: 'pod', source }),
      protocol: protocol === 'ICMP' && address.includes(':') ? 58 : numbers[protocol],
      destination: address,
      ...(protocol === 'ICMP' ? {} : { destinationPort: port }),
    };
    const { store } = this.sim.plane;
    const names = new Names(store.list(kinds.Node), store.list(kinds.Pod), store.list(kinds.Service));
    const story = tellStory(follow(seen, beginning));
    const asked = { from: `pod ${source}`, to: `${address}, port ${port}`, protocol, notes: [] };
    return makeTrace({ question: asked, story, names, ...input });
  }
}

export function pod(
  name: string,
  node: string,
  more: { labels?: object; ports?: readonly object[]; namespace?: string } = {},
) {
  const { labels = {}, ports = [{ containerPort: 80 }], namespace = 'default' } = more;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { nodeName: node, containers: [{ name: 'main', image: 'none', ports }] },
  };
}
