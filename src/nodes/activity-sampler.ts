/** Where the dataplane thread's time goes: its word is looked at about once a millisecond, from the control thread. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Activity, type ActivityWord } from '../ports/activity.ts';
import type { NodeActivity } from './protocol.ts';

const EVERY_MS = 1;

/** How often each activity was seen, by its number. Looks at least once. */
export async function sampleActivity(
  word: ActivityWord,
  forMs: number,
  wait: (ms: number) => Promise<unknown> = sleep,
  now: () => number = () => performance.now(),
): Promise<number[]> {
  const seen = Object.values(Activity).map(() => 0);
  const end = now() + forMs;
  for (;;) {
    const activity = word[0]!;
    if (activity in seen) seen[activity]!++;
    if (now() >= end) return seen;
    await wait(EVERY_MS);
  }
}

/** @param words the activity, and the thread's number. */
export async function reportActivity(words: ActivityWord, forMs: number): Promise<Omit<NodeActivity, 'captures'>> {
  const samples = await sampleActivity(words, forMs);
  return { processId: process.pid, threadId: words[1]!, samples };
}
