import { describe, expect, test } from 'vitest';
import { type PrefixEntry, PrefixTable } from '../../src/tables/prefix-table.ts';
import { type Random, withRandom } from '../support/random.ts';

/** The first `length` bits of an address, the others zero: bit by bit. */
function prefixOf(address: Int32Array, length: number): Int32Array {
  const prefix = new Int32Array(4);
  for (let bit = 0; bit < length; bit++) prefix[bit >> 5]! |= address[bit >> 5]! & (1 << (31 - (bit & 31)));
  return prefix;
}

function bitsOf(address: Int32Array): string {
  return Array.from(address, (word) => (word >>> 0).toString(2).padStart(32, '0')).join('');
}

/** Looks at every entry; of equal lengths the later one wins. */
class LinearTable {
  readonly #rows: readonly { bits: string; length: number; value: number }[];

  constructor(entries: readonly PrefixEntry[]) {
    this.#rows = entries.map(({ address, length, value }) => ({
      bits: bitsOf(address).slice(0, length),
      length,
      value,
    }));
  }

  find(address: Int32Array): number {
    const bits = bitsOf(address);
    let best = { length: -1, value: -1 };
    for (const row of this.#rows) if (row.length >= best.length && bits.startsWith(row.bits)) best = row;
    return best.value;
  }
}

/** Addresses out of a small world, so that prefixes hold each other. */
function randomAddress(random: Random, version: number): Int32Array {
  const tail = random.once(3) ? random.word() : random.below(16) << (8 * random.below(4));
  if (version === 4) return Int32Array.of(0, 0, 0xffff, random.once(4) ? tail : 0x0a010000 | (tail & 0xffff));
  return Int32Array.of(0xfd000010 | 0, random.pick([0, 1, -1, 0x80000000 | 0]), random.below(4) << 30, tail);
}

function randomEntries(random: Random, count: number, lengthsOf: (version: number) => number): PrefixEntry[] {
  return Array.from({ length: count }, (_, value) => {
    const version = random.pick([4, 6]);
    const length = lengthsOf(version);
    return { address: prefixOf(randomAddress(random, version), length), length, value };
  });
}

function compare(random: Random, entries: readonly PrefixEntry[], lookups: number): number {
  const table = PrefixTable.build(entries);
  const slow = new LinearTable(entries);
  let found = 0;
  for (let i = 0; i < lookups; i++) {
    const address = randomAddress(random, random.pick([4, 6]));
    // Right inside, or one bit outside, some prefix.
    if (entries.length > 0 && random.once(2)) {
      const near = random.pick(entries);
      const mask = prefixOf(Int32Array.of(-1, -1, -1, -1), near.length);
      for (let word = 0; word < 4; word++) address[word] = near.address[word]! | (address[word]! & ~mask[word]!);
      const bit = near.length - 1;
      if (bit >= 0 && random.once(3)) address[bit >> 5]! ^= 1 << (31 - (bit & 31));
    }
    const index = random.below(4);
    const words = new Int32Array(9).fill(-1);
    words.set(address, index);
    const got = table.find(words, index);
    const want = slow.find(address);
    if (got !== want) throw new Error(`${bitsOf(address)}: ${got} instead of ${want}`);
    if (got >= 0) found++;
  }
  return found;
}

describe('random prefixes: as looking at every one of them', () => {
  test('any lengths', () => {
    withRandom((random) => {
      let found = 0;
      for (let round = 0; round < 60; round++) {
        const lengths = (version: number) => random.between(version === 4 ? 96 : 0, 128);
        found += compare(random, randomEntries(random, random.below(60), lengths), 100);
      }
      expect(found).toBeGreaterThan(1000);
    });
  });

  test('the lengths of a cluster: addresses, pod CIDRs, a default route', () => {
    withRandom((random) => {
      for (let round = 0; round < 10; round++) {
        const lengths = (version: number) => random.pick(version === 4 ? [96, 112, 120, 128] : [0, 64, 128]);
        expect(compare(random, randomEntries(random, 100, lengths), 200)).toBeGreaterThan(50);
      }
    });
  });
});

test('every length from 0 to 128, one inside the other: the longest that holds wins', () => {
  const ones = Int32Array.of(-1, -1, -1, -1);
  const entries = Array.from({ length: 129 }, (_, length) => ({
    address: prefixOf(ones, length),
    length,
    value: length,
  }));
  const table = PrefixTable.build(entries);
  for (let bit = 0; bit <= 128; bit++) {
    const address = ones.slice();
    if (bit < 128) address[bit >> 5]! ^= 1 << (31 - (bit & 31));
    expect(table.find(address, 0)).toBe(bit);
  }
});

test('an empty table finds nothing', () => {
  expect(PrefixTable.build([]).find(Int32Array.of(0, 0, 0, 0), 0)).toBe(-1);
});

test('value 0 is a value, and ::/0 holds everything', () => {
  const table = PrefixTable.build([{ address: new Int32Array(4), length: 0, value: 0 }]);
  expect(table.find(Int32Array.of(1, 2, 3, 4), 0)).toBe(0);
});

test('the later of two entries for one prefix wins', () => {
  const address = Int32Array.of(0, 0, 0xffff, 0x0a000000);
  const entries = [7, 8, 9].map((value) => ({ address, length: 104, value }));
  expect(PrefixTable.build(entries).find(Int32Array.of(0, 0, 0xffff, 0x0a123456), 0)).toBe(9);
});

test('its plain arrays are the table: another thread can use them', () => {
  const built = PrefixTable.build([{ address: Int32Array.of(0, 0, 0xffff, 0x0a000000), length: 104, value: 3 }]);
  const copy = new PrefixTable(structuredClone(built.data));
  expect(copy.find(Int32Array.of(0, 0, 0xffff, 0x0a000001), 0)).toBe(3);
  expect(copy.find(Int32Array.of(0, 0, 0xffff, 0x0b000001), 0)).toBe(-1);
});
