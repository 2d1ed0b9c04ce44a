/** The soak test's own checks: what they are there to find, they find. */
import { describe, expect, test } from 'vitest';
import { checkFootprints } from '../../bench/soak/audit.ts';
import { DATAGRAM_HEADER_LEN, DatagramBook, writeDatagram } from '../../bench/soak/datagrams.ts';
import { type Footprints, footprintOf, leastOf } from '../../bench/soak/footprint.ts';
import { BLOCK_BYTES, makeBlock, placeOf, StreamCheck } from '../../bench/soak/pattern.ts';
import { interruptedWords } from '../../bench/soak/progress.ts';
import { Random } from '../support/random.ts';

const block = makeBlock();

/** Bytes of a stream, made one by one. */
function stream(seed: number, from: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => block[placeOf(seed, from + i)]!));
}

describe('a stream', () => {
  test('is right in pieces of any size, also round the end of the block', () => {
    const check = new StreamCheck(block, 3);
    const random = new Random(1);
    for (let at = 0; at < 100_000; ) {
      const piece = stream(3, at, random.below(3000));
      expect(check.take(piece)).toBeUndefined();
      at += piece.length;
      expect(check.verified).toBe(at);
    }
    const seed = Array.from({ length: 1000 }, (_, i) => i).find((s) => BLOCK_BYTES - placeOf(s, 0) < 50_000)!;
    const round = new StreamCheck(block, seed);
    expect(round.take(stream(seed, 0, 100_000))).toBeUndefined();
  });

  test.each([0, 1, 4999, 9998, 9999])('one bit of byte %i', (at) => {
    const bytes = stream(5, 0, 10_000);
    bytes[at]! ^= 0x10;
    expect(new StreamCheck(block, 5).take(bytes)).toMatch(new RegExp(`stream 5: byte ${at}: .*; 1 of these 10000`));
  });

  test.each([1, 64, 1398, 4096, 65_536, 1 << 20])('%i bytes left out, repeated, or of another stream', (length) => {
    for (const from of [5000 + length, 5000 - length]) {
      const check = new StreamCheck(block, 5);
      expect(check.take(stream(5, 0, 5000))).toBeUndefined();
      expect(check.take(stream(5, Math.max(0, from), 100))).toContain(
        `stands ${from < 0 ? -5000 : from - 5000} further`,
      );
    }
    expect(new StreamCheck(block, 5).take(stream(6, 0, length + 4))).toBeDefined();
  });
});

describe('a datagram', () => {
  const datagram = (sequence: number, length: number, copies = 1): Buffer => {
    const bytes = Buffer.alloc(length, 0xa5);
    writeDatagram(block, bytes, { session: 7, sequence, length, copies });
    return bytes;
  };

  test('is right in every size, in any order, once', () => {
    const book = new DatagramBook(block);
    const sizes = [DATAGRAM_HEADER_LEN, DATAGRAM_HEADER_LEN + 1, 1422, 9000, 65_000];
    for (const [i, size] of sizes.entries()) expect(book.take(datagram(1000 - i, size))).toBeUndefined();
    expect(book).toMatchObject({ arrived: 5, repeated: 0, overtaken: 4, bytes: 24 + 25 + 1422 + 9000 + 65_000 });
  });

  test('with any one bit changed', () => {
    for (let bit = 0; bit < 8 * 200; bit++) {
      const bytes = datagram(9, 200);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(new DatagramBook(block).take(bytes), `bit ${bit}`).toBeDefined();
    }
  });

  test('too short, too long, two in one', () => {
    const book = new DatagramBook(block);
    expect(book.take(datagram(1, 100).subarray(0, 99))).toMatch(/^a datagram of 100 bytes came as 99/);
    expect(book.take(Buffer.concat([datagram(1, 100), Buffer.alloc(1)]))).toMatch(/came as 101/);
    expect(book.take(Buffer.concat([datagram(1, 100), datagram(2, 100)]))).toMatch(/came as 200/);
    expect(book.take(Buffer.alloc(0))).toMatch(/^not a datagram of ours/);
    expect(book.arrived).toBe(0);
  });

  test("with another one's bytes and a CRC that fits", () => {
    const bytes = datagram(1, 100);
    const other = Buffer.from(block.subarray(0, 100 - DATAGRAM_HEADER_LEN));
    const forged = Buffer.alloc(BLOCK_BYTES, 0);
    other.copy(forged);
    expect(new DatagramBook(block).take(bytes)).toBeUndefined();
    expect(new DatagramBook(forged).take(bytes)).toMatch(/^the CRC is right and the bytes are not/);
  });

  test('more often than links copy', () => {
    const book = new DatagramBook(block);
    expect([1, 2].map(() => book.take(datagram(1, 100, 2)))).toEqual([undefined, undefined]);
    expect(book.take(datagram(1, 100, 2))).toBe('datagram 1 of session 7 came 3 times');
    expect(book.take(datagram(2, 100))).toBeUndefined();
    expect(book.take(datagram(2, 100))).toBe('datagram 2 of session 7 came 2 times');
    expect(book).toMatchObject({ arrived: 5, repeated: 3, bytes: 200 });
  });
});

