/** A roll-out on a backend that writes down what it is asked for, and answers when the test says so. */
import { ControlPlane } from '../../src/cluster/control-plane.ts';
import { readManifests } from '../../src/cluster/manifests.ts';
import { Rollout } from '../../src/cluster/rollout.ts';
import { planTopology, type TopologyOptions } from '../../src/cluster/topology.ts';
import type { NodeUpdate } from '../../src/nodes/protocol.ts';

export class RolloutWorld {
  /** What was asked for, in order: `create a`, `tell n1`, `end a`, `remove a`. */
  readonly log: string[] = [];
  readonly updates: { node: string; update: NodeUpdate }[] = [];
  readonly topology;
  readonly plane: ControlPlane;
  readonly rollout: Rollout;
  /** Pods whose network cannot be made. */
  readonly broken = new Set<string>();
  /** Called before a node acknowledges. */
  acknowledge: (node: string) => Promise<void> = async () => {};
  /** Called before a pod has ended. */
  ending: (key: string) => Promise<void> = async () => {};

  constructor(nodes = 2, options: TopologyOptions = {}) {
    let uids = 0;
    this.topology = planTopology({ cluster: undefined, objects: [] }, { nodes, ...options });
    this.plane = new ControlPlane(this.topology, { now: () => '2026-01-01T00:00:00Z', uid: () => `uid-${++uids}` });
    this.rollout = new Rollout(this.topology, this.plane, {
      podInterface: 'eth0',
      createPod: ({ key }) => {
        if (this.broken.has(key)) throw new Error('no room');
        this.log.push(`create ${key}`);
        return `/networks/${key}`;
      },
      startPod: ({ key }) => this.log.push(`start ${key}`),
      tell: async (node, update) => {
        this.log.push(`tell ${node}`);
        this.updates.push({ node, update });
        await this.acknowledge(node);
      },
      endPod: async ({ key }) => {
        this.log.push(`end ${key}`);
        await this.ending(key);
      },
      removePod: ({ key }) => this.log.push(`remove ${key}`),
      log: () => {},
    });
    for (const { name } of this.topology.nodes) this.plane.nodeReady(name, true);
  }

  async apply(...texts: readonly string[]): Promise<void> {
    const { objects } = readManifests([{ file: 'a.yaml', text: texts.join('\n---\n') }]);
    this.plane.admit(objects);
    this.plane.apply(objects);
    await this.rollout.settle();
  }

  async delete(...texts: readonly string[]): Promise<void> {
    const { objects } = readManifests([{ file: 'a.yaml', text: texts.join('\n---\n') }]);
    this.plane.delete(objects.map(({ object }) => object));
    await this.rollout.ended();
  }

  /** Forgets what was asked for. */
  clear(): void {
    this.log.length = 0;
    this.updates.length = 0;
  }

  isReady(key: string): boolean {
    const conditions = this.plane.pod(key)?.status?.conditions ?? [];
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  }

  /** Endpoints that a node knows last of a Service: `10.244.0.2:80`, with a mark for those that end. */
  endpoints(node: string, key: string): string[] | undefined {
    let known: string[] | undefined;
    for (const { node: to, update } of this.updates) {
      if (to !== node) continue;
      if (update.services?.remove.includes(key)) known = undefined;
      const service = update.services?.set.find((spec) => spec.key === key);
      if (service !== undefined) {
        known = service.ports.flatMap(({ endpoints }) =>
          endpoints.map((one) => `${one.address}:${one.port}${one.ready === false ? ' unready' : ''}`),
        );
      }
    }
    return known;
  }
}
