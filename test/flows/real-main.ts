/**
 * Plays scenarios on real node processes, in namespaces that `unshare` has made. Arguments: file names. Says one line
 * of JSON for each: `{"file": …, "failure": … or null}`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeSupervisor } from '../../src/nodes/supervisor.ts';
import { loadScenario } from './files.ts';
import { LoopbackAddresses, RealWorld } from './real-world.ts';
import { playScenario } from './runner.ts';

/** The nodes' own code is the build's; only this process needs a loader for TypeScript. */
process.execArgv.splice(0);
const built = new URL('../../dist/nodes/supervisor.js', import.meta.url);
const { NodeSupervisor: Supervisor } = (await import(built.href)) as { NodeSupervisor: typeof NodeSupervisor };
const addresses = new LoopbackAddresses();

for (const file of process.argv.slice(2)) {
  process.stdout.write(`${JSON.stringify({ file, failure: await failureOf(file) })}\n`);
}
process.exit(0);

async function failureOf(file: string): Promise<string | null> {
  const directory = mkdtempSync(join(tmpdir(), 'podwire-flow-'));
  try {
    const scenario = loadScenario(file);
    const world = await RealWorld.start(scenario.cluster.plan, directory, addresses, Supervisor);
    try {
      await playScenario(scenario, world);
      return world.restarts === 0 ? null : `${file}: a node has died ${world.restarts} times`;
    } finally {
      await world.close();
    }
  } catch (error) {
    return error instanceof Error ? (error.name === 'FlowError' ? error.message : `${error.stack}`) : String(error);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
