/** StatefulSets: pods with numbers and names that stay, made and ended in order. */
import type { Pod, StatefulSet } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import type { Context } from './context.ts';
import { templateHash } from './names.ts';
import { keyOf, splitKey } from './object-key.ts';
import { podFromTemplate } from './pod-from-template.ts';
import {
  controllerOf,
  isActive,
  isReady,
  isReplicaNews,
  isRunningAndReady,
  isTerminal,
  isTerminating,
} from './pod-state.ts';
import type { Controller } from './reconciler.ts';

const REVISION_LABEL = 'controller-revision-hash';

export class StatefulSets implements Controller {
  readonly name = 'statefulset-controller';
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  notice({ type, object, previous }: StoreEvent, dirty: (key: string) => void): void {
    if (object.kind === 'StatefulSet') dirty(keyOf(object));
    if (object.kind !== 'Pod') return;
    if (type === 'MODIFIED' && !isReplicaNews(object as Pod, previous as Pod)) return;
    const owner = controllerOf(object);
    if (owner?.kind === 'StatefulSet') dirty(`${object.metadata.namespace}/${owner.name}`);
  }

  sync(key: string): void {
    const { store } = this.#context;
    const set = store.get(kinds.StatefulSet, ...splitKey(key));
    if (set === undefined || isTerminating(set)) return;
    this.#replaceEnded(set);
    const first = set.spec.ordinals?.start ?? 0;
    const count = set.spec.replicas ?? 1;
    const byOrdinal = new Map(store.ownedBy(kinds.Pod, set.metadata.uid).map((pod) => [ordinalOf(pod), pod]));
    const wanted = Array.from({ length: count }, (_, index) => first + index);
    const condemned = [...byOrdinal.keys()].filter((ordinal) => ordinal < first || ordinal >= first + count);
    const isSettled =
      set.spec.podManagementPolicy === 'Parallel'
        ? this.#allAtOnce(set, wanted, condemned, byOrdinal)
        : this.#inOrder(set, wanted, condemned, byOrdinal);
    if (isSettled) this.#updateOne(set, wanted, byOrdinal);
    this.#report(set);
  }

  /** A pod that ended by itself makes room for another of its name. */
  #replaceEnded(set: StatefulSet): void {
    for (const pod of this.#context.store.ownedBy(kinds.Pod, set.metadata.uid)) {
      if (isTerminal(pod) && !isTerminating(pod)) this.#delete(set, pod);
    }
  }

  /** @returns nothing is left to do */
  #allAtOnce(
    set: StatefulSet,
    wanted: readonly number[],
    condemned: readonly number[],
    byOrdinal: ReadonlyMap<number, Pod>,
  ): boolean {
    for (const ordinal of wanted) if (!byOrdinal.has(ordinal)) this.#create(set, ordinal);
    for (const ordinal of condemned) this.#delete(set, byOrdinal.get(ordinal)!);
    return condemned.length === 0 && wanted.every((ordinal) => byOrdinal.has(ordinal));
  }

  /** One at a time, each when those before it are ready; and the last first, on the way down. @returns as allAtOnce */
  #inOrder(
    set: StatefulSet,
    wanted: readonly number[],
    condemned: readonly number[],
    byOrdinal: ReadonlyMap<number, Pod>,
  ): boolean {
    for (const ordinal of wanted) {
      const pod = byOrdinal.get(ordinal);
      if (pod === undefined) this.#create(set, ordinal);
      if (pod === undefined || isTerminating(pod)) return false;
      if (!isRunningAndReady(pod)) return false;
    }
    if (condemned.length === 0) return true;
    const last = byOrdinal.get(Math.max(...condemned))!;
    if (!isTerminating(last)) this.#delete(set, last);
    return false;
  }

  /** The next pod of an old template goes, the last first, when all after it are ready; partition keeps the first ones. */
  #updateOne(set: StatefulSet, wanted: readonly number[], byOrdinal: ReadonlyMap<number, Pod>): void {
    if (set.spec.updateStrategy?.type === 'OnDelete') return;
    const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
    for (const ordinal of [...wanted].reverse()) {
      if (ordinal < partition) return;
      const pod = byOrdinal.get(ordinal);
      if (pod === undefined || isTerminating(pod)) return;
      if (this.#isOutdated(set, pod)) {
        this.#delete(set, pod);
        return;
      }
      if (!isRunningAndReady(pod)) return;
    }
  }

  #isOutdated(set: StatefulSet, pod: Pod): boolean {
    return pod.metadata.labels?.[REVISION_LABEL] !== revisionOf(set);
  }

  #create(set: StatefulSet, ordinal: number): void {
    const { store, events } = this.#context;
    const { namespace = '', name: setName } = set.metadata;
    const name = `${setName}-${ordinal}`;
    const component = this.name;
    if (store.get(kinds.Pod, namespace, name) !== undefined) {
      const message = `create Pod ${name} in StatefulSet ${setName} failed error: pods "${name}" already exists`;
      events.record(set, 'Warning', 'FailedCreate', message, component);
      return;
    }
    const labels = {
      'statefulset.kubernetes.io/pod-name': name,
      'apps.kubernetes.io/pod-index': String(ordinal),
      [REVISION_LABEL]: revisionOf(set),
    };
    const { serviceName } = set.spec;
    const spec = { hostname: name, ...(serviceName === undefined ? {} : { subdomain: serviceName }) };
    store.create(podFromTemplate(set, set.spec.template, name, { labels, spec }));
    const message = `create Pod ${name} in StatefulSet ${setName} successful`;
    events.record(set, 'Normal', 'SuccessfulCreate', message, component);
  }

  #delete(set: StatefulSet, pod: Pod): void {
    if (isTerminating(pod)) return;
    const { store, events } = this.#context;
    const { namespace = '', name } = pod.metadata;
    store.delete(kinds.Pod, namespace, name);
    const message = `delete Pod ${name} in StatefulSet ${set.metadata.name} successful`;
    events.record(set, 'Normal', 'SuccessfulDelete', message, this.name);
  }

  #report(set: StatefulSet): void {
    const pods = this.#context.store.ownedBy(kinds.Pod, set.metadata.uid);
    const active = pods.filter(isActive);
    const ready = active.filter(isReady).length;
    const updated = active.filter((pod) => !this.#isOutdated(set, pod)).length;
    const updateRevision = revisionOf(set);
    const isUpdated = updated === active.length;
    this.#context.store.updateStatus({
      ...set,
      status: {
        observedGeneration: set.metadata.generation!,
        replicas: pods.filter((pod) => !isTerminal(pod)).length,
        readyReplicas: ready,
        availableReplicas: ready,
        updatedReplicas: updated,
        currentReplicas: isUpdated ? updated : active.length - updated,
        currentRevision: isUpdated ? updateRevision : (set.status?.currentRevision ?? updateRevision),
        updateRevision,
      },
    });
  }
}

function revisionOf(set: StatefulSet): string {
  return `${set.metadata.name}-${templateHash(set.spec.template)}`.slice(-63); // a label value
}

function ordinalOf({ metadata }: Pod): number {
  return Number(metadata.name.slice(metadata.name.lastIndexOf('-') + 1));
}
