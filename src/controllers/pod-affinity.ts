/** Pods that want to be, or not to be, where other pods are (pkg/scheduler/framework/plugins/interpodaffinity). */
import type { PodAffinityTerm, WeightedPodAffinityTerm } from 'kubernetes-types/core/v1.d.ts';
import type { Node, Pod } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { matches, requirementsOf } from '../store/selector.ts';
import type { Context } from './context.ts';
import { isTerminal } from './pod-state.ts';

/** A term of some pod, as a question about others. */
class Term {
  readonly topologyKey: string;
  readonly #term: PodAffinityTerm;
  readonly #owner: Pod;
  readonly #context: Context;

  constructor(term: PodAffinityTerm, owner: Pod, context: Context) {
    this.topologyKey = term.topologyKey;
    this.#term = term;
    this.#owner = owner;
    this.#context = context;
  }

  matches(pod: Pod): boolean {
    const { labelSelector, namespaces, namespaceSelector } = this.#term;
    if (labelSelector === undefined) return false;
    const own = this.#owner.metadata.namespace;
    const isNamed = (namespaces ?? []).includes(pod.metadata.namespace ?? '');
    const isOwn = (namespaces ?? []).length === 0 && namespaceSelector === undefined && pod.metadata.namespace === own;
    return (
      (isNamed || isOwn || this.#selectsNamespace(pod)) && matches(requirementsOf(labelSelector), pod.metadata.labels)
    );
  }

  #selectsNamespace(pod: Pod): boolean {
    const { namespaceSelector } = this.#term;
    if (namespaceSelector === undefined) return false;
    const namespace = this.#context.store.get(kinds.Namespace, '', pod.metadata.namespace ?? '');
    return matches(requirementsOf(namespaceSelector), namespace?.metadata.labels);
  }
}

/** What a pod asks of its neighbours and they of it, answered node by node. */
export class PodAffinity {
  readonly #required: readonly Term[];
  readonly #forbidden: readonly Term[];
  /** Places (`key=value`) in which a pod is that all required terms match, by term. */
  readonly #wantedPlaces: readonly ReadonlySet<string>[];
  /** Places in which one is that a forbidden term matches. */
  readonly #unwantedPlaces: ReadonlySet<string>;
  /** Places from which pods that are there keep this one. */
  readonly #closedPlaces: ReadonlySet<string>;
  /** What a place is worth to the pod. */
  readonly #weights: ReadonlyMap<string, number>;
  readonly #isFirst: boolean;

  /** @param shy pods whose own anti-affinity may forbid others */
  constructor(pod: Pod, placed: readonly Pod[], shy: readonly Pod[], context: Context) {
    const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
    const term = (item: PodAffinityTerm) => new Term(item, pod, context);
    this.#required = (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term);
    this.#forbidden = (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term);
    const place = (other: Pod, key: string) => placeOf(context.index.nodes.get(other.spec.nodeName ?? ''), key);
    const friends =
      this.#required.length === 0 ? [] : placed.filter((other) => this.#required.every((t) => t.matches(other)));
    this.#wantedPlaces = this.#required.map(({ topologyKey }) => {
      return new Set(friends.map((other) => place(other, topologyKey) ?? ''));
    });
    // The first of a group that wants to be together has nobody to be with.
    this.#isFirst = friends.length === 0 && this.#required.every((t) => t.matches(pod));
    const unwanted = this.#forbidden.flatMap((t) => {
      return placed.filter((other) => t.matches(other)).map((other) => place(other, t.topologyKey) ?? '');
    });
    this.#unwantedPlaces = new Set(unwanted);
    const closed = shy.flatMap((other) => {
      const terms = other.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
      const hits = terms.filter((item) => new Term(item, other, context).matches(pod));
      return hits.map(({ topologyKey }) => place(other, topologyKey) ?? '');
    });
    this.#closedPlaces = new Set(closed);
    this.#weights = weightsOf(pod, placed, place, term);
  }

  /** Why the pod may not be on the node, in the scheduler's words. */
  objection(node: Node): string | undefined {
    const isWanted = this.#required.every(({ topologyKey }, at) => {
      const place = placeOf(node, topologyKey);
      return place !== undefined && (this.#isFirst || this.#wantedPlaces[at]!.has(place));
    });
    if (!isWanted) return "node(s) didn't match pod affinity rules";
    const isUnwanted = this.#forbidden.some(({ topologyKey }) => {
      return this.#unwantedPlaces.has(placeOf(node, topologyKey) ?? 'none');
    });
    if (isUnwanted) return "node(s) didn't match pod anti-affinity rules";
    for (const place of this.#closedPlaces) {
      const key = place.slice(0, place.indexOf('='));
      if (place !== '' && placeOf(node, key) === place)
        return "node(s) didn't satisfy existing pods anti-affinity rules";
    }
    return undefined;
  }

  /** The preferred terms that the node keeps, and those that it breaks with a minus. */
  weight(node: Node): number {
    let weight = 0;
    for (const [place, value] of this.#weights) {
      const key = place.slice(0, place.indexOf('='));
      if (placeOf(node, key) === place) weight += value;
    }
    return weight;
  }
}

function weightsOf(
  pod: Pod,
  placed: readonly Pod[],
  place: (pod: Pod, key: string) => string | undefined,
  term: (item: PodAffinityTerm) => Term,
): Map<string, number> {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  const weights = new Map<string, number>();
  const add = (preferred: readonly WeightedPodAffinityTerm[] | undefined, sign: number) => {
    for (const { weight, podAffinityTerm } of preferred ?? []) {
      const asked = term(podAffinityTerm);
      for (const other of placed) {
        const found = asked.matches(other) ? place(other, asked.topologyKey) : undefined;
        if (found !== undefined) weights.set(found, (weights.get(found) ?? 0) + sign * weight);
      }
    }
  };
  add(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution, 1);
  add(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution, -1);
  return weights;
}

/** `key=value` of the node's label; undefined where it has none. Label keys hold no '='. */
function placeOf(node: Node | undefined, key: string): string | undefined {
  const value = node?.metadata.labels?.[key];
  return value === undefined ? undefined : `${key}=${value}`;
}

/** Has the pod, or does any that is there, ask anything about neighbours? */
export function asksNeighbours(pod: Pod): boolean {
  return pod.spec.affinity?.podAffinity !== undefined || pod.spec.affinity?.podAntiAffinity !== undefined;
}

/** May the pod keep others away? */
export function isShy(pod: Pod): boolean {
  const terms = pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  return terms.length > 0 && !isTerminal(pod);
}
