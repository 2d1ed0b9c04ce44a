import { expect, test } from 'vitest';
import * as outcome from '../../src/packet/outcome.ts';

const { CONTINUE, Consumed, Drop, Place, consumeIndex, consumeReasons, dropReasons, outcomeName } = outcome;

test('drop reasons are -1, -2, … in table order, each with a name of its own and words for people', () => {
  expect(Object.values(Drop)).toEqual(dropReasons.map((_, i) => -1 - i));
  expect(Object.keys(Drop)).toEqual(dropReasons.map((reason) => reason.name));
  expect(new Set(Object.keys(Drop)).size).toBe(dropReasons.length);
  for (const { means, look } of dropReasons) {
    expect(means).toMatch(/^[A-Z].*\.$/);
    expect(look).toMatch(/\S/);
  }
});

test('consume reasons follow each other, and none is a place or a drop', () => {
  expect(Object.keys(Consumed)).toEqual(consumeReasons.map((reason) => reason.name));
  const numbers = Object.values(Consumed);
  expect(numbers.map(consumeIndex)).toEqual(numbers.map((_, i) => i));
  expect(Math.min(...numbers)).toBeGreaterThan(Math.max(...Object.values(Place)));
  for (const other of [CONTINUE, ...Object.values(Place), ...Object.values(Drop)]) expect(consumeIndex(other)).toBe(-1);
});

// Numbers outlive releases in captures: rows are only ever appended.
test('numbers that have been given stay', () => {
  expect([Drop.FrameTooShort, Drop.BadL4Checksum, Drop.BadFragment, Drop.Invalid]).toEqual([-1, -10, -12, -22]);
  expect([Drop.EcnCongestion, Drop.PolicyDenied, Drop.UnsupportedTunnelPayload]).toEqual([-33, -39, -40]);
  expect([Consumed.ArpAnswered, Consumed.MulticastListenerAbsorbed]).toEqual([16, 21]);
});

test('outcomes have names', () => {
  expect(outcomeName(Drop.SpoofedSource)).toBe('dropped: SpoofedSource');
  expect(outcomeName(Consumed.ArpAnswered)).toBe('consumed: ArpAnswered');
  expect(outcomeName(Place.Delivered)).toBe('delivered');
  expect(outcomeName(CONTINUE)).toBe('in progress');
  expect(outcomeName(-1000)).toBe('dropped: -1000');
});
