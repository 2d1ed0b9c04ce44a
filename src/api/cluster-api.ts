/** What the API needs of a running cluster. Tests serve it from less than a whole one. */
import type { CaptureScene } from '../cluster/capture-scene.ts';
import type { RunningNode, RunningPod } from '../cluster/cluster.ts';
import type { Entrance } from '../cluster/entrance.ts';
import type { ClusterLinks, LinkQuality } from '../cluster/links.ts';
import type { ManifestText } from '../cluster/manifests.ts';
import type { PlacedPod } from '../cluster/placed-pod.ts';
import type { Topology } from '../cluster/topology.ts';
import type { PolicyWorld } from '../network-policy/policy-world.ts';
import type { NodeUpdate, ProbeOrder, ProbeReport, Question } from '../nodes/protocol.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Resource } from '../store/resources.ts';

/** What became of one object of a request. As the API answers it. */
export interface ApplyResult {
  readonly apiVersion: string;
  readonly kind: string;
  /** undefined for kinds that live outside namespaces. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly result: 'created' | 'configured' | 'unchanged' | 'deleted' | 'not found';
}

/** What nodes have been told: enough to play them elsewhere. */
export interface ClusterTables {
  readonly topology: Topology;
  readonly nodes: readonly {
    readonly name: string;
    readonly update: NodeUpdate;
    /** With a network of their own, and their port numbers. */
    readonly pods: readonly (readonly [PlacedPod, number])[];
  }[];
}

export interface ClusterApi {
  readonly store: ObjectStore;
  readonly nodes: ReadonlyMap<string, RunningNode>;
  /** By `namespace/name`. */
  readonly pods: ReadonlyMap<string, RunningPod>;
  readonly links: ClusterLinks;
  setLink(a: RunningNode, b: RunningNode, quality: LinkQuality): Promise<void>;
  enterPod(pod: RunningPod): Entrance | Promise<Entrance>;
  enterNode(node: RunningNode): Entrance | Promise<Entrance>;
  ask(node: RunningNode, question: Question): Promise<unknown>;
  scene(node: RunningNode): CaptureScene;
  /** What policies are judged by. @param revision undefined: now. Undefined when it is not known any more. */
  policyWorld(revision?: number): PolicyWorld | undefined;
  tables(): ClusterTables;
  /** Asks from a pod's network, or a node's. @param signal nobody waits for the answer any more */
  probe(
    from: RunningNode | RunningPod,
    question: Omit<ProbeOrder, 'order' | 'namespacePath'>,
    signal?: AbortSignal,
  ): Promise<ProbeReport>;

  /**
   * Makes the objects be as they are written; resolves when every node obeys.
   *
   * @param namespace of objects that name none; undefined: default
   * @param wait false: resolves once the objects are in the store
   * @throws ManifestError with every problem, before anything is changed
   */
  apply(files: readonly ManifestText[], namespace?: string, wait?: boolean): Promise<ApplyAnswer>;
  /**
   * Resolves when the objects are gone.
   *
   * @param wait false: resolves once they are marked as being deleted
   * @throws ManifestError
   */
  delete(
    files: readonly ManifestText[],
    namespace?: string,
    wait?: boolean,
  ): Promise<Pick<ApplyAnswer, 'results' | 'problems'>>;
  /**
   * Resolves when the object is gone.
   *
   * @param namespace '' for kinds that have none
   * @throws StoreError NotFound
   */
  deleteObject(resource: Resource, namespace: string, name: string, wait?: boolean): Promise<void>;
  /** What a pod has said: whole lines, oldest first, the last of them where there were many. */
  log(namespace: string, pod: string): Promise<string>;
}

export interface ApplyAnswer {
  readonly results: readonly ApplyResult[];
  /** What the user should hear though nothing is wrong. */
  readonly notes: readonly string[];
  /** What could not be done though the objects are stored. */
  readonly problems: readonly string[];
}
