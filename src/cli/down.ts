import { entrancesOf } from '../vessel/entrances.ts';
import { isAlive, type ProcessIdentity } from '../vessel/process-identity.ts';
import { Refusal } from '../vessel/refusal.ts';
import {
  type ClusterState,
  clusterNames,
  readState,
  removeDirectory,
  sweepDeadClusters,
} from '../vessel/run-directory.ts';
import { clusterName, readArguments, UsageError } from './arguments.ts';

export const usage = `Usage: podwire down [--name NAME | --all]

End a cluster: every process, namespace and interface of it is gone when the command returns.

  --name NAME   of the cluster (default: podwire, or the only one)
  --all         every cluster of this user
`;

const options = { name: { type: 'string' }, all: { type: 'boolean', default: false } } as const;

/** Time for an orderly end; then the kernel is asked. */
const ORDERLY_MS = 2_000;
const KILLED_MS = 3_000;
const PAUSE_MS = 10;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  if (positionals.length > 0)
    throw new UsageError(`unexpected "${positionals[0]}"; clusters are named by --name`, usage);
  if (values.all && values.name !== undefined) throw new UsageError('--name and --all exclude each other', usage);
  const swept = sweepDeadClusters((text) => process.stderr.write(text));
  if (values.all) {
    for (const name of clusterNames()) await end(name);
    return 0;
  }
  const name = clusterName(values.name);
  if (readState(name) === undefined) {
    // It had died; what it left is gone now.
    if (swept.includes(name) || (values.name === undefined && swept.length > 0)) return 0;
    throw new Refusal(`no cluster named "${name}" is running`);
  }
  await end(name);
  return 0;
}

async function end(name: string): Promise<void> {
  const state = readState(name);
  if (state === undefined) return;
  signal(state.host, 'SIGTERM');
  if (!(await gone(state, ORDERLY_MS))) {
    // The host process is stopped or stuck. Pid 1 of the vessel takes everything inside with it.
    const entrances = state.vessel !== undefined && isAlive(state.vessel) ? entrancesOf(state.vessel.pid) : [];
    if (state.vessel !== undefined) signal(state.vessel, 'SIGKILL');
    for (const pid of entrances) process.kill(pid, 'SIGKILL');
    signal(state.host, 'SIGKILL');
    if (!(await gone(state, KILLED_MS)))
      throw new Refusal(`cluster "${name}" does not end; processes are stuck in the kernel`);
  }
  removeDirectory(name);
  process.stderr.write(`cluster "${name}" has ended\n`);
}

function signal(target: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, name);
  } catch {
    // gone meanwhile
  }
}

async function gone(state: ClusterState, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if (!isAlive(state.host) && (state.vessel === undefined || !isAlive(state.vessel))) return true;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return false;
}
