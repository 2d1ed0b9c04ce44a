/**
 * The running cluster, as the cluster process has it: namespaces, node processes, and the objects that say what there
 * should be. Holds the descriptors that keep every namespace alive.
 */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApplyResult, ClusterApi, ClusterTables } from '../api/cluster-api.ts';
import { commandOf, declaresReady, isActive, isReady } from '../controllers/pod-state.ts';
import { type ClusterResolver, resolvConf } from '../dns/resolv-conf.ts';
import type { PolicyWorld } from '../network-policy/policy-world.ts';
import type { ProbeOrder, ProbeReport, Question, TapSpec } from '../nodes/protocol.ts';
import { NodeSupervisor } from '../nodes/supervisor.ts';
import type { KubernetesObject, Pod } from '../store/object.ts';
import { kinds, type Resource } from '../store/resources.ts';
import { StoreError } from '../store/store-error.ts';
import { close } from '../sys/io.ts';
import { type CaptureScene, captureScene } from './capture-scene.ts';
import { clusterTables } from './cluster-tables.ts';
import { compileSettings, hostAddresses, hostMac } from './compile.ts';
import { readinessProbes } from './compile-probes.ts';
import { ControlPlane } from './control-plane.ts';
import { type Entrance, entrance, namespacePath } from './entrance.ts';
import { ClusterLinks, type LinkQuality } from './links.ts';
import type { ManifestObject } from './manifest-object.ts';
import type { ManifestText } from './manifests.ts';
import type { PlacedPod } from './placed-pod.ts';
import { createPodNetwork, POD_INTERFACE } from './pod-network.ts';
import { closePlace, createPlace, type Place } from './pod-place.ts';
import { environmentOf, PodProgram } from './pod-program.ts';
import { connectionsClosed, endPrograms, namespaceName } from './pod-programs.ts';
import { policyNotes } from './policy-notes.ts';
import { readInput } from './read-input.ts';
import { Rollout } from './rollout.ts';
import { dnsAddresses } from './system-objects.ts';
import type { Topology, TopologyNode } from './topology.ts';
import { createUnderlay, type UnderlayNetwork } from './underlay.ts';

export interface RunningPod {
  readonly pod: PlacedPod;
  /** The namespace's descriptor; of a pod on its node's network, the node's. */
  readonly network: number;
  place: Place | undefined;
  ending: boolean;
}

export interface RunningNode {
  readonly node: TopologyNode;
  readonly network: number;
  readonly supervisor: NodeSupervisor;
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

/** Whose names a program on a node finds: a pod's of the namespace default. */
const PROBE: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: '' }, spec: { containers: [] } };

/** How long `up` waits for pods that their probes declare Ready. */
const PROBED_WITHIN_MS = 30_000;
const PROBED_LOOK_MS = 20;

export class Cluster implements ClusterApi {
  readonly topology: Topology;
  readonly nodes = new Map<string, RunningNode>();
  /** Pods that have a network now, by `namespace/name`. */
  readonly pods = new Map<string, RunningPod>();
  readonly links: ClusterLinks;
  readonly rollout: Rollout;
  /** By `namespace/name`. Their logs stay while their pods are in the store. */
  readonly #programs = new Map<string, PodProgram>();
  readonly #plane: ControlPlane;
  readonly #options: ClusterOptions;
  #underlay: UnderlayNetwork | undefined;

