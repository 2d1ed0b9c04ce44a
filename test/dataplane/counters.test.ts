import { describe, expect, test } from 'vitest';
import { Counters } from '../../src/dataplane/counters.ts';
import { consumeReasons, dropReasons } from '../../src/packet/outcome.ts';

describe('the balance', () => {
  test('of nothing is even', () => {
    expect(new Counters().check()).toBe(0);
  });

  test('a packet that came in must go somewhere; one that went must have come', () => {
    const counters = new Counters();
    counters.countReceived();
    expect(counters.check()).toBe(1);
    counters.countDelivered();
    expect(counters.check()).toBe(0);
    counters.countDelivered();
    expect(counters.check()).toBe(-1);
    counters.countOriginated();
    expect(counters.check()).toBe(0);
    expect(counters.snapshot().violations).toBe(2);
  });

  test('packets that were delivered and could not be sent after all are dropped', () => {
    const counters = new Counters();
    for (let i = 0; i < 5; i++) {
      counters.countReceived();
      counters.countDelivered();
    }
    counters.countLost(3, 0);
    expect(counters.check()).toBe(0);
    expect(counters.snapshot()).toMatchObject({ delivered: 2, dropped: { [dropReasons[0]!.name]: 3 } });
  });

  test('every drop and every consume reason is a place of its own', () => {
    const counters = new Counters();
    const reasons = [
      ...dropReasons.map((_, i) => () => counters.countDropped(i)),
      ...consumeReasons.map((_, i) => () => counters.countConsumed(i)),
    ];
    for (const count of reasons) {
      counters.countReceived();
      expect(counters.check()).toBe(1);
      count();
      expect(counters.check()).toBe(0);
    }
    const { dropped, consumed } = counters.snapshot();
    expect(dropped).toEqual(Object.fromEntries(dropReasons.map(({ name }) => [name, 1])));
    expect(consumed).toEqual(Object.fromEntries(consumeReasons.map(({ name }) => [name, 1])));
  });
});

test('the snapshot leaves out reasons that never were', () => {
  const counters = new Counters();
  counters.countReceived();
  counters.countDropped(3);
  expect(counters.snapshot()).toEqual({
    ...{ received: 1, originated: 0, copied: 0, split: 0, delivered: 0, held: 0, violations: 0 },
    ...{ dropped: { [dropReasons[3]!.name]: 1 }, consumed: {} },
  });
});

test('another thread reads the same numbers', () => {
  const counters = new Counters();
  const reader = new Counters(counters.shared);
  counters.countReceived();
  expect(reader.check()).toBe(1);
  expect(reader.snapshot().received).toBe(1);
});
