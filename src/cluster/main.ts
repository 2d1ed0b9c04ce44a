/** Entry of the cluster process: reads the plan from its directory, builds the cluster, serves the API. */
import { readFileSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { startApi } from '../api/server.ts';
import { SystemCallError } from '../sys/libc.ts';
import type { Status } from '../vessel/host.ts';
import { Refusal } from '../vessel/refusal.ts';
import { socketPath } from '../vessel/run-directory.ts';
import { type ClusterOrder, LIFELINE, ORDER } from '../vessel/vessel.ts';
import { Cluster } from './cluster.ts';
import { readManifests } from './manifests.ts';
import { summarize } from './summary.ts';

/** Pipe to the host process. */
const STATUS_FD = 4;

function say(status: Status): void {
  try {
    writeSync(STATUS_FD, `${JSON.stringify(status)}\n`);
  } catch {
    // the host process is gone, and with it this process in a moment
  }
}

function progress(step: string): void {
  say({ type: 'progress', step, elapsedMs: performance.now() });
}

/** System calls that fail for lack of something the user can give are no bugs. */
function describe(error: unknown): { message: string; refusal: boolean } {
  if (error instanceof Refusal) return { message: error.message, refusal: true };
  if (error instanceof SystemCallError || isExhausted(error)) {
    return { message: `${error.message}${remedyFor(error)}`, refusal: true };
  }
  return { message: error instanceof Error ? (error.stack ?? error.message) : String(error), refusal: false };
}

/** Node's own file functions run out of descriptors too. */
function isExhausted(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && ['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function remedyFor(error: { readonly code: string; readonly call?: string }): string {
  if (error.code === 'ENOSPC' && error.call?.startsWith('unshare') === true) {
    return '; raise the limit: sudo sysctl user.max_net_namespaces=15000';
  }
  if (error.code === 'EMFILE') return '; raise the limit of open files: ulimit -n 65536';
  return '; `podwire doctor` tells what this machine allows';
}

async function main(): Promise<void> {
  const order = readFileSync(ORDER, 'utf8');
  if (order === '') return; // nothing came of it
  const { directory, topology, manifests } = JSON.parse(order) as ClusterOrder;
  progress('vessel');
  const log = (message: string) => process.stderr.write(`${message}\n`);
  const cluster = new Cluster({ topology, directory, log, progress });
  process.on('SIGTERM', () => process.exit(0)); // pid 1 follows, and with it everything
  process.on('SIGINT', () => {}); // Ctrl-C is for the host process
  // The other end of this pipe is the host process: when it is gone, so are we, and pid 1 and everything after us.
  new Socket({ fd: LIFELINE, readable: true, writable: false }).on('close', () => process.exit(0)).resume();
  await startApi(cluster, socketPath(topology.name));
  // Read once more than in the host process: what stands where is not to be had otherwise.
  const { objects } = readManifests(manifests);
  await cluster.start(objects);
  for (const message of cluster.notesOn(objects)) say({ type: 'note', message });
  say({ type: 'ready', elapsedMs: performance.now(), summary: summarize(cluster.store) });
}

main().catch((error: unknown) => {
  say({ type: 'failed', ...describe(error) });
  process.exit(1);
});
