/**
 * Every frame of every capture file by every kind of port, with what virtio may say beside it, true or not. That
 * nothing throws or vanishes when it is said to come from a wire is in `test/ports/replay-corpus.test.ts`.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { Replay } from '../../src/ports/replay.ts';
import { readBytes } from '../capture/build.ts';
import { corpusFiles } from '../capture/corpus.ts';
import { FILL } from '../support/frames.ts';
import { missing } from '../support/requires.ts';
import { feeds, Rig, virtioStates } from './hostile-world.ts';

const OTHER_FILL = 0x45;
const STEP_MS = 10;
const FRAMES_MIN = 35_000;
/** Frames between two looks at the accounting. */
const LOOK = 100;
const macs = { sourceHigh: 0x0200, sourceLow: 1, destinationHigh: 0x0200, destinationLow: 2 };
const states = Object.values(virtioStates);

/** Each frame's outcome and what left the node for it. The states take turns. */
function told(frames: readonly Uint8Array[], name: string, fill: number): string[] {
  const { origin, feed } = feeds[name]!;
  const rig = new Rig(origin, fill, true);
  const { world } = rig;
  const stories = frames.map((frame, i) => {
    const outcome = feed(rig, frame, states[i % states.length]!);
    world.nowMs += STEP_MS;
    if (i % LOOK === 0) world.balance();
    return `${outcome}\n${rig.takeSent()}`;
  });
  world.balance();
  return stories;
}

describe.skipIf(missing('testdata'))('captures (needs PODWIRE_TESTDATA)', () => {
  const frames: Uint8Array[] = [];
  beforeAll(async () => {
    frames.length = 0;
    for (const { bytes } of corpusFiles()) {
      const replay = new Replay({ macs, speed: Number.POSITIVE_INFINITY });
      for (const packet of (await readBytes(bytes)).packets) {
        const frame = replay.next(packet);
        if (frame !== undefined) frames.push(frame.bytes);
      }
    }
  }, 60_000);

  test('are there', () => expect(frames.length).toBeGreaterThan(FRAMES_MIN));

  test.each(Object.keys(feeds))(
    'from %s: the same again, whatever is in memory around them',
    (name) => {
      const stories = told(frames, name, FILL);
      const again = told(frames, name, OTHER_FILL);
      const different = stories.findIndex((story, i) => story !== again[i]);
      expect(different < 0 ? 'same' : [different, stories[different], again[different]]).toBe('same');
      const outcomes = new Set(stories.map((story) => story.slice(0, story.indexOf('\n'))));
      expect(outcomes.size, [...outcomes].join()).toBeGreaterThan(3);
    },
    120_000,
  );
});
