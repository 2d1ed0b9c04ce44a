import { expect, test } from 'vitest';
import { sampleActivity } from '../../src/nodes/activity-sampler.ts';
import { Activity } from '../../src/ports/activity.ts';

/** Time goes on only by waiting, and the thread does the next thing meanwhile. */
async function sampled(activities: readonly number[], forMs: number): Promise<number[]> {
  const word = new Int32Array(1);
  let at = 0;
  word[0] = activities[0]!;
  const wait = async (ms: number) => {
    at += ms;
    word[0] = activities[at % activities.length]!;
  };
  return await sampleActivity(word, forMs, wait, () => at);
}

test('each activity is counted as often as it was seen', async () => {
  const { WritePod, Stories } = Activity;
  const seen = await sampled([WritePod, WritePod, WritePod, Stories], 99);
  expect(seen[WritePod]).toBe(75);
  expect(seen[Stories]).toBe(25);
  expect(seen).toHaveLength(Object.keys(Activity).length);
  expect(seen.reduce((sum, count) => sum + count)).toBe(100);
});

test('without time there is one look', async () => {
  expect(await sampled([Activity.Waiting], 0)).toEqual([1, 0, 0, 0, 0, 0, 0]);
});

test('what is no activity is not counted', async () => {
  expect(await sampled([99, -1], 5)).toEqual([0, 0, 0, 0, 0, 0, 0]);
});
