import { describe, expect, test } from 'vitest';
import { RestartDelay } from '../../src/cluster/restart-delay.ts';

describe('a program that ends again and again (client-go, util/flowcontrol/backoff.go)', () => {
  test('is started at once, then after 10 s, and twice as late each time, up to 5 minutes', () => {
    const delay = new RestartDelay();
    let now = 5000;
    const delays = Array.from({ length: 9 }, () => {
      const next = delay.next(now);
      now += next + 100;
      return next / 1000;
    });
    expect(delays).toEqual([0, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  test('after ten minutes is one that has ended for the first time', () => {
    const delay = new RestartDelay();
    expect(delay.next(0)).toBe(0);
    expect(delay.next(600_000)).toBe(10_000); // started at 610,000
    expect(delay.next(1_210_000)).toBe(20_000); // started at 1,230,000
    expect(delay.next(1_830_001)).toBe(0);
    expect(delay.next(1_830_002)).toBe(10_000);
  });
});
