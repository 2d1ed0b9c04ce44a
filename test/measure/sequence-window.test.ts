import { describe, expect, test } from 'vitest';
import { SequenceWindow } from '../../src/measure/sequence-window.ts';
import { Random } from '../support/random.ts';

function counted(numbers: Iterable<number>): [duplicates: number, reordered: number] {
  const window = new SequenceWindow();
  for (const number of numbers) window.add(number);
  return [window.duplicates, window.reordered];
}

describe('SequenceWindow', () => {
  test('in order, from any number on, with gaps', () => {
    expect(counted([7, 8, 9, 20, 21, 1_000_000])).toEqual([0, 0]);
  });

  test('a copy is a duplicate, whenever it comes', () => {
    expect(counted([1, 1, 2, 3, 1, 3])).toEqual([3, 0]);
  });

  test('a late one is reordered once, its copy a duplicate', () => {
    expect(counted([1, 3, 2, 2])).toEqual([1, 1]);
  });

  test('numbers wrap', () => {
    expect(counted([0xffff_fffe, 0xffff_ffff, 0, 1, 0xffff_ffff])).toEqual([1, 0]);
    expect(counted([0xffff_fffe, 0, 0xffff_ffff])).toEqual([0, 1]);
  });

  test('a number whose place was used before the window moved on is not taken for a copy', () => {
    const window = 1 << 22;
    expect(counted([5, 5 + window])).toEqual([0, 0]);
    expect(counted([5, 6 + window, 5 + window])).toEqual([0, 1]);
    expect(counted([5, 6 + 3 * window, 5 + 3 * window])).toEqual([0, 1]);
  });

  test('after a reset everything is new', () => {
    const window = new SequenceWindow();
    for (const number of [1, 2, 2, 1]) window.add(number);
    window.reset();
    for (const number of [1, 2]) window.add(number);
    expect([window.duplicates, window.reordered]).toEqual([0, 0]);
  });

  test('what was sent before the first that counts is neither late nor a copy', () => {
    const window = new SequenceWindow();
    window.reset(100);
    for (const number of [98, 99, 101, 99, 100, 100]) window.add(number);
    expect([window.early, window.duplicates, window.reordered]).toEqual([3, 1, 1]);
    window.reset(0xffff_ffff);
    for (const number of [0xffff_fffe, 0, 0xffff_ffff]) window.add(number);
    expect([window.early, window.duplicates, window.reordered]).toEqual([1, 0, 1]);
    window.reset();
    window.add(5);
    expect(window.early).toBe(0);
  });

  test('random numbers: as a set of all that were seen would say', () => {
    const random = new Random(1);
    const seen = new Set<number>();
    let [highest, duplicates, reordered] = [-1, 0, 0];
    const numbers = Array.from({ length: 20_000 }, (_, i) => Math.max(0, i + random.below(40) - 20));
    for (const number of numbers) {
      if (seen.has(number)) duplicates++;
      else if (number < highest) reordered++;
      seen.add(number);
      highest = Math.max(highest, number);
    }
    expect(counted(numbers)).toEqual([duplicates, reordered]);
    expect(duplicates).toBeGreaterThan(1000);
    expect(reordered).toBeGreaterThan(1000);
  });
});
