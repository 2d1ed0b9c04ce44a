import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { printable } from '../cluster/source.ts';
import type { Summary } from '../cluster/summary.ts';
import type { Topology } from '../cluster/topology.ts';
import { programUrl } from '../installation.ts';
import { ClusterHost, type Status } from '../vessel/host.ts';
import type { ProcessIdentity } from '../vessel/process-identity.ts';
import { removeDirectory, socketPath, startingLogPath } from '../vessel/run-directory.ts';
import { adoptVessel, startVessel, type Vessel } from '../vessel/vessel.ts';
import { readArguments } from './arguments.ts';
import { startOptions } from './start-options.ts';
import type { StartPlan } from './start-plan.ts';
import { formatTable } from './table.ts';

export const usage = `Usage: podwire up [PATH... | -f PATH]... [flags]

Start a cluster from YAML: files, folders, or - for standard input. Runs until Ctrl-C, or in the background with -d.

  -f, --filename PATH   the same as PATH
      --name NAME       of the cluster (default: what the Cluster document says, else podwire)
      --nodes N         how many nodes (default: what the Cluster document says, else 1)
      --mtu N           IP MTU of the underlay (default: 1500; pods get 50 less)
      --offload on|off  off: every frame is wire-sized (default: on)
      --underlay KIND   between nodes: tap, udp (sockets), or auto: the faster that works (default: auto)
      --without LIST    what makes nodes fast, switched off to be measured: merge, rows, spin, simd
      --strict-checksums  nodes verify TCP and UDP checksums of each other's packets, as pods' kernels do anyway
      --allow-run       let pods with the annotation podwire.dev/run start programs of this machine, as you
  -d, --detach          return when every pod is Ready

Exit status: 0 ended on request (with -d: every pod is Ready), 1 the cluster failed (with -d: or runs, and not every pod
is Ready), 2 wrong usage or input.
`;

const options = {
  ...startOptions,
  detach: { type: 'boolean', short: 'd', default: false },
  /** Not for people: this process is the background half of -d. */
  background: { type: 'boolean', default: false },
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  if (values.background) return await beBackground();
  const plan = async () => (await import('./start-plan.ts')).planStart(values, positionals, usage);
  return values.detach ? await detach(plan) : await inForeground(plan);
}

const STDERR = 2;
/** Of the background half: behind the standard ones and the channel to its parent. */
const FIRST_PIPE = 4;

/** The vessel starts beside the reading of the manifests. */
async function inForeground(plan: () => Promise<StartPlan>): Promise<number> {
  const vessel = startVessel(STDERR);
  try {
    return await hold(vessel, { ...(await plan()), logFile: undefined });
  } finally {
    await vessel.abandon();
  }
}

async function beBackground(): Promise<number> {
  // Whoever asked for it was interrupted, or the manifests were refused.
  const abandoned = () => process.exit(1);
  process.once('disconnect', abandoned);
  if (!process.connected) abandoned(); // while we were loading
  const order = await orderFromParent();
  process.off('disconnect', abandoned);
  const vessel = adoptVessel(order.vessel, FIRST_PIPE);
  try {
    return await hold(vessel, order);
  } finally {
    await vessel.abandon();
  }
}

/** Longer lists are for `podwire get`. */
const ROWS_MAX = 40;

/** What the foreground process tells its background half. */
interface BackgroundOrder extends Order {
  readonly vessel: ProcessIdentity | undefined;
}

/** What is to be held, and how. */
interface Order extends StartPlan {
  /** Where the background half's output goes; undefined in the foreground. */
  readonly logFile: string | undefined;
}

