/**
 * The accounting is only worth something when it notices. Here every stage of every story loses a packet on purpose:
 * a copy of `src/dataplane` in which each call of a stage may be replaced by a lie, one at a time.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Place } from '../../src/packet/outcome.ts';
import { stagesOf, storyText } from './story-source.ts';
import { type Stories, World } from './world.ts';

const source = new URL('../../src/', import.meta.url);
const stories = ['from-pod', 'from-host', 'from-underlay'] as const;

/** `story/stage` that lies now, and what it says: read by the copy. */
const plant = { at: '', says: 0 };
Object.assign(globalThis, { podwirePlant: plant });

/** The story with every stage's call wrapped, and imports that reach the real modules of other folders. */
function wired(file: string, text: string): string {
  let wrapped = text.replaceAll("from '../", `from '${source.pathname}`);
  if (file !== 'forward' && !stories.includes(file as 'from-pod')) return wrapped;
  for (const { name, call } of [...stagesOf(text), ...lastCall(text)]) {
    const lie = `(podwirePlant.at === '${file}/${name}' ? podwirePlant.says : ${call})`;
    if (!wrapped.includes(call)) throw new Error(`${file}: ${call} not found`);
    wrapped = wrapped.replace(call, lie);
  }
  return wrapped;
}

/** The hand-over to `forward`, which is a stage like the others. */
function lastCall(text: string) {
  const call = /\? (forward\([^)]*\))/.exec(text)?.[1];
  return call === undefined ? [] : [{ name: 'forward', call }];
}

let copy: Stories;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-planted-'));
  for (const file of readdirSync(new URL('dataplane/', source))) {
    writeFileSync(join(folder, file), wired(file.replace('.ts', ''), storyText(file.replace('.ts', ''))));
  }
  copy = (await import(join(folder, 'receive.ts'))) as Stories;
});

afterAll(() => rmSync(folder, { recursive: true }));

/** A new flow's packet and a known flow's, from each side. */
const traffic: Readonly<Record<(typeof stories)[number], (world: World) => void>> = {
  'from-pod': (world) => {
    world.send('web', { protocol: 'udp' });
    world.send('web', { protocol: 'udp' });
    world.send('web', { protocol: 'udp', destination: '10.244.2.7' });
  },
  'from-host': (world) => {
    world.send('host', { protocol: 'udp' });
    world.send('host', { protocol: 'udp' });
  },
  'from-underlay': (world) => {
    world.tunnel('n2', { protocol: 'udp' });
    world.tunnel('n2', { protocol: 'udp' });
  },
};

const lies = [
  { name: 'claims that it has delivered', says: Place.Delivered },
  { name: 'names a place that is none', says: 9 },
  { name: 'names a drop reason that is none', says: -5000 },
  { name: 'names a consume reason that is none', says: 5000 },
] as const;

function difference(story: (typeof stories)[number], at: string, says: number): number {
  const world = new World({ stories: copy });
  plant.at = at;
  plant.says = says;
  traffic[story](world);
  plant.at = '';
  return world.dp.counters.check();
}

describe('a stage that loses its packet trips the check', () => {
  for (const story of stories) {
    test(`${story}: the copy itself loses nothing, and delivers`, () => {
      const world = new World({ stories: copy });
      traffic[story](world);
      expect(world.taken).toBe(story === 'from-pod' ? 3 : 2);
      world.balance();
    });

    const own = [...stagesOf(storyText(story)), ...lastCall(storyText(story))].map(({ name }) => `${story}/${name}`);
    const shared = stagesOf(storyText('forward')).map(({ name }) => `forward/${name}`);
    test(`${story} has its stages`, () => {
      expect(own.length).toBeGreaterThanOrEqual(8);
      expect(shared.length).toBeGreaterThanOrEqual(6);
    });

    for (const at of [...own, ...shared]) {
      test(`${story}: ${at}`, () => {
        for (const { name, says } of lies) expect(difference(story, at, says), name).toBeGreaterThan(0);
      });
    }
  }
});

describe('lies that the counters alone would believe', () => {
  test('a port that swallows what it took', () => {
    const world = new World();
    world.ports.api.transmit = () => 0;
    world.send('web', { protocol: 'udp' });
    expect(world.imbalances()).toEqual(['delivered: 1 counted, 0 in truth']);
  });

  test('an underlay that swallows', () => {
    const world = new World();
    world.underlay.transmit = () => 0;
    world.send('web', { protocol: 'udp', destination: '10.244.2.7' });
    expect(world.imbalances()).toEqual(['delivered: 1 counted, 0 in truth']);
  });

  test('a neighbour stage that claims an answer which it never made', () => {
    const world = new World({ stories: copy });
    plant.at = 'from-pod/neighbour';
    plant.says = 16; // Consumed.ArpAnswered
    world.send('web', { protocol: 'udp' });
    plant.at = '';
    expect(world.dp.counters.check()).toBe(0);
    expect(world.imbalances()).toEqual(['originated: 0 counted, 1 in truth']);
  });
});

test('a violation is counted and stays', () => {
  const world = new World({ stories: copy });
  plant.at = 'from-pod/route';
  plant.says = Place.Delivered;
  world.send('web', { protocol: 'udp' });
  plant.at = '';
  expect(world.dp.counters.check()).toBe(1);
  expect(world.dp.counters.check()).toBe(1);
  expect(world.dp.counters.snapshot().violations).toBe(2);
});
