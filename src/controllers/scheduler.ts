/**
 * A node for each pod that names none. Of the nodes that the pod may run on, the one that keeps most of its wishes; of
 * equals the one with the fewest pods, then the first. Pods that name a node are counted before any is placed, so the
 * order of documents does not unbalance the cluster.
 */
import type { Taint } from 'kubernetes-types/core/v1.d.ts';
import type { KubernetesObject, Node, Pod } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import type { Context } from './context.ts';
import { matchesNodeAffinity, preferredNodeWeight } from './node-affinity.ts';
import { keyOf, splitKey } from './object-key.ts';
import { asksNeighbours, isShy, PodAffinity } from './pod-affinity.ts';
import { isTerminal, isTerminating, withCondition } from './pod-state.ts';
import type { Controller } from './reconciler.ts';
import { taintsOf, untolerated } from './taints.ts';
import { TopologySpread } from './topology-spread.ts';

const SCHEDULER = 'default-scheduler';

/** A pod's host ports are its node's. */
interface HostPort {
  readonly port: number;
  readonly protocol: string;
  readonly address: string;
}

/** What is asked about one pod, the same for all nodes. */
interface Question {
  readonly pod: Pod;
  readonly affinity: PodAffinity | undefined;
  readonly spread: TopologySpread | undefined;
  readonly hostPorts: readonly HostPort[];
}

export class Scheduler implements Controller {
  readonly name = SCHEDULER;
  readonly #context: Context;
  /** Pods on each node that have not ended. */
  readonly #podCounts = new Map<string, number>();
  /** Keys of pods that no node would have. */
  readonly #unschedulable = new Set<string>();
  /** Keys of placed pods that may keep others away. */
  readonly #shy = new Set<string>();
  /** Nodes that were ready once: one that never was is expected to be in a moment. */
  readonly #known = new Set<string>();

  constructor(context: Context) {
    this.#context = context;
  }

  notice({ type, object, previous }: StoreEvent, dirty: (key: string) => void): void {
    if (object.kind === 'Node') this.#noteNode(object as Node, type === 'DELETED');
    if (object.kind === 'Pod') this.#notePod(type === 'DELETED' ? undefined : (object as Pod), previous as Pod, dirty);
    if (this.#unschedulable.size === 0) return;
    const now = type === 'DELETED' ? undefined : object;
    for (const key of this.#unschedulable) if (this.#mayHelp(key, now, previous, object)) dirty(key);
  }

  /** May a change be what an unschedulable pod waits for? */
  #mayHelp(
    key: string,
    now: KubernetesObject | undefined,
    before: KubernetesObject | undefined,
    of: KubernetesObject,
  ): boolean {
    if (of.kind === 'Node') return true;
    if (of.kind !== 'Pod' && of.kind !== 'Namespace') return false;
    // A pod that went has left room; one that came to a node, or has other labels, may be a neighbour.
    const wentFrom = before?.kind === 'Pod' && !isTerminal(before as Pod) ? (before as Pod).spec.nodeName : undefined;
    if (wentFrom !== undefined && (now === undefined || isTerminal(now as Pod))) return true;
    if (of.kind === 'Pod' && (of as Pod).spec.nodeName === undefined) return false;
    const isMoved = now?.kind === 'Pod' && (before as Pod | undefined)?.spec.nodeName === undefined;
    if (!isMoved && now?.metadata.labels === before?.metadata.labels) return false;
    const waiting = this.#context.store.get(kinds.Pod, ...splitKey(key));
    return waiting !== undefined && (asksNeighbours(waiting) || now?.metadata.labels !== before?.metadata.labels);
  }

  #noteNode(node: Node, isGone: boolean): void {
    const { name } = node.metadata;
    if (isGone) this.#known.delete(name);
    else if (isReadyNode(node)) this.#known.add(name);
  }

