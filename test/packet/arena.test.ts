import { describe, expect, test } from 'vitest';
import { compile } from '../../scripts/build-wasm.ts';
import { Arena } from '../../src/packet/arena.ts';
import { checksumWasm } from '../../src/packet/checksum-wasm.ts';
import { slowChecksum, slowSum } from '../oracle/slow-checksum.ts';
import { withRandom } from '../support/random.ts';

const PAGE = 65_536;

describe('sum', () => {
  const arena = new Arena(3 * PAGE);
  withRandom((random) => {
    for (let i = 0; i < arena.words.length; i++) arena.words[i] = random.word();
  });
  const slow = (at: number, len: number) => slowSum(arena.bytes.subarray(at, at + len));
  const compare = (at: number, len: number) => {
    const [got, want] = [arena.sum(at, len), slow(at, len)];
    if (got !== want) expect({ at, len, sum: got }).toEqual({ at, len, sum: want });
  };

  test('is the slow sum for every length to 300, from 16 positions in a row', () => {
    for (let at = 1000; at < 1016; at++) for (let len = 0; len <= 300; len++) compare(at, len);
  });

  test('is the slow sum for random lengths to 65,535 at odd and even positions', () => {
    withRandom((random) => {
      for (let round = 0; round < 150; round++) compare(random.below(2 * PAGE), random.below(PAGE));
      for (const at of [0, 1, PAGE, PAGE + 1]) for (const len of [65_534, 65_535]) compare(at, len);
    });
  });

  test('is the slow sum up to the very last byte of the arena', () => {
    for (let len = 0; len <= 200; len++) compare(arena.buffer.byteLength - len, len);
  });

  test('65,535 bytes of 0xff do not overflow; of 0x00 sum to zero', () => {
    const full = new Arena(PAGE);
    full.bytes.fill(0xff);
    expect(full.sum(0, 65_535)).toBe(slowSum(full.bytes.subarray(0, 65_535)));
    full.bytes.fill(0);
    expect(full.sum(0, 65_535)).toBe(0);
  });

  test('one odd byte is the high half of a word', () => {
    const one = new Arena(1);
    one.bytes.set([0x12, 0x34, 0x56], 101);
    expect(one.sum(101, 3)).toBe(0x1234 + 0x5600);
  });

  test('checksum is its complement, over an initial sum', () => {
    withRandom((random) => {
      for (let round = 0; round < 300; round++) {
        const [at, len, initial] = [random.below(PAGE), random.below(1500), random.below(PAGE)];
        expect(arena.checksum(at, len, initial)).toBe(slowChecksum(arena.bytes.subarray(at, at + len), initial));
      }
    });
  });
});

test('copy moves bytes also where both regions overlap, and no others', () => {
  withRandom((random) => {
    const arena = new Arena(PAGE);
    const shadow = random.bytes(400);
    arena.bytes.set(shadow, 1000);
    for (let round = 0; round < 500; round++) {
      const len = random.below(100);
      const [to, from] = [random.below(300), random.below(300)];
      arena.copy(1000 + to, 1000 + from, len);
      shadow.set(shadow.slice(from, from + len), to);
    }
    expect(arena.bytes.slice(1000, 1400)).toEqual(shadow);
    expect(arena.bytes[999]).toBe(0);
    expect(arena.bytes[1400]).toBe(0);
  });
});

describe('reserve', () => {
  test('regions are apart, cache-line aligned, and never at 0', () => {
    const arena = new Arena(PAGE);
    let end = 1;
    for (const bytes of [1, 64, 65, 0, 1000]) {
      const at = arena.reserve(bytes);
      expect(at % 64).toBe(0);
      expect(at).toBeGreaterThanOrEqual(end);
      end = at + bytes;
    }
  });

  test('more than there is throws', () => {
    const arena = new Arena(PAGE);
    expect(() => arena.reserve(PAGE)).toThrow('arena exhausted');
  });

  test('the last byte can be had', () => {
    const arena = new Arena(PAGE);
    expect(arena.reserve(PAGE - 64)).toBe(64);
  });
});

test('every view is of the same memory', () => {
  const arena = new Arena(1);
  expect(arena.buffer.byteLength).toBe(PAGE);
  arena.view.setUint8(70, 0x7f);
  expect(arena.bytes[70]).toBe(0x7f);
  expect(arena.words[17]).toBe(0x7f0000);
});

test('the code in checksum-wasm.ts is checksum.wat, compiled', async () => {
  expect(checksumWasm).toBe(await compile());
});
