import { describe, expect, test } from 'vitest';
import { runFilter, verifyFilter } from '../../src/recording/filter-machine.ts';
import { Base, FILTER_INSTRUCTIONS_MAX, Op } from '../../src/recording/filter-program.ts';
import { bpfFilter } from '../capture/filter/libpcap-oracle.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { missing } from '../support/requires.ts';

type Instruction = readonly [op: number, jumpTrue: number, jumpFalse: number, k: number];

const accept: Instruction = [Op.Return, 0, 0, 1];
const reject: Instruction = [Op.Return, 0, 0, 0];
const frame = Uint8Array.from({ length: 60 }, (_, i) => (i * 37 + 5) & 255);
const AT = 100;
/** Random ones; `PODWIRE_PACKETS=1000000` makes it 60,000. */
const PROGRAMS = Math.round((PACKETS * 6) / 100);

function program(...instructions: readonly Instruction[]): Int32Array {
  return Int32Array.from(instructions.flat());
}

/** The verdict on a frame in the midst of an arena of other bytes. */
function verdict(words: Int32Array, bytes = frame, innerAt = 0, around = 0xa5): boolean {
  const arena = new Uint8Array(400).fill(around);
  arena.set(bytes, AT);
  return runFilter(words, arena, AT, bytes.length, innerAt);
}

/** Does the code leave this in A? */
function leaves(value: number, ...code: readonly Instruction[]): boolean {
  const n = code.length;
  const words = program(...code, [Op.JumpEqual, n + 1, n + 2, value | 0], accept, reject);
  expect(verifyFilter(words)).toBeUndefined();
  return verdict(words);
}

const load = (k: number): Instruction => [0x00, 0, 0, k | 0];
const index = (k: number): Instruction => [0x01, 0, 0, k | 0];

describe('loads', () => {
  test('are big-endian, of one, two and four bytes', () => {
    expect(leaves(frame[7]!, [Op.LoadByte, 0, 0, 7])).toBe(true);
    expect(leaves((frame[7]! << 8) | frame[8]!, [Op.LoadHalf, 0, 0, 7])).toBe(true);
    expect(leaves(new DataView(frame.buffer).getInt32(7), [Op.LoadWord, 0, 0, 7])).toBe(true);
    expect(leaves((frame[1]! & 15) * 4, [Op.IndexHeaderLength, 0, 0, 1], [Op.CopyToA, 0, 0, 0])).toBe(true);
    expect(leaves(60, [Op.LoadLength, 0, 0, 0])).toBe(true);
  });

  for (const [name, op, size] of [
    ['word', Op.LoadWord, 4],
    ['half', Op.LoadHalf, 2],
    ['byte', Op.LoadByte, 1],
    ['header length', Op.IndexHeaderLength, 1],
  ] as const) {
    test(`reject what is outside the frame: ${name}`, () => {
      for (const k of [0, 60 - size]) expect(verdict(program([op, 0, 0, k], accept)), `${k}`).toBe(true);
      for (const k of [61 - size, 60, 0x7fff_ffff, -1, -AT, -0x8000_0000]) {
        expect(verdict(program([op, 0, 0, k], accept)), `${k}`).toBe(false);
      }
    });
  }

  for (const [op, size] of [
    [0x40, 4],
    [Op.LoadHalfAtX, 2],
    [0x50, 1],
  ] as const) {
    test(`reject what is outside the frame: ${size} bytes at X`, () => {
      const outcome = (x: number, k: number) => verdict(program(index(x), [op, 0, 0, k], accept));
      expect(outcome(20, 40 - size)).toBe(true);
      const far = [20, 41 - size, -1, 5, 5, -1, 0x7fff_ffff, 0x7fff_ffff, -0x8000_0000, -0x8000_0000];
      for (let i = 0; i < far.length; i += 2) expect(outcome(far[i]!, far[i + 1]!), `${far[i]}`).toBe(false);
    });
  }
});

