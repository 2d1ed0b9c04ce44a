import { describe, expect, test } from 'vitest';
import {
  checksumUpdate16,
  checksumUpdate32,
  foldSum,
  pseudoSumIpv4,
  pseudoSumIpv6,
  sumBytes,
} from '../../src/wire/checksum.ts';
import { crc32c } from '../../src/wire/crc32c.ts';
import { pseudoHeader, slowChecksum, slowCrc32c, slowSum } from '../oracle/slow-checksum.ts';
import { type Random, withRandom } from '../support/random.ts';
import { viewOf } from '../support/touched.ts';

const folds = [
  [0, 0],
  [0xffff, 0xffff],
  [0x10000, 1],
  [0x1fffe, 0xffff],
  [0x1ffff, 1],
  [0xffff0000, 0xffff],
  [0xffffffff, 0xffff],
] as const;
for (const [sum, folded] of folds)
  test(`0x${sum.toString(16)} folds to 0x${folded.toString(16)}`, () => {
    expect(foldSum(sum)).toBe(folded);
  });

describe('sumBytes', () => {
  test('RFC 1071 section 3: the example', () => {
    expect(sumBytes(viewOf([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0, 8)).toBe(0xddf2);
  });

  test('is the slow sum for every length to 300, from odd and even offsets', () => {
    withRandom((random) => {
      const bytes = random.bytes(310);
      for (let at = 0; at < 4; at++) {
        for (let len = 0; len <= 300; len++) {
          const view = new DataView(bytes.buffer, 0, at + len);
          if (sumBytes(view, at, len) !== slowSum(bytes.subarray(at, at + len))) expect([at, len]).toBe('equal');
        }
      }
    });
  });

  test('65,535 bytes of 0xff do not overflow', () => {
    const bytes = new Uint8Array(65_535).fill(0xff);
    expect(sumBytes(new DataView(bytes.buffer), 0, bytes.length)).toBe(slowSum(bytes));
  });
});

describe('patching a checksum', () => {
  /** Words that make the corners of ones' complement likely. */
  const edges = [0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff];
  const word = (random: Random) => (random.once(2) ? random.pick(edges) : random.below(0x10000));

  function setWord(bytes: Uint8Array, at: number, value: number): void {
    bytes[at] = value >> 8;
    bytes[at + 1] = value & 255;
  }

  function randomWords(random: Random): Uint8Array {
    const bytes = new Uint8Array(2 * random.between(2, 6));
    for (let at = 0; at < bytes.length; at += 2) setWord(bytes, at, word(random));
    // Often make the sum of all 0xffff, so that the checksum is 0; never all zeros, which no header is.
    if (random.once(3))
      setWord(bytes, 2, slowChecksum(Uint8Array.from(bytes, (byte, i) => (i === 2 || i === 3 ? 0 : byte))));
    if (bytes.every((byte) => byte === 0)) bytes[0] = 0x45;
    return bytes;
  }

  test('RFC 1624 section 4: the example that equation 2 gets wrong', () => {
    expect(checksumUpdate16(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  test('a changed 16-bit word: the same as computing it anew', () => {
    withRandom((random) => {
      let zeros = 0;
      for (let round = 0; round < 20_000; round++) {
        const bytes = randomWords(random);
        const checksum = slowChecksum(bytes);
        const before = (bytes[0]! << 8) | bytes[1]!;
        setWord(bytes, 0, random.once(4) ? foldSum(before + checksum) : word(random));
        if (bytes.every((byte) => byte === 0)) continue;
        const after = (bytes[0]! << 8) | bytes[1]!;
        const want = slowChecksum(bytes);
        if (want === 0) zeros++;
        const got = checksumUpdate16(checksum, before, after);
        if (got !== want) expect({ checksum, before, after, got }).toEqual({ checksum, before, after, got: want });
      }
      expect(zeros).toBeGreaterThan(1000);
    });
  });

  test('a changed 32-bit word, signed or not: the same as computing it anew', () => {
    withRandom((random) => {
      for (let round = 0; round < 20_000; round++) {
        const bytes = randomWords(random);
        const view = new DataView(bytes.buffer);
        const checksum = slowChecksum(bytes);
        const before = random.once(2) ? view.getInt32(0) : view.getUint32(0);
        setWord(bytes, 0, word(random));
        setWord(bytes, 2, word(random));
        if (bytes.every((byte) => byte === 0)) continue;
        const after = random.once(2) ? view.getInt32(0) : view.getUint32(0);
        const want = slowChecksum(bytes);
        const got = checksumUpdate32(checksum, before, after);
        if (got !== want) expect({ checksum, before, after, got }).toEqual({ checksum, before, after, got: want });
      }
    });
  });
});

test('pseudo headers sum up as if they were there, with the longest length and the highest protocol', () => {
  withRandom((random) => {
    for (let round = 0; round < 2000; round++) {
      const edge = random.once(3);
      const header = edge ? new Uint8Array(40).fill(random.pick([0, 0xff])) : random.bytes(40);
      const protocol = random.pick([6, 17, 58, 255]);
      const length = random.pick([0, 8, 0xffff, random.below(0x10000)]);
      const view4 = viewOf(header.subarray(0, 20));
      const view6 = viewOf(header);
      const want4 = slowSum(pseudoHeader(header.slice(12, 16), header.slice(16, 20), protocol, length));
      const want6 = slowSum(pseudoHeader(header.slice(8, 24), header.slice(24, 40), protocol, length));
      expect(pseudoSumIpv4(view4, 0, protocol, length)).toBe(want4);
      expect(pseudoSumIpv6(view6, 0, protocol, length)).toBe(want6);
    }
  });
});

describe('crc32c', () => {
  const crc = (bytes: ArrayLike<number>) => crc32c(Uint8Array.from(bytes), 0, bytes.length) >>> 0;

  test('the check value: "123456789" gives 0xe3069283', () => {
    expect(crc(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(slowCrc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  });

  // RFC 3720 appendix B.4, as numbers.
  test.each([
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['0 to 31', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['31 to 0', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ['nothing', new Uint8Array(0), 0],
  ])('RFC 3720 appendix B.4: %s', (_, bytes, want) => {
    expect(crc(bytes)).toBe(want);
  });

  test('covers the bytes from `at`, and only `len` of them', () => {
    withRandom((random) => {
      for (let round = 0; round < 500; round++) {
        const bytes = random.bytes(random.below(100) + 3);
        const at = random.below(3);
        const len = random.below(bytes.length - at + 1);
        expect(crc32c(bytes, at, len) >>> 0).toBe(slowCrc32c(bytes.subarray(at, at + len)));
      }
    });
  });
});
