/** The objects of one kind, by namespace and name, in the order in which the API lists them. */
import type { KubernetesObject } from './object.ts';

interface Entry {
  object: KubernetesObject;
  source: unknown;
  /** Of the object's first resourceVersion: when it came. */
  readonly sequence: number;
}

/** '/' sorts before all that names are made of but '-' and '.', so the keys of a namespace stand together. */
function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

export class ObjectTable {
  readonly #entries = new Map<string, Entry>();
  /** Keys in the order of their characters. */
  readonly #sorted: string[] = [];

  get size(): number {
    return this.#sorted.length;
  }

  get(namespace: string, name: string): KubernetesObject | undefined {
    return this.#entries.get(keyOf(namespace, name))?.object;
  }

  sourceOf(namespace: string, name: string): unknown {
    return this.#entries.get(keyOf(namespace, name))?.source;
  }

  /** Grows with the time at which objects came. */
  sequenceOf({ metadata }: KubernetesObject): number {
    return this.#entries.get(keyOf(metadata.namespace ?? '', metadata.name))?.sequence ?? 0;
  }

  /** Adds or replaces. @param source undefined keeps what was there */
  put(object: KubernetesObject, source: unknown): void {
    const { namespace = '', name } = object.metadata;
    const key = keyOf(namespace, name);
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#entries.set(key, { object, source, sequence: Number(object.metadata.resourceVersion) });
      this.#sorted.splice(this.#position(key), 0, key);
    } else {
      entry.object = object;
      if (source !== undefined) entry.source = source;
    }
  }

  remove(namespace: string, name: string): void {
    const key = keyOf(namespace, name);
    if (this.#entries.delete(key)) this.#sorted.splice(this.#position(key), 1);
  }

  /** Is any object in the namespace? */
  hasAnyIn(namespace: string): boolean {
    return this.#sorted[this.#position(`${namespace}/`)]?.startsWith(`${namespace}/`) === true;
  }

  /** @param namespace undefined for all */
  list(namespace: string | undefined): KubernetesObject[] {
    const from = namespace === undefined ? 0 : this.#position(`${namespace}/`);
    const to = namespace === undefined ? this.#sorted.length : this.#position(`${namespace}0`); // '0' follows '/'
    const objects: KubernetesObject[] = [];
    for (let at = from; at < to; at++) objects.push(this.#entries.get(this.#sorted[at]!)!.object);
    return objects;
  }

  /** Where a key stands or would stand. */
  #position(key: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
