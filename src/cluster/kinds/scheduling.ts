/** What says where pods go: tolerations, affinities, topology spread constraints (core/validation). */
import type {
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  Toleration,
  TopologySpreadConstraint,
} from 'kubernetes-types/core/v1.d.ts';
import { shown } from '../field.ts';
import { dnsLabel, labelKey, labelValue } from '../text-rule.ts';
import { checkLabelSelector } from './label-selector.ts';
import { taintEffects } from './node.ts';
import type { ObjectCheck } from './object-check.ts';

const nodeOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'] as const;
const WEIGHT_MAX = 100;

export function checkScheduling(spec: PodSpec, path: string, problems: ObjectCheck): void {
  for (const [i, toleration] of (spec.tolerations ?? []).entries()) {
    checkToleration(toleration, `${path}.tolerations[${i}]`, problems);
  }
  checkSpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`, problems);
  const { nodeAffinity, podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const required = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const requiredPath = `${path}.affinity.nodeAffinity.${REQUIRED}`;
  if (required !== undefined && (required.nodeSelectorTerms ?? []).length === 0) {
    problems.refuse(requiredPath, 'found no nodeSelectorTerms, expected at least one; add one');
  }
  for (const [i, term] of (required?.nodeSelectorTerms ?? []).entries()) {
    checkNodeTerm(term, `${requiredPath}.nodeSelectorTerms[${i}]`, problems);
  }
  for (const [i, term] of (nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    const at = `${path}.affinity.nodeAffinity.${PREFERRED}[${i}]`;
    problems.integer(`${at}.weight`, term.weight ?? 0, 1, WEIGHT_MAX);
    if (term.preference !== undefined) checkNodeTerm(term.preference, `${at}.preference`, problems);
  }
  checkPodAffinity(podAffinity, `${path}.affinity.podAffinity`, problems);
  checkPodAffinity(podAntiAffinity, `${path}.affinity.podAntiAffinity`, problems);
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

/** ValidateTolerations. */
function checkToleration(toleration: Toleration, path: string, problems: ObjectCheck): void {
  const { key, operator, value = '', effect, tolerationSeconds } = toleration;
  problems.text(`${path}.key`, key, labelKey);
  problems.choice(`${path}.operator`, operator, ['Equal', 'Exists']);
  problems.choice(`${path}.effect`, effect, taintEffects);
  if (key === undefined && operator !== 'Exists') {
    problems.refuse(path, 'found no key, expected one unless operator is Exists; add "key: …" or "operator: Exists"');
  }
  if (operator === 'Exists') {
    if (value !== '') problems.refuse(`${path}.value`, `found ${shown(value)}, expected none as operator is Exists`);
  } else problems.text(`${path}.value`, value, labelValue);
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    const found = effect === undefined ? 'no effect' : shown(effect);
    problems.refuse(`${path}.effect`, `found ${found}, expected NoExecute beside tolerationSeconds`);
  }
}

/** validateTopologySpreadConstraints. */
function checkSpread(constraints: readonly TopologySpreadConstraint[], path: string, problems: ObjectCheck): void {
  const seen = new Set<string>();
  for (const [i, constraint] of constraints.entries()) {
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains, labelSelector } = constraint;
    const at = `${path}[${i}]`;
    problems.required(at, 'maxSkew', maxSkew, 'maxSkew: 1');
    problems.count(`${at}.maxSkew`, maxSkew, 1);
    problems.required(at, 'topologyKey', topologyKey, 'topologyKey: kubernetes.io/hostname');
    problems.text(`${at}.topologyKey`, topologyKey, labelKey);
    problems.required(at, 'whenUnsatisfiable', whenUnsatisfiable, 'whenUnsatisfiable: DoNotSchedule');
    problems.choice(`${at}.whenUnsatisfiable`, whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway']);
    problems.first(
      at,
      seen,
      `${topologyKey} ${whenUnsatisfiable}`,
      `constraint of ${topologyKey}, ${whenUnsatisfiable}`,
    );
    problems.count(`${at}.minDomains`, minDomains, 1);
    if (minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule') {
      problems.refuse(`${at}.minDomains`, 'found minDomains, expected none unless whenUnsatisfiable is DoNotSchedule');
    }
    for (const name of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      problems.choice(`${at}.${name}`, constraint[name], ['Honor', 'Ignore']);
    }
    checkLabelSelector(labelSelector, `${at}.labelSelector`, problems);
  }
}

/** ValidateNodeSelectorTerm. */
function checkNodeTerm(term: NodeSelectorTerm, path: string, problems: ObjectCheck): void {
  for (const [i, expression] of (term.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${i}]`;
    checkNodeExpression(expression, at, problems);
    problems.text(`${at}.key`, expression.key, labelKey);
    for (const [j, value] of (expression.values ?? []).entries())
      problems.text(`${at}.values[${j}]`, value, labelValue);
  }
  for (const [i, { key, operator, values = [] }] of (term.matchFields ?? []).entries()) {
    const at = `${path}.matchFields[${i}]`;
    problems.choice(`${at}.key`, key, ['metadata.name']);
    problems.choice(`${at}.operator`, operator, ['In', 'NotIn']);
    if (values.length !== 1) problems.refuse(at, `found ${values.length} values, expected one in a field's expression`);
  }
}

