/** JSON values of a program → the trees that documents are read from. Their places are the object's number. */

import type { Place, ProblemLog } from './source.ts';
import { childPath, type SourceField, type SourceNode } from './source-tree.ts';
import { NESTING_MAX, VALUES_MAX } from './yaml-text.ts';

/** The value as a tree; undefined after telling the log that it is no JSON. @param name of the value: 'object 3' */
export function sourceFromJson(value: unknown, name: string, log: ProblemLog): SourceNode | undefined {
  const builder = new JsonTree({ file: name, line: 0, column: 0 });
  try {
    return builder.node(value);
  } catch (error) {
    if (!(error instanceof NoJson)) throw error;
    log.error(builder.place, builder.pathText(), error.message);
    return undefined;
  }
}

class NoJson extends Error {}

class JsonTree {
  readonly place: Place;
  readonly #path: (string | number)[] = [];
  #values = 0;

  constructor(place: Place) {
    this.place = place;
  }

  pathText(): string {
    return this.#path.reduce<string>(childPath, '');
  }

  node(value: unknown): SourceNode {
    const { place } = this;
    if (++this.#values > VALUES_MAX) throw new NoJson(`found more than ${VALUES_MAX} values, expected at most so many`);
    if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) {
      const scalar = value as null | string | boolean | number;
      return { type: 'scalar', value: scalar, text: scalar === null ? '' : String(scalar), place, size: 1, depth: 0 };
    }
    if (typeof value !== 'object') throw new NoJson(`found a ${typeof value}, expected a JSON value`);
    // Also what ends a value that holds itself.
    if (this.#path.length >= NESTING_MAX) {
      throw new NoJson(`found values nested more than ${NESTING_MAX} deep, expected at most so many`);
    }
    return Array.isArray(value) ? this.#list(value) : this.#map(value as object);
  }

  #list(values: readonly unknown[]): SourceNode {
    // As JSON.stringify: a hole, or undefined, is null.
    const items = Array.from(values, (item, index) => this.#child(index, item ?? null));
    return { type: 'list', items, place: this.place, size: sizeOf(items), depth: depthOf(items) };
  }

  #map(value: object): SourceNode {
    const fields = new Map<string, SourceField>();
    for (const [name, child] of Object.entries(value)) {
      if (child !== undefined) fields.set(name, { key: this.place, node: this.#child(name, child) });
    }
    const nodes = [...fields.values()].map(({ node }) => node);
    return { type: 'map', fields, place: this.place, size: sizeOf(nodes), depth: depthOf(nodes) };
  }

  #child(key: string | number, value: unknown): SourceNode {
    this.#path.push(key);
    const node = this.node(value);
    this.#path.pop();
    return node;
  }
}

function sizeOf(nodes: readonly SourceNode[]): number {
  return nodes.reduce((size, node) => size + node.size, 1);
}

function depthOf(nodes: readonly SourceNode[]): number {
  return nodes.reduce((depth, node) => Math.max(depth, node.depth), 0) + 1;
}
