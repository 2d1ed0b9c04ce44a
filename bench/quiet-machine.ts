/** The gate of `podwire bench` for benchmarks of one process: a machine that does other things gives no figures. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type MachineLook, noiseOf } from '../src/measure/machine-use.ts';
import { lookAtMachine, useBetween } from './peers/machine-usage.ts';
import { refuse } from './requirements.ts';

/** As long as `podwire bench` looks before it begins. */
const REST_MS = 1000;

/** What else has happened since then, in words; empty when the machine was quiet. */
export function noiseSince(before: MachineLook): string[] {
  return noiseOf(useBetween(before, lookAtMachine(), [process.pid]));
}

/** Ends this process with the reason when the machine is too noisy to begin. @param anyway says it, and goes on. */
export async function awaitQuiet(anyway: boolean): Promise<void> {
  const before = lookAtMachine();
  await sleep(REST_MS);
  const reasons = noiseSince(before);
  if (reasons.length === 0) return;
  const words = `the machine is too noisy to begin: ${reasons.join('; ')}`;
  if (!anyway) refuse(`${words}\n--noisy prints the figures all the same, marked`);
  process.stderr.write(`${words}\n`);
}
