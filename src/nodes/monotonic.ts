/** The machine's monotonic clock, one for all processes and threads; `performance.now` counts from a start of its own. */
import { performance } from 'node:perf_hooks';

const NS_PER_MS = 1e6;
const SAMPLES = 100;
const startNs = clockStart(
  () => Number(process.hrtime.bigint()),
  () => performance.now(),
);

/**
 * What one clock shows when the other one starts. A thread that has to wait between its two looks gets too little, and
 * would be behind all others as long as it lives: so the most of several.
 */
export function clockStart(nowNs: () => number, nowMs: () => number): number {
  let startNs = -Infinity;
  for (let i = 0; i < SAMPLES; i++) startNs = Math.max(startNs, nowNs() - nowMs() * NS_PER_MS);
  return startNs;
}

/** Nanoseconds, CLOCK_MONOTONIC. Whole, and exact below 2^53: a hundred days of it. */
export function monotonicNs(): number {
  return Math.round(startNs + performance.now() * NS_PER_MS);
}

/** To be added to `monotonicNs` for nanoseconds since 1970. Ask once: the clock of the calendar may be set meanwhile. */
export function epochNs(): bigint {
  const wallUs = Math.round((performance.timeOrigin + performance.now()) * 1000);
  return BigInt(wallUs) * 1000n - BigInt(monotonicNs());
}
