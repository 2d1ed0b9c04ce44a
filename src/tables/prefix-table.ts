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

const ENTRY_WORDS = 6;

/**
 * Longest-prefix match over 128-bit addresses: one hash look-up per distinct prefix length, longest first. A cluster
 * has a handful of lengths (addresses, pod CIDRs, nothing else), so this beats a trie in both time and size. Built
 * whole, off the packet path; read only afterwards.
 */
export class PrefixTable {
  readonly data: PrefixTableData;
  readonly #mask: number;

  constructor(data: PrefixTableData) {
    this.data = data;
    this.#mask = data.entries.length / ENTRY_WORDS - 1;
  }

  /** Later entries win over earlier ones of the same prefix. */
  static build(entries: readonly PrefixEntry[]): PrefixTable {
    const capacity = 1 << (32 - Math.clz32(Math.max(entries.length * 2, 2) - 1));
    const words = new Int32Array(capacity * ENTRY_WORDS);
    for (let i = 0; i < capacity; i++) words[i * ENTRY_WORDS + 4] = -1;
    const lengths = new Set<number>();
    for (const entry of entries) {
      lengths.add(entry.length);
      let slot = hashPrefix(entry.address, 0, entry.length) & (capacity - 1);
      while (words[slot * ENTRY_WORDS + 4] !== -1 && !holds(words, slot, entry.address, 0, entry.length)) {
        slot = (slot + 1) & (capacity - 1);
      }
      words.set(entry.address, slot * ENTRY_WORDS);
      words[slot * ENTRY_WORDS + 4] = entry.length;
      words[slot * ENTRY_WORDS + 5] = entry.value;
    }
    return new PrefixTable({ lengths: Uint8Array.from([...lengths].sort((a, b) => b - a)), entries: words });
  }

  /** The value of the longest prefix that holds the address at `words[index …]`, or -1. */
  find(words: Int32Array, index: number): number {
    const { lengths, entries } = this.data;
    for (let i = 0; i < lengths.length; i++) {
      const length = lengths[i]!;
      let slot = hashPrefix(words, index, length) & this.#mask;
      while (entries[slot * ENTRY_WORDS + 4] !== -1) {
        if (holds(entries, slot, words, index, length)) return entries[slot * ENTRY_WORDS + 5]!;
        slot = (slot + 1) & this.#mask;
      }
    }
    return -1;
  }
}

/** The bits of one of the four words that belong to a prefix of `length`. */
function maskOf(word: number, length: number): number {
  const bits = length - word * 32;
  if (bits >= 32) return -1;
  return bits <= 0 ? 0 : -1 << (32 - bits);
}

function hashPrefix(words: Int32Array, index: number, length: number): number {
  let h = length;
  for (let i = 0; i < 4; i++) {
    h = Math.imul(h ^ (words[index + i]! & maskOf(i, length)), 0x85ebca6b);
    h ^= h >>> 13;
  }
  return h;
}

function holds(entries: Int32Array, slot: number, words: Int32Array, index: number, length: number): boolean {
  const at = slot * ENTRY_WORDS;
  if (entries[at + 4] !== length) return false;
  for (let i = 0; i < 4; i++) if (entries[at + i] !== (words[index + i]! & maskOf(i, length))) return false;
  return true;
}
