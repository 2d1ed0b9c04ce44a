import { expect, test } from 'vitest';
import { Spin } from '../../src/nodes/spin.ts';

function after(...waitsMs: readonly number[]): number {
  const spin = new Spin();
  for (const ms of waitsMs) spin.waited(ms);
  return spin.budgetMs;
}

const repeated = (times: number, ms: number) => Array.from({ length: times }, () => ms);

test('a node sleeps until packets have come soon after each other for a while', () => {
  expect(after()).toBe(0);
  expect(after(0.02)).toBe(0);
  expect(after(...repeated(20, 0.02))).toBe(0.1);
});

test('one long wait does not end it, a few do', () => {
  const busy = repeated(50, 0.02);
  expect(after(...busy, 1000)).toBe(0.1);
  expect(after(...busy, ...repeated(5, 1000))).toBe(0);
});

test('a packet every millisecond is not waited for awake', () => expect(after(...repeated(100, 1))).toBe(0));

test('who has looked in vain while others used the processor sleeps the next time', () => {
  const spin = new Spin();
  for (const ms of repeated(50, 0.02)) spin.waited(ms);
  spin.looked(0.11);
  expect(spin.budgetMs).toBe(0.1);
  spin.looked(3);
  expect(spin.budgetMs).toBe(0);
});
