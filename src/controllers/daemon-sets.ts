/** DaemonSets: one pod on every node that will have it. */
import type { Toleration } from 'kubernetes-types/core/v1.d.ts';
import type { DaemonSet, Node, Pod } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import type { Context } from './context.ts';
import { joined, templateHash } from './names.ts';
import { matchesNodeAffinity } from './node-affinity.ts';
import { keyOf, splitKey } from './object-key.ts';
import { podFromTemplate } from './pod-from-template.ts';
import { controllerOf, isActive, isReady, isReplicaNews, isTerminal, isTerminating } from './pod-state.ts';
import type { Controller } from './reconciler.ts';
import { share } from './share.ts';
import { taintsOf, untolerated } from './taints.ts';

const REVISION_LABEL = 'controller-revision-hash';

/** What a daemon puts up with whatever its template says (pkg/controller/daemon/util, AddOrUpdateDaemonPodTolerations). */
const ownTolerations: readonly Toleration[] = [
  ...['not-ready', 'unreachable'].map((key) => ({ key, effect: 'NoExecute' })),
  ...['disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable'].map((key) => ({
    key,
    effect: 'NoSchedule',
  })),
].map(({ key, effect }) => ({ key: `node.kubernetes.io/${key}`, operator: 'Exists', effect }));

const hostNetworkToleration: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
};

export class DaemonSets implements Controller {
  readonly name = 'daemonset-controller';
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  notice({ type, object, previous }: StoreEvent, dirty: (key: string) => void): void {
    if (object.kind === 'DaemonSet') dirty(keyOf(object));
    if (object.kind === 'Node') for (const set of this.#context.store.list(kinds.DaemonSet)) dirty(keyOf(set));
    if (object.kind !== 'Pod') return;
    if (type === 'MODIFIED' && !isReplicaNews(object as Pod, previous as Pod)) return;
    const owner = controllerOf(object);
    if (owner?.kind === 'DaemonSet') dirty(`${object.metadata.namespace}/${owner.name}`);
  }

  sync(key: string): void {
    const { store, index } = this.#context;
    const set = store.get(kinds.DaemonSet, ...splitKey(key));
    if (set === undefined || isTerminating(set)) return;
    const byNode = new Map<string, Pod>();
    for (const pod of store.ownedBy(kinds.Pod, set.metadata.uid)) byNode.set(pod.spec.nodeName ?? '', pod);
    const nodes = [...index.nodes.values()].filter((node) => mayRunOn(set, node));
    const wanted = new Set(nodes.map(({ metadata }) => metadata.name));
    for (const [nodeName, pod] of byNode) {
      if (!wanted.has(nodeName) || isTerminal(pod)) this.#delete(set, pod);
    }
    for (const nodeName of wanted) if (!byNode.has(nodeName)) this.#create(set, nodeName);
    this.#update(set, wanted.size);
    this.#report(set, wanted);
  }

  #create(set: DaemonSet, nodeName: string): void {
    const { store, events } = this.#context;
    const name = joined(set.metadata.name, nodeName);
    if (store.get(kinds.Pod, set.metadata.namespace ?? '', name) !== undefined) {
      const message = `Error creating: pods "${name}" already exists`;
      events.record(set, 'Warning', 'FailedCreate', message, this.name);
      return;
    }
    const labels = { [REVISION_LABEL]: templateHash(set.spec.template) };
    const spec = { nodeName, tolerations: tolerationsOf(set) };
    store.create(podFromTemplate(set, set.spec.template, name, { labels, spec }));
    events.record(set, 'Normal', 'SuccessfulCreate', `Created pod: ${name}`, this.name);
  }

  #delete(set: DaemonSet, pod: Pod): void {
    if (isTerminating(pod)) return;
    const { store, events } = this.#context;
    store.delete(kinds.Pod, pod.metadata.namespace ?? '', pod.metadata.name);
    events.record(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`, this.name);
  }

  /** Pods of an old template go, as many at a time as may be missing. A name is a node's, so maxSurge cannot be. */
  #update(set: DaemonSet, wanted: number): void {
    const { updateStrategy, template } = set.spec;
    if (updateStrategy?.type === 'OnDelete') return;
    const pods = this.#context.store.ownedBy(kinds.Pod, set.metadata.uid);
    const hash = templateHash(template);
    const old = pods.filter((pod) => isActive(pod) && pod.metadata.labels?.[REVISION_LABEL] !== hash);
    const available = pods.filter((pod) => isActive(pod) && isReady(pod)).length;
    const limit = Math.max(1, share(updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, wanted, 'up'));
    let left = limit - (wanted - available);
    for (const pod of old) {
      if (isReady(pod) && left-- <= 0) continue;
      this.#delete(set, pod);
    }
  }

  #report(set: DaemonSet, wanted: ReadonlySet<string>): void {
    const { store } = this.#context;
    const pods = store.ownedBy(kinds.Pod, set.metadata.uid).filter(isActive);
    const placed = pods.filter(({ spec }) => wanted.has(spec.nodeName ?? ''));
    const ready = placed.filter(isReady).length;
    const hash = templateHash(set.spec.template);
    store.updateStatus({
      ...set,
      status: {
        observedGeneration: set.metadata.generation!,
        desiredNumberScheduled: wanted.size,
        currentNumberScheduled: placed.length,
        numberMisscheduled: pods.length - placed.length,
        numberReady: ready,
        numberAvailable: ready,
        numberUnavailable: wanted.size - ready,
        updatedNumberScheduled: placed.filter(({ metadata }) => metadata.labels?.[REVISION_LABEL] === hash).length,
      },
    });
  }
}

function tolerationsOf({ spec }: DaemonSet): Toleration[] {
  const { tolerations = [], hostNetwork } = spec.template.spec ?? {};
  return [...tolerations, ...ownTolerations, ...(hostNetwork === true ? [hostNetworkToleration] : [])];
}

/** pkg/controller/daemon/daemon_controller.go, NodeShouldRunDaemonPod. */
function mayRunOn(set: DaemonSet, node: Node): boolean {
  const spec = set.spec.template.spec ?? { containers: [] };
  if (spec.nodeName !== undefined && spec.nodeName !== node.metadata.name) return false;
  if (!matchesNodeAffinity(spec, node)) return false;
  const tolerations = tolerationsOf(set);
  return untolerated(taintsOf(node), tolerations, ['NoSchedule', 'NoExecute']) === undefined;
}
