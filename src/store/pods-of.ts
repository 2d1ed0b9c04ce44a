import type { KubernetesObject, Pod, Service } from './object.ts';
import type { ObjectStore } from './object-store.ts';
import { kinds, type Resource } from './resources.ts';
import { hasLabels } from './selector.ts';

/** Kinds that stand for one of their pods, in the order in which a bare name means them. */
export const podBearing: readonly Resource[] = [
  kinds.Deployment,
  kinds.StatefulSet,
  kinds.DaemonSet,
  kinds.ReplicaSet,
  kinds.ReplicationController,
  kinds.Job,
  kinds.Service,
];

/** Pods of a workload, by ownership; of a Service, those that it selects. A pod is its own. */
export function podsOf(store: ObjectStore, object: KubernetesObject): readonly Pod[] {
  if (object.kind === 'Pod') return [object as Pod];
  if (object.kind === 'Service') {
    const { metadata, spec } = object as Service;
    const { selector } = spec;
    if (selector === undefined) return [];
    const pods = store.list(kinds.Pod, { namespace: metadata.namespace ?? '' });
    return pods.filter((pod) => hasLabels(selector, pod.metadata.labels));
  }
  const own = store.ownedBy(kinds.Pod, object.metadata.uid);
  const sets = store.ownedBy(kinds.ReplicaSet, object.metadata.uid);
  return [...own, ...sets.flatMap(({ metadata }) => store.ownedBy(kinds.Pod, metadata.uid))];
}
