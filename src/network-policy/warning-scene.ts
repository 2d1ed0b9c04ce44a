/**
 * The world of a verdict, as warnings ask it: whom does a selector mean? Answers are kept, as policies repeat each
 * other: the same question gets the very same list.
 */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { IPBlock } from 'kubernetes-types/networking/v1.d.ts';
import type { Service } from '../store/object.ts';
import { matches, requirementsOf } from '../store/selector.ts';
import type { NamedPort, PolicyWorld, WorldNamespace, WorldPod } from './policy-world.ts';
import { AddressBook } from './warning-scene-addresses.ts';
import { PodIndex } from './warning-scene-pods.ts';

/** What policies do not see of a cluster, and their writers do. */
export interface ClusterFacts {
  readonly podSubnets: readonly string[];
  readonly serviceSubnets: readonly string[];
  readonly services: readonly Service[];
  /** What the pod's containers declare, also what has no name. */
  readonly portsOf: (pod: WorldPod) => readonly DeclaredPort[];
}

export interface DeclaredPort extends Omit<NamedPort, 'name'> {
  readonly name: string | undefined;
}

/** The pods that have the labels. */
export interface Selection {
  readonly pods: readonly WorldPod[];
  /** Those on their hosts' network, which no policy means. */
  readonly onHosts: readonly WorldPod[];
}

export class Scene {
  readonly namespaces: readonly WorldNamespace[];
  /** Those that have addresses of their own. */
  readonly networkPods: readonly WorldPod[];
  readonly #index: PodIndex;
  readonly #addresses: AddressBook<WorldPod>;
  readonly #selections = new Map<string, Selection>();
  readonly #spaces = new Map<string, readonly WorldNamespace[]>();

  constructor({ namespaces, pods }: PolicyWorld) {
    this.namespaces = namespaces;
    this.networkPods = pods.filter((pod) => !pod.hostNetwork);
    this.#index = new PodIndex(pods);
    this.#addresses = new AddressBook(this.networkPods, ({ addresses }) => addresses);
  }

  podsOf(namespace: string): readonly WorldPod[] {
    return this.#index.of(namespace);
  }

  selection(selector: LabelSelector, namespace: string): Selection {
    return kept(this.#selections, `${namespace} ${JSON.stringify(selector)}`, () =>
      parted(this.#index.matching(requirementsOf(selector), namespace)),
    );
  }

  /** The same in all namespaces that have the labels. */
  selectionIn(selector: LabelSelector, spaces: LabelSelector): Selection {
    const there = this.namespacesMatching(spaces);
    if (there.length === 1) return this.selection(selector, there[0]!.name);
    return kept(this.#selections, `${JSON.stringify(spaces)} ${JSON.stringify(selector)}`, () => {
      const names = new Set(there.map(({ name }) => name));
      return parted(this.#index.matching(requirementsOf(selector)).filter(({ namespace }) => names.has(namespace)));
    });
  }

  namespacesMatching(selector: LabelSelector): readonly WorldNamespace[] {
    return kept(this.#spaces, JSON.stringify(selector), () => {
      const requirements = requirementsOf(selector);
      return this.namespaces.filter(({ labels }) => matches(requirements, labels));
    });
  }

  /** A pod anywhere that the selector would mean. */
  podAnywhere(selector: LabelSelector): WorldPod | undefined {
    return this.selectionIn(selector, {}).pods[0];
  }

  inBlock(block: IPBlock): readonly WorldPod[] {
    return this.#addresses.ownersIn(block);
  }
}

function parted(pods: readonly WorldPod[]): Selection {
  return { pods: pods.filter((pod) => !pod.hostNetwork), onHosts: pods.filter((pod) => pod.hostNetwork) };
}

function kept<T>(known: Map<string, T>, key: string, make: () => T): T {
  let found = known.get(key);
  if (found === undefined) {
    found = make();
    known.set(key, found);
  }
  return found;
}
