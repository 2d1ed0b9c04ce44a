import { describe, expect, test } from 'vitest';
import { isNoisy, type RoundResult, samplesOf } from '../../bench/peers/round-result.ts';
import { differences, quantile, ratios, type Sample, spread } from '../../bench/peers/statistics.ts';

const quiet = (...values: number[]): Sample[] => values.map((value, i) => ({ round: i + 1, value, noisy: false }));
const noisyAt = (samples: readonly Sample[], ...rounds: number[]): Sample[] =>
  samples.map((sample) => ({ ...sample, noisy: rounds.includes(sample.round) }));

describe('quantile', () => {
  test.each([
    [[7], 0.5, 7],
    [[1, 2], 0.5, 1.5],
    [[1, 2, 3, 4, 5], 0.25, 2],
    [[1, 2, 3, 4], 0.25, 1.75],
    [[1, 2, 3, 4], 0.75, 3.25],
    [[1, 2, 3, 4], 0, 1],
    [[1, 2, 3, 4], 1, 4],
  ])('of %j at %d is %d', (sorted, share, expected) => {
    expect(quantile(sorted, share)).toBeCloseTo(expected, 12);
  });

  test('of nothing is an error, not NaN', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });
});

describe('spread', () => {
  test('the order of rounds does not matter, numbers are sorted as numbers', () => {
    expect(spread(quiet(10, 9, 100))).toEqual({
      median: 10,
      least: 9,
      most: 100,
      lowerQuartile: 9.5,
      upperQuartile: 55,
      count: 3,
      noisy: false,
    });
  });

  test('noisy rounds are left out while at least half are quiet', () => {
    const found = spread(noisyAt(quiet(1, 1000, 3, 2000), 2, 4))!;
    expect(found).toMatchObject({ median: 2, least: 1, most: 3, count: 2, noisy: false });
  });

  test('with fewer quiet ones all count, and it says so', () => {
    const found = spread(noisyAt(quiet(1, 1000, 3), 1, 2))!;
    expect(found).toMatchObject({ median: 3, most: 1000, count: 3, noisy: true });
  });

  test('of nothing there is none', () => {
    expect(spread([])).toBeUndefined();
  });
});

describe('ratios', () => {
  test('are of the same round, whatever order and gaps', () => {
    const theirs = quiet(2, 4, 5).reverse();
    expect(ratios([...quiet(4, 4), { round: 9, value: 1, noisy: false }], theirs)).toEqual(quiet(2, 1));
  });

  test('the median of ratios is not the ratio of medians', () => {
    const [ours, theirs] = [quiet(1, 10, 100), quiet(2, 40, 10)];
    expect(spread(ratios(ours, theirs))!.median).toBe(0.5);
    expect(spread(ours)!.median / spread(theirs)!.median).toBe(1);
    expect(ratios(ours, theirs).map(({ value }) => value)).toEqual([0.5, 0.25, 10]);
  });

  test('are noisy when either is', () => {
    const found = ratios(noisyAt(quiet(1, 1, 1), 1), noisyAt(quiet(1, 1, 1), 2));
    expect(found.map(({ noisy }) => noisy)).toEqual([true, true, false]);
  });

  test('by nothing are left out', () => {
    expect(ratios(quiet(1, 1), quiet(0, 2)).map(({ round }) => round)).toEqual([2]);
    expect(ratios(quiet(0), quiet(0))).toEqual([]);
  });

  test('differences keep their sign', () => {
    expect(differences(quiet(5, 1), quiet(3, 4)).map(({ value }) => value)).toEqual([2, -3]);
  });
});

describe('rounds', () => {
  const result = (change: Partial<RoundResult>): RoundResult => ({
    wire: 'mtu',
    workload: 'stream',
    contender: 'a',
    round: 1,
    figures: { rate: 5 },
    noise: { stealShare: 0, foreignCores: 0 },
    ...change,
  });

  test.each([
    [{ stealShare: 0.02, foreignCores: 0.3 }, false],
    [{ stealShare: 0.021, foreignCores: 0 }, true],
    [{ stealShare: 0, foreignCores: 0.31 }, true],
  ])('%j is noisy: %s', (noise, expected) => {
    expect(isNoisy(noise)).toBe(expected);
  });

  test('the first warms up, failures have no figures, others are others', () => {
    const all = [
      result({ round: 0, figures: { rate: 1 } }),
      result({ round: 1, contender: 'b' }),
      result({ round: 2, figures: {}, failure: 'timed out' }),
      result({ round: 3, noise: { stealShare: 0.5, foreignCores: 0 } }),
    ];
    expect(samplesOf(all, 'a', 'rate')).toEqual([{ round: 3, value: 5, noisy: true }]);
    expect(samplesOf(all, 'a', 'cost')).toEqual([]);
  });
});
