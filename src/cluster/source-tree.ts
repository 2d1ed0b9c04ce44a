/**
 * A document as values that know where they were written. Maps are `Map`s, so that a key such as `__proto__` is data.
 * Aliases share nodes: the tree is a graph without cycles, `size` is the number of values it would have
 * when copied out, `depth` how many collections stand in each other.
 */
import type { Place } from './source.ts';

export interface SourceScalar {
  readonly type: 'scalar';
  readonly value: null | boolean | number | string;
  /** As written, without quotes: `no` for false, `0x10` for 16. */
  readonly text: string;
  readonly place: Place;
  readonly size: 1;
  readonly depth: 0;
}

export interface SourceList {
  readonly type: 'list';
  readonly items: readonly SourceNode[];
  readonly place: Place;
  readonly size: number;
  readonly depth: number;
}

interface SourceMap {
  readonly type: 'map';
  readonly fields: ReadonlyMap<string, SourceField>;
  readonly place: Place;
  readonly size: number;
  readonly depth: number;
}

export type SourceNode = SourceScalar | SourceList | SourceMap;

/** A map's entry: where its key stands, and its value. */
export interface SourceField {
  readonly key: Place;
  readonly node: SourceNode;
}

/** Where to point for a field: a scalar's value, for anything larger its key (a list item's key is its own start). */
export function fieldPlace(key: Place, node: SourceNode): Place {
  return node.type === 'scalar' && node.text !== '' ? node.place : key;
}

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** 'spec' + 'nodeName' → 'spec.nodeName'; keys with dots and the like stand in brackets: 'labels[app.kubernetes.io/name]'. */
export function childPath(path: string, key: string | number): string {
  if (typeof key === 'number' || !PLAIN_KEY.test(key)) return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}

/**
 * The place of `path` ('spec.containers[0].ports') in an object; of its nearest ancestor where the input left the field
 * out.
 */
export function sourceOf(object: { readonly source: SourceNode }, path: string): Place {
  let node = object.source;
  let place = node.place;
  for (const key of keysOf(path)) {
    const next = child(node, key);
    if (next === undefined) break;
    node = next.node;
    place = fieldPlace(next.key, node);
  }
  return place;
}

/** What was written at `path`; undefined where the input left it out. */
export function nodeAt(source: SourceNode, path: string): SourceNode | undefined {
  let node: SourceNode | undefined = source;
  for (const key of keysOf(path)) node = node && child(node, key)?.node;
  return node;
}

function keysOf(path: string): string[] {
  return [...path.matchAll(/([^.[\]]+)|\[([^\]]*)\]/g)].map(([, name, bracketed]) => name ?? bracketed ?? '');
}

function child(node: SourceNode, key: string): SourceField | undefined {
  if (node.type === 'map') return node.fields.get(key);
  if (node.type !== 'list') return undefined;
  const item = node.items[Number(key)];
  return item === undefined ? undefined : { key: item.place, node: item };
}