describe('Base', () => {
  const firstByte = (which: number) =>
    program([Op.Base, 1, 3, which], [Op.LoadByte, 0, 0, 0], [Op.JumpEqual, 4, 3, frame[20]!], reject, accept);

  test('inner: the frame inside the tunnel, or the frame itself', () => {
    expect(verdict(firstByte(Base.Inner), frame, 20)).toBe(true);
    expect(verdict(firstByte(Base.Inner), frame.subarray(20), 0)).toBe(true);
  });

  test('outer: the frame from its beginning; jumps away where there is no tunnel', () => {
    expect(verdict(firstByte(Base.Outer), frame, 20)).toBe(false);
    expect(verdict(firstByte(Base.Outer), frame.subarray(20), 0)).toBe(false);
    expect(verdict(program([Op.Base, 1, 2, Base.Outer], reject, accept))).toBe(true);
    expect(verdict(program([Op.Base, 1, 2, Base.Outer], reject, accept), frame, 20)).toBe(false);
  });

  test('bounds go with it', () => {
    const inner = (k: number) => program([Op.Base, 1, 1, Base.Inner], [Op.LoadByte, 0, 0, k], accept);
    expect(verdict(inner(39), frame, 20)).toBe(true);
    expect(verdict(inner(40), frame, 20)).toBe(false);
    const length = [[Op.LoadLength, 0, 0, 0], [Op.JumpEqual, 3, 4, 40], accept, reject] as const;
    expect(verdict(program([Op.Base, 1, 1, Base.Inner], ...length), frame, 20)).toBe(true);
  });
});

describe('arithmetic is of 32 unsigned bits', () => {
  const cases: readonly (readonly [name: string, op: number, a: number, operand: number, result: number])[] = [
    ['add', 0x04, 0xffff_ffff, 2, 1],
    ['subtract', 0x14, 1, 2, 0xffff_ffff],
    ['multiply', 0x24, 0x1_0001, 0x1_0001, 0x2_0001],
    ['divide', 0x34, 0xffff_ffff, 1, 0xffff_ffff],
    ['divide', 0x34, 0xffff_fffe, 0x8000_0000, 1],
    ['modulo', 0x94, 0xffff_ffff, 0xffff_fff0, 15],
    ['or', 0x44, 0xf0f0_0000, 0x0f, 0xf0f0_000f],
    ['and', 0x54, 0xf0f0_0f0f, 0xff00_00ff, 0xf000_000f],
    ['xor', 0xa4, 0xffff_0000, 0xff00_ff00, 0x00ff_ff00],
    ['shift left', 0x64, 3, 31, 0x8000_0000],
    ['shift left', 0x64, 3, 32, 0],
    ['shift right', 0x74, 0x8000_0000, 31, 1],
    ['shift right', 0x74, 0x8000_0000, 33, 0],
  ];
  for (const [name, op, a, operand, result] of cases) {
    test(`${name}: ${a}, ${operand}`, () => {
      expect(leaves(result, load(a), [op, 0, 0, operand | 0])).toBe(true);
      expect(leaves(result, index(operand), load(a), [op | 8, 0, 0, 0])).toBe(true);
    });
  }

  test('negate', () => expect(leaves(0xffff_fffb, load(5), [0x84, 0, 0, 0])).toBe(true));

  test('a division by zero rejects', () => {
    for (const op of [0x3c, 0x9c]) expect(verdict(program(index(0), load(5), [op, 0, 0, 0], accept))).toBe(false);
    for (const op of [0x3c, 0x9c]) expect(verdict(program(index(5), load(0), [op, 0, 0, 0], accept))).toBe(true);
  });
});

test('comparisons are unsigned', () => {
  const compares = (op: number, a: number, operand: number) => {
    const [byK, byX] = [
      program(load(a), [op, 2, 3, operand | 0], accept, reject),
      program(index(operand), load(a), [op | 8, 3, 4, 0], accept, reject),
    ].map((words) => verdict(words));
    expect(byX).toBe(byK);
    return byK;
  };
  expect([1, 2, 3].map((a) => compares(Op.JumpGreater, a, 2))).toEqual([false, false, true]);
  expect([1, 2, 3].map((a) => compares(Op.JumpNotLess, a, 2))).toEqual([false, true, true]);
  expect(compares(Op.JumpGreater, 0x8000_0000, 0x7fff_ffff)).toBe(true);
  expect(compares(Op.JumpNotLess, 0x7fff_ffff, 0x8000_0000)).toBe(false);
  expect([1, 4, 6].map((a) => compares(Op.JumpBits, a, 6))).toEqual([false, true, true]);
  expect([1, 2].map((a) => compares(Op.JumpEqual, a, 2))).toEqual([false, true]);
});

