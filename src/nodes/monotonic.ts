/** The machine's monotonic clock, one for all processes and threads; `performance.now` counts from a start of its own. */
import { performance } from 'node:perf_hooks';

const NS_PER_MS = 1e6;
const startNs = Number(process.hrtime.bigint()) - performance.now() * NS_PER_MS;

/** Nanoseconds, CLOCK_MONOTONIC. Whole, and exact below 2^53: a hundred days of it. */
export function monotonicNs(): number {
  return Math.round(startNs + performance.now() * NS_PER_MS);
}

/** To be added to `monotonicNs` for nanoseconds since 1970. Ask once: the clock of the calendar may be set meanwhile. */
export function epochNs(): bigint {
  const wallUs = Math.round((performance.timeOrigin + performance.now()) * 1000);
  return BigInt(wallUs) * 1000n - BigInt(monotonicNs());
}
