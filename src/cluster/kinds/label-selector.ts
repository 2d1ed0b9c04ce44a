/** Label selectors of objects (meta/v1 LabelSelector; apimachinery, pkg/apis/meta/v1/validation). */
import type { LabelSelector, LabelSelectorRequirement } from 'kubernetes-types/meta/v1.d.ts';
import { shown } from '../field.ts';
import { childPath } from '../source-tree.ts';
import { labelKey, labelValue } from '../text-rule.ts';
import type { ObjectCheck } from './object-check.ts';
import { checkLabels } from './object-kind.ts';

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

type Labels = Readonly<Record<string, string>>;

export function checkLabelSelector(selector: LabelSelector | undefined, path: string, problems: ObjectCheck): void {
  if (selector === undefined) return;
  checkLabels(selector.matchLabels, `${path}.matchLabels`, problems);
  for (const [i, { key, operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${i}]`;
    problems.required(at, 'key', key, 'key: app');
    problems.text(`${at}.key`, key, labelKey);
    problems.required(at, 'operator', operator, 'operator: In');
    problems.choice(`${at}.operator`, operator, operators);
    if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
      problems.refuse(at, `found no values, expected at least one as operator is ${operator}; add "values: [web]"`);
    }
    if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
      problems.refuse(`${at}.values`, `found values, expected none as operator is ${operator}; remove them`);
    }
    for (const [j, value] of values.entries()) problems.text(`${at}.values[${j}]`, value, labelValue);
  }
}

function isEmpty({ matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean {
  return Object.keys(matchLabels).length + matchExpressions.length === 0;
}

/** The selector of a workload: there, not empty, and one that its own pods meet. */
export function checkOwnSelector(selector: LabelSelector | undefined, labels: Labels, problems: ObjectCheck): void {
  const example = 'selector: {matchLabels: {app: web}}';
  problems.required('spec', 'selector', selector, example);
  if (selector === undefined) return;
  if (isEmpty(selector)) problems.refuse('spec.selector', `found an empty selector, expected one; write "${example}"`);
  checkLabelSelector(selector, 'spec.selector', problems);
  checkMatch(selector, 'spec.selector.matchLabels', labels, problems);
}

/** Tells each part of the selector that the labels of its own pods do not meet. @param path of the selector's labels */
export function checkMatch(selector: LabelSelector, path: string, labels: Labels, problems: ObjectCheck): void {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (labels[key] === value) continue;
    const found = labels[key] === undefined ? 'no such label' : shown(labels[key]);
    const message = `found ${shown(value)} here and ${found} in spec.template.metadata.labels; make them equal`;
    problems.refuse(childPath(path, key), message);
  }
  for (const [i, expression] of (selector.matchExpressions ?? []).entries()) {
    if (isMet(expression, labels)) continue;
    const message = 'found an expression that spec.template.metadata.labels do not meet; make them agree';
    problems.refuse(`spec.selector.matchExpressions[${i}]`, message);
  }
}

function isMet({ key, operator, values = [] }: LabelSelectorRequirement, labels: Labels): boolean {
  const value = labels[key];
  if (operator === 'Exists') return value !== undefined;
  if (operator === 'DoesNotExist') return value === undefined;
  const isIn = value !== undefined && values.includes(value);
  return operator === 'NotIn' ? !isIn : isIn;
}
