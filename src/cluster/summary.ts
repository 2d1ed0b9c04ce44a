/** What a cluster has, in a few lines, for whoever has just started it. */
import { controllerOf, declaresReady, isActive, isReady as isPodReady } from '../controllers/pod-state.ts';
import type { Event, KubernetesObject, Pod, Service } from '../store/object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { podsOf } from '../store/pods-of.ts';
import { kinds, type Resource } from '../store/resources.ts';
import { SYSTEM_NAMESPACE } from './placed-pod.ts';

export interface Summary {
  readonly pods: number;
  readonly services: number;
  /** Under `NAMESPACE KIND NAME READY ADDRESS`; the cluster's own are left out. */
  readonly rows: readonly (readonly string[])[];
  /** Pods that should be Ready and are not, each with what is known of the reason. */
  readonly unready: readonly string[];
}

const workloads: readonly Resource[] = [
  kinds.Deployment,
  kinds.StatefulSet,
  kinds.DaemonSet,
  kinds.Job,
  kinds.ReplicaSet,
  kinds.ReplicationController,
  kinds.Pod,
];

export function summarize(store: ObjectStore): Summary {
  const pods = store.list(kinds.Pod).filter(isActive);
  const isSystem = ({ metadata }: Pod) => (metadata.namespace === SYSTEM_NAMESPACE ? 0 : 1);
  const unready = pods
    .filter((pod) => declaresReady(pod) && !isPodReady(pod))
    .sort((a, b) => isSystem(a) - isSystem(b)); // without names nothing works
  const reasons = unready.length === 0 ? new Map<string, string>() : lastWarnings(store);
  return {
    pods: pods.length,
    services: store.count(kinds.Service),
    rows: [...workloads.flatMap((resource) => workloadRows(store, resource)), ...serviceRows(store)],
    unready: unready.map((pod) => {
      const { namespace, name, uid } = pod.metadata;
      return `pod ${namespace}/${name}: ${reasons.get(uid ?? '') ?? `is ${pod.status?.phase ?? 'Pending'}`}`;
    }),
  };
}

function workloadRows(store: ObjectStore, resource: Resource): string[][] {
  return store.list(resource).flatMap((object) => {
    const { namespace = '', name } = object.metadata;
    if (namespace === SYSTEM_NAMESPACE || controllerOf(object) !== undefined) return [];
    return [[namespace, resource.kind, name, readyOf(store, object), addressOf(object)]];
  });
}

/** Of a workload `ready/wanted`, of a pod its phase. */
function readyOf(store: ObjectStore, object: KubernetesObject): string {
  if (object.kind === 'Pod') return isPodReady(object as Pod) ? '1/1' : '0/1';
  const pods = podsOf(store, object);
  if (object.kind === 'Job')
    return `${pods.filter(({ status }) => status?.phase === 'Succeeded').length}/${pods.length}`;
  return `${pods.filter(isPodReady).length}/${pods.length}`;
}

function addressOf(object: KubernetesObject): string {
  return object.kind === 'Pod' ? ((object as Pod).status?.podIP ?? '') : '';
}

function serviceRows(store: ObjectStore): string[][] {
  return store.list(kinds.Service).flatMap(({ metadata, spec }: Service) => {
    const { namespace = '', name } = metadata;
    if (namespace === SYSTEM_NAMESPACE || (namespace === 'default' && name === 'kubernetes')) return [];
    const ports = (spec.ports ?? []).map(({ port, protocol }) => `${port}/${protocol ?? 'TCP'}`).join(',');
    const address = spec.type === 'ExternalName' ? (spec.externalName ?? '') : (spec.clusterIP ?? '');
    return [[namespace, 'Service', name, '', `${address} ${ports}`.trim()]];
  });
}

/** What went wrong last with each object, by uid. */
function lastWarnings(store: ObjectStore): Map<string, string> {
  const warnings = store.list(kinds.Event).filter(({ type }: Event) => type === 'Warning');
  return new Map(warnings.map(({ involvedObject, message }) => [involvedObject.uid ?? '', message ?? '']));
}
