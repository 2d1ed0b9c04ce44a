/** Which nodes a pod will run on (k8s.io/component-helpers/scheduling/corev1/nodeaffinity). */
import type { NodeSelectorTerm, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import type { Node } from '../store/object.ts';
import { hasLabels, matches } from '../store/selector.ts';

/** `spec.nodeSelector` and the required node affinity. */
export function matchesNodeAffinity(spec: Readonly<PodSpec>, node: Node): boolean {
  if (spec.nodeSelector !== undefined && !hasLabels(spec.nodeSelector, node.metadata.labels)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** The weights of the preferred terms that the node keeps. */
export function preferredNodeWeight(spec: Readonly<PodSpec>, node: Node): number {
  let weight = 0;
  for (const preferred of spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
    const { matchExpressions = [], matchFields = [] } = preferred.preference;
    const isEmpty = matchExpressions.length === 0 && matchFields.length === 0; // which here prefers every node
    if (isEmpty || matchesTerm(preferred.preference, node)) weight += preferred.weight;
  }
  return weight;
}

/** A term that asks for nothing is no node's. */
function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  const asked = (terms: typeof matchExpressions) => terms.map((term) => ({ ...term, values: term.values ?? [] }));
  const fields = { 'metadata.name': node.metadata.name };
  return matches(asked(matchExpressions), node.metadata.labels) && matches(asked(matchFields), fields);
}
