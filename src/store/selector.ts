/** Label and field selectors: as text in a request, and as `matchLabels` and `matchExpressions` in an object. */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { KubernetesObject } from './object.ts';
import { StoreError } from './store-error.ts';

export interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

/** All of them must hold; none of them is everything. */
export type Requirements = readonly Requirement[];

type Labels = Readonly<Record<string, string>>;

const noLabels: Labels = {};

/** Does one requirement hold? k8s.io/apimachinery/pkg/labels/selector.go, Matches: an operator unknown there never does. */
function holds({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return isInteger(value) && isInteger(values[0]) && Number(value) > Number(values[0]);
    case 'Lt':
      return isInteger(value) && isInteger(values[0]) && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

function isInteger(text: string | undefined): boolean {
  return text !== undefined && /^[-+]?[0-9]+$/.test(text);
}

export function matches(requirements: Requirements, labels: Labels = noLabels): boolean {
  return requirements.every((requirement) => holds(requirement, labels));
}

/** Has an object all these labels? What `spec.selector` of a Service or ReplicationController asks. */
export function hasLabels(wanted: Labels, labels: Labels = noLabels): boolean {
  for (const key in wanted) if (labels[key] !== wanted[key] || !Object.hasOwn(labels, key)) return false;
  return true;
}

/** @param selector an empty one selects everything; the caller decides what a missing one means */
export function requirementsOf(selector: LabelSelector): Requirements {
  const equal = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => {
    return { key, operator: 'In', values: [value] };
  });
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values }) => {
    return { key, operator, values: values ?? [] };
  });
  return [...equal, ...expressions];
}

const KEY = /^(?:[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?\/)?[A-Za-z0-9](?:[-._A-Za-z0-9]*[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-._A-Za-z0-9]*[A-Za-z0-9])?)?$/;

/** Longer ones are nobody's; finding the commas of one takes the square of its length. */
const SELECTOR_LEN_MAX = 4096;

/**
 * `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`.
 *
 * @throws StoreError BadRequest, with the part that was not understood
 */
export function parseLabelSelector(text: string): Requirements {
  if (text.trim() === '') return [];
  if (text.length > SELECTOR_LEN_MAX)
    throw new StoreError('BadRequest', `a label selector of ${text.length} characters`);
  // Commas part requirements, but for those in parentheses.
  return text.split(/,(?![^()]*\))/).map((part) => parseRequirement(part.trim()));
}

function parseRequirement(part: string): Requirement {
  const [, set, setOperator, values] = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part) ?? [];
  if (set !== undefined && values !== undefined) {
    return checked(part, set, setOperator === 'in' ? 'In' : 'NotIn', values.split(',').map(trim));
  }
  const [, compared, sign, value] = /^([^\s=!<>]+)\s*(==|=|!=|<|>)\s*([^=!<>]*)$/.exec(part) ?? [];
  if (compared !== undefined && value !== undefined) {
    const operators: Readonly<Record<string, string>> = { '!=': 'NotIn', '>': 'Gt', '<': 'Lt' };
    return checked(part, compared, operators[sign ?? ''] ?? 'In', [value.trim()]);
  }
  if (part.startsWith('!')) return checked(part, part.slice(1).trim(), 'DoesNotExist', []);
  return checked(part, part, 'Exists', []);
}

function trim(text: string): string {
  return text.trim();
}

function checked(part: string, key: string, operator: string, values: readonly string[]): Requirement {
  const isComparison = operator === 'Gt' || operator === 'Lt';
  const isGood = KEY.test(key) && values.every((value) => (isComparison ? isInteger(value) : VALUE.test(value)));
  if (isGood) return { key, operator, values };
  const example = 'such as app=web, tier!=db, env in (a,b), env notin (a), app, !app';
  throw new StoreError(
    'BadRequest',
    `found ${JSON.stringify(part)} in a label selector, expected requirements ${example}`,
  );
}

interface FieldRequirement {
  readonly path: string;
  readonly equal: boolean;
  readonly value: string;
}

export type FieldRequirements = readonly FieldRequirement[];

/** Fields that lists may be asked for besides metadata.name and metadata.namespace; by kind, as the API server has them. */
const selectableFields: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    ...['spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName', 'spec.hostNetwork'],
    ...['status.phase', 'status.podIP', 'status.nominatedNodeName'],
  ],
  Service: ['spec.clusterIP', 'spec.type'],
  Node: ['spec.unschedulable'],
  Namespace: ['status.phase'],
  ReplicaSet: ['status.replicas'],
  ReplicationController: ['status.replicas'],
  Job: ['status.successful'],
  Secret: ['type'],
  Event: [
    ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
      (name) => `involvedObject.${name}`,
    ),
    ...['reason', 'reportingComponent', 'source', 'type'],
  ],
};

/**
 * `spec.nodeName=n1,status.phase!=Running`.
 *
 * @throws StoreError BadRequest for what cannot be read, and for fields that the kind cannot be selected by
 */
export function parseFieldSelector(text: string, kind: string): FieldRequirements {
  const parts = text.split(',').map(trim);
  const known = ['metadata.name', 'metadata.namespace', ...(selectableFields[kind] ?? [])];
  return parts
    .filter((part) => part !== '')
    .map((part) => {
      const [, path, sign, value] = /^([^=!]+)(==|=|!=)(.*)$/.exec(part) ?? [];
      if (path === undefined || value === undefined) {
        const example = 'expected requirements such as spec.nodeName=n1 or status.phase!=Running';
        throw new StoreError('BadRequest', `found ${JSON.stringify(part)} in a field selector, ${example}`);
      }
      if (!known.includes(path)) {
        const message = `field label not supported: ${JSON.stringify(path)}; expected one of ${known.join(', ')}`;
        throw new StoreError('BadRequest', message);
      }
      return { path, equal: sign !== '!=', value };
    });
}

/** A field that an object has not got is the empty string. */
export function matchesFields(requirements: FieldRequirements, object: KubernetesObject): boolean {
  return requirements.every(({ path, equal, value }) => {
    let field: unknown = object;
    for (const name of path.split('.')) field = (field as Readonly<Record<string, unknown>> | undefined)?.[name];
    return (String(field ?? '') === value) === equal;
  });
}
