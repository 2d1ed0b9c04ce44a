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
import { type ControlPlane, isNothing } from './control-plane.ts';
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
  /** Every node knows it: its program may begin. */
  readonly startPod: (pod: PlacedPod) => void;
  /** Ends everything that runs in the pod; resolves when its connections have ended, or after a grace. */
  readonly endPod: (pod: PlacedPod) => Promise<void>;
  /** The pod's network goes. */
  readonly removePod: (pod: PlacedPod) => void;
  readonly log: (message: string) => void;
}

/** A node that has not acknowledged by then is waited for no longer: its machine has stopped. */
const TELL_TIMEOUT_MS = 10_000;

interface RunningPod {
  readonly pod: PlacedPod;
  readonly namespacePath: string;
  /** Its node has acknowledged it. */
  told: boolean;
  ending: boolean;
}

/** One time through: what was asked for until then is done when it resolves. */
interface Round {
  readonly done: Promise<void>;
  /** What could not be done in it. */
  readonly failures: Error[];
}

export class Rollout {
  readonly feed: ClusterFeed;
  readonly #plane: ControlPlane;
  readonly #backend: Backend;
  /** By `namespace/name`. */
  readonly #pods = new Map<string, RunningPod>();
  readonly #macs = new Set<string>();
  readonly #ends = new Set<Promise<void>>();
  /** Nodes that have not acknowledged in time: told again, everything, when they are back. */
  readonly #silent = new Set<string>();
  /** Keys of pods whose networks could not be made, or whose nodes have refused them: tried again with the next change. */
  readonly #failed = new Set<string>();
  #isStrict = false;
  #asked = 0;
  #done = 0;
  #round: Round | undefined;

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
   * @throws the first of what could not be done meanwhile; all else was.
   */
  async settle(): Promise<void> {
    const asked = ++this.#asked;
    let failure: Error | undefined;
    while (this.#done < asked) {
      const round = this.#round ?? this.#beginRound();
      await round.done;
      failure ??= round.failures[0];
    }
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

  /** A node acknowledges again. */
  nodeIsBack(name: string): void {
    if (this.#silent.delete(name)) this.feed.nodes.get(name)!.forgetTold();
  }

  #beginRound(): Round {
    const failures: Error[] = [];
    const done = this.#rollOut(failures).finally(() => {
      this.#round = undefined;
    });
    this.#round = { done, failures };
    return this.#round;
  }

  async #rollOut(failures: Error[]): Promise<void> {
    for (let isFirst = true; ; isFirst = false) {
      const asked = this.#asked;
      this.#plane.reconcile();
      const changes = this.#plane.takeChanges();
      const { pods } = changes;
      if (isNothing(changes)) {
        this.#done = asked;
        return;
      }
      const keys = isFirst ? new Set([...this.#failed, ...pods]) : pods;
      if (isFirst) this.#failed.clear();
      // Judged before anything waits: what is unwanted from here on has left the Services that nodes are told of.
      const unwanted = [...pods].filter((key) => this.#isUnwanted(key));
      let started: string[];
      try {
        // Before pods have ports: whatever a node is told from here on, no pod is there without its rules (NP-032).
        this.feed.setPolicies(changes);
        started = await this.#createPods(keys, failures);
        this.feed.setServices(changes, this.#plane);
      } catch (error) {
        this.#plane.returnChanges(changes);
        throw error;
      }
      const refused = await this.#tell(failures);
      for (const key of started) this.#announce(key, refused);
      for (const key of unwanted) this.#endOrForget(key);
    }
  }

  /** @returns the keys of pods that will run once their nodes know. */
  async #createPods(keys: ReadonlySet<string>, failures: Error[]): Promise<string[]> {
    const started: string[] = [];
    let created = 0;
    for (const key of keys) {
      const object = this.#plane.pod(key);
      if (object === undefined || !runs(object)) continue;
      const running = this.#pods.get(key);
      if (running !== undefined) {
        if (running.ending) continue;
        this.feed.refreshWorkload(object, running.pod, running.namespacePath);
        if (!running.told) started.push(key);
      } else if (this.#createPod(key, object, failures)) {
        started.push(key);
        if (++created % PODS_AT_ONCE === 0) await new Promise(setImmediate);
      }
    }
    return started;
  }

  #createPod(key: string, object: Pod, failures: Error[]): boolean {
    const { node } = this.feed.nodes.get(object.spec.nodeName!)!;
    const pod = placedPod(object, node, this.#macs);
    let namespacePath: string;
    try {
      namespacePath = this.#backend.createPod(pod);
    } catch (error) {
      if (this.#isStrict) throw error;
      this.#macs.delete(pod.mac);
      this.#failed.add(key);
      failures.push(error as Error);
      this.#plane.podFailed(key, (error as Error).message);
      return false;
    }
    this.#pods.set(key, { pod, namespacePath, told: false, ending: false });
    this.feed.addPod(object, pod, namespacePath, this.#backend.podInterface);
    return true;
  }

  /** Every node hears what has changed for it, all at once. @returns names of those that do not obey. */
  async #tell(failures: Error[]): Promise<ReadonlySet<string>> {
    const refused = new Set(this.#silent);
    const tellings = this.feed.differences(this.#silent).map(async ([node, update]) => {
      try {
        await inTime(this.#backend.tell(node, update), () => {
          this.#silent.add(node);
          return new Error(`node ${node} does not answer`);
        });
      } catch (error) {
        refused.add(node);
        failures.push(error as Error);
        this.feed.nodes.get(node)!.forgetTold(update);
      }
    });
    await Promise.all(tellings);
    return refused;
  }

  #announce(key: string, refused: ReadonlySet<string>): void {
    const running = this.#pods.get(key);
    if (running === undefined) return;
    if (refused.has(running.pod.node)) {
      this.#failed.add(key);
      this.#plane.podFailed(key, `node ${running.pod.node} has not taken it`);
      return;
    }
    running.told = true;
    this.#backend.startPod(running.pod);
    this.#plane.podRuns(key);
  }

  #isUnwanted(key: string): boolean {
    const object = this.#plane.pod(key);
    return object === undefined || !runs(object) || this.#pods.get(key)?.pod.uid !== object.metadata.uid;
  }

  #endOrForget(key: string): void {
    const running = this.#pods.get(key);
    if (running === undefined) this.#plane.podGone(key); // it never came to have a network
    const object = this.#plane.pod(key);
    const isWanted = object !== undefined && runs(object) && running?.pod.uid === object.metadata.uid;
    if (running === undefined || running.ending || isWanted) return;
    running.ending = true;
    // A node that starts anew meanwhile is not to bring it back.
    this.feed.forgetWorkload(running.pod);
    const end = this.#end(key, running).finally(() => this.#ends.delete(end));
    this.#ends.add(end);
  }

  /** Does not reject: whatever fails on the way, in the end the pod is gone. */
  async #end(key: string, { pod }: RunningPod): Promise<void> {
    const failures: Error[] = [];
    try {
      await this.#backend.endPod(pod);
    } catch (error) {
      failures.push(error as Error);
    }
    this.feed.removePod(pod);
    await this.#tell(failures);
    try {
      this.#backend.removePod(pod);
    } catch (error) {
      failures.push(error as Error);
    }
    this.#macs.delete(pod.mac);
    this.#pods.delete(key);
    this.#plane.podGone(key);
    for (const { message } of failures) this.#backend.log(`pod ${key}: ${message}`);
    this.settle().catch(({ message }: Error) => this.#backend.log(message));
  }
}

/** The promise, or what `late` says when it takes too long. */
async function inTime(promise: Promise<void>, late: () => Error): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), TELL_TIMEOUT_MS);
  });
  promise.catch(() => {}); // it may fail when nobody waits any more
  try {
    await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
