/** Kind Node (v1): labels, annotations and taints for a node of the cluster. */
import type { Node } from '../../store/object.ts';
import { shown } from '../field.ts';
import { labelKey, labelValue, nodeName } from '../text-rule.ts';
import type { ObjectCheck } from './object-check.ts';
import type { ObjectKind } from './object-kind.ts';

export const nodeKind: ObjectKind<Node> = {
  apiVersion: 'v1',
  kind: 'Node',
  isNamespaced: false,
  nameRule: nodeName,

  check({ spec }, problems) {
    for (const name of ['podCIDR', 'podCIDRs'] as const) {
      if (spec[name] === undefined) continue;
      problems.note(`spec.${name}`, `spec.${name} of nodes is not obeyed: podwire shares out the pod network itself`);
    }
    checkTaints(spec, problems);
  },
};

export const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const;

/** core/validation: validateNodeTaints. */
function checkTaints({ taints = [] }: Node['spec'], problems: ObjectCheck): void {
  const seen = new Set<string>();
  for (const [i, { key, value, effect }] of taints.entries()) {
    const path = `spec.taints[${i}]`;
    problems.required(path, 'key', key, 'key: dedicated');
    problems.text(`${path}.key`, key, labelKey);
    problems.text(`${path}.value`, value, labelValue);
    problems.required(path, 'effect', effect, 'effect: NoSchedule');
    problems.choice(`${path}.effect`, effect, taintEffects);
    problems.first(path, seen, `${key}:${effect}`, `taint ${shown(`${key}:${effect}`)}`);
  }
}
