/** What keeps pods off a node, and what puts up with it (k8s.io/api/core/v1/toleration.go, ToleratesTaint). */
import type { Taint, Toleration } from 'kubernetes-types/core/v1.d.ts';
import type { Node } from '../store/object.ts';

const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

/** The node's own taints, and that of a cordoned one. */
export function taintsOf({ spec }: Node): readonly Taint[] {
  const taints = spec.taints ?? [];
  if (spec.unschedulable !== true || taints.some(({ key }) => key === UNSCHEDULABLE)) return taints;
  return [...taints, { key: UNSCHEDULABLE, effect: 'NoSchedule' }];
}

/** The first taint of these effects that nothing tolerates. */
export function untolerated(
  taints: readonly Taint[],
  tolerations: readonly Toleration[] | undefined,
  effects: readonly string[],
): Taint | undefined {
  return taints.find((taint) => {
    return effects.includes(taint.effect) && !(tolerations ?? []).some((toleration) => tolerates(toleration, taint));
  });
}

function tolerates({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
  if (effect !== undefined && effect !== '' && effect !== taint.effect) return false;
  if (key !== undefined && key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return (key ?? '') !== '' && (value ?? '') === (taint.value ?? '');
}
