/** Kinds and objects as people type them: `pods`, `po/web`, `deploy,svc`, `deployments.apps`, `all`. */
import { isInAll } from '../api/discovery.ts';
import { nearestWord } from '../cluster/nearest-word.ts';
import { type Resource, resources } from '../store/resources.ts';
import { UsageError } from './arguments.ts';

/** Some objects of one kind, by name; no names: all of them. */
export interface Target {
  readonly resource: Resource;
  readonly names: readonly string[];
}

function groupOf({ apiVersion }: Resource): string | undefined {
  return apiVersion.includes('/') ? apiVersion.split('/')[0] : undefined;
}

/** `pod`, `deployment.apps`: as kubectl names kinds in what it says of objects. */
export function typeName(resource: Resource): string {
  const group = groupOf(resource);
  return group === undefined ? resource.singular : `${resource.singular}.${group}`;
}

function namesOf(resource: Resource): string[] {
  const { plural, singular, shortNames } = resource;
  const group = groupOf(resource);
  return [plural, singular, ...shortNames, ...(group === undefined ? [] : [`${plural}.${group}`, typeName(resource)])];
}

/** By plural, singular or short name, in any case, with or without its group; undefined for none. */
export function findResource(word: string): Resource | undefined {
  const wanted = word.toLowerCase();
  return resources.find((resource) => namesOf(resource).includes(wanted));
}

/** @throws UsageError that names the nearest */
function readResource(word: string, usage: string): Resource {
  const found = findResource(word);
  if (found !== undefined) return found;
  const nearest = nearestWord(word, resources.flatMap(namesOf));
  const plurals = resources.map(({ plural }) => plural).join(', ');
  const hint = nearest === undefined ? `; there are ${plurals}` : `; did you mean ${nearest}?`;
  throw new UsageError(`there is no kind "${word}" here${hint}`, usage);
}

/**
 * `KIND[,KIND] [NAME…]` or `KIND/NAME…`.
 *
 * @throws UsageError
 */
export function readTargets(words: readonly string[], usage: string): Target[] {
  const [first, ...names] = words;
  if (first === undefined) throw new UsageError('expected a KIND, or KIND/NAME', usage);
  if (words.some((word) => word.includes('/'))) return words.map((word) => readObjectName(word, usage));
  const kinds = first.split(',').filter((word) => word !== '');
  return kinds
    .flatMap((word) => (word.toLowerCase() === 'all' ? resources.filter(isInAll) : [readResource(word, usage)]))
    .map((resource) => ({ resource, names }));
}

function readObjectName(word: string, usage: string): Target {
  const [kind, name, ...more] = word.split('/');
  if (kind === undefined || name === undefined || kind === '' || name === '' || more.length > 0) {
    throw new UsageError(`found "${word}" among names that say their kind, expected KIND/NAME`, usage);
  }
  return { resource: readResource(kind, usage), names: [name] };
}
