/**
 * `controllers/`: what Kubernetes' controllers, scheduler and allocators do, over the objects of a store. One call brings
 * the store to where they would bring it in the end; what takes real time (a pod's network) is reported in between:
 *
 *     const controllers = new Controllers(store, options);
 *     controllers.reconcile();           // pods are made, placed, addressed; deleted ones are marked
 *     // pods with a host address are started; then, each:
 *     controllers.podStatus(pod, { phase: 'Running', ready: true });
 *     // pods with a deletionTimestamp are ended; then, each:
 *     controllers.finalizePod(pod);
 *     controllers.reconcile();           // slices, roll-outs and replacements follow
 *
 * No clock and no randomness: the same objects in the same order give the same cluster, names and addresses too.
 */
import type { Cidr } from '../cluster/ip-address.ts';
import type { Pod } from '../store/object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { kinds } from '../store/resources.ts';
import { ClusterIndex } from './cluster-index.ts';
import type { Context } from './context.ts';
import { DaemonSets } from './daemon-sets.ts';
import { Deployments } from './deployments.ts';
import { EndpointSlices } from './endpoint-slices.ts';
import { EndpointsMirror } from './endpoints-mirror.ts';
import { EventRecorder } from './event-recorder.ts';
import { Jobs } from './jobs.ts';
import { LostPods } from './lost-pods.ts';
import { Namespaces } from './namespaces.ts';
import { keyOf } from './object-key.ts';
import { PodAddresses } from './pod-addresses.ts';
import { PodReadiness, type PodReport } from './pod-readiness.ts';
import { type Controller, Reconciler } from './reconciler.ts';
import { ReplicaSets } from './replica-sets.ts';
import { Scheduler } from './scheduler.ts';
import { Services } from './services.ts';
import { StatefulSets } from './stateful-sets.ts';

export interface ControllersOptions {
  /** One block a family, the cluster's own family first. */
  readonly serviceSubnets: readonly Cidr[];
  /** RFC 3339, UTC. */
  now(): string;
}

export class Controllers {
  readonly #store: ObjectStore;
  readonly #reconciler: Reconciler;
  readonly #readiness: PodReadiness;

  /** Takes what is in the store as it finds it, and all that is changed there from now on. */
  constructor(store: ObjectStore, { serviceSubnets, now }: ControllersOptions) {
    this.#store = store;
    const index = new ClusterIndex(store);
    const context: Context = { store, index, now, events: new EventRecorder(store, now) };
    this.#readiness = new PodReadiness(context);
    const indexing: Controller = { name: 'index', notice: (event) => index.notice(event), sync: () => {} };
    this.#reconciler = new Reconciler(store, [
      indexing,
      new Namespaces(context),
      new LostPods(context),
      this.#readiness,
      new Deployments(context),
      new ReplicaSets(context, kinds.ReplicaSet),
      new ReplicaSets(context, kinds.ReplicationController),
      new StatefulSets(context),
      new DaemonSets(context),
      new Jobs(context),
      new Scheduler(context),
      new PodAddresses(context),
      new Services(context, serviceSubnets),
      new EndpointSlices(context),
      new EndpointsMirror(context),
    ]);
  }

  /** Works until nothing is left to do but what takes real time. */
  reconcile(): void {
    this.#reconciler.run();
  }

  /** Tells how a pod is that was started. Of a pod that is gone, or was replaced by another of its name, nothing. */
  podStatus(pod: Pod, report: PodReport): void {
    if (this.#isCurrent(pod)) this.#readiness.report(keyOf(pod), report);
  }

  /** Tells that a pod with a deletionTimestamp has ended. Of a pod that is not to go, nothing. */
  finalizePod(pod: Pod): void {
    const { namespace = '', name } = pod.metadata;
    const stored = this.#store.get(kinds.Pod, namespace, name);
    if (stored?.metadata.deletionTimestamp === undefined || !this.#isCurrent(pod)) return;
    this.#store.remove(kinds.Pod, namespace, name);
  }

  #isCurrent({ metadata }: Pod): boolean {
    const stored = this.#store.get(kinds.Pod, metadata.namespace ?? '', metadata.name);
    return stored !== undefined && (metadata.uid === undefined || stored.metadata.uid === metadata.uid);
  }
}