/** Holds the cluster until somebody ends it. */
async function hold(vessel: Vessel, order: Order): Promise<number> {
  const { topology, logFile } = order;
  const say = (text: string) => process.stderr.write(text);
  const background = logFile !== undefined;
  // The exit code of a start that nobody waits for any more: it is undone before this process ends.
  let interrupted: number | undefined;
  const interrupt = (code: number) => {
    interrupted ??= code;
    void vessel.abandon();
  };
  const abandoned = () => interrupt(1);
  if (background) process.once('disconnect', abandoned);
  const onStatus = background
    ? (status: Status) => void process.send?.(status)
    : (status: Status) => say(formatStatus(status, topology));
  let host: ClusterHost | undefined;
  // Set before anybody is told that the cluster is ready: a signal that comes with the news must end it in order.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => (host === undefined ? interrupt(128 + constants.signals[signal]) : void host.stop()));
  }
  try {
    host = await ClusterHost.start({ ...order, vessel, onStatus });
    onStatus({ type: 'ready', elapsedMs: performance.now(), summary: host.summary });
  } catch (error) {
    if (interrupted !== undefined) return interrupted;
    throw error;
  } finally {
    process.off('disconnect', abandoned);
    if (background) process.disconnect?.(); // an open channel would keep this process, whatever has become of it
  }
  const { wanted, how } = await host.ended();
  if (!wanted) say(`cluster "${host.name}" ended by itself (${how})\n`);
  // The log of a background cluster that failed is for the next command to show.
  if (wanted || !background) removeDirectory(host.name);
  return wanted ? 0 : 1;
}

function formatStatus(status: Status, topology: Topology): string {
  if (status.type === 'progress') return ` ✓ ${status.step}\n`;
  if (status.type === 'note') return `${status.message}\n`;
  if (status.type === 'failed') return ` ✗ ${status.message}\n`;
  return formatSummary(status.summary, topology, status.elapsedMs);
}

function formatSummary({ pods, services, rows, unready }: Summary, topology: Topology, elapsedMs: number): string {
  const shown = rows.slice(0, ROWS_MAX);
  const table = rows.length === 0 ? '' : formatTable([['NAMESPACE', 'KIND', 'NAME', 'READY', 'ADDRESS'], ...shown]);
  const more = rows.length > shown.length ? `and ${rows.length - shown.length} more: podwire get all -A\n` : '';
  const counts = `nodes: ${topology.nodes.length}, pods: ${pods}, services: ${services}`;
  const state =
    unready.length === 0
      ? 'is ready'
      : `runs, but of its pods ${unready.length} ${unready.length === 1 ? 'is' : 'are'} not Ready`;
  const reasons = unready.slice(0, ROWS_MAX).map((line) => ` ✗ ${printable(line)}\n`);
  if (unready.length > ROWS_MAX) reasons.push(` ✗ and ${unready.length - ROWS_MAX} more\n`);
  const seconds = (elapsedMs / 1000).toFixed(1);
  return `${table}${more}${reasons.join('')}cluster "${topology.name}" ${state} (${counts}; ${seconds} s)\n`;
}

function orderFromParent(): Promise<BackgroundOrder> {
  return new Promise((resolve) => process.once('message', resolve as (message: unknown) => void));
}

/**
 * Starts the vessel, and a host process in the background that is to hold it; hands over the plan when that is made, and
 * waits for word. All three load their code at the same time.
 */
async function detach(plan: () => Promise<StartPlan>): Promise<number> {
  socketPath('x'); // refuses a home that is too long for any name, before anything is made in it
  const logFile = startingLogPath();
  const log = openSync(logFile, 'wx', 0o600);
  const main = fileURLToPath(programUrl('cli/main.js'));
  const vessel = startVessel(log);
  const child = spawn(process.execPath, [main, 'up', '--background'], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc', ...vessel.pipes],
  });
  vessel.letGo();
  closeSync(log);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      rmSync(logFile, { force: true });
      process.exit(128 + constants.signals[signal]); // the other half learns it from the channel between us
    });
  }
  let made: StartPlan;
  try {
    made = await plan();
    socketPath(made.topology.name); // refuses what is too long
  } catch (error) {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.disconnect();
    await Promise.all([vessel.abandon(), gone]);
    rmSync(logFile, { force: true });
    throw error;
  }
  const { topology } = made;
  child.send({ ...made, logFile, vessel: vessel.identity } satisfies BackgroundOrder);
  return await new Promise((resolve) => {
    child.on('message', (status: Status) => {
      process.stderr.write(formatStatus(status, topology));
      if (status.type !== 'ready') return;
      child.disconnect();
      child.unref();
      resolve(status.summary.unready.length === 0 ? 0 : 1);
    });
    child.on('exit', (code) => {
      process.stderr.write(readFileSync(logFile, 'utf8'));
      rmSync(logFile);
      resolve(code ?? 1);
    });
  });
}
