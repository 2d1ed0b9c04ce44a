/** Pods by their labels, nodes and owners; Services by what they select: kept up to date change by change. */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { KubernetesObject, Node, Pod, Service } from '../store/object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { kinds } from '../store/resources.ts';
import { hasLabels, matches, requirementsOf } from '../store/selector.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import { keyOf, splitKey } from './object-key.ts';

type Labels = Readonly<Record<string, string>>;

const noLabels: Labels = {};

/** Keys under texts; a text without keys takes no room. */
class KeySets {
  readonly #sets = new Map<string, Set<string>>();

  add(text: string, key: string): void {
    const set = this.#sets.get(text);
    if (set === undefined) this.#sets.set(text, new Set([key]));
    else set.add(key);
  }

  delete(text: string, key: string): void {
    const set = this.#sets.get(text);
    set?.delete(key);
    if (set?.size === 0) this.#sets.delete(text);
  }

  get(text: string): ReadonlySet<string> {
    return this.#sets.get(text) ?? none;
  }
}

const none: ReadonlySet<string> = new Set();

function pairsOf(namespace: string, labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => `${namespace}/${key}=${value}`);
}

export class ClusterIndex {
  readonly #store: ObjectStore;
  readonly #podsByLabel = new KeySets();
  readonly #podsByNode = new KeySets();
  /** Under one of the labels that they select. */
  readonly #servicesByLabel = new KeySets();
  /** By name, in the order in which they came. */
  readonly nodes = new Map<string, Node>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** Must be told every change before anybody else. */
  notice({ type, object, previous }: StoreEvent): void {
    const next = type === 'DELETED' ? undefined : object;
    if (object.kind === 'Pod') this.#notePod(next as Pod | undefined, previous as Pod | undefined);
    if (object.kind === 'Service') this.#noteService(next as Service | undefined, previous as Service | undefined);
    if (object.kind !== 'Node') return;
    if (next === undefined) this.nodes.delete(object.metadata.name);
    else this.nodes.set(object.metadata.name, next as Node);
  }

  #notePod(next: Pod | undefined, previous: Pod | undefined): void {
    const key = keyOf((next ?? previous)!);
    const [namespace] = splitKey(key);
    if (next?.metadata.labels !== previous?.metadata.labels) {
      for (const pair of pairsOf(namespace, previous?.metadata.labels ?? noLabels)) this.#podsByLabel.delete(pair, key);
      for (const pair of pairsOf(namespace, next?.metadata.labels ?? noLabels)) this.#podsByLabel.add(pair, key);
    }
    if (next?.spec.nodeName === previous?.spec.nodeName) return;
    if (previous?.spec.nodeName !== undefined) this.#podsByNode.delete(previous.spec.nodeName, key);
    if (next?.spec.nodeName !== undefined) this.#podsByNode.add(next.spec.nodeName, key);
  }

  #noteService(next: Service | undefined, previous: Service | undefined): void {
    if (next?.spec.selector === previous?.spec.selector) return;
    const key = keyOf((next ?? previous)!);
    const [namespace] = splitKey(key);
    const [before] = pairsOf(namespace, previous?.spec.selector ?? noLabels);
    const [after] = pairsOf(namespace, next?.spec.selector ?? noLabels);
    if (before !== undefined) this.#servicesByLabel.delete(before, key);
    if (after !== undefined) this.#servicesByLabel.add(after, key);
  }

  /** Pods that have all these labels. None, when none are asked. */
  podsWith(namespace: string, labels: Labels): Pod[] {
    const sets = pairsOf(namespace, labels).map((pair) => this.#podsByLabel.get(pair));
    const smallest = sets.reduce((a, b) => (b.size < a.size ? b : a), sets[0] ?? none);
    return this.#pods(smallest).filter((pod) => hasLabels(labels, pod.metadata.labels));
  }

  /** Pods of a namespace that a selector selects; an empty selector selects all. */
  podsSelected(namespace: string, selector: LabelSelector): Pod[] {
    const { matchLabels = noLabels } = selector;
    const hasPairs = Object.keys(matchLabels).length > 0;
    const pods = hasPairs ? this.podsWith(namespace, matchLabels) : this.#store.list(kinds.Pod, { namespace });
    const requirements = requirementsOf(selector);
    return pods.filter((pod) => matches(requirements, pod.metadata.labels));
  }

  podsOn(nodeName: string): Pod[] {
    return this.#pods(this.#podsByNode.get(nodeName));
  }

  /** Keys of Services whose selector these labels keep. */
  servicesSelecting(object: KubernetesObject): string[] {
    const { namespace = '', labels = noLabels } = object.metadata;
    const keys = pairsOf(namespace, labels).flatMap((pair) => [...this.#servicesByLabel.get(pair)]);
    return keys.filter((key) => {
      const selector = this.#store.get(kinds.Service, ...splitKey(key))?.spec.selector;
      return selector !== undefined && hasLabels(selector, labels);
    });
  }

  #pods(keys: ReadonlySet<string>): Pod[] {
    const pods: Pod[] = [];
    for (const key of keys) {
      const pod = this.#store.get(kinds.Pod, ...splitKey(key));
      if (pod !== undefined) pods.push(pod);
    }
    return pods;
  }
}
