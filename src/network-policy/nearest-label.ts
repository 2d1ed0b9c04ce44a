/** A selector that matches nothing: the label that its writer probably meant. */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import { nearestWord } from '../cluster/nearest-word.ts';
import { matches, type Requirement, type Requirements, requirementsOf } from '../store/selector.ts';
import { listed, plain, wantedLabels } from './explain-words.ts';

type Labels = Readonly<Record<string, string>>;

/** Something that has labels, by the name that messages call it. */
export interface Labelled {
  readonly shownName: string;
  readonly labels: Labels;
}

/** `app=web and no label old`; `{}` for a selector of everything. */
export function selectorWords(selector: LabelSelector): string {
  return wantedLabels(selector, {}) || '{}';
}

/**
 * `; nearest: app=db (shop/db-1)`: of what has the most of what the selector wants, the label that is nearest to what
 * it wants otherwise; empty where nothing is near. Pre: the selector matches none of the candidates.
 */
export function nearestLabel(selector: LabelSelector, candidates: readonly Labelled[]): string {
  const wanted = requirementsOf(selector);
  const counts = candidates.map(({ labels }) => wanted.filter((one) => matches([one], labels)).length);
  const most = Math.max(0, ...counts);
  const best = candidates.filter((_, i) => counts[i] === most);
  for (const requirement of wanted) {
    const words = near(
      requirement,
      best.filter(({ labels }) => !matches([requirement], labels)),
    );
    if (words !== undefined) return `; nearest: ${words}`;
  }
  if (most === 0) return otherLabels(wanted, candidates);
  const [first] = best;
  const { key } = wanted.find((one) => !matches([one], first!.labels))!;
  return `; nearest: ${Object.hasOwn(first!.labels, key) ? found(key, first!) : `${plain(first!.shownName)}, without ${plain(key)}`}`;
}

/** `app=db (shop/db-1)` */
function found(key: string, { shownName, labels }: Labelled): string {
  return `${label(key, labels)} (${plain(shownName)})`;
}

function label(key: string, labels: Labels): string {
  return `${plain(key)}=${plain(labels[key]!)}`;
}

/** A label that may have been meant. Pre: none of the candidates has what is required. */
function near({ key, operator, values }: Requirement, candidates: readonly Labelled[]): string | undefined {
  const keys = new Set(candidates.flatMap(({ labels }) => Object.keys(labels)));
  if (operator === 'Exists') {
    const nearKey = nearestWord(key, keys);
    return nearKey === undefined ? undefined : found(nearKey, holder(candidates, nearKey)!);
  }
  if (operator !== 'In') return undefined;
  for (const value of values) {
    // Another value, `web` for `wbe`; the same under another key, `name=db` for `app=db`; both a little other, `App=DB`.
    const otherKey = [...keys].find((name) => value !== '' && holder(candidates, name, value) !== undefined);
    for (const nearKey of [key, otherKey ?? nearestWord(key, keys)]) {
      const nearValue = nearKey === undefined ? undefined : nearestWord(value, valuesOf(nearKey, candidates));
      if (nearValue !== undefined) return found(nearKey!, holder(candidates, nearKey!, nearValue)!);
    }
  }
  return undefined;
}

function valuesOf(key: string, candidates: readonly Labelled[]): Set<string> {
  return new Set(candidates.flatMap(({ labels }) => (Object.hasOwn(labels, key) ? labels[key]! : [])));
}

/** The first that has the label. @param value any, when it is left out */
function holder(candidates: readonly Labelled[], key: string, value?: string): Labelled | undefined {
  return candidates.find(({ labels }) => Object.hasOwn(labels, key) && (value === undefined || labels[key] === value));
}

/** `; there is app=api and app=db`: what the keys that are wanted have. */
function otherLabels(wanted: Requirements, candidates: readonly Labelled[]): string {
  const there = candidates.flatMap(({ labels }) =>
    wanted.flatMap(({ key }) => (Object.hasOwn(labels, key) ? label(key, labels) : [])),
  );
  return there.length === 0 ? '' : `; there is ${listed(there.sort(), 'and')}`;
}
