/**
 * `vessel/`: what contains a cluster, seen from outside: the run directory, the namespaces that it lives and dies
 * with, and the host process that holds them.
 *
 * A cluster has one directory, named after it: its API socket, its log, its state. It is the only thing that outlives
 * a SIGKILL, and every podwire command removes those that nobody lives in any more.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shown } from '../cluster/field.ts';
import { dnsLabel } from '../cluster/text-rule.ts';
import { entrancesOf } from './entrances.ts';
import { makeDirectory } from './make-directory.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';
import { Refusal } from './refusal.ts';

/** sun_path of struct sockaddr_un, with its closing zero. */
const SOCKET_PATH_MAX = 107;

/** Lines of a dead cluster's log that the next command shows: enough for a stack. */
const LAST_LINES = 20;

export interface ClusterState {
  readonly name: string;
  readonly host: ProcessIdentity;
  /** Pid 1 of the vessel; absent while it is being made. */
  readonly vessel?: ProcessIdentity;
  /** False when the vessel has no user namespace of its own, because root made it. */
  readonly userNamespace?: boolean;
}

/** `$PODWIRE_HOME`, else `$XDG_RUNTIME_DIR/podwire`, else a private directory in the system's temporary folder. */
function homeDirectory(): string {
  const { PODWIRE_HOME: home, XDG_RUNTIME_DIR: runtime } = process.env;
  if (home !== undefined && home !== '') return home;
  if (runtime !== undefined && runtime !== '') return join(runtime, 'podwire');
  return join(tmpdir(), `podwire-${process.getuid?.() ?? 0}`);
}

/** Makes the home directory and makes sure that it is ours alone. */
function prepareHome(): string {
  const home = homeDirectory();
  try {
    makeDirectory(home, 0o700);
  } catch (error) {
    throw new Refusal(`${(error as Error).message}; set PODWIRE_HOME to a directory that can be made`);
  }
  refuseForeignHome(home);
  chmodSync(home, 0o700);
  return home;
}

function refuseForeignHome(home: string): void {
  const { uid } = lstatSync(home);
  if (uid === (process.getuid?.() ?? uid)) return;
  throw new Refusal(`${home} belongs to another user; set PODWIRE_HOME to a directory of your own`);
}

/** The one place where a name becomes a path. */
function clusterDirectory(name: string): string {
  if (!dnsLabel.holds(name)) throw new Refusal(`--name: found ${shown(name)}, expected ${dnsLabel.expected}`);
  return join(homeDirectory(), name);
}

export function socketPath(name: string): string {
  const path = join(clusterDirectory(name), 'api.sock');
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX) {
    throw new Refusal(
      `${path} is too long for a unix socket (${Buffer.byteLength(path)} bytes, at most ${SOCKET_PATH_MAX}); set PODWIRE_HOME to a shorter path`,
    );
  }
  return path;
}

/** Output of a cluster that runs in the background. */
export function logPath(name: string): string {
  return join(clusterDirectory(name), 'log');
}

/** Takes a cluster's name; refuses when a living cluster has it. */
export function claimDirectory(name: string): string {
  socketPath(name); // refuses what is too long, before anything is made
  prepareHome();
  const directory = clusterDirectory(name);
  for (;;) {
    // Made aside and moved into place with its state inside: nobody sees a directory that belongs to no one.
    const claim = unusedPath();
    mkdirSync(claim, { mode: 0o700 });
    writeStateIn(claim, { name, host: identify(process.pid)! });
    try {
      renameSync(claim, directory);
      return directory;
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    rmSync(claim, { recursive: true, force: true });
    const state = readState(name);
    if (state !== undefined && isAlive(state.host)) {
      throw new Refusal(
        `a cluster named "${name}" is running (host process ${state.host.pid}); choose another with --name, or end it: podwire down --name ${name}`,
      );
    }
    removeDirectory(name, isDead);
  }
}

/** A name in the home directory that no cluster has; what dies under it, the next command removes. */
function unusedPath(): string {
  return join(homeDirectory(), `.gone-${randomBytes(6).toString('hex')}`);
}

function isDead(state: ClusterState | undefined): boolean {
  return state === undefined || !isAlive(state.host);
}

export function writeState(name: string, state: ClusterState): void {
  writeStateIn(clusterDirectory(name), state);
}

function writeStateIn(directory: string, state: ClusterState): void {
  const path = join(directory, 'state.json');
  writeFileSync(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path); // a reader sees the old or the new, never half
}

export function readState(name: string): ClusterState | undefined {
  return readStateIn(clusterDirectory(name));
}

function readStateIn(directory: string): ClusterState | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, 'state.json'), 'utf8')) as ClusterState;
  } catch {
    return undefined;
  }
}

/** Away with it in one step, so that nobody meets a half-removed directory under the name. */
export function removeDirectory(
  name: string,
  condition: (state: ClusterState | undefined) => boolean = () => true,
): void {
  const directory = clusterDirectory(name);
  const doomed = unusedPath();
  try {
    renameSync(directory, doomed);
    // Looked at again where nobody can exchange it: somebody may have taken the name since.
    if (!condition(readStateIn(doomed))) {
      renameSync(doomed, directory);
      return;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  rmSync(doomed, { recursive: true, force: true });
}

/** For the output of a cluster that is being started in the background by this process. */
export function startingLogPath(): string {
  return join(prepareHome(), `.log-${process.pid}-${randomBytes(6).toString('hex')}`);
}

/** Whose starter is no more? */
function isAbandonedLog(entry: string): boolean {
  const starter = /^\.log-(\d+)-/.exec(entry)?.[1];
  return starter !== undefined && identify(Number(starter)) === undefined;
}

/** What processes that were killed while they removed a directory, or started a cluster, have left. */
function removeDoomed(): void {
  const home = homeDirectory();
  if (!existsSync(home)) return;
  refuseForeignHome(home);
  for (const entry of readdirSync(home)) {
    if (entry.startsWith('.gone-') || isAbandonedLog(entry))
      rmSync(join(home, entry), { recursive: true, force: true });
  }
}

/** Names of clusters that have a directory, dead ones included. */
export function clusterNames(): string[] {
  const home = homeDirectory();
  if (!existsSync(home)) return [];
  refuseForeignHome(home);
  return readdirSync(home).filter((entry) => dnsLabel.holds(entry) && existsSync(join(home, entry, 'state.json')));
}

/** Removes the directories of clusters whose host process has died; says which, with the end of their logs. */
export function sweepDeadClusters(say: (text: string) => void): string[] {
  removeDoomed();
  const dead = clusterNames().filter((name) => {
    const state = readState(name);
    return state !== undefined && !isAlive(state.host);
  });
  for (const name of dead) {
    endOrphans(name);
    say(`cluster "${name}" had died${lastWords(name)}\n`);
    removeDirectory(name, isDead);
  }
  return dead;
}

/** A vessel that has outlived its host process has nobody else to end it. */
function endOrphans(name: string): void {
  const vessel = readState(name)?.vessel;
  if (vessel === undefined || !isAlive(vessel)) return;
  for (const pid of [vessel.pid, ...entrancesOf(vessel.pid)]) process.kill(pid, 'SIGKILL');
}

/** The end of a cluster's log, as far as it tells more than that the cluster came up. */
function lastWords(name: string): string {
  try {
    const text = readFileSync(logPath(name), 'utf8').trimEnd();
    return text === '' ? '' : `; the end of its log:\n${text.split('\n').slice(-LAST_LINES).join('\n')}`;
  } catch {
    return '';
  }
}
