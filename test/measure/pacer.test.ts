import { describe, expect, test } from 'vitest';
import { Pacer } from '../../src/measure/pacer.ts';

/** Everything that a pacer allows to somebody who looks at the times given; then to somebody who is always in time. */
function sentBy(pacer: Pacer, looksMs: readonly number[] = []): number {
  let sent = 0;
  for (const at of looksMs) sent += pacer.take(at);
  while (!pacer.done) sent += pacer.take(pacer.dueMs);
  return sent;
}

describe('Pacer', () => {
  for (const [rate, seconds] of [
    [1, 1],
    [10, 0.5],
    [1000, 2],
    [64_001, 0.25],
    [123_457, 1],
    [10_000_000, 0.1],
  ] as const) {
    test(`${rate} a second for ${seconds} s are ${Math.round(rate * seconds)}`, () => {
      expect(sentBy(new Pacer(rate, seconds, 64))).toBe(Math.round(rate * seconds));
    });
  }

  test('a burst is a millisecond of the rate, at least 1, at most what was said', () => {
    expect([10, 3000, 64_000, 1e6].map((rate) => new Pacer(rate, 1, 64).burst)).toEqual([1, 3, 64, 64]);
    expect(new Pacer(1e6, 1, 16).burst).toBe(16);
  });

  test('nothing before it is due', () => {
    const pacer = new Pacer(1000, 1, 64);
    expect([pacer.take(0), pacer.take(0.5), pacer.take(0.99), pacer.take(1), pacer.take(1)]).toEqual([1, 0, 0, 1, 0]);
    expect(pacer.dueMs).toBe(2);
  });

  test('who is late catches up with one burst, and the others are never sent', () => {
    const pacer = new Pacer(64_000, 1, 64);
    expect(pacer.take(0)).toBe(64);
    expect([pacer.take(10.5), pacer.take(10.5), pacer.take(10.5)]).toEqual([64, 64, 0]);
    expect(pacer.dueMs).toBe(11);
    expect(sentBy(pacer)).toBe(64 * (1000 - 11));
  });

  test('who comes after the end sends nothing, and is done', () => {
    const pacer = new Pacer(1000, 1, 64);
    expect([pacer.take(5000), pacer.done]).toEqual([0, true]);
    expect(pacer.take(6000)).toBe(0);
  });

  test('nothing to send is done at once', () => {
    expect(new Pacer(1, 0.001, 64).done).toBe(true);
  });
});
