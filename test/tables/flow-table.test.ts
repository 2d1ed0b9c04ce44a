import { expect, test } from 'vitest';
import { FlowTable } from '../../src/tables/flow-table.ts';
import { type Random, withRandom } from '../support/random.ts';

/** The same with a `Map` of strings, and a list of free slots in the place of the caller. */
class Pair {
  readonly table: FlowTable;
  readonly #slots = new Map<string, number>();
  readonly #free: number[];

  constructor(slots: number, words: number, seed: number) {
    this.table = new FlowTable(slots, words, seed);
    this.#free = Array.from({ length: slots }, (_, slot) => slot);
  }

  get full(): boolean {
    return this.#free.length === 0;
  }

  get used(): number {
    return this.#slots.size;
  }

  /** -1 when both say that it is not there; throws when they disagree. */
  find(key: Int32Array, index: number): number {
    const words = key.subarray(index, index + this.table.words);
    const want = this.#slots.get(String(words)) ?? -1;
    const got = this.table.find(key, index, this.table.hash(key, index));
    if (got !== want) throw new Error(`found slot ${got} instead of ${want} for ${words}`);
    return got;
  }

  insert(key: Int32Array, index: number, random: Random): void {
    const slot = this.#free.splice(random.below(this.#free.length), 1)[0]!;
    this.table.insert(slot, key, index, this.table.hash(key, index));
    this.#slots.set(String(key.subarray(index, index + this.table.words)), slot);
  }

  remove(key: Int32Array, index: number, slot: number): void {
    this.table.remove(slot);
    this.#slots.delete(String(key.subarray(index, index + this.table.words)));
    this.#free.push(slot);
  }

  /** Every key that must be there is, in its slot, whole. */
  check(): void {
    for (const [text, slot] of this.#slots) {
      const key = Int32Array.from(text.split(','), Number);
      expect(this.find(key, 0)).toBe(slot);
      expect(this.table.entries.subarray(this.table.keyAt(slot)).subarray(0, key.length)).toEqual(key);
    }
  }
}

/** Different keys, that differ in few bits, in sign, or in one word only. */
function differentKeys(random: Random, words: number, count: number): Int32Array[] {
  const keys = new Map<string, Int32Array>();
  const values = [0, 1, -1, 0x80000000 | 0, 0x0a010002];
  while (keys.size < count) {
    const key = Int32Array.from({ length: words }, () => (random.once(2) ? random.below(8) : random.pick(values)));
    key[random.below(words)] = random.word();
    keys.set(String(key), key);
  }
  return [...keys.values()];
}

/** One step of a phase that rather fills or rather empties the table: what it did. */
function step(pair: Pair, random: Random, words: Int32Array, filling: boolean): 'full' | 'removed' | 'other' {
  const index = random.below(3);
  const key = new Int32Array(index + words.length + 1).fill(-1);
  key.set(words, index);
  const slot = pair.find(key, index);
  if (slot >= 0 && random.once(filling ? 8 : 2)) {
    pair.remove(key, index, slot);
    if (pair.find(key, index) >= 0) throw new Error('a removed key is still there');
    return 'removed';
  }
  if (slot >= 0) return 'other';
  if (pair.full) return 'full';
  if (random.once(filling ? 1 : 8)) pair.insert(key, index, random);
  return 'other';
}

test.each([
  { slots: 1, words: 1, operations: 5_000 },
  { slots: 2, words: 3, operations: 5_000 },
  { slots: 37, words: 10, operations: 30_000 },
  { slots: 64, words: 2, operations: 40_000 },
  { slots: 700, words: 10, operations: 40_000 },
])('$operations operations on $slots slots with keys of $words words: as a Map', ({ slots, words, operations }) => {
  withRandom((random) => {
    const pair = new Pair(slots, words, random.word());
    const keys = differentKeys(random, words, slots * 2);
    const done = { full: 0, removed: 0, other: 0 };
    for (let i = 0; i < operations; i++) {
      const filling = Math.floor(i / (operations / 8)) % 2 === 0;
      done[step(pair, random, random.pick(keys), filling)]++;
    }
    pair.check();
    expect(done.removed).toBeGreaterThan(operations / 20);
    expect(done.full).toBeGreaterThan(operations / 200);
  });
});