test('a return says what it holds, of k or of A', () => {
  expect([accept, reject].map((instruction) => verdict(program(instruction)))).toEqual([true, false]);
  expect([0, 7].map((a) => verdict(program(load(a), [Op.ReturnA, 0, 0, 0])))).toEqual([false, true]);
});

describe('verifyFilter refuses', () => {
  const jump: Instruction = [Op.Jump, 1, 0, 0];
  const cases: readonly (readonly [what: string, words: Int32Array, fault: RegExp])[] = [
    ['nothing', program(), /no whole/],
    ['half an instruction', Int32Array.of(Op.Return, 0), /no whole/],
    ['what is too long', program(...Array<Instruction>(FILTER_INSTRUCTIONS_MAX + 1).fill(accept)), /at most/],
    ['an unknown code', program([0x99, 0, 0, 0], accept), /no operation/],
    ['a code beyond the table', program([0x120, 0, 0, 0], accept), /no operation/],
    ['a negative code', program([-0x100 + Op.Return, 0, 0, 0], accept), /no operation/],
    ['negation of X', program([0x8c, 0, 0, 0], accept), /no operation/],
    ['a loop', program([Op.Jump, 0, 0, 0], accept), /leads to instruction 0/],
    ['a jump back', program(load(1), [Op.JumpEqual, 2, 0, 0], accept), /leads to instruction 0/],
    ['a jump to the end', program(jump, [Op.JumpBits, 2, 3, 0], accept), /leads to instruction 3/],
    ['a jump back when there is no tunnel', program(load(1), [Op.Base, 2, -1, 0], accept), /leads to instruction -1/],
    ['a third header', program([Op.Base, 1, 1, 2], accept), /no header/],
    ['an end without return', program(accept, load(1)), /leads to instruction 2/],
    ['division by zero', program([0x34, 0, 0, 0], accept), /division/],
    ['modulo zero', program([0x94, 0, 0, 0], accept), /division/],
    ['a word beyond memory', program([0x02, 0, 0, 16], accept), /no word 16/],
    ['a word before memory', program([0x03, 0, 0, -1], accept), /no word -1/],
    ['memory that nobody wrote', program([0x60, 0, 0, 3], accept), /before it is written/],
    [
      'memory that only one way writes',
      program([Op.JumpEqual, 1, 2, 0], [0x02, 0, 0, 3], [0x61, 0, 0, 3], accept),
      /before it is written/,
    ],
  ];
  for (const [what, words, fault] of cases) test(what, () => expect(verifyFilter(words)).toMatch(fault));

  test('and nothing else', () => {
    expect(verifyFilter(program(...Array<Instruction>(FILTER_INSTRUCTIONS_MAX).fill(accept)))).toBeUndefined();
    expect(verifyFilter(program([0x02, 0, 0, 15], [0x61, 0, 0, 15], accept))).toBeUndefined();
    const both = program(
      [Op.JumpEqual, 1, 3, 0],
      [0x02, 0, 0, 3],
      [Op.Jump, 4, 0, 0],
      [0x03, 0, 0, 3],
      [0x60, 0, 0, 3],
    );
    expect(verifyFilter(Int32Array.of(...both, ...accept))).toBeUndefined();
  });
});

const codes = [
  ...[0x00, 0x01, 0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x20, 0x24, 0x28, 0x2c, 0x30, 0x34, 0x3c, 0x40, 0x44, 0x48, 0x4c],
  ...[0x50, 0x54, 0x5c, 0x60, 0x61, 0x64, 0x6c, 0x74, 0x7c, 0x80, 0x81, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0xb1, 0x07, 0x87],
];
const jumpCodes = [0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d];
const isMemory = (op: number) => op === 0x02 || op === 0x03 || op === 0x60 || op === 0x61;

