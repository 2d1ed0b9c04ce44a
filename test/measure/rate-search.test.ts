import { describe, expect, test } from 'vitest';
import { isGood, lossOf, searchRate, type Trial } from '../../src/measure/rate-search.ts';
import { Random } from '../support/random.ts';

/** A path that loses what is over its capacity, and a generator that has a limit of its own. */
function path(capacity: number, generator: number, beyond = capacity) {
  const asked: number[] = [];
  const run = async (rate: number): Promise<Trial> => {
    asked.push(rate);
    const sent = Math.round(rate === 0 ? generator : Math.min(rate, generator));
    return { wanted: rate, sent, delivered: sent <= capacity ? sent : Math.round(beyond), seconds: 1 };
  };
  return { run, asked };
}

describe('searchRate', () => {
  for (const [capacity, generator, beyond] of [
    [100_000, 300_000, 100_000],
    [100_000, 3_000_000, 10_000],
    [523_456, 530_000, 523_000],
    [50, 100_000, 50],
    [10_000, 1_000_000, 0],
  ] as const) {
    test(`finds ${capacity} a second below what a generator of ${generator} sends, to 5 %`, async () => {
      const { best, trials } = await searchRate(path(capacity, generator, beyond).run);
      expect(best!.delivered).toBeGreaterThan(0.95 * capacity);
      expect(best!.delivered).toBeLessThanOrEqual(capacity);
      expect(trials.length).toBeGreaterThanOrEqual(9);
      expect(trials.length).toBeLessThan(25);
      expect(best).toBe(trials.at(-1));
    });
  }

  test('a generator that is slower than the path is the limit', async () => {
    const { best, trials } = await searchRate(path(1e9, 80_000).run);
    expect(best!.sent).toBe(80_000);
    expect(trials.every(isGood)).toBe(true);
    expect(trials.length).toBeGreaterThanOrEqual(9);
  });

  test('the best rate is repeated, by the longer trial, with less until it holds', async () => {
    const { run } = path(100_000, 300_000);
    const confirmed: number[] = [];
    const { best } = await searchRate(run, async (rate) => {
      confirmed.push(rate);
      return { wanted: rate, sent: 1000, delivered: confirmed.length < 3 ? 990 : 1000, seconds: 10 };
    });
    expect(confirmed).toHaveLength(3);
    expect(confirmed[1]).toBeCloseTo(0.9 * confirmed[0]!);
    expect(best).toMatchObject({ seconds: 10, wanted: confirmed[2] });
  });

  test('one trial that loses a little is no verdict; one that loses much is', async () => {
    for (const [loss, hits] of [
      [0.01, true],
      [0.2, false],
    ] as const) {
      const { run } = path(100_000, 100_000);
      let count = 0;
      // The first trial at the full rate after the flood.
      const unlucky = async (rate: number) => {
        const trial = await run(rate);
        return ++count === 2 ? { ...trial, delivered: trial.sent * (1 - loss) } : trial;
      };
      const { best } = await searchRate(unlucky);
      expect(best!.sent > 99_000, String(loss)).toBe(hits);
    }
  });

  test('a path that never delivers all has no best rate', async () => {
    const run = async (wanted: number) => ({ wanted, sent: 1000, delivered: 900, seconds: 1 });
    const { best, trials } = await searchRate(run);
    expect(best).toBeUndefined();
    expect(trials.length).toBeGreaterThanOrEqual(8);
  });

  test('trials that fail by chance make the rate lower, not wrong', async () => {
    const random = new Random(3);
    for (let i = 0; i < 200; i++) {
      const { run } = path(100_000, 300_000);
      const { best, trials } = await searchRate(async (rate) => {
        const trial = await run(rate);
        return random.once(6) ? { ...trial, delivered: Math.floor(trial.sent * 0.99) } : trial;
      });
      if (best !== undefined) expect(isGood(best)).toBe(true);
      expect(trials.length).toBeLessThan(25);
    }
  });
});

test('what was delivered twice or not sent at all is no success', () => {
  expect(lossOf({ wanted: 1, sent: 100, delivered: 101, seconds: 1 })).toBe(0);
  expect(isGood({ wanted: 1, sent: 0, delivered: 0, seconds: 1 })).toBe(false);
  expect(isGood({ wanted: 1, sent: 1000, delivered: 999, seconds: 1 })).toBe(true);
  expect(isGood({ wanted: 1, sent: 1000, delivered: 998, seconds: 1 })).toBe(false);
});
