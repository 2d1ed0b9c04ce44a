/** Pods spread evenly over zones or hosts (pkg/scheduler/framework/plugins/podtopologyspread). */
import type { TopologySpreadConstraint } from 'kubernetes-types/core/v1.d.ts';
import type { Node, Pod } from '../store/object.ts';
import { matches, type Requirements, requirementsOf } from '../store/selector.ts';
import { matchesNodeAffinity } from './node-affinity.ts';
import { isTerminating } from './pod-state.ts';
import { taintsOf, untolerated } from './taints.ts';

interface Spread {
  readonly constraint: TopologySpreadConstraint;
  /** Value of the topology key → matching pods there. */
  readonly counts: ReadonlyMap<string, number>;
  /** 1 when the pod itself would be counted. */
  readonly own: number;
  readonly least: number;
}

export class TopologySpread {
  readonly #spreads: readonly Spread[];

  /** @param podsOn matching is done here; any pod of the node may be given */
  constructor(pod: Pod, nodes: readonly Node[], podsOn: (node: Node) => readonly Pod[]) {
    this.#spreads = (pod.spec.topologySpreadConstraints ?? []).map((constraint) => {
      return countSpread(pod, constraint, nodes, podsOn);
    });
  }

  /** Why the pod may not be on the node, in the scheduler's words. */
  objection(node: Node): string | undefined {
    for (const { constraint, counts, own, least } of this.#spreads) {
      if (constraint.whenUnsatisfiable !== 'DoNotSchedule') continue;
      const value = node.metadata.labels?.[constraint.topologyKey];
      const message = "node(s) didn't match pod topology spread constraints";
      if (value === undefined) return `${message} (missing required label)`;
      if ((counts.get(value) ?? 0) + own - least > constraint.maxSkew) return message;
    }
    return undefined;
  }

  /** How full the node's places are already, where that is only a wish. */
  crowd(node: Node): number {
    let crowd = 0;
    for (const { constraint, counts } of this.#spreads) {
      if (constraint.whenUnsatisfiable === 'DoNotSchedule') continue;
      const value = node.metadata.labels?.[constraint.topologyKey];
      crowd += value === undefined ? Number.MAX_SAFE_INTEGER / 1024 : (counts.get(value) ?? 0);
    }
    return crowd;
  }
}

function countSpread(
  pod: Pod,
  constraint: TopologySpreadConstraint,
  nodes: readonly Node[],
  podsOn: (node: Node) => readonly Pod[],
): Spread {
  const counts = new Map<string, number>();
  const requirements = requirementsFor(pod, constraint);
  const { namespace } = pod.metadata;
  for (const node of nodes) {
    const value = node.metadata.labels?.[constraint.topologyKey];
    if (value === undefined || !isEligible(pod, constraint, node)) continue;
    const there = podsOn(node).filter((other) => {
      const counted = other.metadata.namespace === namespace && !isTerminating(other);
      return counted && matches(requirements, other.metadata.labels);
    });
    counts.set(value, (counts.get(value) ?? 0) + there.length);
  }
  const isTooFew = counts.size < (constraint.minDomains ?? 1);
  const least = isTooFew || counts.size === 0 ? 0 : Math.min(...counts.values());
  return { constraint, counts, own: matches(requirements, pod.metadata.labels) ? 1 : 0, least };
}

/** Nodes on which the pod could not be do not make its spread uneven. */
function isEligible(pod: Pod, constraint: TopologySpreadConstraint, node: Node): boolean {
  if (constraint.nodeAffinityPolicy !== 'Ignore' && !matchesNodeAffinity(pod.spec, node)) return false;
  if (constraint.nodeTaintsPolicy !== 'Honor') return true;
  return untolerated(taintsOf(node), pod.spec.tolerations, ['NoSchedule', 'NoExecute']) === undefined;
}

function requirementsFor(pod: Pod, { labelSelector, matchLabelKeys }: TopologySpreadConstraint): Requirements {
  if (labelSelector === undefined) return [{ key: '', operator: 'Exists', values: [] }]; // which nothing matches
  const own = (matchLabelKeys ?? []).flatMap((key) => {
    const value = pod.metadata.labels?.[key];
    return value === undefined ? [] : [{ key, operator: 'In', values: [value] }];
  });
  return [...requirementsOf(labelSelector), ...own];
}