function randomK(random: Random, op: number): number {
  if (isMemory(op)) return random.below(3);
  if (op === 0x64 || op === 0x74) return random.below(32);
  const small = random.below(70);
  return random.once(5) ? random.word() | 0 : random.once(2) ? small : frame[small % 60]!;
}

/** Any program whose jumps lead forward; often one that a verifier refuses for something else. */
function randomProgram(random: Random, withBase: boolean): Instruction[] {
  const count = random.between(2, 24);
  const list = Array.from({ length: count - 1 }, (_, i): Instruction => {
    const target = () => random.between(i + 1, Math.min(count - 1, i + 6));
    if (withBase && random.once(6)) return [Op.Base, target(), target(), random.below(2)];
    const op = random.pick(random.once(3) ? jumpCodes : codes);
    const jumps = (op & 7) === 5;
    return [op, jumps ? target() : 0, jumps ? target() : 0, randomK(random, op)];
  });
  return [...list, random.once(3) ? [Op.ReturnA, 0, 0, 0] : [Op.Return, 0, 0, random.below(2)]];
}

/** The same for libpcap: jumps count from the next instruction. */
function relative(list: readonly Instruction[]): (readonly number[])[] {
  return list.map(([op, jumpTrue, jumpFalse, k], i) => {
    if (op === Op.Jump) return [op, 0, 0, jumpTrue - i - 1];
    return (op & 7) === 5 ? [op, jumpTrue - i - 1, jumpFalse - i - 1, k] : [op, 0, 0, k];
  });
}

test.skipIf(missing('program:tcpdump'))("random programs have libpcap's verdict (needs libpcap)", () =>
  withRandom((random) => {
    const counts = { true: 0, false: 0 };
    while (counts.true + counts.false < 20_000) {
      const list = randomProgram(random, false);
      const words = program(...list);
      if (verifyFilter(words) !== undefined) continue;
      const bytes = frame.subarray(0, random.once(4) ? random.below(61) : 60);
      const ours = verdict(words, bytes);
      if (ours !== bpfFilter(relative(list), bytes)) throw new Error(`${ours}: ${JSON.stringify(list)}`);
      counts[`${ours}`]++;
    }
    expect(Math.min(counts.true, counts.false)).toBeGreaterThan(2000);
  }),
);

test('whatever is verified ends, and depends on nothing but its frame', () =>
  withRandom((random) => {
    let runs = 0;
    for (let i = 0; i < PROGRAMS; i++) {
      const words = program(...randomProgram(random, true));
      // Anything at all in some of the words: what the verifier lets through must still be harmless.
      for (let j = random.below(3); j > 0; j--)
        words[random.below(words.length)] = random.once(2) ? random.below(256) : random.word() | 0;
      if (verifyFilter(words) !== undefined) continue;
      runs++;
      const innerAt = random.pick([0, 14, 50]);
      const bytes = frame.subarray(0, random.between(innerAt, 60));
      const one = verdict(words, bytes, innerAt, 0x00);
      verdict(program(load(random.word()), [0x02, 0, 0, random.below(3)], accept));
      if (verdict(words, bytes, innerAt, 0xff) !== one) throw new Error(JSON.stringify([...words]));
    }
    expect(runs).toBeGreaterThan(PROGRAMS / 12);
  }));

test('allocates nothing', () => {
  const words = program(
    ...([
      [Op.Base, 1, 1, Base.Inner],
      [Op.LoadWord, 0, 0, 26],
      [0x02, 0, 0, 1],
      [0x61, 0, 0, 1],
    ] as const),
    ...([[0x0c, 0, 0, 0], [Op.JumpGreater, 6, 7, 0x7fff_ffff], accept, reject] as const),
  );
  expect(verifyFilter(words)).toBeUndefined();
  const arena = new Uint8Array(400).fill(0xf5);
  const growth = () => {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 100_000; i++) runFilter(words, arena, AT, 60, 0);
    return process.memoryUsage().heapUsed - before;
  };
  // One small object a run would be 1.2 MB. The best of several: others use the heap too.
  expect(Math.min(...Array.from({ length: 8 }, growth).map(Math.abs))).toBeLessThan(200_000);
});
