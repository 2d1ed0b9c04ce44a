/**
 * Objects → a network that does what they say. The control plane says what there should be; this file has it made, tells
 * every node, and reports back what runs, until nothing is left to do. It does not care whether pods are namespaces of
 * a kernel or played by a simulator: that is the backend's.
 *
 * A pod that goes, goes in this order: no node sends it new connections; its connections end by its own kernel's FIN or
 * RST; its port, its routes and its network go; its name and addresses are free.
 */
import type { NodeUpdate } from '../nodes/protocol.ts';
import type { Pod } from '../store/object.ts';
import { ClusterFeed } from './cluster-feed.ts';
import type { ControlPlane } from './control-plane.ts';
import { type PlacedPod, placedPod, runs } from './placed-pod.ts';
import type { Topology } from './topology.ts';

/** Pods made between two looks at the event loop: about 50 ms. */
const PODS_AT_ONCE = 50;

export interface Backend {
  /** Interface of a pod's network. */
  readonly podInterface: string;
  /** Makes the pod's network, or finds its node's. @returns where that is. @throws in words, with nothing left behind. */
  readonly createPod: (pod: PlacedPod) => string;
  /** Resolves when the node's packets see it. */
  readonly tell: (node: string, update: NodeUpdate) => Promise<void>;
  /** Ends everything that runs in the pod; resolves when its connections have ended, or after a grace. */
  readonly endPod: (pod: PlacedPod) => Promise<void>;
  /** The pod's network goes. */
  readonly removePod: (pod: PlacedPod) => void;
  readonly log: (message: string) => void;
}

interface RunningPod {
  readonly pod: PlacedPod;
  readonly namespacePath: string;
  ending: boolean;
}

export class Rollout {
  readonly feed: ClusterFeed;
  readonly #plane: ControlPlane;
  readonly #backend: Backend;
  /** By `namespace/name`. */
  readonly #pods = new Map<string, RunningPod>();
  readonly #macs = new Set<string>();
  readonly #ends = new Set<Promise<void>>();
  readonly #failures: Error[] = [];
  /** Keys of pods whose networks could not be made: tried again when anything changes. */
  #failed = new Set<string>();
  #isStrict = false;
  #asked = 0;
  #done = 0;
  #round: Promise<void> | undefined;

  constructor(topology: Topology, plane: ControlPlane, backend: Backend) {
    this.#plane = plane;
    this.#backend = backend;
    this.feed = new ClusterFeed(topology);
  }

  /** As `settle`, for a cluster that begins: what cannot be made ends it, before nodes are told of the rest. */
  async begin(): Promise<void> {
    this.#isStrict = true;
    await this.settle();
    this.#isStrict = false;
  }

  /**
   * Resolves when what the objects ask for now is in force on every node. Pods that end may still be ending.
   *
   * @throws the first of what could not be done; all else was.
   */
  async settle(): Promise<void> {
    const asked = ++this.#asked;
    while (this.#done < asked) {
      this.#round ??= this.#rollOut().finally(() => {
        this.#round = undefined;
      });
      await this.#round;
    }
    const [failure] = this.#failures.splice(0);
    if (failure !== undefined) throw failure;
  }

  /** Resolves when also every pod that was to end is gone. */
  async ended(): Promise<void> {
    await this.settle();
    while (this.#ends.size > 0) {
      await Promise.all(this.#ends);
      await this.settle();
    }
  }

  async #rollOut(): Promise<void> {
    let again = this.#failed;
    this.#failed = new Set();
    for (;;) {
      const asked = this.#asked;
      this.#plane.reconcile();
      const changes = this.#plane.takeChanges();
      const { pods, services, namespaces } = changes;
      if (pods.size === 0 && services.size === 0 && namespaces === undefined) {
        this.#done = asked;
        return;
      }
      const started = await this.#createPods(new Set([...again, ...pods]));
      again = new Set();
      this.feed.setServices(changes, this.#plane);
      await this.#tell();
      for (const key of started) this.#plane.podRuns(key);
      for (const key of pods) this.#endIfUnwanted(key);
    }
  }

  /** @returns the keys of pods that will run once their nodes know. */
  async #createPods(keys: ReadonlySet<string>): Promise<string[]> {
    const started: string[] = [];
    let created = 0;
    for (const key of keys) {
      const object = this.#plane.pod(key);
      if (object === undefined || !runs(object)) continue;
      const running = this.#pods.get(key);
      if (running !== undefined) {
        if (!running.ending) this.feed.refreshWorkload(object, running.pod, running.namespacePath);
      } else if (this.#createPod(key, object)) {
        started.push(key);
        if (++created % PODS_AT_ONCE === 0) await new Promise(setImmediate);
      }
    }
    return started;
  }

  #createPod(key: string, object: Pod): boolean {
    const { node } = this.feed.nodes.get(object.spec.nodeName!)!;
    const pod = placedPod(object, node, this.#macs);
    let namespacePath: string;
    try {
      namespacePath = this.#backend.createPod(pod);
    } catch (error) {
      if (this.#isStrict) throw error;
      this.#macs.delete(pod.mac);
      this.#failed.add(key);
      this.#fail(key, error as Error);
      return false;
    }
    this.#pods.set(key, { pod, namespacePath, ending: false });
    this.feed.addPod(object, pod, namespacePath, this.#backend.podInterface);
    return true;
  }

  /** Every node hears what has changed for it, all at once. */
  async #tell(): Promise<void> {
    const tellings = this.feed.differences().map(([node, update]) => {
      return this.#backend.tell(node, update).catch((error: Error) => this.#fail(node, error));
    });
    await Promise.all(tellings);
  }

  /** The rest goes on; whoever waits for it all is told. @param what a pod's key, or a node's name. */
  #fail(what: string, error: Error): void {
    this.#failures.push(error);
    this.#plane.podFailed(what, error.message);
  }

  #endIfUnwanted(key: string): void {
    const running = this.#pods.get(key);
    if (running === undefined) this.#plane.podGone(key); // it never came to have a network
    if (running === undefined || running.ending) return;
    const object = this.#plane.pod(key);
    if (object !== undefined && runs(object) && object.metadata.uid === running.pod.uid) return;
    running.ending = true;
    const end = this.#end(key, running).finally(() => this.#ends.delete(end));
    this.#ends.add(end);
  }

  async #end(key: string, { pod }: RunningPod): Promise<void> {
    await this.#backend.endPod(pod);
    this.feed.removePod(pod);
    await this.#tell();
    this.#backend.removePod(pod);
    this.#macs.delete(pod.mac);
    this.#pods.delete(key);
    this.#plane.podGone(key);
    await this.settle();
  }
}
