/** What a pod's status says. */
import type { PodCondition } from 'kubernetes-types/core/v1.d.ts';
import type { KubernetesObject, Pod } from '../store/object.ts';

/** Has it ended by itself? Nothing of it runs any more. */
export function isTerminal(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase === 'Succeeded' || phase === 'Failed';
}

export function isTerminating(object: KubernetesObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

/** Does it count as one of its controller's replicas? (pkg/controller/controller_utils.go, IsPodActive) */
export function isActive(pod: Pod): boolean {
  return !isTerminal(pod) && !isTerminating(pod);
}

export function isReady(pod: Pod): boolean {
  return hasCondition(pod, 'Ready');
}

export function hasCondition(pod: Pod, type: string): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true;
}

export function isRunningAndReady(pod: Pod): boolean {
  return pod.status?.phase === 'Running' && isReady(pod);
}

/** Has anything changed that whoever counts pods asks? Their places and addresses are not. @param before undefined for a new one */
export function isReplicaNews(now: Pod, before: Pod | undefined): boolean {
  return (
    before === undefined ||
    isTerminating(now) !== isTerminating(before) ||
    now.status?.phase !== before.status?.phase ||
    isReady(now) !== isReady(before) ||
    now.metadata.labels !== before.metadata.labels ||
    now.metadata.ownerReferences !== before.metadata.ownerReferences
  );
}

/** The pod's addresses in the order of its status. */
export function podAddresses(pod: Pod): readonly string[] {
  const { podIP, podIPs } = pod.status ?? {};
  if (podIPs !== undefined && podIPs.length > 0) return podIPs.flatMap(({ ip }) => (ip === undefined ? [] : [ip]));
  return podIP === undefined || podIP === '' ? [] : [podIP];
}

/** Names the program that a pod runs in place of its images. */
export const RUN = 'podwire.dev/run';

/** What `sh -c` is to run in the pod; undefined for a pod whose ports podwire itself answers on. */
export function commandOf({ metadata }: KubernetesObject): string | undefined {
  return metadata.annotations?.[RUN];
}

/** Is the pod on its node, with all its addresses? From here on the node has it, until `finalizePod`. */
export function isPlaced(pod: Pod): boolean {
  return pod.status?.hostIP !== undefined;
}

/** The conditions with one of them set; when it was so before, since then. */
export function withCondition<
  T extends { type: string; status: string; lastTransitionTime?: PodCondition['lastTransitionTime'] },
>(conditions: readonly T[] | undefined, condition: T, now: string): T[] {
  const others = (conditions ?? []).filter(({ type }) => type !== condition.type);
  const before = conditions?.find(({ type }) => type === condition.type);
  const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
  return [...others, { ...condition, lastTransitionTime: since ?? now }];
}

/** The object that controls this one. */
export function controllerOf(object: KubernetesObject) {
  const owners = object.metadata.ownerReferences;
  return owners?.find(({ controller }) => controller === true);
}

/** A pod with this annotation and the value `"false"` declares itself unready. */
const READY = 'podwire.dev/ready';

export function declaresReady({ metadata }: Pod): boolean {
  return metadata.annotations?.[READY] !== 'false';
}
