/** Deployments: a ReplicaSet for each template they had, and pods moved from the old ones to the new one. */
import type { Deployment, ReplicaSet } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import type { Context } from './context.ts';
import { joined, templateHash } from './names.ts';
import { keyOf, splitKey } from './object-key.ts';
import { controlledBy } from './pod-from-template.ts';
import { controllerOf, isTerminal, isTerminating, withCondition } from './pod-state.ts';
import type { Controller } from './reconciler.ts';
import { share } from './share.ts';

const HASH_LABEL = 'pod-template-hash';
const REVISION = 'deployment.kubernetes.io/revision';
/** How many ReplicaSets without pods are kept to go back to (pkg/apis/apps/v1/defaults.go). */
const HISTORY_LIMIT = 10;

export class Deployments implements Controller {
  readonly name = 'deployment-controller';
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  notice({ type, object }: StoreEvent, dirty: (key: string) => void): void {
    const { namespace } = object.metadata;
    if (object.kind === 'Deployment') dirty(keyOf(object));
    if (object.kind === 'ReplicaSet') {
      const owner = controllerOf(object);
      if (owner?.kind === 'Deployment') dirty(`${namespace}/${owner.name}`);
    }
    // Recreate waits for pods to be gone, which their ReplicaSet's status does not tell.
    if (object.kind !== 'Pod' || type !== 'DELETED') return;
    const set = this.#context.store.get(kinds.ReplicaSet, namespace ?? '', controllerOf(object)?.name ?? '');
    const owner = set === undefined ? undefined : controllerOf(set);
    if (owner !== undefined) dirty(`${namespace}/${owner.name}`);
  }

  sync(key: string): void {
    const { store } = this.#context;
    const deployment = store.get(kinds.Deployment, ...splitKey(key));
    if (deployment === undefined || isTerminating(deployment)) return;
    const name = this.#setName(deployment);
    const isPaused = deployment.spec.paused === true;
    if (!isPaused) this.#ensureNewSet(deployment, name);
    const sets = this.#sets(deployment);
    const newSet = sets.find((set) => set.metadata.name === name);
    const oldSets = sets.filter((set) => set !== newSet);
    if (isPaused) this.#scaleNewest(deployment, sets);
    else if (newSet !== undefined) {
      if (deployment.spec.strategy?.type === 'Recreate') this.#recreate(deployment, newSet, oldSets);
      else this.#roll(deployment, newSet, oldSets);
      this.#forgetOld(deployment, oldSets);
    }
    this.#report(deployment, name);
  }

