/** Hot-path rule: no allocation per packet. Measured on packets of every story, in a process with plain settings. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Storm } from '../dataplane/packet-storm.ts';

/** Measured: 0; one small object each of half as many packets makes 3 and more. */
const COLLECTIONS_MAX = 1;
/** Measured: under 70,000 in 200,000 packets; one small array per new flow makes 700,000. */
const HEAP_GROWTH_MAX = 250_000;

let storm: Storm;

beforeAll(async () => {
  const program = new URL('../dataplane/packet-storm.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program]);
  storm = JSON.parse(stdout) as Storm;
});

describe('a million packets', () => {
  test('are delivered, dropped, denied and answered, and begin flows', () => {
    expect(storm.packets).toBe(1_000_000);
    expect(storm.received).toBeGreaterThan(storm.packets);
    expect(storm.delivered).toBeGreaterThan(storm.received / 2);
    expect(storm.inserted).toBeGreaterThan(50_000);
    expect(storm.denied).toBeGreaterThan(storm.packets / 100);
  });

  test('leave the garbage collector nothing to do', () => {
    expect(storm.collections).toBeLessThanOrEqual(COLLECTIONS_MAX);
    expect(storm.heapGrowthBytes).toBeLessThan(HEAP_GROWTH_MAX);
  });

  test('would be caught with one small object each', () => {
    expect(storm.collectionsOfProof).toBeGreaterThan(COLLECTIONS_MAX);
  });
});
