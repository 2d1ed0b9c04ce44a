/**
 * The cluster as its objects say it should be: the store, the controllers over it, and the door through which manifests
 * come in. Nothing here touches a network; `rollout.ts` has it made.
 */
import { admit, type Networks, type Refusal } from '../controllers/admit.ts';
import { Controllers } from '../controllers/controllers.ts';
import { EventRecorder } from '../controllers/event-recorder.ts';
import { withCondition } from '../controllers/pod-state.ts';
import { SERVICE_NAME } from '../controllers/slice-set.ts';
import type { PolicyWorld } from '../network-policy/policy-world.ts';
import type { EndpointSlice, KubernetesObject, Node, Pod, Service } from '../store/object.ts';
import { type Applied, ObjectStore } from '../store/object-store.ts';
import { kinds, type Resource, resourceOf } from '../store/resources.ts';
import { StoreError } from '../store/store-error.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import { parseCidr } from './ip-address.ts';
import type { ManifestObject } from './manifest-object.ts';
import { PodReports, type ProgramState } from './pod-reports.ts';
import { PolicyWorlds } from './policy-worlds.ts';
import { ProblemLog } from './source.ts';
import { type SourceNode, sourceOf } from './source-tree.ts';
import { addonObjects, frameObjects, namespaceObject, systemNamespaces } from './system-objects.ts';
import type { Topology } from './topology.ts';

export interface ControlPlaneOptions {
  /** RFC 3339, UTC. */
  readonly now: () => string;
  /** A name that no object had or will have. */
  readonly uid: () => string;
}

/** Keys (`namespace/name`) of what may have to be done anew. */
export interface Changes {
  readonly pods: ReadonlySet<string>;
  readonly services: ReadonlySet<string>;
  /** All of them, when one has come or gone. */
  readonly namespaces: readonly string[] | undefined;
  /** When it is another. */
  readonly policies: PolicyWorld | undefined;
}

export function isNothing({ pods, services, namespaces, policies }: Changes): boolean {
  return pods.size === 0 && services.size === 0 && namespaces === undefined && policies === undefined;
}

export class ControlPlane {
  readonly store: ObjectStore;
  readonly #topology: Topology;
  readonly #controllers: Controllers;
  readonly #events: EventRecorder;
  readonly #networks: Networks;
  readonly #now: () => string;
  readonly #reports = new PodReports();
  readonly #worlds: PolicyWorlds;
  /** By `namespace/name` of their Service, then by name. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  #changedPods = new Set<string>();
  #changedServices = new Set<string>();
  #namespacesChanged = true;

  constructor(topology: Topology, options: ControlPlaneOptions) {
    this.#topology = topology;
    this.store = new ObjectStore(options);
    this.#worlds = new PolicyWorlds(this.store);
    const parsed = (subnets: readonly string[]) => subnets.map((text) => parseCidr(text)!);
    const { podSubnets, serviceSubnets } = topology;
    this.#networks = { podSubnets: parsed(podSubnets), serviceSubnets: parsed(serviceSubnets) };
    for (const object of frameObjects(topology)) this.store.create(object);
    this.#controllers = new Controllers(this.store, {
      serviceSubnets: this.#networks.serviceSubnets,
      now: options.now,
    });
    this.#events = new EventRecorder(this.store, options.now);
    this.#now = options.now;
    this.store.subscribe((event) => this.#note(event));
  }

  /**
   * What is wrong with the objects as they would stand beside those that are there.
   *
   * @throws ManifestError with every problem; nothing is changed.
   */
  admit(manifests: readonly ManifestObject[]): void {
    const log = new ProblemLog();
    const others = manifests.filter(({ object }) => object.kind !== 'Node'); // those are the topology's
    const byObject = new Map(others.map((manifest) => [manifest.object, manifest]));
    for (const manifest of others) this.#judgeNamespace(manifest, log);
    for (const { object, path, message } of this.#refusals([...byObject.keys()])) {
      log.error(sourceOf(byObject.get(object)!, path), path, message);
    }
    log.throwIfErrors();
  }

  #refusals(objects: readonly KubernetesObject[]): readonly Refusal[] {
    return admit(objects, this.store, this.#networks, this.#topology.allowRun);
  }

