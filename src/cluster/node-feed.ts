/**
 * What one node is to know, and what it has not been told yet: an update is the difference. A node process that starts
 * anew is told everything.
 */
import type { ZoneUpdate } from '../dns/zone-data.ts';
import type { CompiledWorld } from '../network-policy/compile-policies.ts';
import type { NodeUpdate, PodSpec, WorkloadSpec } from '../nodes/protocol.ts';
import type { ServicesUpdate } from '../service/service-spec.ts';
import { sameJson } from '../store/same-json.ts';
import { compileEndpoints, compilePod, compileRoutes } from './compile.ts';
import type { CompiledService } from './compile-services.ts';
import type { PlacedPod } from './placed-pod.ts';
import { PolicyFeed } from './policy-feed.ts';
import type { Topology, TopologyNode } from './topology.ts';

/** What all feeds of a cluster know. */
export interface CommonFeed {
  readonly topology: Topology;
  /** Pods whose addresses are not their node's. */
  readonly strays: Set<PlacedPod>;
  /** By `namespace/name`. */
  readonly services: Map<string, CompiledService>;
  readonly namespaces: Set<string>;
  /** undefined before there was any. */
  policies: CompiledWorld | undefined;
  /** Grows with every change of names. */
  zoneSerial: number;
}

export class NodeFeed {
  readonly node: TopologyNode;
  /** This node's pods with a network of their own, and their port numbers. */
  readonly pods = new Map<PlacedPod, number>();
  readonly #common: Readonly<CommonFeed>;
  readonly #specs = new Map<number, PodSpec>();
  readonly #workloads = new Map<string, WorkloadSpec>();
  readonly #policies = new PolicyFeed();
  /** Ports count on and are never used again: hops of a running capture keep their names. */
  #nextIndex = 0;
  // What has changed since the node was told.
  readonly #addedPods = new Set<number>();
  readonly #removedPods = new Set<number>();
  readonly #changedWorkloads = new Set<string>();
  readonly #changedServices = new Set<string>();
  #routesChanged = true;
  #namespacesChanged = false;
  #isUntold = false;
  /** Has the node been told all names? Only nodes are whose pods serve them. */
  #knowsNames = false;

  constructor(common: Readonly<CommonFeed>, node: TopologyNode) {
    this.#common = common;
    this.node = node;
  }

  /** @param namespacePath of its network. */
  addPod(pod: PlacedPod, namespacePath: string, interfaceName: string): void {
    const index = this.#nextIndex++;
    this.pods.set(pod, index);
    this.#specs.set(index, compilePod(pod, index, namespacePath, interfaceName));
    this.#addedPods.add(index);
    this.#routesChanged = true;
  }

