/** How long does it take to run a program in a pod, and how much of that is starting Node? */
import { sumOfUsage, type Usage } from './machine-usage.ts';
import type { Peer } from './peer.ts';
import { Program } from './program.ts';
import type { Setting } from './setting.ts';
import { quantile } from './statistics.ts';
import type { Turn, Workload } from './workload.ts';

/** Of one round, in turn with the others'. */
const STARTS = 7;
const TIMEOUT_MS = 10_000;

export function enterPodWorkload({ name, rival }: Peer, setting: Setting): Workload {
  return {
    name: 'exec',
    title: '`exec POD -- true`',
    method: `From the start of a process to its end, median of ${STARTS} in each round; beside it a Node process that does nothing. No packet is involved.`,
    figures: [
      { key: 'ms', title: 'ms', digits: 1 },
      { key: 'busyMs', title: 'CPU-ms', digits: 1 },
    ],
    better: 'less',
    subjects: [name],
    participants: [
      { name, title: 'podwire exec', measure: () => measureStarts([...rival.client, 'true'], setting) },
      { name: 'node', title: 'node -e 0', measure: () => measureStarts([process.execPath, '-e', '0'], setting) },
    ],
  };
}

async function* measureStarts(command: readonly string[], { signal, watch }: Setting): AsyncGenerator<void, Turn> {
  const timesMs: number[] = [];
  const usages: Usage[] = [];
  for (let i = 0; i < STARTS; i++) {
    if (i > 0) yield;
    const [ms, usage] = await watch.around([], async () => {
      const startMs = performance.now();
      await new Program(command, signal).output(TIMEOUT_MS);
      return performance.now() - startMs;
    });
    timesMs.push(ms);
    usages.push(usage);
  }
  const usage = sumOfUsage(usages);
  const busyMs = (usage.busySeconds / STARTS) * 1000;
  return {
    usage,
    figures: {
      ms: quantile(
        timesMs.sort((a, b) => a - b),
        0.5,
      ),
      busyMs,
    },
  };
}
