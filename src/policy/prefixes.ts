/** Prefixes as people write them, for `PrefixTable`; and which of them another one lies in. Off the packet path. */
import type { PrefixEntry } from '../tables/prefix-table.ts';
import { parsePrefix, prefixOf } from '../wire/prefix.ts';

export interface Prefix extends PrefixEntry {
  /** The same for all ways to write it. */
  readonly name: string;
}

/** @throws Error for what is no prefix. */
export function readPrefix(text: string, value: number): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(`not a prefix: ${text}`);
  return { ...prefix, value, name: nameOf(prefix.address, prefix.length) };
}

/** Prefixes by what they are, however they were written. */
export class PrefixMap {
  readonly #entries = new Map<string, Prefix>();
  /** In use, longest first. */
  #lengths: readonly number[] = [];

  /** Later entries win over earlier ones of the same prefix. */
  constructor(entries: Iterable<Prefix>) {
    const lengths = new Set<number>();
    for (const entry of entries) {
      this.#entries.set(entry.name, entry);
      lengths.add(entry.length);
    }
    this.#lengths = [...lengths].sort((a, b) => b - a);
  }

  get entries(): Prefix[] {
    return [...this.#entries.values()];
  }

  /** Value of the longest prefix that holds all of this one; undefined when none does. */
  around({ address, length, name }: Prefix): number | undefined {
    const itself = this.#entries.get(name);
    if (itself !== undefined) return itself.value;
    for (const outer of this.#lengths) {
      if (outer >= length) continue;
      const found = this.#entries.get(nameOf(prefixOf(address, outer), outer));
      if (found !== undefined) return found.value;
    }
    return undefined;
  }
}

function nameOf(address: Int32Array, length: number): string {
  return `${address.join()}/${length}`;
}
