import { describe, expect, test } from 'vitest';
import { isCarried, RateSearch } from '../../bench/peers/rate-search.ts';

/** A network that carries `capacity`, under a generator that can do `fastest`; collapses to a part of it when overloaded. */
function search(capacity: number, fastest: number, trials: number, overloaded = 1, mischance: readonly number[] = []) {
  const asked: number[] = [];
  const one = new RateSearch();
  for (let i = 0; i < trials; i++) {
    const next = one.next();
    if (next === undefined) break;
    asked.push(next);
    const sent = Math.round(next === 0 ? fastest : Math.min(next, fastest));
    const delivered = mischance.includes(i) ? sent >> 1 : sent <= capacity ? sent : Math.round(capacity * overloaded);
    one.report({ wanted: next, sent, delivered, seconds: 1 });
  }
  return { ...one.found(), asked };
}

describe('the search', () => {
  test.each([
    [100_000, 1_000_000, 1],
    [100_000, 1_000_000, 0.1],
    [990_000, 1_000_000, 1],
    [1_234, 5_000_000, 0.01],
  ])('finds %d packets per second below %d, where overload leaves %d of them', (capacity, fastest, overloaded) => {
    const { rate, generatorLimited } = search(capacity, fastest, 14, overloaded);
    expect(rate).toBeLessThanOrEqual(capacity * 1.001);
    expect(rate).toBeGreaterThan(capacity * 0.95);
    expect(generatorLimited).toBe(false);
  });

  test('ends soon when the generator is the limit, and says so', () => {
    expect(search(2_000_000, 1_000_000, 10)).toMatchObject({
      rate: 1_000_000,
      generatorLimited: true,
      asked: [0, 0, 0, 0],
    });
  });

  test('a loss by mischance is tried again', () => {
    const { rate } = search(100_000, 200_000, 20, 1, [1, 3]);
    expect(rate).toBeGreaterThan(95_000);
  });

  test('ends when the bounds have met, and never asks for less than one', () => {
    expect(search(100_000, 200_000, 1000).asked.length).toBeLessThan(20);
    const { rate, trial, asked } = search(0, 100, 30);
    expect({ rate, trial }).toEqual({ rate: 0, trial: undefined });
    expect(Math.min(...asked.slice(1))).toBe(1);
  });

  test('ends when more is carried than was lost before', () => {
    const one = new RateSearch();
    one.report({ wanted: 0, sent: 1000, delivered: 900, seconds: 1 });
    one.report({ wanted: 990, sent: 1010, delivered: 1010, seconds: 1 });
    expect(one.next()).toBeUndefined();
    expect(one.found().rate).toBe(1010);
  });

  test('what is found was delivered in a trial that lost no more than a thousandth', () => {
    const one = new RateSearch();
    one.report({ wanted: 0, sent: 2000, delivered: 1990, seconds: 1 });
    expect(one.found().rate).toBe(0);
    one.report({ wanted: 1900, sent: 1000, delivered: 999, seconds: 0.5 });
    expect(one.found()).toMatchObject({ rate: 1998, generatorLimited: false });
  });
});

test.each([
  [1000, 999, true],
  [1000, 998, false],
  [0, 0, false],
])('of %d sent %d arrive: carried %s', (sent, delivered, expected) => {
  expect(isCarried({ wanted: 1, sent, delivered, seconds: 1 })).toBe(expected);
});