  #notePod(next: Pod | undefined, previous: Pod | undefined, dirty: (key: string) => void): void {
    const key = keyOf((next ?? previous)!);
    const before = previous === undefined || isTerminal(previous) ? undefined : previous.spec.nodeName;
    const now = next === undefined || isTerminal(next) ? undefined : next.spec.nodeName;
    if (before !== now) {
      if (before !== undefined) this.#podCounts.set(before, this.#podCounts.get(before)! - 1);
      if (now !== undefined) this.#podCounts.set(now, (this.#podCounts.get(now) ?? 0) + 1);
    }
    if (next !== undefined && now !== undefined && isShy(next)) this.#shy.add(key);
    else this.#shy.delete(key);
    if (next === undefined || next.spec.nodeName !== undefined) this.#unschedulable.delete(key);
    else if (previous === undefined || previous.spec !== next.spec) dirty(key);
  }

  sync(key: string): void {
    const { store, index, now, events } = this.#context;
    const pod = store.get(kinds.Pod, ...splitKey(key));
    if (pod === undefined || pod.spec.nodeName !== undefined || isTerminating(pod) || isTerminal(pod)) return;
    if ((pod.spec.schedulingGates ?? []).length > 0) {
      this.#report(pod, 'SchedulingGated', 'Scheduling is blocked due to non-empty scheduling gates');
      return;
    }
    const objections = new Map<string, number>();
    const node = this.#choose(pod, [...index.nodes.values()], objections);
    if (node === undefined) {
      this.#unschedulable.add(key);
      const message = refusal(index.nodes.size, objections);
      this.#report(pod, 'Unschedulable', message);
      events.record(pod, 'Warning', 'FailedScheduling', message, SCHEDULER);
      return;
    }
    const { name } = node.metadata;
    const bound = store.update({ ...pod, spec: { ...pod.spec, nodeName: name } });
    const message = `Successfully assigned ${keyOf(pod)} to ${name}`;
    events.record(bound, 'Normal', 'Scheduled', message, SCHEDULER);
    if (pod.status?.conditions === undefined) return;
    const conditions = withCondition(pod.status.conditions, { type: 'PodScheduled', status: 'True' }, now());
    store.updateStatus({ ...bound, status: { ...bound.status, conditions } });
  }

  #report(pod: Pod, reason: string, message: string): void {
    const { store, now } = this.#context;
    const condition = { type: 'PodScheduled', status: 'False', reason, message };
    const conditions = withCondition(pod.status?.conditions, condition, now());
    store.updateStatus({ ...pod, status: { ...pod.status, phase: 'Pending', conditions } });
  }

  /** @param objections reason → number of nodes; added to */
  #choose(pod: Pod, nodes: readonly Node[], objections: Map<string, number>): Node | undefined {
    const question = this.#question(pod, nodes);
    let best: Node | undefined;
    let bestScore = 0;
    let bestCount = 0;
    for (const node of nodes) {
      const objection = this.#objection(question, node);
      if (objection !== undefined) {
        objections.set(objection, (objections.get(objection) ?? 0) + 1);
        continue;
      }
      const score = scoreOf(question, node);
      const count = this.#podCounts.get(node.metadata.name) ?? 0;
      if (best !== undefined && (score < bestScore || (score === bestScore && count >= bestCount))) continue;
      best = node;
      bestScore = score;
      bestCount = count;
    }
    return best;
  }

  #question(pod: Pod, nodes: readonly Node[]): Question {
    const { store, index } = this.#context;
    const placedOn = (node: Node) => index.podsOn(node.metadata.name).filter((other) => !isTerminal(other));
    const isAsking = asksNeighbours(pod);
    const placed = isAsking ? nodes.flatMap(placedOn) : [];
    const shy = [...this.#shy].flatMap((key) => store.get(kinds.Pod, ...splitKey(key)) ?? []);
    const isSpread = (pod.spec.topologySpreadConstraints ?? []).length > 0;
    return {
      pod,
      affinity: isAsking || shy.length > 0 ? new PodAffinity(pod, placed, shy, this.#context) : undefined,
      spread: isSpread ? new TopologySpread(pod, nodes, placedOn) : undefined,
      hostPorts: hostPortsOf(pod),
    };
  }

  /** Why the pod may not run on the node: the first reason, in the order of the scheduler's default plugins. */
  #objection({ pod, affinity, spread, hostPorts }: Question, node: Node): string | undefined {
    const taint = untolerated(this.#taintsOf(node), pod.spec.tolerations, ['NoSchedule', 'NoExecute']);
    if (taint !== undefined && taint.key === 'node.kubernetes.io/unschedulable') return 'node(s) were unschedulable';
    if (taint !== undefined) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
    if (!matchesNodeAffinity(pod.spec, node)) return "node(s) didn't match Pod's node affinity/selector";
    if (hostPorts.length > 0 && this.#isPortTaken(hostPorts, node)) {
      return "node(s) didn't have free ports for the requested pod ports";
    }
    const podsMax = Number(node.status?.allocatable?.['pods'] ?? Number.POSITIVE_INFINITY);
    if ((this.#podCounts.get(node.metadata.name) ?? 0) >= podsMax) return 'Too many pods';
    return spread?.objection(node) ?? affinity?.objection(node);
  }

  #taintsOf(node: Node): readonly Taint[] {
    const taints = taintsOf(node);
    if (isReadyNode(node) || !this.#known.has(node.metadata.name)) return taints;
    return [...taints, { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }];
  }

  #isPortTaken(wanted: readonly HostPort[], node: Node): boolean {
    const there = this.#context.index
      .podsOn(node.metadata.name)
      .filter((pod) => !isTerminal(pod))
      .flatMap(hostPortsOf);
    return there.some((taken) => wanted.some((port) => conflict(taken, port)));
  }
}

/** Plugins weigh as in pkg/scheduler/apis/config/v1/default_plugins.go; their scores are not made equally wide here. */
function scoreOf({ pod, affinity, spread }: Question, node: Node): number {
  const disliked = (node.spec.taints ?? []).filter((taint) => {
    return untolerated([taint], pod.spec.tolerations, ['PreferNoSchedule']) !== undefined;
  });
  const neighbours = affinity?.weight(node) ?? 0;
  return (
    2 * (preferredNodeWeight(pod.spec, node) + neighbours) - 300 * disliked.length - 2 * (spread?.crowd(node) ?? 0)
  );
}

/** k8s.io/kubernetes/pkg/scheduler/framework/types.go, FitError. */
function refusal(count: number, objections: ReadonlyMap<string, number>): string {
  if (count === 0) return 'no nodes available to schedule pods';
  const reasons = [...objections].map(([reason, nodes]) => `${nodes} ${reason}`).sort();
  return `0/${count} nodes are available: ${reasons.join(', ')}.`;
}

function hostPortsOf({ spec }: Pod): HostPort[] {
  return spec.containers.flatMap(({ ports }) => {
    return (ports ?? []).flatMap(({ hostPort, containerPort, protocol, hostIP }) => {
      const port = spec.hostNetwork === true ? (hostPort ?? containerPort) : hostPort;
      return port === undefined || port === 0 ? [] : [{ port, protocol: protocol ?? 'TCP', address: hostIP ?? '' }];
    });
  });
}

function conflict(a: HostPort, b: HostPort): boolean {
  const isAny = (address: string) => address === '' || address === '0.0.0.0';
  const isSame = a.address === b.address || isAny(a.address) || isAny(b.address);
  return isSame && a.port === b.port && a.protocol === b.protocol;
}

/** A node of which nothing is known is ready. */
export function isReadyNode({ status }: Node): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return ready === undefined || ready.status === 'True';
}
