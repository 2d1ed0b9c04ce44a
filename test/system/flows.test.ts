/**
 * The scenarios of `test/flows` on real node processes: the same lines, the same bytes as on the simulated cluster.
 * Nodes have UDP sockets between them, and test ports where pods and hosts have TAPs.
 */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { beforeAll, expect, test } from 'vitest';
import { unshareArguments } from '../../src/vessel/vessel.ts';
import { flowFiles, loadScenario } from '../flows/files.ts';
import { playScenario } from '../flows/runner.ts';
import { SimWorld } from '../flows/sim-world.ts';
import { report } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { describeUnless } from './skipping.ts';

const program = new URL('../flows/real-main.ts', import.meta.url).pathname;

/** Failures by file; null where the scenario passed. */
async function playOnRealNodes(files: readonly string[]): Promise<Map<string, string | null>> {
  const arguments_ = unshareArguments(process.getuid?.() !== 0);
  const child = spawn('unshare', [...arguments_, process.execPath, '--import', 'tsx', program, ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = (await text(child.stdout)).trim().split('\n');
  const results = lines.map((line) => JSON.parse(line) as { file: string; failure: string | null });
  return new Map(results.map(({ file, failure }) => [file, failure]));
}

describeUnless(missing('linux', 'built', 'vessel'), 'scenarios on real node processes', () => {
  let results = new Map<string, string | null>();

  beforeAll(async () => {
    results = await playOnRealNodes(flowFiles);
  });

  for (const file of flowFiles) {
    test(file, () => {
      expect(results.get(file) ?? (results.has(file) ? 'passed' : 'did not run')).toBe('passed');
    });
  }

  test('as many pass as on the simulated cluster', async () => {
    let simulated = 0;
    for (const file of flowFiles) {
      const scenario = loadScenario(file);
      await playScenario(scenario, new SimWorld(scenario.cluster.plan));
      simulated++;
    }
    const real = [...results.values()].filter((failure) => failure === null).length;
    report(`flows: ${simulated} on sim, ${real} on real nodes`);
    expect(real).toBe(simulated);
    expect(simulated).toBeGreaterThanOrEqual(12);
  });
});
