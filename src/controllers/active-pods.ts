/** Which of a controller's pods goes first. */
import type { Pod } from '../store/object.ts';
import { isReady } from './pod-state.ts';

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/**
 * The pods, those first that are missed least (pkg/controller/controller_utils.go, ActivePodsWithRanks): without a node,
 * not running, not ready, cheap to delete, on a node with many of them, and last the newest.
 *
 * @param pods oldest first
 */
export function leastMissedFirst(pods: readonly Pod[]): Pod[] {
  const perNode = new Map<string, number>();
  for (const { spec } of pods) perNode.set(spec.nodeName ?? '', (perNode.get(spec.nodeName ?? '') ?? 0) + 1);
  const ranked = pods.map((pod, age) => ({
    pod,
    ranks: [
      pod.spec.nodeName === undefined ? 0 : 1,
      phaseRank[pod.status?.phase ?? 'Pending'] ?? 0,
      isReady(pod) ? 1 : 0,
      Number(pod.metadata.annotations?.[DELETION_COST] ?? 0),
      -perNode.get(pod.spec.nodeName ?? '')!,
      -age,
    ],
  }));
  ranked.sort((a, b) => firstDifference(a.ranks, b.ranks));
  return ranked.map(({ pod }) => pod);
}

function firstDifference(a: readonly number[], b: readonly number[]): number {
  for (const [at, rank] of a.entries()) if (rank !== b[at]) return rank - b[at]!;
  return 0;
}
