/** Again and again: whatever comes and goes leaves nothing. `PODWIRE_CYCLES=200` makes it long. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { unshareArguments } from '../../src/vessel/vessel.ts';
import { report, TestCluster } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { testUnless } from './skipping.ts';
import { twoNodes } from './worlds.ts';

const CYCLES = Number(process.env['PODWIRE_CYCLES'] ?? 5);
const POD_CYCLES = Math.max(40, CYCLES);
/** Compiled code and caches of a process that warms up; 160 forgotten pods would be more. */
const GROWTH_MAX_KIB = 8192;
const TIMEOUT_MS = 60_000 + CYCLES * 20_000;

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter');

testUnless(
  lacks,
  `${CYCLES} clusters, one after the other, leave no process and no file`,
  async () => {
    const cluster = new TestCluster();
    const started = performance.now();
    try {
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        await cluster.up(twoNodes());
        expect((await cluster.exec('a', ['true'])).code).toBe(0);
        const down = await cluster.run(['down', '--name', cluster.name]);
        expect(down.code, down.stderr).toBe(0);
        expect(cluster.processes()).toEqual([]);
        expect(cluster.leftBehind()).toEqual([]);
      }
    } finally {
      await cluster.close();
    }
    report(`${CYCLES} clusters up and down: ${Math.round((performance.now() - started) / CYCLES)} ms each`);
  },
  TIMEOUT_MS,
);

testUnless(
  lacks,
  `${POD_CYCLES} pods come and go on one node: descriptors, namespaces and memory stay`,
  async () => {
    const program = new URL('./programs/pod-cycles.ts', import.meta.url).pathname;
    // Always a user namespace: the limit of network namespaces is its own.
    const words = [...unshareArguments(true), process.execPath, '--import', 'tsx', program, String(POD_CYCLES)];
    const child = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const { early, late } = JSON.parse(await text(child.stdout));
    expect(late.descriptors).toBe(early.descriptors);
    expect(late.residentKiB - early.residentKiB).toBeLessThan(GROWTH_MAX_KIB);
    report(`node: ${late.descriptors} descriptors, ${late.residentKiB - early.residentKiB} KiB more than early`);
  },
  TIMEOUT_MS,
);
