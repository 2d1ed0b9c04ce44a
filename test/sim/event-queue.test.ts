import { expect, test } from 'vitest';
import { EventQueue } from '../../src/sim/event-queue.ts';
import { withRandom } from '../support/random.ts';

test('events happen in order of time, and at one time in the order in which they were planned', () => {
  withRandom((random) => {
    const queue = new EventQueue();
    const planned: { timeMs: number; name: number }[] = [];
    const happened: number[] = [];
    let nowMs = 0;
    for (let name = 0; name < 5000; name++) {
      const timeMs = nowMs + random.below(50);
      queue.plan(timeMs, () => happened.push(name));
      planned.push({ timeMs, name });
      if (random.once(2)) {
        nowMs = queue.nextMs;
        queue.take()();
      }
    }
    while (queue.nextMs < Infinity) queue.take()();
    planned.sort((a, b) => a.timeMs - b.timeMs || a.name - b.name);
    expect(happened).toEqual(planned.map(({ name }) => name));
  });
});

test('an empty queue never happens', () => {
  expect(new EventQueue().nextMs).toBe(Infinity);
});
