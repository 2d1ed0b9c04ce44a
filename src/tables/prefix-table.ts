/** Plain arrays of a `PrefixTable`, so that one thread can build it and another use it. */
export interface PrefixTableData {
  /** Distinct prefix lengths in use, longest first. */
  readonly lengths: Uint8Array;
  /** Open-addressed entries: four address words, the length, the value. */
  readonly entries: Int32Array;
}

export interface PrefixEntry {
  /** Four words as `wire/address.ts` has them. Bits past the length must be zero. */
  readonly address: Int32Array;
  /** 0 to 128; an IPv4 prefix of n bits has 96 + n. */
  readonly length: number;
  /** Not negative. */
  readonly value: number;
}

const ADDRESS_WORDS = 4;
const ENTRY_WORDS = 6;
const MASK_WORDS = 5;

/**
 * Longest-prefix match over 128-bit addresses: one hash look-up per distinct prefix length, longest first. A cluster
 * has a handful of lengths (addresses, pod CIDRs, nothing else), so this beats a trie in both time and size. Built
 * whole, off the packet path; read only afterwards.
 */
export class PrefixTable {
  readonly data: PrefixTableData;
  readonly #mask: number;
  /** Of each length: the masks of the four words, and the length. Looked up for each packet of a tunnel. */
  readonly #masks: Int32Array;
  /** The address that was asked for last, and its value: packets come in runs, and the table never changes. */
  readonly #last = new Int32Array(ADDRESS_WORDS);
  #lastValue: number;

  constructor(data: PrefixTableData) {
    this.data = data;
    this.#mask = data.entries.length / ENTRY_WORDS - 1;
    this.#masks = Int32Array.from([...data.lengths].flatMap((length) => [...masksOf(length), length]));
    this.#lastValue = this.#search(this.#last, 0);
  }

  /** Later entries win over earlier ones of the same prefix. */
  static build(entries: readonly PrefixEntry[]): PrefixTable {
    const capacity = 1 << (32 - Math.clz32(Math.max(entries.length * 2, 2) - 1));
    const words = new Int32Array(capacity * ENTRY_WORDS);
    for (let i = 0; i < capacity; i++) words[i * ENTRY_WORDS + 4] = -1;
    const lengths = new Set<number>();
    for (const entry of entries) {
      const { address, length } = entry;
      lengths.add(length);
      let slot = hashPrefix(address[0]!, address[1]!, address[2]!, address[3]!, length) & (capacity - 1);
      while (words[slot * ENTRY_WORDS + 4] !== -1 && !isPrefix(words, slot, entry)) slot = (slot + 1) & (capacity - 1);
      words.set(entry.address, slot * ENTRY_WORDS);
      words[slot * ENTRY_WORDS + 4] = entry.length;
      words[slot * ENTRY_WORDS + 5] = entry.value;
    }
    return new PrefixTable({ lengths: Uint8Array.from([...lengths].sort((a, b) => b - a)), entries: words });
  }

  /** The value of the longest prefix that holds the address at `words[index …]`, or -1. */
  find(words: Int32Array, index: number): number {
    const last = this.#last;
    const same =
      words[index + 3] === last[3] &&
      words[index + 2] === last[2] &&
      words[index + 1] === last[1] &&
      words[index] === last[0];
    return same ? this.#lastValue : this.#findNext(words, index);
  }

  #findNext(words: Int32Array, index: number): number {
    const value = this.#search(words, index);
    for (let i = 0; i < ADDRESS_WORDS; i++) this.#last[i] = words[index + i]!;
    this.#lastValue = value;
    return value;
  }

  #search(words: Int32Array, index: number): number {
    const { entries } = this.data;
    const masks = this.#masks;
    for (let i = 0; i < masks.length; i += MASK_WORDS) {
      const a = words[index]! & masks[i]!;
      const b = words[index + 1]! & masks[i + 1]!;
      const c = words[index + 2]! & masks[i + 2]!;
      const d = words[index + 3]! & masks[i + 3]!;
      const length = masks[i + 4]!;
      let slot = hashPrefix(a, b, c, d, length) & this.#mask;
      let at = slot * ENTRY_WORDS;
      while (entries[at + 4] !== -1) {
        const held = entries[at + 3] === d && entries[at + 2] === c && entries[at + 1] === b && entries[at] === a;
        if (held && entries[at + 4] === length) return entries[at + 5]!;
        slot = (slot + 1) & this.#mask;
        at = slot * ENTRY_WORDS;
      }
    }
    return -1;
  }
}

function isPrefix(entries: Int32Array, slot: number, { address, length }: PrefixEntry): boolean {
  const at = slot * ENTRY_WORDS;
  return entries[at + 4] === length && address.every((word, i) => entries[at + i] === word);
}

function masksOf(length: number): number[] {
  return [0, 1, 2, 3].map((word) => {
    const bits = length - word * 32;
    if (bits >= 32) return -1;
    return bits <= 0 ? 0 : -1 << (32 - bits);
  });
}

function hashPrefix(a: number, b: number, c: number, d: number, length: number): number {
  let h = Math.imul(length ^ a, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ b, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ c, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ d, 0x85ebca6b);
  return h ^ (h >>> 13);
}
