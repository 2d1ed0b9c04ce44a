/** Pieces of sentences about policies. What comes from objects is cut, and can steer no terminal. */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { NetworkPolicyPort } from 'kubernetes-types/networking/v1.d.ts';
import { matches, type Requirement, requirementsOf } from '../store/selector.ts';

/** A label's key may have 317 characters; what is longer than this is read by nobody. */
const TEXT_LEN_MAX = 80;
/** Requirements of one selector, values of one requirement, entries of one list. */
const LIST_MAX = 4;

/** Controls, format characters (which turn text around), line separators, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text of an object as a sentence may hold it: on one line, of a length that can be read. */
export function plain(text: string): string {
  return visible(text.length > TEXT_LEN_MAX ? `${text.slice(0, TEXT_LEN_MAX - 1)}…` : text);
}

/** Of a path, the end says most. */
export function plainPath(path: string): string {
  return visible(path.length > TEXT_LEN_MAX ? `…${path.slice(1 - TEXT_LEN_MAX)}` : path);
}

function visible(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** `a`, `a and b`, `a, b, c and 7 more`. Each once. */
export function listed(items: Iterable<string>, word: 'and' | 'or', max = LIST_MAX): string {
  const all = [...new Set(items)];
  const shown = all.length > max ? [...all.slice(0, max - 1), `${all.length - max + 1} more`] : all;
  const last = shown.pop() ?? '';
  return shown.length === 0 ? last : `${shown.join(', ')} ${word} ${last}`;
}

/** `app=api and no label tier`; empty for a selector of everything. Those that the labels lack come first. */
export function wantedLabels(selector: LabelSelector, labels: Readonly<Record<string, string>>): string {
  const all = requirementsOf(selector);
  const isMet = (one: Requirement) => matches([one], labels);
  return listed([...all.filter((one) => !isMet(one)), ...all.filter(isMet)].map(requirementWords), 'and');
}

/** What labels say of the requirements that they do not meet: `app=web`, `no label tier`. */
export function unmetLabels(selector: LabelSelector, labels: Readonly<Record<string, string>>): string[] {
  return requirementsOf(selector)
    .filter((one) => !matches([one], labels))
    .map(({ key }) => (Object.hasOwn(labels, key) ? `${plain(key)}=${plain(labels[key]!)}` : `no label ${plain(key)}`));
}

function requirementWords({ key, operator, values }: Requirement): string {
  const name = plain(key);
  const shown = values.map(plain);
  switch (operator) {
    case 'In':
      return shown.length === 1 ? `${name}=${shown[0]}` : `${name} in (${listed(shown, 'or')})`;
    case 'NotIn':
      return `${name} not in (${listed(shown, 'or')})`;
    case 'Exists':
      return `a label ${name}`;
    default:
      return `no label ${name}`;
  }
}

/** `TCP 5432`, `TCP 5000-5100`, `any TCP port`, `TCP port http`. */
export function portWords({ protocol = 'TCP', port, endPort }: NetworkPolicyPort): string {
  const name = plain(protocol);
  if (port === undefined) return `any ${name} port`;
  if (typeof port === 'string') return `${name} port ${plain(port)}`;
  return endPort === undefined || endPort === port ? `${name} ${port}` : `${name} ${port}-${endPort}`;
}
