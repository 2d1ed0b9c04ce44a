import { parseCidr } from '../../src/cluster/ip-address.ts';
import { Controllers } from '../../src/controllers/controllers.ts';
import type { KubernetesObject, Pod } from '../../src/store/object.ts';
import { ObjectStore } from '../../src/store/object-store.ts';
import { kinds, type Resource } from '../../src/store/resources.ts';

export interface PlaneOptions {
  readonly nodes?: number;
  readonly families?: 'ipv4' | 'dual';
  readonly serviceSubnets?: readonly string[];
}

/** A store with its controllers and nodes n1 …, and a runtime that does what it is told when it is told. */
export class Plane {
  readonly store: ObjectStore;
  readonly controllers: Controllers;
  #time = 0;
  #uids = 0;

  constructor({ nodes = 3, families = 'ipv4', serviceSubnets = ['10.96.0.0/16'] }: PlaneOptions = {}) {
    const now = () => new Date(Date.UTC(2024, 0, 1) + this.#time++ * 1000).toISOString().replace('.000', '');
    this.store = new ObjectStore({ now, uid: () => `uid-${++this.#uids}` });
    const subnets = families === 'dual' ? [...serviceSubnets, 'fd00:10:96::/112'] : serviceSubnets;
    this.controllers = new Controllers(this.store, { serviceSubnets: subnets.map((text) => parseCidr(text)!), now });
    for (let index = 0; index < nodes; index++) this.store.create(nodeOf(index, families));
  }

  /** Applies and reconciles. */
  apply(...objects: readonly KubernetesObject[]): void {
    for (const object of objects) this.store.apply(object);
    this.controllers.reconcile();
  }

  delete(resource: Resource, name: string, namespace = 'default'): void {
    this.store.delete(resource, resource.namespaced ? namespace : '', name);
    this.controllers.reconcile();
  }

  /** One round of what a node would do: starts what is placed, ends what is to end. @returns whether there was anything */
  runOnce(): boolean {
    const before = this.store.resourceVersion;
    for (const pod of this.store.list(kinds.Pod)) {
      if (pod.metadata.deletionTimestamp !== undefined) this.controllers.finalizePod(pod);
      else if (pod.status?.hostIP !== undefined) this.controllers.podStatus(pod, { phase: 'Running', ready: true });
    }
    this.controllers.reconcile();
    return this.store.resourceVersion !== before;
  }

  /** Until nothing changes any more. */
  run(): void {
    for (let round = 0; this.runOnce(); round++) if (round > 200) throw new Error('the cluster does not settle');
  }

  pods(namespace = 'default'): readonly Pod[] {
    return this.store.list(kinds.Pod, { namespace });
  }

  /** `name node` of every pod. */
  places(): string[] {
    return this.pods().map(({ metadata, spec }) => `${metadata.name} ${spec.nodeName ?? '-'}`);
  }

  pod(name: string): Pod {
    return this.store.get(kinds.Pod, 'default', name)!;
  }

  /** `reason: message` of every event. */
  events(namespace = 'default'): string[] {
    return this.store.list(kinds.Event, { namespace }).map(({ reason, message }) => `${reason}: ${message}`);
  }
}

function nodeOf(index: number, families: 'ipv4' | 'dual'): KubernetesObject {
  const podCIDRs = [`10.244.${index}.0/24`, ...(families === 'dual' ? [`fd00:10:244:${index.toString(16)}::/64`] : [])];
  const name = `n${index + 1}`;
  const labels = { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/zone': `z${(index % 2) + 1}` };
  const spec = { podCIDR: podCIDRs[0], podCIDRs };
  const addresses = [{ type: 'InternalIP', address: `172.18.${index >> 8}.${(index & 255) + 2}` }];
  const status = { addresses, conditions: [{ type: 'Ready', status: 'True' }] };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec, status } as KubernetesObject;
}

/** An object of a kind in namespace default; `spec` and anything else beside it. */
export function object(resource: Resource, name: string, spec: object, metadata: object = {}): KubernetesObject {
  const { apiVersion, kind, namespaced } = resource;
  return {
    apiVersion,
    kind,
    metadata: { name, ...(namespaced ? { namespace: 'default' } : {}), ...metadata },
    spec,
  } as KubernetesObject;
}

const container = { name: 'main', image: 'x', ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] };

export function pod(name: string, spec: object = {}, metadata: object = {}, status?: object): KubernetesObject {
  const made = object(kinds.Pod, name, { containers: [container], ...spec }, metadata);
  return status === undefined ? made : ({ ...made, status } as KubernetesObject);
}

/** A workload of pods labelled app=NAME. @param resource Deployment, ReplicaSet, StatefulSet, DaemonSet, Job */
export function workload(
  resource: Resource,
  name: string,
  spec: object,
  podSpec: object = {},
  annotations?: object,
): KubernetesObject {
  const labels = { app: name };
  const template = {
    metadata: { labels, ...(annotations === undefined ? {} : { annotations }) },
    spec: { containers: [container], ...podSpec },
  };
  return object(resource, name, { selector: { matchLabels: labels }, template, ...spec });
}

export function deployment(name: string, replicas: number, podSpec: object = {}, spec: object = {}): KubernetesObject {
  return workload(kinds.Deployment, name, { replicas, ...spec }, podSpec);
}

export function service(name: string, spec: object = {}): KubernetesObject {
  const ports = [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }];
  return object(kinds.Service, name, { type: 'ClusterIP', ports, ...spec });
}
