/** What all tables of objects are made of. */
import type { LabelSelector, ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import { formatAge } from './table.ts';

export interface Column<T> {
  readonly header: string;
  /** Only with `-o wide`. */
  readonly wide?: true;
  cell(object: T): string;
}

export const NONE = '<none>';

interface Named {
  readonly metadata?: ObjectMeta;
}

export const nameColumn: Column<Named> = { header: 'NAME', cell: ({ metadata }) => metadata?.name ?? '' };
export const ageColumn: Column<Named> = {
  header: 'AGE',
  cell: ({ metadata }) => formatAge(metadata?.creationTimestamp),
};

/** `app=web,tier in (a,b)`, as kubectl and the API's `labelSelector` write it; '' selects everything. */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  return [...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`), ...expressions].join(',');
}

export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  return selectorText({ matchLabels: labels ?? {} }) || NONE;
}