describe('memory', () => {
  const look = (mebibytes: number, descriptors = 30): Footprints => ({
    n1: { pss: mebibytes * 2 ** 20, anonymous: 0, cHeap: 0, descriptors },
  });
  const marks = (...mebibytes: number[]) => mebibytes.map((one) => look(one));

  test('the least of several looks, each of its own', () => {
    expect(leastOf([look(200, 30), look(100, 33), look(300, 31)])).toEqual(look(100, 30));
    expect(footprintOf(process.pid).pss).toBeGreaterThan(2 ** 20);
  });

  test('the first round may grow as it likes, and of two nothing is compared', () => {
    expect(checkFootprints(marks(30, 400), false)).toEqual([]);
    expect(checkFootprints(marks(30, 100, 400), false)).toEqual([]);
    expect(checkFootprints(marks(30, 400, 432), false)).toEqual([]);
  });

  test('what a later equal round needs more is a leak', () => {
    expect(checkFootprints(marks(30, 50, 100, 132), false)).toEqual([]);
    expect(checkFootprints(marks(30, 50, 100, 133), false)).toEqual(['n1: 33 MiB more in the last round']);
    expect(checkFootprints(marks(30, 50, 100, 110, 120, 133, 141), false)).toEqual([]);
    expect(checkFootprints(marks(30, 50, 100, 110, 120, 133, 143), false)).toHaveLength(1);
  });

  test('after captures some rings are no leak', () => {
    expect(checkFootprints(marks(30, 50, 100, 292), true)).toEqual([]);
    expect(checkFootprints(marks(30, 50, 100, 293), true)).toHaveLength(1);
  });

  test('descriptors', () => {
    const of = (...descriptors: number[]) => descriptors.map((count) => look(50, count));
    expect(checkFootprints(of(20, 30, 30, 32), false)).toEqual([]);
    expect(checkFootprints(of(20, 30, 30, 33), false)).toEqual(['n1: 3 descriptors more in the last round']);
  });
});

describe('an interruption', () => {
  const progress = { streamBytes: 9.5e9, datagramBytes: 1.25e9, phasesDone: 3, phases: 24 };

  test('tells what was found until then', () => {
    expect(interruptedWords({ ...progress, problems: [] })).toBe(
      'interrupted after 10.75 GB: 0 corrupt, lost or too often; streams 9.50 GB, datagrams 1.25 GB, every byte compared; ' +
        '3 of 24 phases done, what must balance at the end not looked at',
    );
  });

  test('with each thing that was wrong', () => {
    const words = interruptedWords({ ...progress, problems: ['one', 'two'] });
    expect(words).toMatch(/^interrupted after 10\.75 GB: 2 corrupt.*\n- one\n- two$/);
  });
});
