/** What the network between two nodes of a cluster does to packets, the same in both directions. */
import type { LinkSettings } from '../links/link.ts';
import type { LinkSpec } from '../nodes/protocol.ts';
import type { Topology, TopologyNode } from './topology.ts';

export type LinkQuality = Omit<LinkSettings, 'seed'>;

export interface ClusterLink extends LinkQuality {
  /** In the order of the topology. */
  readonly nodes: readonly [string, string];
}

export const PERFECT: LinkQuality = { delayMs: 0, jitterMs: 0, loss: 0, duplicate: 0, reorder: 0 };

export class ClusterLinks {
  readonly #topology: Topology;
  readonly #qualities = new Map<string, LinkQuality>();

  constructor(topology: Topology) {
    this.#topology = topology;
  }

  /** Links that were set, in the order of their nodes. */
  list(): ClusterLink[] {
    const { nodes } = this.#topology;
    return nodes.flatMap((a, i) =>
      nodes.slice(i + 1).flatMap((b) => {
        const quality = this.#qualities.get(this.#key(a, b));
        return quality === undefined ? [] : [{ nodes: [a.name, b.name] as const, ...quality }];
      }),
    );
  }

  get(a: TopologyNode, b: TopologyNode): ClusterLink {
    const [first, second] = a.index < b.index ? [a, b] : [b, a];
    return { nodes: [first.name, second.name], ...(this.#qualities.get(this.#key(a, b)) ?? PERFECT) };
  }

  /** A perfect link is none. */
  set(a: TopologyNode, b: TopologyNode, quality: LinkQuality): void {
    if (Object.values(quality).every((value) => value === 0)) this.#qualities.delete(this.#key(a, b));
    else this.#qualities.set(this.#key(a, b), quality);
  }

  /** What a node must know: the links that begin there. Each direction has decisions of its own, the same in every run. */
  specsOf(node: TopologyNode): LinkSpec[] {
    const others = this.#topology.nodes.filter((other) => other !== node);
    return others.flatMap((other, endpoint) => {
      const quality = this.#qualities.get(this.#key(node, other));
      const seed = node.index * this.#topology.nodes.length + other.index + 1;
      return quality === undefined ? [] : [{ ...quality, endpoint, seed }];
    });
  }

  #key(a: TopologyNode, b: TopologyNode): string {
    return a.index < b.index ? `${a.index} ${b.index}` : `${b.index} ${a.index}`;
  }
}
