/** Hot-path rule: no allocation per packet. Measured on open flows, in a process that collects after each megabyte. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { beforeAll, expect, test } from 'vitest';
import type { Allocation } from './steady-traffic.ts';

/**
 * Measured: 0.27, all of it by the clock, whose reading for each batch of 64 packets is a number on the heap. One such
 * number for each packet of one direction makes 8.
 */
const BYTES_PER_PACKET_MAX = 2;

let measured: Readonly<Record<'stories' | 'object' | 'boxedNumber', Allocation>>;

/** As the programs of an installation are: what a call costs depends on what is inlined, and that on how it was built. */
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-allocation-'));
  const outfile = join(folder, 'steady-traffic.mjs');
  try {
    const entry = new URL('./steady-traffic.ts', import.meta.url).pathname;
    await build({ entryPoints: [entry], bundle: true, platform: 'node', target: 'node20', format: 'esm', outfile });
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--max-semi-space-size=1', outfile]);
    measured = JSON.parse(stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

test('packets of open flows leave nothing to collect', () => {
  const { packets, delivered, connections, collections, bytesPerPacket } = measured.stories;
  expect(packets).toBeGreaterThan(200_000);
  expect([delivered, connections]).toEqual([packets, 12]);
  expect(collections).toBe(0);
  for (const [flow, bytes] of Object.entries(bytesPerPacket)) expect(bytes, flow).toBeLessThan(BYTES_PER_PACKET_MAX);
});

test('one small object, or one number in a box, for each would be seen', () => {
  const { object, boxedNumber } = measured;
  for (const { collections } of [object, boxedNumber]) expect(collections).toBeGreaterThan(1);
  expect(Math.max(...Object.values(boxedNumber.bytesPerPacket))).toBeGreaterThan(8);
});
