/** What all nodes of a cluster are to know, gathered from its objects: one feed a node, and what they share. */
import { WorldCompiler } from '../network-policy/compile-policies.ts';
import type { NodeUpdate } from '../nodes/protocol.ts';
import type { Pod } from '../store/object.ts';
import { isStray } from './compile.ts';
import { compileService } from './compile-services.ts';
import type { Changes, ControlPlane } from './control-plane.ts';
import { type CommonFeed, NodeFeed } from './node-feed.ts';
import { type PlacedPod, workloadOf } from './placed-pod.ts';
import type { Topology } from './topology.ts';

export class ClusterFeed {
  readonly nodes: ReadonlyMap<string, NodeFeed>;
  readonly #common: CommonFeed;
  readonly #policies = new WorldCompiler();
  #version = 0;

  constructor(topology: Topology) {
    const common = { topology, strays: new Set<PlacedPod>(), services: new Map(), namespaces: new Set<string>() };
    this.#common = { ...common, zoneSerial: 1, policies: undefined };
    this.nodes = new Map(topology.nodes.map((node) => [node.name, new NodeFeed(this.#common, node)]));
  }

  /** The number of the next configuration. */
  nextVersion(): number {
    return ++this.#version;
  }

  /** @param namespacePath of its network. */
  addPod(object: Pod, pod: PlacedPod, namespacePath: string, interfaceName: string): void {
    const feed = this.nodes.get(pod.node)!;
    if (!pod.hostNetwork) feed.addPod(pod, namespacePath, interfaceName);
    if (isStray(pod, feed.node)) this.#changeStrays((strays) => strays.add(pod));
    feed.setWorkload(workloadOf(object, pod, namespacePath));
  }

  removePod(pod: PlacedPod): void {
    const feed = this.nodes.get(pod.node)!;
    feed.removePod(pod);
    if (this.#common.strays.has(pod)) this.#changeStrays((strays) => strays.delete(pod));
  }

  /** Its readiness or its probes may have changed. */
  refreshWorkload(object: Pod, pod: PlacedPod, namespacePath: string): void {
    this.nodes.get(pod.node)!.setWorkload(workloadOf(object, pod, namespacePath));
  }

  setServices({ services: keys, namespaces }: Changes, plane: ControlPlane): void {
    if (keys.size === 0 && namespaces === undefined) return;
    const { services } = this.#common;
    for (const key of keys) {
      const service = plane.service(key);
      if (service !== undefined) services.set(key, compileService(service, plane.slicesOf(key)));
      else if (!services.delete(key)) continue;
      for (const feed of this.nodes.values()) feed.serviceChanged(key);
    }
    if (namespaces !== undefined) {
      this.#common.namespaces.clear();
      for (const name of namespaces) this.#common.namespaces.add(name);
      for (const feed of this.nodes.values()) feed.namespacesChanged();
    }
    this.#common.zoneSerial++;
  }

  setPolicies({ policies }: Changes): void {
    if (policies !== undefined) this.#common.policies = this.#policies.compile(policies);
  }

  /** It ends, and no node process is to start it again. */
  forgetWorkload(pod: PlacedPod): void {
    this.nodes.get(pod.node)!.forgetWorkload(pod.key);
  }

  /** What nodes have not been told yet. They count as told. @param silent nodes that are not to be told now. */
  differences(silent: ReadonlySet<string>): (readonly [node: string, update: NodeUpdate])[] {
    return [...this.nodes].flatMap(([name, feed]) => {
      if (silent.has(name)) return [];
      const update = feed.difference(this.#version + 1);
      if (update === undefined) return [];
      this.#version++;
      return [[name, update] as const];
    });
  }

  #changeStrays(change: (strays: Set<PlacedPod>) => void): void {
    change(this.#common.strays);
    for (const feed of this.nodes.values()) feed.routesChanged();
  }
}
