import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { clockStart, monotonicNs } from '../../src/nodes/monotonic.ts';

test('a thread that is stopped between two looks at the clock is not behind for that', () => {
  let timeNs = 5e9;
  let looks = 0;
  const nowNs = () => {
    const seen = timeNs;
    timeNs += looks++ % 10 === 3 ? 1000 : 20e6; // it goes on in between, but for one time in ten
    return seen;
  };
  const startNs = clockStart(nowNs, () => (timeNs - 3e9) / 1e6);
  expect(Math.abs(startNs - 3e9)).toBeLessThanOrEqual(1000);
});

test('it is the clock of all threads', async () => {
  const before = process.hrtime.bigint();
  const [inThread] = await new Promise<[number]>((resolve, reject) => {
    const script = `require('node:worker_threads').parentPort.postMessage([Number(process.hrtime.bigint())])`;
    new Worker(script, { eval: true }).once('message', resolve).once('error', reject);
  });
  const here = monotonicNs();
  expect(inThread).toBeGreaterThan(Number(before));
  expect(here).toBeGreaterThan(inThread);
  expect(Number(process.hrtime.bigint())).toBeGreaterThanOrEqual(here);
});