test('a full table holds as many keys as it has slots, and gives each of them back', () => {
  withRandom((random) => {
    const pair = new Pair(500, 10, 7);
    while (!pair.full) {
      const key = Int32Array.from({ length: 10 }, () => random.word());
      if (pair.find(key, 0) < 0) pair.insert(key, 0, random);
    }
    expect(pair.used).toBe(500);
    pair.check();
  });
});

test('keys with one hash are told apart, whichever of them goes first', () => {
  const table = new FlowTable(4, 1, 0);
  for (const order of [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [1, 3, 0, 2],
  ]) {
    for (let slot = 0; slot < 4; slot++) table.insert(slot, Int32Array.of(100 + slot), 0, 12345);
    const left = new Set([0, 1, 2, 3]);
    for (const slot of order) {
      table.remove(slot);
      left.delete(slot);
      for (let each = 0; each < 4; each++) {
        expect(table.find(Int32Array.of(100 + each), 0, 12345)).toBe(left.has(each) ? each : -1);
      }
    }
  }
});

test('the seed changes the hash, and the hash depends on every bit of every word', () => {
  withRandom((random) => {
    const table = new FlowTable(16, 10, 1);
    const other = new FlowTable(16, 10, 2);
    for (let round = 0; round < 50; round++) {
      const key = Int32Array.from({ length: 12 }, () => random.word());
      const hash = table.hash(key, 1);
      expect(other.hash(key, 1)).not.toBe(hash);
      for (let bit = 0; bit < 320; bit++) {
        key[1 + (bit >> 5)]! ^= 1 << (bit & 31);
        if (table.hash(key, 1) === hash) throw new Error(`bit ${bit} is not hashed`);
        key[1 + (bit >> 5)]! ^= 1 << (bit & 31);
      }
      // The words around the key are not.
      key[0]! ^= -1;
      key[11]! ^= -1;
      expect(table.hash(key, 1)).toBe(hash);
    }
  });
});

/** Flow keys as a dataplane has them: IPv4 source and destination, ports, version and protocol. */
const flowOf = (source: number, destination: number, sourcePort: number, destinationPort: number) =>
  Int32Array.of(0, 0, 0xffff, source, 0, 0, 0xffff, destination, (sourcePort << 16) | destinationPort, 0x406);

test.each([
  ['clients', (i: number) => flowOf(0x0a010000 + i, 0x0a600001, 40_000, 80)],
  ['source ports', (i: number) => flowOf(0x0a010002, 0x0a600001, 1024 + i, 80)],
  ['destination ports', (i: number) => flowOf(0x0a010002, 0x0a600001, 40_000, i)],
  ['servers', (i: number) => flowOf(0x0a010002, 0x0a600000 + (i << 8), 40_000, 80)],
])('flows that differ in their %s spread as random ones: lowest and highest 8 bits', (_, keyOf) => {
  const table = new FlowTable(1 << 14, 10, 0x5eed);
  const low = new Int32Array(256);
  const high = new Int32Array(256);
  const count = 1 << 14;
  for (let i = 0; i < count; i++) {
    const hash = table.hash(keyOf(i), 0);
    low[hash & 255]!++;
    high[hash >>> 24]!++;
  }
  for (const buckets of [low, high]) {
    const mean = count / 256;
    const chiSquare = buckets.reduce((sum, n) => sum + (n - mean) ** 2 / mean, 0);
    // 255 degrees of freedom: mean 255, standard deviation 22.6. A lower value is an even better spread.
    expect(chiSquare).toBeLessThan(255 + 6 * 22.6);
  }
});
