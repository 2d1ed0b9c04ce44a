/**
 * A real cluster for tests, by the command line as a user has it. Each has a private PODWIRE_HOME, by which its
 * processes are told apart from everybody else's on the machine; nothing else is ever looked at or touched.
 *
 *     const cluster = testCluster();                   // at the top of a describe: ended after it, whatever happens
 *     await cluster.up(twoNodes());                    // test/system/worlds.ts
 *     expect((await cluster.exec('a', ['hostname'])).stdout).toBe('a\n');
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

export const PODWIRE = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const COMMAND_TIMEOUT_MS = 60_000;
const HOLD_TIMEOUT_MS = 600_000;
const CLEAN_UP_MS = 10_000;

export interface CommandResult {
  /** The exit code; 128 and the signal's number for a command that a signal ended, as a shell has it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface CommandOptions {
  readonly stdin?: string;
  /** Leave standard input open instead. */
  readonly openStdin?: boolean;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
  /** Program and arguments that run the command as their own arguments, such as `nsenter … --`. */
  readonly through?: readonly string[];
}

/** A command on its way. */
export class Running {
  readonly child: ChildProcess;
  /** Rejects when the command had to be killed because it took too long. */
  readonly result: Promise<CommandResult>;
  stdout = '';
  stderr = '';

  constructor(words: readonly string[], env: NodeJS.ProcessEnv, options: CommandOptions = {}) {
    const [program, ...rest] = [...(options.through ?? []), ...words];
    const startedMs = performance.now();
    this.child = spawn(program!, rest, { env: { ...env, ...options.env }, cwd: options.cwd, stdio: 'pipe' });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.child.stdin!.on('error', () => {}); // a command need not read what it is given
    if (options.openStdin !== true) this.child.stdin!.end(options.stdin ?? '');
    this.result = this.#end(words, startedMs, options.timeoutMs ?? COMMAND_TIMEOUT_MS);
    this.result.catch(() => {}); // whoever waits for it is told
  }

  #end(words: readonly string[], startedMs: number, timeoutMs: number): Promise<CommandResult> {
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        this.child.kill('SIGKILL');
        this.child.stdout!.destroy();
        this.child.stderr!.destroy();
      }, timeoutMs);
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => {
        clearTimeout(timer);
        const { stdout, stderr } = this;
        if (late) reject(new Error(`not done after ${timeoutMs} ms: ${words.join(' ')}\n${stdout}${stderr}`));
        else resolve({ code: code ?? 128 + signalNumber(signal), stdout, stderr, ms: performance.now() - startedMs });
      });
    });
  }

  /** Resolves with the match once it is in what the command has said on stdout. */
  async says(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpMatchArray> {
    const found = await until(
      () => this.stdout.match(pattern) ?? (this.child.exitCode === null ? undefined : 'ended'),
      timeoutMs,
      () => `${pattern} in ${JSON.stringify(this.stdout)} ${this.stderr}`,
    );
    if (found === 'ended') throw new Error(`ended without ${pattern}: ${this.stdout}${this.stderr}`);
    return found;
  }
}

function signalNumber(signal: NodeJS.Signals | null): number {
  const numbers: Partial<Record<NodeJS.Signals, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
  return numbers[signal ?? 'SIGKILL'] ?? 0;
}

