/** ReplicaSets and ReplicationControllers: as many pods of a template as are asked for. */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { KubernetesObject, Pod, ReplicaSet, ReplicationController } from '../store/object.ts';
import { kinds, type Resource } from '../store/resources.ts';
import { matches, requirementsOf } from '../store/selector.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import { leastMissedFirst } from './active-pods.ts';
import type { Context } from './context.ts';
import { joined, suffix, templateHash } from './names.ts';
import { keyOf, splitKey } from './object-key.ts';
import { controlledBy, podFromTemplate } from './pod-from-template.ts';
import { controllerOf, isActive, isReady, isReplicaNews } from './pod-state.ts';
import type { Controller } from './reconciler.ts';

type ReplicaOwner = ReplicaSet | ReplicationController;

export class ReplicaSets implements Controller {
  readonly name: string;
  readonly #context: Context;
  readonly #resource: Resource<ReplicaOwner>;

  constructor(context: Context, resource: Resource<ReplicaSet> | Resource<ReplicationController>) {
    this.name = `${resource.singular}-controller`.replace('replicationcontroller-', 'replication-');
    this.#context = context;
    this.#resource = resource as Resource<ReplicaOwner>;
  }

  notice({ type, object, previous }: StoreEvent, dirty: (key: string) => void): void {
    if (object.kind === this.#resource.kind) dirty(keyOf(object));
    if (object.kind !== 'Pod') return;
    if (type === 'MODIFIED' && !isReplicaNews(object as Pod, previous as Pod)) return;
    const owner = controllerOf(object);
    if (owner?.kind === this.#resource.kind) dirty(`${object.metadata.namespace}/${owner.name}`);
    if (owner !== undefined || object.metadata.labels === previous?.metadata.labels) return;
    // A pod without an owner: whose selector selects it, takes it.
    const { namespace, labels } = object.metadata;
    for (const set of this.#context.store.list(this.#resource, { namespace })) {
      if (matches(requirementsOf(selectorOf(set)), labels)) dirty(keyOf(set));
    }
  }

  sync(key: string): void {
    const { store } = this.#context;
    const set = store.get(this.#resource, ...splitKey(key));
    if (set === undefined || set.metadata.deletionTimestamp !== undefined) return;
    const pods = this.#claim(set);
    const missing = (set.spec.replicas ?? 1) - pods.filter(isActive).length;
    if (missing > 0) this.#create(set, missing);
    else if (missing < 0) this.#delete(set, pods.filter(isActive), -missing);
    const now = store.ownedBy(kinds.Pod, set.metadata.uid).filter(isActive);
    const ready = now.filter(isReady).length;
    store.updateStatus({
      ...set,
      status: {
        ...set.status,
        replicas: now.length,
        fullyLabeledReplicas: now.length,
        readyReplicas: ready,
        availableReplicas: ready,
        observedGeneration: set.metadata.generation,
      },
    } as ReplicaOwner);
  }

  /** Lets go of pods whose labels are no longer selected, and takes those that nobody has. @returns its pods */
  #claim(set: ReplicaOwner): Pod[] {
    const { store, index } = this.#context;
    const selector = selectorOf(set);
    const requirements = requirementsOf(selector);
    for (const pod of store.ownedBy(kinds.Pod, set.metadata.uid)) {
      if (matches(requirements, pod.metadata.labels)) continue;
      const { ownerReferences = [], ...metadata } = pod.metadata;
      const others = ownerReferences.filter(({ uid }) => uid !== set.metadata.uid);
      store.update({ ...pod, metadata: others.length === 0 ? metadata : { ...metadata, ownerReferences: others } });
    }
    for (const pod of index.podsSelected(set.metadata.namespace ?? '', selector)) {
      if (!isActive(pod) || controllerOf(pod) !== undefined) continue;
      const ownerReferences = [...(pod.metadata.ownerReferences ?? []), controlledBy(set)];
      store.update({ ...pod, metadata: { ...pod.metadata, ownerReferences } });
    }
    return store.ownedBy(kinds.Pod, set.metadata.uid);
  }

  #create(set: ReplicaOwner, count: number): void {
    const { store, events } = this.#context;
    const { namespace = '', name } = set.metadata;
    const template = set.spec.template ?? {};
    const hash = templateHash(template);
    for (let ordinal = 0, left = count; left > 0; ordinal++) {
      const podName = joined(name, suffix(`${name} ${hash}`, ordinal));
      if (store.get(kinds.Pod, namespace, podName) !== undefined) continue;
      store.create(podFromTemplate(set, template, podName));
      events.record(set, 'Normal', 'SuccessfulCreate', `Created pod: ${podName}`, this.name);
      left--;
    }
  }

  #delete(set: ReplicaOwner, pods: readonly Pod[], count: number): void {
    const { store, events } = this.#context;
    for (const { metadata } of leastMissedFirst(pods).slice(0, count)) {
      store.delete(kinds.Pod, metadata.namespace ?? '', metadata.name);
      events.record(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${metadata.name}`, this.name);
    }
  }
}

/** A ReplicationController's selector is labels, and its template's when it has none. */
function selectorOf(set: KubernetesObject & ReplicaOwner): LabelSelector {
  const { selector, template } = set.spec;
  if (set.kind === 'ReplicaSet') return (selector as LabelSelector | undefined) ?? {};
  return { matchLabels: (selector as Record<string, string> | undefined) ?? template?.metadata?.labels ?? {} };
}
