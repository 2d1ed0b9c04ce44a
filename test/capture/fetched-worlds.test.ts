/** Policies of a running cluster are fetched once, and nobody waits long for them. */
import { expect, test } from 'vitest';
import { FetchedWorlds } from '../../src/capture/fetched-worlds.ts';
import type { PolicyWorld } from '../../src/network-policy/policy-world.ts';

function worldAt(revision: number): PolicyWorld {
  return { revision, namespaces: [], pods: [], policies: [] };
}

/** Revisions from 100 on are never answered, those from 50 on are refused. */
function worlds(restMs = 60_000) {
  const asked: number[] = [];
  let wake: () => void = () => {};
  const fetched = new FetchedWorlds({
    fetch: (revision) => {
      asked.push(revision);
      if (revision >= 100) return new Promise(() => {});
      return revision >= 50 ? Promise.reject(new Error('not found')) : Promise.resolve(worldAt(revision));
    },
    settled: () => wake(),
    momentMs: 20,
    restMs,
  });
  /** Until something is settled. */
  const settled = () => new Promise<void>((resolve) => (wake = resolve));
  return { fetched, asked, settled };
}

test('a world is asked for once, and there when it is settled', async () => {
  const { fetched, asked, settled } = worlds();
  expect([fetched.isSettled(3), fetched.isSettled(3), fetched.get(3)]).toEqual([false, false, undefined]);
  await settled();
  expect(fetched.isSettled(3)).toBe(true);
  expect(fetched.get(3)).toEqual(worldAt(3));
  expect(asked).toEqual([3]);
});

test('what the cluster does not know is not asked for again', async () => {
  const { fetched, asked, settled } = worlds();
  expect(fetched.isSettled(50)).toBe(false);
  await settled();
  expect([fetched.isSettled(50), fetched.get(50)]).toEqual([true, undefined]);
  expect(asked).toEqual([50]);
});

test('a cluster that does not answer is waited for a moment, and then left alone for a while', async () => {
  const { fetched, asked, settled } = worlds();
  expect(fetched.isSettled(100)).toBe(false);
  await settled();
  expect([fetched.isSettled(100), fetched.isSettled(1), fetched.get(100)]).toEqual([true, true, undefined]);
  expect(asked).toEqual([100]);
});

test('and is asked again afterwards', async () => {
  const { fetched, asked, settled } = worlds(0);
  expect(fetched.isSettled(100)).toBe(false);
  await settled();
  expect(fetched.isSettled(1)).toBe(false);
  await settled();
  expect(fetched.get(1)).toEqual(worldAt(1));
  expect(asked).toEqual([100, 1]);
});

test('as many are kept as a cluster keeps', async () => {
  const { fetched, settled } = worlds();
  for (let revision = 0; revision < 49; revision++) {
    fetched.isSettled(revision);
    await settled();
  }
  for (let revision = 50; revision < 66; revision++) {
    fetched.isSettled(revision);
    await settled();
  }
  expect(fetched.get(0)).toBeUndefined();
  expect(fetched.get(1)).toEqual(worldAt(1));
});
