/** Pods whose way to the name servers is closed: they find nothing by name. */
import { type Asked, endOf, ruleMatches, rulesOf } from './explain-match.ts';
import type { PolicyWorld, WorldPod, WorldPolicy } from './policy-world.ts';
import { readSelector, SelectorIndex } from './selector-index.ts';
import type { Scene } from './warning-scene.ts';

/** Where the cluster's names come from: `kube-dns`, as kubeadm labels it. */
export const DNS = { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' }, port: 53 };

/** Policies for egress of one namespace. */
class NamespaceEgress {
  readonly #index = new SelectorIndex();
  /** By number of the selector. */
  readonly #policies: WorldPolicy[][] = [];
  readonly #lets: boolean[] = [];

  add(policy: WorldPolicy): void {
    const number = this.#index.add(readSelector(policy.spec.podSelector ?? {}));
    this.#policies[number] ??= [];
    this.#policies[number].push(policy);
  }

  /** @param lets does it let all pods that it governs through? All or none: its rules are the same for each. */
  isOpen({ labels }: WorldPod, lets: (policy: WorldPolicy) => boolean): boolean {
    return this.#index.matching(labels).some((number) => {
      this.#lets[number] ??= this.#policies[number]!.some(lets);
      return this.#lets[number];
    });
  }
}

export class NameReach {
  readonly #world: PolicyWorld;
  readonly #servers: ReadonlySet<WorldPod>;
  readonly #ends: readonly Asked['peer'][];
  readonly #egress = new Map<string, NamespaceEgress>();
  /** Lists and pods that were looked at: of each is told once. */
  readonly #seen = new Set<WorldPod | readonly WorldPod[]>();

  constructor(world: PolicyWorld, scene: Scene) {
    const { pods, onHosts } = scene.selection({ matchLabels: DNS.labels }, DNS.namespace);
    const servers = [...pods, ...onHosts];
    this.#servers = new Set(servers);
    this.#ends = servers.flatMap(({ addresses }) => addresses.map((address) => endOf(world, address)));
    // What rules ask of the peer: no more than this is ever looked through.
    this.#world = {
      ...world,
      pods: servers,
      namespaces: world.namespaces.filter(({ name }) => name === DNS.namespace),
    };
    for (const policy of world.policies) {
      if (!(policy.spec.policyTypes ?? []).includes('Egress')) continue;
      const known = this.#egress.get(policy.namespace) ?? new NamespaceEgress();
      this.#egress.set(policy.namespace, known);
      known.add(policy);
    }
  }

  /** Those of the pods that cannot resolve names, but for those of whom this was asked before. Pre: a policy isolates them. */
  nameless(pods: readonly WorldPod[]): WorldPod[] {
    if (this.#servers.size === 0 || this.#seen.has(pods)) return [];
    this.#seen.add(pods);
    const fresh = pods.filter((pod) => !this.#seen.has(pod));
    for (const pod of fresh) this.#seen.add(pod);
    return fresh.filter((pod) => !this.#reaches(pod));
  }

  #reaches(pod: WorldPod): boolean {
    if (this.#servers.has(pod)) return true; // NP-027
    return this.#egress.get(pod.namespace)!.isOpen(pod, (policy) => this.#lets(policy, pod));
  }

  #lets(policy: WorldPolicy, pod: WorldPod): boolean {
    const [world, rules] = [this.#world, rulesOf(policy, 'egress')];
    return this.#ends.some((peer) => {
      const asked = { world, direction: 'egress', pod, peer, target: peer, protocol: 'UDP', port: DNS.port } as const;
      return rules.some((rule) => ruleMatches(rule, asked));
    });
  }
}