  /** Takes objects over. Pre: they were admitted. Namespaces that nobody has written are made. */
  apply(manifests: readonly ManifestObject[]): Applied[] {
    const rank = ({ object }: ManifestObject) => (object.kind === 'Namespace' ? 0 : 1);
    const results = new Map<ManifestObject, Applied>();
    const made: Applied[] = [];
    for (const manifest of [...manifests].sort((a, b) => rank(a) - rank(b))) {
      const { object, source } = manifest;
      if (object.kind === 'Node') continue; // the topology has read it
      const namespace = this.#missingNamespace(object.metadata.namespace);
      if (namespace !== undefined) made.push({ result: 'created', object: this.store.create(namespace) });
      results.set(manifest, this.store.apply(asWritten(object), source));
      // The same policy may stand on other lines now.
      if (object.kind === 'NetworkPolicy') this.#worlds.policiesChanged();
    }
    return [...made, ...manifests.flatMap((manifest) => results.get(manifest) ?? [])];
  }

  /** @returns of each object, whether it was there. Namespaces go last, and take along what is left in them. */
  delete(objects: readonly KubernetesObject[]): boolean[] {
    for (const object of objects) this.#refuseDeletion(resourceOf(object)!, object.metadata.name);
    const there = objects.map((object) => this.#stored(object) !== undefined);
    const rank = ({ kind }: KubernetesObject) => (kind === 'Namespace' ? 1 : 0);
    for (const object of [...objects].sort((a, b) => rank(a) - rank(b))) {
      if (this.#stored(object) === undefined) continue; // it went with its owner
      this.store.delete(resourceOf(object)!, object.metadata.namespace ?? '', object.metadata.name);
    }
    return there;
  }

  /** @throws StoreError NotFound, Forbidden */
  deleteOne(resource: Resource, namespace: string, name: string): void {
    this.#refuseDeletion(resource, name);
    this.store.delete(resource, namespace, name);
  }

  #stored({ apiVersion, kind, metadata }: KubernetesObject): KubernetesObject | undefined {
    return this.store.get(resourceOf({ apiVersion, kind })!, metadata.namespace ?? '', metadata.name);
  }

  /** What an API server forbids; and nodes, which are processes. */
  #refuseDeletion(resource: Resource, name: string): void {
    if (resource === kinds.Node) {
      throw new StoreError('Forbidden', `nodes "${name}" is forbidden: nodes stay while the cluster runs`);
    }
    if (resource === kinds.Namespace && systemNamespaces.includes(name)) {
      throw new StoreError('Forbidden', `namespaces "${name}" is forbidden: this namespace may not be deleted`);
    }
  }