  #setName({ metadata, spec }: Deployment): string {
    return joined(metadata.name, templateHash(spec.template));
  }

  #sets(deployment: Deployment): ReplicaSet[] {
    return this.#context.store.ownedBy(kinds.ReplicaSet, deployment.metadata.uid);
  }

  /** The template's ReplicaSet; one from before that had the same is the newest again. */
  #ensureNewSet(deployment: Deployment, name: string): void {
    const { store } = this.#context;
    const { namespace = '' } = deployment.metadata;
    const sets = this.#sets(deployment);
    const newest = Math.max(0, ...sets.filter((set) => set.metadata.name !== name).map(revisionOf));
    const existing = store.get(kinds.ReplicaSet, namespace, name);
    if (existing === undefined) {
      store.create(newReplicaSet(deployment, name, newest + 1));
      return;
    }
    const { template } = existing.spec;
    if (controllerOf(existing)?.uid === deployment.metadata.uid && template !== undefined) {
      if (revisionOf(existing) > newest) return;
      const annotations = { ...existing.metadata.annotations, [REVISION]: String(newest + 1) };
      store.update({ ...existing, metadata: { ...existing.metadata, annotations } });
      return;
    }
    const message = `ReplicaSet ${name} exists already and is not this Deployment's`;
    this.#context.events.record(deployment, 'Warning', 'ReplicaSetCreateError', message, this.name);
  }

  #scale(deployment: Deployment, set: ReplicaSet, replicas: number): void {
    const before = set.spec.replicas ?? 1;
    const wanted = Math.max(0, replicas);
    if (before === wanted) return;
    const { store, events } = this.#context;
    store.update({ ...set, spec: { ...set.spec, replicas: wanted } });
    const direction = wanted > before ? 'up' : 'down';
    const message = `Scaled ${direction} replica set ${set.metadata.name} from ${before} to ${wanted}`;
    events.record(deployment, 'Normal', 'ScalingReplicaSet', message, this.name);
  }

  /** Paused: no new template, but as many pods as asked. */
  #scaleNewest(deployment: Deployment, sets: readonly ReplicaSet[]): void {
    const active = sets.filter((set) => (set.spec.replicas ?? 1) > 0);
    const [only] = active.length > 0 ? active : [...sets].sort((a, b) => revisionOf(b) - revisionOf(a));
    if (active.length <= 1 && only !== undefined) this.#scale(deployment, only, deployment.spec.replicas ?? 1);
  }

  #recreate(deployment: Deployment, newSet: ReplicaSet, oldSets: readonly ReplicaSet[]): void {
    for (const set of oldSets) this.#scale(deployment, set, 0);
    const areOldGone = oldSets.every((set) => {
      return this.#context.store.ownedBy(kinds.Pod, set.metadata.uid).every(isTerminal);
    });
    if (areOldGone) this.#scale(deployment, newSet, deployment.spec.replicas ?? 1);
  }

  /** One step of pkg/controller/deployment/rolling.go; the next comes when pods have become ready or gone. */
  #roll(deployment: Deployment, newSet: ReplicaSet, oldSets: readonly ReplicaSet[]): void {
    const replicas = deployment.spec.replicas ?? 1;
    const { surge, unavailable } = limitsOf(deployment);
    const all = [...oldSets, newSet];
    const current = newSet.spec.replicas ?? 1;
    const total = sum(all, (set) => set.spec.replicas ?? 1);
    if (current > replicas) this.#scale(deployment, newSet, replicas);
    if (current < replicas && total < replicas + surge) {
      this.#scale(deployment, newSet, current + Math.min(replicas + surge - total, replicas - current));
      return;
    }
    const missing = Math.max(0, current - (newSet.status?.availableReplicas ?? 0));
    let removable = total - (replicas - unavailable) - missing;
    // First what serves nobody, then what others can replace.
    for (const wanted of ['useless', 'any'] as const) {
      for (const { metadata } of oldSets) {
        const set = this.#context.store.get(kinds.ReplicaSet, metadata.namespace ?? '', metadata.name)!;
        const size = set.spec.replicas ?? 1;
        const useless = Math.max(0, size - (set.status?.availableReplicas ?? 0));
        const count = Math.min(removable, wanted === 'useless' ? useless : size);
        if (count <= 0) continue;
        removable -= count;
        this.#scale(deployment, set, size - count);
      }
    }
  }

  #forgetOld(deployment: Deployment, oldSets: readonly ReplicaSet[]): void {
    const { store } = this.#context;
    const empty = oldSets.filter((set) => (set.spec.replicas ?? 1) === 0 && (set.status?.replicas ?? 0) === 0);
    const surplus = empty.length - (deployment.spec.revisionHistoryLimit ?? HISTORY_LIMIT);
    if (surplus <= 0) return;
    empty.sort((a, b) => revisionOf(a) - revisionOf(b));
    for (const { metadata } of empty.slice(0, surplus)) {
      store.delete(kinds.ReplicaSet, metadata.namespace ?? '', metadata.name);
    }
  }

  #report(deployment: Deployment, newName: string): void {
    const sets = this.#sets(deployment);
    const replicas = deployment.spec.replicas ?? 1;
    const available = sum(sets, (set) => set.status?.availableReplicas ?? 0);
    const newSet = sets.find(({ metadata }) => metadata.name === newName);
    const isAvailable = available >= replicas - limitsOf(deployment).unavailable;
    const condition = isAvailable
      ? { reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
      : { reason: 'MinimumReplicasUnavailable', message: 'Deployment does not have minimum availability.' };
    const { conditions } = deployment.status ?? {};
    const status = isAvailable ? 'True' : 'False';
    this.#context.store.updateStatus({
      ...deployment,
      status: {
        observedGeneration: deployment.metadata.generation!,
        replicas: sum(sets, (set) => set.status?.replicas ?? 0),
        updatedReplicas: newSet?.status?.replicas ?? 0,
        readyReplicas: sum(sets, (set) => set.status?.readyReplicas ?? 0),
        availableReplicas: available,
        unavailableReplicas: Math.max(0, sum(sets, (set) => set.spec.replicas ?? 1) - available),
        conditions: withCondition(conditions, { type: 'Available', status, ...condition }, this.#context.now()),
      },
    });
  }
}

function newReplicaSet(deployment: Deployment, name: string, revision: number): ReplicaSet {
  const { template, selector } = deployment.spec;
  const hash = { [HASH_LABEL]: templateHash(template) };
  const labels = { ...template.metadata?.labels, ...hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      ...(deployment.metadata.namespace === undefined ? {} : { namespace: deployment.metadata.namespace }),
      labels,
      annotations: { [REVISION]: String(revision) },
      ownerReferences: [controlledBy(deployment)],
    },
    spec: {
      replicas: 0,
      selector: { ...selector, matchLabels: { ...selector.matchLabels, ...hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0);
}

/** How many pods there may be too many, and too few (deployment_util.go, ResolveFenceposts: not both none). */
function limitsOf({ spec }: Deployment): { surge: number; unavailable: number } {
  const replicas = spec.replicas ?? 1;
  if (spec.strategy?.type === 'Recreate') return { surge: 0, unavailable: 0 };
  const { maxSurge = '25%', maxUnavailable = '25%' } = spec.strategy?.rollingUpdate ?? {};
  const surge = share(maxSurge, replicas, 'up');
  const unavailable = Math.min(replicas, share(maxUnavailable, replicas, 'down'));
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