/** Polls until `look` finds something. @param what for the error, made when it is needed. */
export async function until<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs: number,
  what: () => string = () => look.toString(),
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what()}`);
    await sleep(10);
  }
}

/** Numbers that people want to see and no test asserts. */
export function report(text: string): void {
  process.stderr.write(`    ${text}\n`);
}

export type ProcessKind = 'host' | 'unshare' | 'reaper' | 'cluster' | 'node' | 'other';

export interface ClusterProcess {
  readonly pid: number;
  readonly parent: number;
  readonly kind: ProcessKind;
  readonly words: readonly string[];
}

interface ProcessState {
  readonly host: { readonly pid: number };
  readonly vessel?: { readonly pid: number };
  readonly userNamespace?: boolean;
}

export interface NodeCounters {
  readonly received: number;
  readonly originated: number;
  readonly copied: number;
  readonly split: number;
  readonly delivered: number;
  readonly held: number;
  readonly violations: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly consumed: Readonly<Record<string, number>>;
  readonly ports: Readonly<Record<string, { readonly receivedFrames: number }>>;
}

export class TestCluster {
  #home: string | undefined;
  readonly #started = new Set<Running>();

  /**
   * PODWIRE_HOME: short, because a socket's path may not be long. Made when it is first asked for: vitest calls no hook
   * of a describe whose tests are all skipped, so nobody would remove it.
   */
  get home(): string {
    this.#home ??= realpathSync(mkdtempSync(join(tmpdir(), 'pw')));
    return this.#home;
  }

  get name(): string {
    return `t${this.home.slice(-6).toLowerCase()}`;
  }

  get env(): NodeJS.ProcessEnv {
    const { PATH, HOME, LANG, TMPDIR } = process.env;
    return { PATH, HOME, LANG, TMPDIR, PODWIRE_HOME: this.home };
  }

  get directory(): string {
    return join(this.home, this.name);
  }

  /** Writes a file beside the clusters' directories and returns its path. */
  write(file: string, text: string): string {
    const path = join(this.home, file);
    writeFileSync(path, text);
    return path;
  }

  /** Any program, with this cluster's environment. */
  start(words: readonly string[], options: CommandOptions = {}): Running {
    return this.#keep(new Running(words, this.env, options));
  }

  #keep(running: Running): Running {
    this.#started.add(running);
    running.result.catch(() => {}).finally(() => this.#started.delete(running));
    return running;
  }

  /** A program that is no part of the cluster and reads nothing; it ends with this object at the latest. */
  hold(words: readonly string[]): Running {
    const { PODWIRE_HOME: _, ...env } = this.env;
    return this.#keep(new Running(words, env, { timeoutMs: HOLD_TIMEOUT_MS, openStdin: true }));
  }

  podwire(words: readonly string[], options: CommandOptions = {}): Running {
    return this.start([process.execPath, PODWIRE, ...words], options);
  }

  /** A podwire command to its end. */
  run(words: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return this.podwire(words, options).result;
  }

  /** Starts the cluster in the background. @throws with what was said when it does not become ready. */
  async up(manifest: string, flags: readonly string[] = [], options: CommandOptions = {}): Promise<CommandResult> {
    const file = this.write(`${this.name}.yaml`, manifest);
    const result = await this.run(['up', file, '-d', '--name', this.name, ...flags], options);
    if (result.code !== 0) throw new Error(`up: exit code ${result.code}\n${result.stderr}`);
    return result;
  }

  down(options: CommandOptions = {}): Promise<CommandResult> {
    return this.run(['down', '--name', this.name], options);
  }

  /** Runs a program in a pod, or on a node: `node/n1`. */
  exec(endpoint: string, command: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return this.startExec(endpoint, command, [], options).result;
  }

  startExec(
    endpoint: string,
    command: readonly string[],
    flags: readonly string[] = [],
    options: CommandOptions = {},
  ): Running {
    return this.podwire(['exec', '--name', this.name, ...flags, endpoint, '--', ...command], options);
  }

  /** `get KIND -o json`: the items. */
  async get<T>(kind: string): Promise<T[]> {
    const result = await this.run(['get', kind, '-o', 'json', '--name', this.name]);
    if (result.code !== 0) throw new Error(`get ${kind}: exit code ${result.code}\n${result.stderr}`);
    return (JSON.parse(result.stdout) as { items: T[] }).items;
  }

  /** GET from the cluster's socket. */
  api<T>(path: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const options = { socketPath: join(this.directory, 'api.sock'), path, timeout: 10_000 };
      const outgoing = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(text) as T);
          else reject(new Error(`${path}: ${response.statusCode} ${text}`));
        });
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${path}: no answer`)));
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  counters(node: string): Promise<NodeCounters> {
    return this.api<NodeCounters>(`/apis/podwire.dev/v1/nodes/${node}/counters`);
  }

  /** What a cluster in the background has said. */
  log(): string {
    return readFileSync(join(this.directory, 'log'), 'utf8');
  }

  state(): ProcessState {
    return JSON.parse(readFileSync(join(this.directory, 'state.json'), 'utf8')) as ProcessState;
  }

  /** Arguments that run a program in the vessel's own network, where nodes talk to each other. */
  intoVessel(): string[] {
    const { vessel, userNamespace } = this.state();
    const user = userNamespace === true ? [`--user=/proc/${vessel!.pid}/ns/user`, '--preserve-credentials'] : [];
    return ['nsenter', ...user, `--net=/proc/${vessel!.pid}/ns/net`, '--'];
  }

  /** Every process that has this cluster's home in its environment, found by asking each for nothing else. */
  processes(): ClusterProcess[] {
    const marker = `PODWIRE_HOME=${this.home}`;
    const found: Omit<ClusterProcess, 'kind'>[] = [];
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      try {
        const environment = readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0');
        if (!environment.includes(marker)) continue;
        const words = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').slice(0, -1);
        const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
        const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        found.push({ pid: Number(entry), parent: Number(parent), words });
      } catch {
        // not ours to read, or gone between two looks
      }
    }
    return found.map((process) => ({ ...process, kind: kindOf(process, found) }));
  }

  /** The one process of its kind. @param word what else must be among its arguments, such as a node's name. */
  process(kind: ProcessKind, word?: string): ClusterProcess {
    const candidates = this.processes().filter(
      (process) => process.kind === kind && (word === undefined || process.words.includes(word)),
    );
    if (candidates.length !== 1) throw new Error(`${candidates.length} processes are ${kind} ${word ?? ''}`);
    return candidates[0]!;
  }

  /** Network namespaces that processes of this cluster are in or hold open. */
  networks(): Set<string> {
    const found = new Set<string>();
    for (const { pid } of this.processes()) {
      for (const path of namespaceLinks(pid)) {
        try {
          const target = readlinkSync(path);
          if (target.startsWith('net:')) found.add(target);
        } catch {
          // closed meanwhile
        }
      }
    }
    found.delete(readlinkSync('/proc/self/ns/net'));
    return found;
  }

  /** Resolves with the milliseconds until no process of this cluster was left. */
  async gone(timeoutMs: number): Promise<number> {
    const startedMs = performance.now();
    await until(
      () => this.processes().length === 0,
      timeoutMs,
      () => `the end of ${this.processes().map(({ pid, words }) => `${pid} ${words.join(' ')}`)}`,
    );
    return performance.now() - startedMs;
  }

  /** Entries of the home directory that podwire made and has not removed. */
  leftBehind(): string[] {
    return readdirSync(this.home).filter((entry) => !entry.endsWith('.yaml'));
  }

  /** Ends everything, by force where it must be, and removes the home directory. */
  async close(): Promise<void> {
    if (this.#home === undefined) return;
    for (const { child } of this.#started) child.kill('SIGKILL');
    const deadline = performance.now() + CLEAN_UP_MS;
    for (let left = this.processes(); left.length > 0 && performance.now() < deadline; left = this.processes()) {
      for (const { pid } of left) kill(pid, 'SIGKILL');
      await sleep(20);
    }
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** A cluster for the tests of the surrounding describe; ended after them. */
export function testCluster(): TestCluster {
  const cluster = new TestCluster();
  afterAll(() => cluster.close());
  return cluster;
}

/** False when the process had gone already. */
export function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function kindOf({ parent, words }: Omit<ClusterProcess, 'kind'>, all: readonly Omit<ClusterProcess, 'kind'>[]) {
  const script = words[1] ?? '';
  if (script.endsWith('/dist/cli/main.js') && words[2] === 'up') return 'host';
  if (script.endsWith('/dist/cluster/main.cjs')) return 'cluster';
  if (script.endsWith('/dist/nodes/main.cjs')) return 'node';
  if (words[0] === 'unshare') return 'unshare';
  const above = all.find(({ pid }) => pid === parent);
  // Its watcher looks the same, but has the reaper above it.
  return words.includes('podwire-reaper') && above?.words[0] === 'unshare' ? 'reaper' : 'other';
}

function namespaceLinks(pid: number): string[] {
  try {
    const descriptors = readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/ns/net`);
    return [...threads, ...descriptors];
  } catch {
    return [];
  }
}
