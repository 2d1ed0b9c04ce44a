import { describe, expect, test } from 'vitest';
import { disagreement, isCarried, lossOf, RateSearch, searchRate, type Trial } from '../../src/measure/rate-search.ts';
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
      expect(trials.length).toBeGreaterThanOrEqual(5);
      expect(trials.length).toBeLessThan(25);
      expect(best).toBe(trials.at(-1));
    });
  }

  test('a generator that is slower than the path is the limit', async () => {
    const { best, trials } = await searchRate(path(1e9, 80_000).run);
    expect(best!.sent).toBe(80_000);
    expect(trials.every(isCarried)).toBe(true);
    expect(trials.length).toBeGreaterThanOrEqual(5);
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

  test('one trial that loses by mischance is no verdict', async () => {
    for (const loss of [0.01, 0.2]) {
      const { run } = path(100_000, 100_000);
      let count = 0;
      const unlucky = async (rate: number) => {
        const trial = await run(rate);
        return ++count === 2 ? { ...trial, delivered: trial.sent * (1 - loss) } : trial;
      };
      const { best } = await searchRate(unlucky);
      expect(best!.sent, String(loss)).toBeGreaterThan(99_000);
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
      if (best !== undefined) expect(isCarried(best)).toBe(true);
      expect(trials.length).toBeLessThan(25);
    }
  });
});

test('what was delivered twice or not sent at all is no success', () => {
  expect(lossOf({ wanted: 1, sent: 100, delivered: 101, seconds: 1 })).toBe(0);
  expect(isCarried({ wanted: 1, sent: 100, delivered: 101, seconds: 1 })).toBe(false);
  expect(isCarried({ wanted: 1, sent: 0, delivered: 0, seconds: 1 })).toBe(false);
  expect(isCarried({ wanted: 1, sent: 1000, delivered: 999, seconds: 1 })).toBe(true);
  expect(isCarried({ wanted: 1, sent: 1000, delivered: 998, seconds: 1 })).toBe(false);
});

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

  test('a rate that was lost once and carried then, by a generator with pauses, is a bound no more', () => {
    const one = new RateSearch();
    const asked: number[] = [];
    for (let i = 0; i < 20; i++) {
      const wanted = one.next();
      if (wanted === undefined) break;
      asked.push(wanted);
      const sent = wanted === 0 ? 500_000 : Math.round(wanted * 0.99);
      const delivered = sent > 300_000 || i === 2 ? sent * 0.8 : sent;
      one.report({ wanted, sent, delivered, seconds: 1 });
    }
    expect(one.found().rate).toBeGreaterThan(280_000);
    for (const wanted of new Set(asked)) expect(asked.filter((other) => other === wanted).length).toBeLessThan(3);
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

test('what trials say of each other: the most that was carried, the least that was lost', () => {
  const trial = (sent: number, delivered: number) => ({ wanted: sent, sent, delivered, seconds: 2 });
  expect(disagreement([trial(1000, 900), trial(400, 400), trial(300, 200), trial(500, 500)])).toEqual({
    carriedMost: 250,
    lostLeast: 150,
  });
  expect(disagreement([trial(400, 400)])).toEqual({ carriedMost: 200, lostLeast: undefined });
  expect(disagreement([trial(400, 0)])).toBeUndefined();
});
