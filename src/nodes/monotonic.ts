/** The machine's monotonic clock, one for all processes and threads; `performance.now` counts from a start of its own. */
import { performance } from 'node:perf_hooks';

const NS_PER_MS = 1e6;
const startNs = Number(process.hrtime.bigint()) - performance.now() * NS_PER_MS;

/** Nanoseconds, CLOCK_MONOTONIC. Whole, and exact below 2^53: a hundred days of it. */
export function monotonicNs(): number {
  return Math.round(startNs + performance.now() * NS_PER_MS);
}
