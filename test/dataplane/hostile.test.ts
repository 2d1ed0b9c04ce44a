/**
 * The corpus of hostile inputs by every kind of port, with every word that virtio may say beside a frame: nothing
 * throws, nothing vanishes, no byte around a frame is written, and none decides what becomes of it.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { expire } from '../../src/dataplane/receive.ts';
import { FILL } from '../support/frames.ts';
import { missing } from '../support/requires.ts';
import { askingTheNode, type HostileCase, hostileCases } from './hostile-cases.ts';
import { feeds, holdsVxlan, Rig, virtioStates } from './hostile-world.ts';

/** Between two cases; fragments and most connections of the one before are gone then. */
const PAUSE_MS = 200_000;
const STEP_MS = 5;
/** Another filling of memory: its bytes look like headers and lengths of their own. */
const OTHER_FILL = 0x45;

/** At least so many different outcomes must be seen with frames as from a wire: the node is not just refusing. */
const reach: Readonly<Record<string, number>> = {
  'a pod': 27,
  'its owner': 25,
  'the host': 26,
  'the underlay': 8,
  'a row of the underlay': 2,
  'a tunnel': 18,
  'an owner of what its tunnel holds': 4,
};

/** Every frame of every case, how its story ended, and what left the node for it. */
function told(cases: readonly HostileCase[], feedName: string, stateName: string, fill: number): string[] {
  const { origin, feed } = feeds[feedName]!;
  const state = virtioStates[stateName]!;
  const rig = new Rig(origin, fill);
  const { world } = rig;
  const stories: string[] = [];
  for (const one of cases) {
    for (const frame of askingTheNode(one)) {
      const outcome = feed(rig, frame, state);
      world.balance();
      stories.push(`${outcome} | ${one.label}\n${rig.takeSent()}`);
      world.nowMs += STEP_MS;
    }
    world.nowMs += PAUSE_MS;
    expire(world.dp, world.nowMs, 1000);
    rig.takeSent();
    world.balance();
  }
  return stories;
}

const outcomeOf = (story: string) => story.slice(0, story.indexOf(' | '));

describe.skipIf(missing('testdata'))('hostile inputs (needs PODWIRE_TESTDATA)', () => {
  let cases: HostileCase[] = [];
  beforeAll(async () => {
    cases = await hostileCases();
  });

  const rows = Object.keys(feeds).flatMap((feed) => Object.keys(virtioStates).map((state) => ({ feed, state })));
  test.each(rows)('from $feed, $state', ({ feed, state }) => {
    const stories = told(cases, feed, state, FILL);
    expect(stories.length).toBeGreaterThan(1000);
    const again = told(cases, feed, state, OTHER_FILL);
    const different = stories.findIndex((story, i) => story !== again[i]);
    expect(different < 0 ? 'same' : [stories[different], again[different]]).toBe('same');
    const outcomes = new Set(stories.map(outcomeOf));
    expect(outcomes.size, [...outcomes].join()).toBeGreaterThan(state === 'unverified' ? reach[feed]! : 2);
  });

  test.each([
    ['frag4: flood: 600 first fragments, no ends', 'frag4: two fragments in order'],
    ['frag6: flood: 300 first fragments', 'frag6: two fragments'],
  ])('TN-058 %s: bounded, and the next datagram is not harmed', (flood, next) => {
    const rig = new Rig('a pod');
    const { dp } = rig.world;
    const framesOf = (label: string) => cases.find((one) => one.label === label)!.frames;
    for (const frame of framesOf(flood)) rig.port('web', frame, virtioStates['unverified']!);
    expect(dp.counters.snapshot().held).toBeLessThanOrEqual(dp.node.reassemblySlots);
    const outcomes = framesOf(next).map((frame) => rig.port('web', frame, virtioStates['unverified']!));
    expect(outcomes).toEqual(['held', 'delivered']);
    rig.world.balance();
  });

  test('some hold VXLAN', () => {
    expect(cases.filter(({ frames }) => holdsVxlan(frames[0]!)).length).toBeGreaterThan(15);
  });
});
