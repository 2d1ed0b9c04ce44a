/** The world of a verdict, as warnings ask it: whom does a selector mean? Answers are kept: policies repeat each other. */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { IPBlock } from 'kubernetes-types/networking/v1.d.ts';
import { matches, requirementsOf } from '../store/selector.ts';
import { endOf, exceptOf, inBlock, isolating, ruleMatches, rulesOf } from './explain-match.ts';
import type { PolicyWorld, WorldNamespace, WorldPod, WorldPolicy } from './policy-world.ts';

export class Scene {
  readonly namespaces: readonly WorldNamespace[];
  /** Those that have addresses of their own. */
  readonly networkPods: readonly WorldPod[];
  readonly #world: PolicyWorld;
  readonly #pods: ReadonlyMap<string, readonly WorldPod[]>;
  readonly #policies: ReadonlyMap<string, readonly WorldPolicy[]>;
  /** By namespace and selector. */
  readonly #matching = new Map<string, readonly WorldPod[]>();

  constructor(world: PolicyWorld) {
    this.#world = world;
    this.namespaces = world.namespaces;
    this.networkPods = world.pods.filter((pod) => !pod.hostNetwork);
    this.#pods = byNamespace(world.pods);
    this.#policies = byNamespace(world.policies);
  }

  podsOf(namespace: string): readonly WorldPod[] {
    return this.#pods.get(namespace) ?? [];
  }

  /** Pods of the namespace that have the labels, those on their hosts' network included. */
  matching(selector: LabelSelector, namespace: string): readonly WorldPod[] {
    const key = `${namespace} ${JSON.stringify(selector)}`;
    const known = this.#matching.get(key);
    if (known !== undefined) return known;
    const requirements = requirementsOf(selector);
    const found = this.podsOf(namespace).filter(({ labels }) => matches(requirements, labels));
    this.#matching.set(key, found);
    return found;
  }

  namespacesMatching(selector: LabelSelector): readonly WorldNamespace[] {
    const requirements = requirementsOf(selector);
    return this.namespaces.filter(({ labels }) => matches(requirements, labels));
  }

  /** A pod anywhere that the selector would mean. */
  podAnywhere(selector: LabelSelector): WorldPod | undefined {
    const requirements = requirementsOf(selector);
    return this.networkPods.find(({ labels }) => matches(requirements, labels));
  }

  inBlock(block: IPBlock): readonly WorldPod[] {
    const holds = (address: string) => inBlock(block.cidr, address) && exceptOf(block, address) === undefined;
    return this.networkPods.filter(({ addresses }) => addresses.some(holds));
  }

  /** Does any policy that isolates the pod let it begin this? Pre: one isolates it. */
  isAllowedOut(pod: WorldPod, server: WorldPod, protocol: string, port: number): boolean {
    const world = { ...this.#world, policies: this.#policies.get(pod.namespace)! };
    const policies = isolating(world, pod, 'egress');
    return server.addresses.some((address) => {
      const peer = endOf(world, address);
      const asked = { world, direction: 'egress', pod, peer, target: peer, protocol, port } as const;
      return policies.some((policy) => rulesOf(policy, 'egress').some((rule) => ruleMatches(rule, asked)));
    });
  }
}

function byNamespace<T extends { readonly namespace: string }>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(item.namespace);
    if (group === undefined) groups.set(item.namespace, [item]);
    else group.push(item);
  }
  return groups;
}