  #judgeNamespace(manifest: ManifestObject, log: ProblemLog): void {
    const { namespace } = manifest.object.metadata;
    const stored = namespace === undefined ? undefined : this.store.get(kinds.Namespace, '', namespace);
    if (stored?.metadata.deletionTimestamp === undefined) return;
    const path = 'metadata.namespace';
    log.error(sourceOf(manifest, path), path, `namespace ${namespace} is being deleted; apply it when it is gone`);
  }

  /** Adds what every cluster has, where manifests have not brought their own. */
  applyAddons(): void {
    for (const object of addonObjects(this.#topology)) {
      const { namespace = '', name } = object.metadata;
      if (this.store.get(resourceOf(object)!, namespace, name) === undefined) this.store.create(object);
    }
  }

  /** Lets the controllers work until they have nothing left to do. */
  reconcile(): void {
    this.#controllers.reconcile();
  }

  /** What has changed since the last call. */
  takeChanges(): Changes {
    const namespaces = this.#namespacesChanged
      ? this.store.list(kinds.Namespace).map(({ metadata }) => metadata.name)
      : undefined;
    const policies = this.#worlds.take();
    const changes = { pods: this.#changedPods, services: this.#changedServices, namespaces, policies };
    this.#namespacesChanged = false;
    this.#changedPods = new Set();
    this.#changedServices = new Set();
    return changes;
  }

  /** They could not be seen to: the next call has them again. */
  returnChanges({ pods, services, namespaces, policies }: Changes): void {
    for (const key of pods) this.#changedPods.add(key);
    for (const key of services) this.#changedServices.add(key);
    this.#namespacesChanged ||= namespaces !== undefined;
    if (policies !== undefined) this.#worlds.putBack();
  }

  /**
   * What policies see, now or at a revision that nodes were told of; undefined for one that is forgotten.
   *
   * @param revision undefined: now
   */
  policyWorld(revision?: number): PolicyWorld | undefined {
    return revision === undefined ? this.#worlds.newest() : this.#worlds.at(revision);
  }

  pod(key: string): Pod | undefined {
    return this.store.get(kinds.Pod, ...split(key));
  }

  service(key: string): Service | undefined {
    return this.store.get(kinds.Service, ...split(key));
  }

  slicesOf(key: string): readonly EndpointSlice[] {
    return [...(this.#slices.get(key)?.values() ?? [])];
  }

  /** The pod's network is there, and every node knows. */
  podRuns(key: string): void {
    this.#reports.learn(key, { runs: true });
    this.#report(key);
  }

  /** What the probes of a pod that obeys them say together. */
  podProbed(key: string, ready: boolean): void {
    this.#reports.learn(key, { probed: ready });
    this.#report(key);
  }

  /** A pod's program has begun, has ended, or waits to be started again. */
  podProgram(key: string, program: ProgramState): void {
    this.#reports.learn(key, { program });
    this.#report(key);
  }

  #report(key: string): void {
    const pod = this.pod(key);
    const report = pod === undefined ? undefined : this.#reports.reportOf(key, pod);
    if (report !== undefined) this.#controllers.podStatus(pod!, report);
  }

  /** Nothing of it runs any more. */
  podGone(key: string): void {
    this.#reports.forget(key);
    const pod = this.pod(key);
    if (pod !== undefined) this.#controllers.finalizePod(pod);
  }

  /** @param reason as a kubelet's events have it. */
  podFailed(key: string, message: string, reason = 'FailedCreatePodSandBox'): void {
    const pod = this.pod(key);
    if (pod === undefined) return;
    this.#events.record(pod, 'Warning', reason, message, 'podwire');
  }

  nodeReady(name: string, ready: boolean): void {
    const node = this.store.get(kinds.Node, '', name);
    if (node === undefined) return;
    const condition = { type: 'Ready', status: ready ? 'True' : 'False' };
    const conditions = withCondition(node.status?.conditions, condition, this.#now());
    this.store.updateStatus<Node>({ ...node, status: { ...node.status, conditions } });
  }

  /** Where a field of an object was written; undefined for objects that no manifest has brought. */
  sourceOf(object: KubernetesObject, path: string) {
    const source = this.store.sourceOf(object) as SourceNode | undefined;
    return source === undefined ? undefined : sourceOf({ source }, path);
  }

  #missingNamespace(name: string | undefined): KubernetesObject | undefined {
    if (name === undefined || this.store.get(kinds.Namespace, '', name) !== undefined) return undefined;
    return namespaceObject(name);
  }

  #note(event: StoreEvent): void {
    const { type, object, previous } = event;
    this.#worlds.note(event);
    const { namespace = '', name, labels } = object.metadata;
    switch (object.kind) {
      case 'Namespace':
        this.#namespacesChanged ||= type !== 'MODIFIED';
        return;
      case 'Pod':
        this.#changedPods.add(`${namespace}/${name}`);
        return;
      case 'Service':
        this.#changedServices.add(`${namespace}/${name}`);
        return;
      case 'EndpointSlice':
        this.#noteSlice(`${namespace}/${previous?.metadata.labels?.[SERVICE_NAME]}`, name, undefined);
        if (type !== 'DELETED') {
          this.#noteSlice(`${namespace}/${labels?.[SERVICE_NAME]}`, name, object as EndpointSlice);
        }
    }
  }

  #noteSlice(service: string, name: string, slice: EndpointSlice | undefined): void {
    let slices = this.#slices.get(service);
    if (slices === undefined) {
      slices = new Map();
      this.#slices.set(service, slices);
    }
    if (slice !== undefined) slices.set(name, slice);
    else slices.delete(name);
    if (slices.size === 0) this.#slices.delete(service);
    this.#changedServices.add(service);
  }
}

/**
 * What is the writer's to say. Status is the cluster's, but for addresses that a pod is to have; finalizers are for
 * controllers that are elsewhere: nobody here would ever take them off.
 */
function asWritten(object: KubernetesObject & { readonly status?: unknown }): KubernetesObject {
  const { status, ...rest } = object;
  const { finalizers: _, ...metadata } = object.metadata;
  if (object.kind !== 'Pod' || status === undefined) return { ...rest, metadata };
  const { podIP, podIPs } = status as NonNullable<Pod['status']>;
  return { ...rest, metadata, status: { ...(podIP === undefined ? {} : { podIP, podIPs }) } } as KubernetesObject;
}

function split(key: string): [namespace: string, name: string] {
  const slash = key.indexOf('/');
  return [key.slice(0, slash), key.slice(slash + 1)];
}
