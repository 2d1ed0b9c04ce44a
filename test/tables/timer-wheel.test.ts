import { describe, expect, test } from 'vitest';
import { TimerWheel } from '../../src/tables/timer-wheel.ts';
import { type Random, withRandom } from '../support/random.ts';

/** All that is due, in ascending order. Throws rather than hang when the wheel hands out more than it has. */
function expireAll(wheel: TimerWheel, now: number, items: number): number[] {
  const out: number[] = [];
  for (let item = wheel.expire(now); item >= 0; item = wheel.expire(now)) {
    out.push(item);
    if (out.length > items) throw new Error('the wheel hands out items without end');
  }
  return out.sort((a, b) => a - b);
}

/** A list of deadlines beside the wheel. */
class Pair {
  readonly wheel: TimerWheel;
  readonly items: number;
  now: number;
  expired = 0;
  readonly #due = new Map<number, number>();

  constructor(items: number, ticks: number, now: number) {
    this.wheel = new TimerWheel(items, ticks, now);
    this.items = items;
    this.now = now;
  }

  schedule(item: number, tick: number): void {
    this.wheel.schedule(item, tick);
    this.#due.set(item, tick);
  }

  cancel(item: number): void {
    this.wheel.cancel(item);
    this.#due.delete(item);
  }

  advance(now: number): void {
    this.now = now;
    const want = [...this.#due].filter(([, tick]) => tick <= now).map(([item]) => item);
    for (const item of want) this.#due.delete(item);
    this.expired += want.length;
    const got = expireAll(this.wheel, now, this.items);
    const wanted = want.sort((a, b) => a - b);
    if (String(got) !== String(wanted)) throw new Error(`at ${now}: [${got}] instead of [${wanted}]`);
  }

  /** As `advance`, but the caller schedules again what it is handed, as lazy callers do. */
  advanceLazily(now: number, random: Random): void {
    this.now = now;
    for (let item = this.wheel.expire(now); item >= 0; item = this.wheel.expire(now)) {
      const due = this.#due.get(item);
      if (due === undefined || due > now) throw new Error(`item ${item}, due ${due}, at ${now}`);
      this.#due.delete(item);
      this.expired++;
      if (random.once(2)) this.schedule(item, now + 1 + random.below(100));
    }
    for (const [item, tick] of this.#due) if (tick <= now) throw new Error(`item ${item} is due ${tick}, at ${now}`);
  }

  check(): void {
    for (let item = 0; item < this.items; item++) expect(this.wheel.due(item)).toBe(this.#due.get(item) ?? -1);
  }
}

function randomTick(random: Random, now: number, ticks: number): number {
  switch (random.below(6)) {
    case 0:
      return Math.max(0, now - random.below(3 * ticks)); // in the past, or now
    case 1:
      return now + random.pick([ticks - 1, ticks, ticks + 1, 2 * ticks - 1, 2 * ticks, 2 * ticks + 1]);
    case 2:
      return now + random.below(20 * ticks); // far beyond the wheel
    default:
      return now + random.below(ticks);
  }
}

function randomStep(random: Random, ticks: number): number {
  switch (random.below(8)) {
    case 0:
      return 0;
    case 1:
      return random.pick([ticks - 1, ticks, ticks + 1, ticks + 2, 2 * ticks]);
    case 2:
      return random.below(10 * ticks); // a stopped process
    default:
      return random.below(3);
  }
}

describe.each([
  { ticks: 1, items: 5, start: 0 },
  { ticks: 2, items: 10, start: 1 },
  { ticks: 16, items: 40, start: 0 },
  { ticks: 64, items: 200, start: 1_000_003 },
])('a wheel of $ticks ticks, $items items', ({ ticks, items, start }) => {
  test('random schedule, cancel and advance: as a list of deadlines', () => {
    withRandom((random) => {
      const pair = new Pair(items, ticks, start);
      for (let i = 0; i < 20_000; i++) {
        const item = random.below(items);
        const action = random.below(10);
        if (action < 6) pair.schedule(item, randomTick(random, pair.now, ticks));
        else if (action < 7) pair.cancel(item);
        else pair.advance(pair.now + randomStep(random, ticks));
        if (i % 1000 === 0) pair.check();
      }
      pair.check();
      expect(pair.expired).toBeGreaterThan(1000);
      pair.advance(pair.now + 100 * ticks);
      expect(expireAll(pair.wheel, pair.now + 1_000_000, items)).toEqual([]);
    });
  });

  test('items scheduled again while others expire', () => {
    withRandom((random) => {
      const pair = new Pair(items, ticks, start);
      for (let i = 0; i < 5000; i++) {
        pair.schedule(random.below(items), randomTick(random, pair.now, ticks));
        if (random.once(3)) pair.advanceLazily(pair.now + randomStep(random, ticks), random);
      }
      expect(pair.expired).toBeGreaterThan(200);
    });
  });
});

describe('one item on a wheel of 8 ticks', () => {
  const at = (tick: number) => {
    const wheel = new TimerWheel(4, 8, 100);
    wheel.schedule(2, tick);
    return wheel;
  };

  test.each([0, 99, 100])('tick %i is past or now: due at the next expire', (tick) => {
    expect(expireAll(at(tick), 100, 4)).toEqual([2]);
  });

  test.each([101, 107, 108, 109, 115, 116, 117, 1000])('tick %i: not one tick early, not one late', (tick) => {
    const wheel = at(tick);
    for (let now = 100; now < tick; now++) expect([now, expireAll(wheel, now, 4)]).toEqual([now, []]);
    expect(wheel.due(2)).toBe(tick);
    expect(expireAll(wheel, tick, 4)).toEqual([2]);
    expect(wheel.due(2)).toBe(-1);
  });

  test.each([101, 107, 108, 109, 1000])('tick %i is handed out after a jump far past it', (tick) => {
    expect(expireAll(at(tick), 2000, 4)).toEqual([2]);
  });

  test('a jump of years costs one turn of the wheel', () => {
    const wheel = at(2_000_000_000);
    expect(expireAll(wheel, 1_999_999_999, 4)).toEqual([]);
    expect(expireAll(wheel, 2_000_000_000, 4)).toEqual([2]);
  });

  test('a cancelled item is not handed out, and can be cancelled twice', () => {
    const wheel = at(103);
    wheel.cancel(2);
    wheel.cancel(2);
    expect(wheel.due(2)).toBe(-1);
    expect(expireAll(wheel, 200, 4)).toEqual([]);
  });

  test('a moved item is handed out once, at its last tick', () => {
    const wheel = at(103);
    wheel.schedule(2, 105);
    wheel.schedule(2, 104);
    expect(expireAll(wheel, 103, 4)).toEqual([]);
    expect(expireAll(wheel, 104, 4)).toEqual([2]);
    expect(expireAll(wheel, 300, 4)).toEqual([]);
  });

  test('item 0 is an item', () => {
    const wheel = new TimerWheel(1, 8, 0);
    expect(wheel.due(0)).toBe(-1);
    wheel.schedule(0, 0);
    expect(wheel.due(0)).toBe(0);
    expect(expireAll(wheel, 0, 1)).toEqual([0]);
  });
});
