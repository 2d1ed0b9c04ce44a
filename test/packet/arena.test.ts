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

  test('is the same without SIMD, copied on the way or not', () => {
    const plain = new Arena(3 * PAGE, false);
    plain.bytes.set(arena.bytes);
    withRandom((random) => {
      for (let round = 0; round < 50; round++) {
        const [at, len] = [random.below(PAGE), random.below(PAGE)];
        const want = slow(at, len);
        expect([plain.sum(at, len), plain.copySum(2 * PAGE, at, len)]).toEqual([want, want]);
        expect(Buffer.compare(plain.bytes.subarray(2 * PAGE, 2 * PAGE + len), arena.bytes.subarray(at, at + len))).toBe(
          0,
        );
      }
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

describe('copySum', () => {
  const arena = new Arena(3 * PAGE);
  withRandom((random) => {
    for (let i = 0; i < PAGE / 4; i++) arena.words[i] = random.word();
  });
  const TO = PAGE + 1000;
  const compare = (to: number, at: number, len: number) => {
    arena.bytes.fill(0xa5, to - 80, to + len + 80);
    const got = arena.copySum(to, at, len);
    const source = arena.bytes.subarray(at, at + len);
    if (got !== slowSum(source)) expect({ at, len, sum: got }).toEqual({ at, len, sum: slowSum(source) });
    const copied = Buffer.compare(arena.bytes.subarray(to, to + len), source) === 0;
    const around = [...arena.bytes.subarray(to - 80, to), ...arena.bytes.subarray(to + len, to + len + 80)];
    if (!copied || around.some((byte) => byte !== 0xa5)) expect({ to, at, len }).toBe('copied, and no byte more');
  };

  test('copies and sums every length to 300, whatever the two positions', () => {
    for (let len = 0; len <= 300; len++) compare(TO + (len % 7), 1000 + (len % 5), len);
  });

  test('copies and sums 65,535 bytes', () => {
    compare(TO + 1, 0, 65_535);
  });

  test('from and to the very last byte of the arena', () => {
    const { length } = arena.bytes;
    for (let len = 0; len <= 200; len++) {
      arena.bytes.copyWithin(length - len, 0, len);
      expect(arena.copySum(2000 + PAGE, length - len, len)).toBe(slowSum(arena.bytes.subarray(0, len)));
      expect(arena.copySum(length - len, 0, len)).toBe(slowSum(arena.bytes.subarray(length - len)));
    }
  });
});

function slowDiffer(bytes: Uint8Array, a: number, b: number, mask: number, len: number): boolean {
  return Array.from({ length: len }, (_, i) => (bytes[a + i]! ^ bytes[b + i]!) & bytes[mask + i]!).some(
    (bits) => bits !== 0,
  );
}

test('differ says whether bytes differ where the mask has bits, and looks at no others', () => {
  withRandom((random) => {
    const arena = new Arena(PAGE);
    const [a, b, mask] = [1001, 2002, 3003];
    let different = 0;
    for (let round = 0; round < 3000; round++) {
      const len = 16 * random.between(1, 8);
      arena.bytes.set(random.bytes(len + 1), a);
      arena.bytes.set(arena.bytes.subarray(a, a + len), b);
      arena.bytes[b + len] = arena.bytes[a + len]! ^ 0xff;
      arena.bytes.fill(0xff, mask, mask + len + 1);
      for (let i = 0; i < len; i++) if (random.once(2)) arena.bytes[mask + i] = random.word() & 255;
      const flips = random.below(3);
      for (let i = 0; i < flips; i++) arena.bytes[b + random.below(len)]! ^= 1 << random.below(8);
      const want = slowDiffer(arena.bytes, a, b, mask, len);
      if (want) different++;
      if (arena.differ(a, b, mask, len) !== want) expect({ round, len, want }).toBe('what differ says');
    }
    expect(different).toBeGreaterThan(500);
    expect(different).toBeLessThan(2500);
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