  constructor(options: ClusterOptions) {
    const { topology, log } = options;
    this.topology = topology;
    this.links = new ClusterLinks(topology);
    this.#options = options;
    this.#plane = new ControlPlane(topology, {
      now: () => `${new Date().toISOString().slice(0, 19)}Z`,
      uid: randomUUID,
    });
    this.rollout = new Rollout(topology, this.#plane, {
      podInterface: POD_INTERFACE,
      createPod: (pod) => this.#createPod(pod),
      startPod: (pod) => this.#startProgram(pod),
      tell: (node, update) => this.nodes.get(node)!.supervisor.update(update),
      endPod: (pod) => this.#endPod(pod),
      removePod: (pod) => this.#removePod(pod),
      log,
    });
    this.store.subscribe(({ type, object: { kind, metadata } }) => {
      if (type === 'DELETED' && kind === 'Pod') this.#programs.delete(`${metadata.namespace}/${metadata.name}`);
    });
  }

  get store() {
    return this.#plane.store;
  }

  /** Resolves when all that the manifests ask for is in force on every node. */
  async start(manifests: readonly ManifestObject[]): Promise<void> {
    const { topology } = this;
    // Their code is loaded while the network is made.
    const supervisors = topology.nodes.map((node) => this.#launchNode(node));
    const underlay = createUnderlay(topology);
    this.#underlay = underlay;
    this.#options.progress(underlay.description);
    for (const [i, node] of topology.nodes.entries()) this.#startNode(node, supervisors[i]!);
    this.#options.progress(counted(topology.nodes.length, 'node process', 'node processes'));
    this.#plane.apply(manifests);
    this.#plane.reconcile();
    this.#plane.applyAddons();
    await this.rollout.begin();
    await this.#probed();
    this.#options.progress(counted(this.pods.size, 'pod', 'pods'));
    const services = this.store.count(kinds.Service);
    this.#options.progress(`${counted(services, 'Service', 'Services')} and routes on every node`);
  }

  /** Resolves when no pod waits for its probes any more, or after a time. */
  async #probed(): Promise<void> {
    const deadline = performance.now() + PROBED_WITHIN_MS;
    const waits = (pod: Pod) => {
      if (!isActive(pod) || pod.status?.phase !== 'Running' || isReady(pod) || !declaresReady(pod)) return false;
      return readinessProbes(pod).probes.length > 0;
    };
    while (performance.now() < deadline && this.store.list(kinds.Pod).some(waits)) await sleep(PROBED_LOOK_MS);
    await this.rollout.settle();
  }

  /**
   * Makes the objects be as the texts say. Resolves when that is in force on every node.
   *
   * @throws ManifestError, with nothing changed.
   */
  async apply(texts: readonly ManifestText[], namespace?: string, wait = true) {
    const { objects, notes } = readInput(texts, namespace);
    this.#plane.admit(objects);
    const applied = this.#plane.apply(objects);
    const problems = await this.#problemsOf(this.rollout.settle(), wait);
    const results = applied.map(({ object, result }) => resultOf(object, result));
    // Who does not wait has pods without addresses, which no policy sees yet.
    return { results, notes: wait ? [...notes, ...this.notesOn(objects)] : notes, problems };
  }

  /** What policies among the objects do not do, though they are in force. */
  notesOn(objects: readonly ManifestObject[]): string[] {
    return policyNotes(this.topology, this.#plane, objects);
  }

  /** Deletes what the texts name. Resolves when it is gone. */
  async delete(texts: readonly ManifestText[], namespace?: string, wait = true) {
    const { objects } = readInput(texts, namespace);
    const there = this.#plane.delete(objects.map(({ object }) => object));
    const results = objects.map(({ object }, i) => resultOf(object, there[i] ? 'deleted' : 'not found'));
    return { results, problems: await this.#problemsOf(this.rollout.ended(), wait) };
  }

  /** @throws StoreError NotFound, Forbidden */
  async deleteObject(resource: Resource, namespace: string, name: string, wait = true): Promise<void> {
    this.#plane.deleteOne(resource, namespace, name);
    for (const problem of await this.#problemsOf(this.rollout.ended(), wait)) this.#options.log(problem);
  }

  /** What could not be done, in words; while nobody waits it is for the log, and in events in any case. */
  async #problemsOf(work: Promise<void>, wait: boolean): Promise<string[]> {
    const problems = work.then(
      () => [],
      ({ message }: Error) => [message],
    );
    if (wait) return await problems;
    this.#unattended(work);
    return [];
  }

  #unattended(work: Promise<void>): void {
    work.catch(({ message }: Error) => this.#options.log(message));
  }

  /** What the workload of a pod has written, or its program. */
  async log(namespace: string, name: string): Promise<string> {
    const program = this.#programs.get(`${namespace}/${name}`);
    if (program !== undefined) return program.log();
    const node = this.pods.get(`${namespace}/${name}`)?.pod.node;
    if (node === undefined) return '';
    return (await this.nodes.get(node)!.supervisor.order({ order: 'log', pod: { namespace, name } })) as string;
  }

  stop(): void {
    for (const { supervisor } of this.nodes.values()) supervisor.stop();
  }

  ask(node: RunningNode, question: Question): Promise<unknown> {
    return node.supervisor.ask(question);
  }

  probe(
    from: RunningNode | RunningPod,
    question: Omit<ProbeOrder, 'order' | 'namespacePath'>,
    signal?: AbortSignal,
  ): Promise<ProbeReport> {
    const { supervisor } = 'supervisor' in from ? from : this.nodes.get(from.pod.node)!;
    return supervisor.probe({ ...question, order: 'ask', namespacePath: namespacePath(from.network) }, signal);
  }

  policyWorld(revision?: number): PolicyWorld | undefined {
    return this.#plane.policyWorld(revision);
  }

  scene({ node }: RunningNode): CaptureScene {
    return captureScene(this.topology, node, this.rollout.feed.nodes.get(node.name)!.pods);
  }

  tables(): ClusterTables {
    return clusterTables(this.topology, this.rollout.feed, this.links);
  }

  /** Resolves when both nodes obey. */
  async setLink(a: RunningNode, b: RunningNode, quality: LinkQuality): Promise<void> {
    this.links.set(a.node, b.node, quality);
    const version = this.rollout.feed.nextVersion();
    const tell = ({ node, supervisor }: RunningNode) => supervisor.update({ version, links: this.links.specsOf(node) });
    await Promise.all([tell(a), tell(b)]);
  }

  /** Where a program enters a pod. Makes the pod's place when it is the first. */
  enterPod(running: RunningPod): Entrance {
    const { pod } = running;
    if (running.ending) throw new StoreError('Conflict', `pods "${pod.name}" is being deleted`);
    const directory = this.#placeDirectory(pod);
    const { hostname, addresses } = pod;
    const names = resolvConf(this.#plane.pod(pod.key)!, this.#resolver());
    running.place ??= createPlace({ directory, hostname, addresses, network: running.network, resolvConf: names });
    return entrance(running.network, running.place);
  }

  enterNode(running: RunningNode): Entrance {
    const { node } = running;
    const directory = join(this.#options.directory, 'nodes', node.name);
    const addresses = [node.underlayAddress];
    const { network } = running;
    // Unlike a machine's, so that a user who tries things from a node finds the cluster's names.
    const names = resolvConf(PROBE, this.#resolver());
    running.place ??= createPlace({ directory, hostname: node.name, addresses, network, resolvConf: names });
    return entrance(running.network, running.place);
  }

  #resolver(): ClusterResolver {
    return { clusterDns: dnsAddresses(this.topology), clusterDomain: 'cluster.local', nodeResolvConf: undefined };
  }

  #launchNode(node: TopologyNode): NodeSupervisor {
    const { topology, rollout } = this;
    const feed = rollout.feed.nodes.get(node.name)!;
    const supervisor = new NodeSupervisor({
      name: node.name,
      settings: () => compileSettings(topology, node, this.#underlay!.wires.get(node.name)),
      fullUpdate: () => {
        const host = hostTap(node, this.nodes.get(node.name)!.network);
        return { ...feed.full(rollout.feed.nextVersion()), host, links: this.links.specsOf(node) };
      },
      onReady: (ready) => {
        this.nodes.get(node.name)!.ready = ready;
        this.#plane.nodeReady(node.name, ready);
        if (ready) rollout.nodeIsBack(node.name);
        this.#unattended(rollout.settle());
      },
      onProbed: ({ namespace, name }, ready) => {
        this.#plane.podProbed(`${namespace}/${name}`, ready);
        this.#unattended(rollout.settle());
      },
      onUnhealthy: ({ namespace, name }, message) => {
        this.#plane.podFailed(`${namespace}/${name}`, message, 'Unhealthy');
      },
      log: this.#options.log,
    });
    supervisor.launch();
    return supervisor;
  }

  #startNode(node: TopologyNode, supervisor: NodeSupervisor): void {
    const network = createPodNetwork({ mac: hostMac(node), addresses: hostAddresses(node), ...this.#sizes() });
    this.nodes.set(node.name, { node, network, supervisor, place: undefined, ready: false });
    supervisor.start();
  }

  #sizes(): { mtu: number; gsoMaxSize: number } {
    return { mtu: this.topology.podMtu, gsoMaxSize: this.#underlay!.gsoMaxSize };
  }

  #createPod(pod: PlacedPod): string {
    const { mac, addresses, hostNetwork } = pod;
    const node = this.nodes.get(pod.node)!;
    const network = hostNetwork ? node.network : createPodNetwork({ mac, addresses, ...this.#sizes() });
    this.pods.set(pod.key, { pod, network, place: undefined, ending: false });
    return namespacePath(network);
  }

  /** The pod's own program, where it names one. */
  #startProgram(pod: PlacedPod): void {
    const object = this.#plane.pod(pod.key);
    if (object === undefined || object.metadata.uid !== pod.uid || !isActive(object)) return; // deleted meanwhile
    const command = commandOf(object);
    // Nobody gets past admission; this is the last door.
    if (command === undefined || !this.topology.allowRun) return;
    const { key, namespace, name, hostname } = pod;
    const program = new PodProgram({
      ...{
        command,
        hostname,
        restartPolicy: object.spec.restartPolicy ?? 'Always',
        environment: environmentOf(object),
      },
      enter: () => this.enterPod(this.pods.get(key)!),
      onChange: (state) => {
        this.#plane.podProgram(key, state);
        if (state.state.running === undefined) {
          // What they have found is the program that has ended.
          const { supervisor } = this.nodes.get(pod.node)!;
          supervisor.order({ order: 'probe', pod: { namespace, name } }).catch(() => {});
        }
        this.#unattended(this.rollout.settle());
      },
      onBackOff: (message) => this.#plane.podFailed(key, message, 'BackOff'),
    });
    for (const note of readinessProbes(object).notes) program.say(note);
    this.#programs.set(key, program);
    program.start();
  }

  /** Its workload and its programs end, and then what their connections still have to say. */
  async #endPod(pod: PlacedPod): Promise<void> {
    const running = this.pods.get(pod.key)!;
    running.ending = true;
    const { network, place } = running;
    const { namespace, name, hostNetwork } = pod;
    const { supervisor } = this.nodes.get(pod.node)!;
    const own = this.#programs.get(pod.key)?.stop();
    const programs = place === undefined ? [] : [namespaceName(place.mounts)];
    const ended = endPrograms(hostNetwork ? programs : [...programs, namespaceName(network)]);
    // A node that has just died has no connections of workloads any more.
    await Promise.all([supervisor.order({ order: 'end', pod: { namespace, name } }).catch(() => {}), ended, own]);
    if (!hostNetwork) await connectionsClosed(network);
  }

  #placeDirectory({ namespace, name }: PlacedPod): string {
    return join(this.#options.directory, 'pods', `${namespace}_${name}`);
  }

  #removePod(pod: PlacedPod): void {
    const { network, place } = this.pods.get(pod.key)!;
    this.pods.delete(pod.key);
    if (place !== undefined) {
      closePlace(place);
      rmSync(this.#placeDirectory(pod), { recursive: true, force: true });
    }
    if (!pod.hostNetwork) close(network);
  }
}

function resultOf({ apiVersion, kind, metadata }: KubernetesObject, result: ApplyResult['result']): ApplyResult {
  return { apiVersion, kind, namespace: metadata.namespace, name: metadata.name, result };
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