  removePod(pod: PlacedPod): void {
    const index = this.pods.get(pod);
    if (index === undefined) return;
    this.pods.delete(pod);
    this.#specs.delete(index);
    if (!this.#addedPods.delete(index)) this.#removedPods.add(index);
    this.#routesChanged = true;
  }

  /** A pod elsewhere has come or gone that needs a route of its own. */
  routesChanged(): void {
    this.#routesChanged = true;
  }

  setWorkload(workload: WorkloadSpec): void {
    const key = `${workload.namespace}/${workload.name}`;
    const told = this.#workloads.get(key);
    if (told?.ready === workload.ready && sameJson(told.probes, workload.probes)) return;
    this.#workloads.set(key, workload);
    this.#changedWorkloads.add(key);
  }

  /** It ends by an order. */
  forgetWorkload(key: string): void {
    this.#workloads.delete(key);
    this.#changedWorkloads.delete(key);
  }

  /** A Service has come, changed or gone. */
  serviceChanged(key: string): void {
    this.#changedServices.add(key);
  }

  namespacesChanged(): void {
    this.#namespacesChanged = true;
  }

  /** The node has not taken what it was told: the next update is everything. @param update what it has not taken. */
  forgetTold(update?: NodeUpdate): void {
    this.#isUntold = true;
    for (const index of update?.removePods ?? []) this.#removedPods.add(index);
  }

  /** What has changed; undefined when nothing has. The node counts as told. */
  difference(version: number): NodeUpdate | undefined {
    if (this.#isUntold) return this.full(version);
    const workloads = [...this.#changedWorkloads].map((key) => this.#workloads.get(key)!);
    const services = this.#changedServices.size > 0 ? { services: this.#servicesChange() } : {};
    const names = this.#namesChange();
    const compiled = this.#common.policies;
    const policies = compiled && this.#policies.difference(compiled, this.pods);
    const isNews = this.#routesChanged || this.#changedServices.size > 0 || workloads.length > 0;
    if (!isNews && names === undefined && policies === undefined) return undefined;
    const update: NodeUpdate = {
      version,
      addPods: [...this.#addedPods].map((index) => this.#specs.get(index)!),
      removePods: [...this.#removedPods],
      workloads,
      ...(this.#routesChanged ? this.#routing() : {}),
      ...services,
      ...(policies === undefined ? {} : { policies }),
      ...(names === undefined ? {} : { names }),
    };
    this.#told();
    return update;
  }

  /** Everything. The node counts as told. */
  full(version: number): NodeUpdate {
    const { services, topology, policies } = this.#common;
    const specs = [...services.values()].map(({ forNode }) => forNode(this.node.name));
    this.#knowsNames = false;
    const names = this.#namesChange();
    const removed = [...this.#removedPods];
    this.#told();
    return {
      version,
      addPods: [...this.#specs.values()],
      removePods: removed,
      workloads: [...this.#workloads.values()],
      ...this.#routing(),
      services: {
        replaceAll: true,
        set: specs.filter((spec) => spec !== undefined),
        remove: [],
        networks: topology.serviceSubnets,
      },
      ...(policies === undefined ? {} : { policies: this.#policies.full(policies, this.pods) }),
      ...(names === undefined ? {} : { names }),
    };
  }

  /** Everything, to whom it may concern: whether the node has been told is not touched. */
  snapshot(version: number): NodeUpdate {
    const copy = new NodeFeed(this.#common, this.node);
    for (const [pod, index] of this.pods) copy.pods.set(pod, index);
    for (const [index, spec] of this.#specs) copy.#specs.set(index, spec);
    for (const [key, workload] of this.#workloads) copy.#workloads.set(key, workload);
    return copy.full(version);
  }

  #routing(): Pick<NodeUpdate, 'endpoints' | 'routes'> {
    const { topology, strays } = this.#common;
    return {
      endpoints: compileEndpoints(topology, this.node),
      routes: compileRoutes(topology, this.node, this.pods, strays),
    };
  }

  #servicesChange(): ServicesUpdate {
    const { services } = this.#common;
    const specs = [...this.#changedServices].map((key) => [key, services.get(key)?.forNode(this.node.name)] as const);
    return {
      set: specs.flatMap(([, spec]) => (spec === undefined ? [] : [spec])),
      remove: specs.flatMap(([key, spec]) => (spec === undefined ? [key] : [])),
    };
  }

  /** For a node that serves names: all of them at first, then what has changed. */
  #namesChange(): ZoneUpdate | undefined {
    if (!this.#servesNames()) return undefined;
    const { services, namespaces, zoneSerial: serial } = this.#common;
    if (!this.#knowsNames) {
      const setServices = [...services.values()].map(({ names }) => names);
      return { serial, replace: true, namespaces: [...namespaces], setServices };
    }
    if (this.#changedServices.size === 0 && !this.#namespacesChanged) return undefined;
    const keys = [...this.#changedServices];
    return {
      serial,
      ...(this.#namespacesChanged ? { namespaces: [...namespaces] } : {}),
      removeServices: keys.filter((key) => !services.has(key)),
      setServices: keys.flatMap((key) => services.get(key)?.names ?? []),
    };
  }

  #told(): void {
    this.#isUntold = false;
    this.#addedPods.clear();
    this.#removedPods.clear();
    this.#changedWorkloads.clear();
    this.#changedServices.clear();
    this.#routesChanged = false;
    this.#namespacesChanged = false;
    this.#knowsNames = this.#servesNames();
  }

  #servesNames(): boolean {
    for (const { answers } of this.#workloads.values()) if (answers === 'dns') return true;
    return false;
  }
}