/** ValidateNodeSelectorRequirement. */
function checkNodeExpression(expression: NodeSelectorRequirement, path: string, problems: ObjectCheck): void {
  const { key, operator, values = [] } = expression;
  problems.required(path, 'key', key, 'key: topology.kubernetes.io/zone');
  problems.required(path, 'operator', operator, 'operator: In');
  problems.choice(`${path}.operator`, operator, nodeOperators);
  const isSet = operator === 'In' || operator === 'NotIn';
  const isComparison = operator === 'Gt' || operator === 'Lt';
  const isPresence = operator === 'Exists' || operator === 'DoesNotExist';
  if (isSet && values.length === 0) problems.refuse(path, `found no values, expected some as operator is ${operator}`);
  if (isPresence && values.length > 0) problems.refuse(path, `found values, expected none as operator is ${operator}`);
  if (isComparison && (values.length !== 1 || !/^-?[0-9]+$/.test(values[0]!))) {
    problems.refuse(path, `found other values, expected one whole number, in quotes, as operator is ${operator}`);
  }
}

function checkPodAffinity(
  affinity: NonNullable<PodSpec['affinity']>['podAffinity'],
  path: string,
  problems: ObjectCheck,
): void {
  for (const [i, term] of (affinity?.[REQUIRED] ?? []).entries()) {
    checkPodTerm(term, `${path}.${REQUIRED}[${i}]`, problems);
  }
  for (const [i, { weight, podAffinityTerm }] of (affinity?.[PREFERRED] ?? []).entries()) {
    const at = `${path}.${PREFERRED}[${i}]`;
    problems.integer(`${at}.weight`, weight ?? 0, 1, WEIGHT_MAX);
    problems.required(at, 'podAffinityTerm', podAffinityTerm, 'podAffinityTerm: {topologyKey: …}');
    if (podAffinityTerm !== undefined) checkPodTerm(podAffinityTerm, `${at}.podAffinityTerm`, problems);
  }
}

/** validatePodAffinityTerm. */
function checkPodTerm(term: PodAffinityTerm, path: string, problems: ObjectCheck): void {
  problems.required(path, 'topologyKey', term.topologyKey, 'topologyKey: kubernetes.io/hostname');
  problems.text(`${path}.topologyKey`, term.topologyKey, labelKey);
  checkLabelSelector(term.labelSelector, `${path}.labelSelector`, problems);
  checkLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`, problems);
  for (const [i, name] of (term.namespaces ?? []).entries()) problems.text(`${path}.namespaces[${i}]`, name, dnsLabel);
}
