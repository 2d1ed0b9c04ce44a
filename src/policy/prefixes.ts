/** Prefixes as people write them, for `PrefixTable`; and which of them another one lies in. Off the packet path. */
import type { PrefixEntry } from '../tables/prefix-table.ts';
import { ADDRESS_WORDS, parseAddress } from '../wire/address.ts';

/** Bits that `::ffff:0:0/96` puts in front of an IPv4 prefix. */
const MAPPED_BITS = 96;
const ADDRESS_BITS = ADDRESS_WORDS * 32;

export interface Prefix extends PrefixEntry {
  /** The same for all ways to write it. */
  readonly name: string;
}

/**
 * Reads `10.244.1.7/32` or `fd00::/64`; bits past the length are dropped.
 *
 * @throws Error for what is no prefix.
 */
export function parsePrefix(text: string, value: number): Prefix {
  const [written = '', bits = ''] = text.split('/');
  const address = parseAddress(written);
  const length = Number(bits) + (written.includes(':') ? 0 : MAPPED_BITS);
  if (address === undefined || !/^\d+$/.test(bits) || length > ADDRESS_BITS) throw new Error(`not a prefix: ${text}`);
  const base = masked(address, length);
  return { address: base, length, value, name: nameOf(base, length) };
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
      const found = this.#entries.get(nameOf(masked(address, outer), outer));
      if (found !== undefined) return found.value;
    }
    return undefined;
  }
}

function nameOf(address: Int32Array, length: number): string {
  return `${address.join()}/${length}`;
}

function masked(address: Int32Array, length: number): Int32Array {
  return address.map((word, i) => {
    const bits = Math.min(Math.max(length - i * 32, 0), 32);
    return bits === 0 ? 0 : word & (-1 << (32 - bits));
  });
}
