/** The kinds that the store holds, with the names that the REST API and the command line have for them. */
import type {
  CronJob,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  Job,
  KubernetesObject,
  Namespace,
  NetworkPolicy,
  Node,
  Pod,
  ReplicaSet,
  ReplicationController,
  Service,
  StatefulSet,
} from './object.ts';

/** One kind. As the API's discovery documents have it. */
export interface Resource<T extends KubernetesObject = KubernetesObject> {
  /** `v1`, `apps/v1`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  /** Never there: what objects of the kind look like, for the compiler. */
  readonly shape?: T;
}

/** @param names plural, then short names; the singular is the kind in lower case */
function resource<T extends KubernetesObject>(
  apiVersion: string,
  kind: string,
  names: readonly [plural: string, ...shortNames: string[]],
  scope: 'namespaced' | 'cluster' = 'namespaced',
): Resource<T> {
  const [plural, ...shortNames] = names;
  return { apiVersion, kind, plural, singular: kind.toLowerCase(), shortNames, namespaced: scope === 'namespaced' };
}

export const kinds = {
  Namespace: resource<Namespace>('v1', 'Namespace', ['namespaces', 'ns'], 'cluster'),
  Node: resource<Node>('v1', 'Node', ['nodes', 'no'], 'cluster'),
  Pod: resource<Pod>('v1', 'Pod', ['pods', 'po']),
  Service: resource<Service>('v1', 'Service', ['services', 'svc']),
  Endpoints: resource<Endpoints>('v1', 'Endpoints', ['endpoints', 'ep']),
  ConfigMap: resource<KubernetesObject>('v1', 'ConfigMap', ['configmaps', 'cm']),
  Secret: resource<KubernetesObject>('v1', 'Secret', ['secrets']),
  ServiceAccount: resource<KubernetesObject>('v1', 'ServiceAccount', ['serviceaccounts', 'sa']),
  ReplicationController: resource<ReplicationController>('v1', 'ReplicationController', [
    'replicationcontrollers',
    'rc',
  ]),
  Event: resource<Event>('v1', 'Event', ['events', 'ev']),
  Deployment: resource<Deployment>('apps/v1', 'Deployment', ['deployments', 'deploy']),
  ReplicaSet: resource<ReplicaSet>('apps/v1', 'ReplicaSet', ['replicasets', 'rs']),
  StatefulSet: resource<StatefulSet>('apps/v1', 'StatefulSet', ['statefulsets', 'sts']),
  DaemonSet: resource<DaemonSet>('apps/v1', 'DaemonSet', ['daemonsets', 'ds']),
  Job: resource<Job>('batch/v1', 'Job', ['jobs']),
  CronJob: resource<CronJob>('batch/v1', 'CronJob', ['cronjobs', 'cj']),
  EndpointSlice: resource<EndpointSlice>('discovery.k8s.io/v1', 'EndpointSlice', ['endpointslices']),
  NetworkPolicy: resource<NetworkPolicy>('networking.k8s.io/v1', 'NetworkPolicy', ['networkpolicies', 'netpol']),
} as const;

export const resources: readonly Resource[] = Object.values(kinds);

const byType = new Map(resources.map((item) => [`${item.apiVersion} ${item.kind}`, item]));

/** The kind of an object; undefined for one that the store does not hold. */
export function resourceOf(type: { readonly apiVersion: string; readonly kind: string }): Resource | undefined {
  return byType.get(`${type.apiVersion} ${type.kind}`);
}
