/**
 * The running cluster, as the cluster process has it: namespaces, node processes, and what each of them knows. Holds
 * the descriptors that keep every namespace alive.
 */
import { join } from 'node:path';
import type { NodeUpdate, Question, TapSpec } from '../nodes/protocol.ts';
import { NodeSupervisor } from '../nodes/supervisor.ts';
import { compileEndpoints, compilePod, compileRoutes, compileSettings, hostAddresses, hostMac } from './compile.ts';
import { ClusterLinks, type LinkQuality } from './links.ts';
import { createPodNetwork, POD_INTERFACE } from './pod-network.ts';
import { createPlace, type Place } from './pod-place.ts';
import type { Topology, TopologyNode, TopologyPod } from './topology.ts';
import { createUnderlay, type UnderlayNetwork } from './underlay.ts';

/** Pods made between two looks at the event loop: about 50 ms. */
const PODS_AT_ONCE = 50;

/** Where to enter: paths as the vessel's processes see them. */
export interface Entrance {
  readonly network: string;
  readonly mounts: string;
  readonly names: string;
  /** What could not be set up for the program, in words. */
  readonly missing: readonly string[];
}

export interface RunningPod {
  readonly pod: TopologyPod;
  /** -1 for a pod on its node's network. */
  readonly index: number;
  readonly network: number;
  place: Place | undefined;
  ready: boolean;
}

export interface RunningNode {
  readonly node: TopologyNode;
  readonly network: number;
  readonly supervisor: NodeSupervisor;
  readonly indexes: Map<TopologyPod, number>;
  place: Place | undefined;
  ready: boolean;
}

export interface ClusterOptions {
  readonly topology: Topology;
  /** Of this cluster; exists. */
  readonly directory: string;
  readonly log: (message: string) => void;
  readonly progress: (step: string) => void;
}

export class Cluster {
  readonly topology: Topology;
  readonly startedAt = new Date();
  readonly nodes = new Map<string, RunningNode>();
  /** By `namespace/name`. */
  readonly pods = new Map<string, RunningPod>();
  readonly links: ClusterLinks;
  readonly #options: ClusterOptions;
  #underlay: UnderlayNetwork | undefined;
  #version = 0;

  constructor(options: ClusterOptions) {
    this.topology = options.topology;
    this.links = new ClusterLinks(options.topology);
    this.#options = options;
  }

  /** Configuration version, for `metadata.resourceVersion`. */
  get version(): number {
    return this.#version;
  }

  /** Resolves when every pod is reachable from every node. */
  async start(): Promise<void> {
    const { topology } = this;
    const underlay = createUnderlay(topology);
    this.#underlay = underlay;
    this.#options.progress(underlay.description);
    for (const node of topology.nodes) this.#startNode(node);
    this.#options.progress(counted(topology.nodes.length, 'node process', 'node processes'));
    const { pods } = topology;
    for (let i = 0; i < pods.length; i += PODS_AT_ONCE) {
      for (const pod of pods.slice(i, i + PODS_AT_ONCE)) this.#createPod(pod);
      await new Promise(setImmediate);
    }
    this.#options.progress(counted(pods.length, 'pod', 'pods'));
    await Promise.all([...this.nodes.values()].map((running) => running.supervisor.update(this.#fullUpdate(running))));
    for (const pod of this.pods.values()) pod.ready = true;
    this.#options.progress('routes on every node');
  }

  stop(): void {
    for (const { supervisor } of this.nodes.values()) supervisor.stop();
  }

  ask(node: RunningNode, question: Question): Promise<unknown> {
    return node.supervisor.ask(question);
  }

  /** Resolves when both nodes obey. */
  async setLink(a: RunningNode, b: RunningNode, quality: LinkQuality): Promise<void> {
    this.links.set(a.node, b.node, quality);
    const version = ++this.#version;
    const tell = ({ node, supervisor }: RunningNode) => supervisor.update({ version, links: this.links.specsOf(node) });
    await Promise.all([tell(a), tell(b)]);
  }

  /** Where a program enters a pod. Makes the pod's place when it is the first. */
  enterPod(running: RunningPod): Entrance {
    const { pod } = running;
    const directory = join(this.#options.directory, 'pods', `${pod.namespace}_${pod.name}`);
    const { hostname, addresses } = pod;
    running.place ??= createPlace({ directory, hostname, addresses, network: running.network });
    return entrance(running.network, running.place);
  }

  enterNode(running: RunningNode): Entrance {
    const { node } = running;
    const directory = join(this.#options.directory, 'nodes', node.name);
    const addresses = [node.underlayAddress];
    running.place ??= createPlace({ directory, hostname: node.name, addresses, network: running.network });
    return entrance(running.network, running.place);
  }

  #startNode(node: TopologyNode): void {
    const { topology } = this;
    const network = createPodNetwork({ mac: hostMac(node), addresses: hostAddresses(node), ...this.#sizes() });
    const indexes = new Map<TopologyPod, number>();
    const supervisor = new NodeSupervisor({
      settings: compileSettings(topology, node, this.#underlay!.wires.get(node.name)),
      fullUpdate: () => this.#fullUpdate(running),
      onReady: (ready) => {
        running.ready = ready;
      },
      log: this.#options.log,
    });
    const running: RunningNode = { node, network, supervisor, indexes, place: undefined, ready: false };
    this.nodes.set(node.name, running);
    supervisor.start();
  }

  #sizes(): { mtu: number; gsoMaxSize: number } {
    return { mtu: this.topology.podMtu, gsoMaxSize: this.#underlay!.gsoMaxSize };
  }

  #createPod(pod: TopologyPod): void {
    const node = this.nodes.get(pod.node)!;
    const key = `${pod.namespace}/${pod.name}`;
    if (pod.hostNetwork) {
      this.pods.set(key, { pod, index: -1, network: node.network, place: undefined, ready: false });
      return;
    }
    const index = node.indexes.size;
    const network = createPodNetwork({ mac: pod.mac, addresses: pod.addresses, ...this.#sizes() });
    node.indexes.set(pod, index);
    this.pods.set(key, { pod, index, network, place: undefined, ready: false });
  }

  /** Everything a node must know now. */
  #fullUpdate(running: RunningNode): NodeUpdate {
    const { node, indexes } = running;
    const addPods = [...indexes].map(([pod, index]) => {
      const { network } = this.pods.get(`${pod.namespace}/${pod.name}`)!;
      return compilePod(pod, index, namespacePath(network), POD_INTERFACE);
    });
    return {
      version: ++this.#version,
      host: hostTap(node, running.network),
      addPods,
      endpoints: compileEndpoints(this.topology, node),
      routes: compileRoutes(this.topology, node, indexes),
      links: this.links.specsOf(node),
    };
  }
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function hostTap(node: TopologyNode, network: number): TapSpec {
  return {
    namespacePath: namespacePath(network),
    interfaceName: POD_INTERFACE,
    mac: hostMac(node),
    addresses: hostAddresses(node),
  };
}

/** How the other processes of the vessel reach a descriptor of this one. */
function namespacePath(fd: number): string {
  return `/proc/${process.pid}/fd/${fd}`;
}

function entrance(network: number, place: Place): Entrance {
  return {
    network: namespacePath(network),
    mounts: namespacePath(place.mounts),
    names: namespacePath(place.names),
    missing: place.missing,
  };
}
