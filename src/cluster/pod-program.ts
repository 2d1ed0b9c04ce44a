/**
 * A program of this machine as a pod's process, in place of its images: started in the pod's namespaces from the cluster
 * process, so that it ends with the cluster, and started again as its pod's restartPolicy says.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import type { ContainerState } from 'kubernetes-types/core/v1.d.ts';
import type { Pod } from '../store/object.ts';
import { close } from '../sys/io.ts';
import { createPipe } from '../sys/pipe.ts';
import { LogRing } from '../workload/log-ring.ts';
import type { Entrance } from './entrance.ts';
import type { ProgramState } from './pod-reports.ts';
import { RestartDelay } from './restart-delay.ts';

export interface ProgramOptions {
  readonly command: string;
  readonly hostname: string;
  readonly restartPolicy: string;
  /** Besides PATH and HOSTNAME. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where it runs. @throws when that cannot be made. */
  readonly enter: () => Entrance;
  readonly onChange: (state: ProgramState) => void;
  /** A restart has to wait. */
  readonly onBackOff: (message: string) => void;
}

const LOG_BYTES = 64 << 10;
/** Longer lines are cut, as container runtimes do (containerd: pkg/cri/io/logger.go). */
const LINE_MAX = 16 << 10;
/** What it has to end in after SIGTERM. */
const GRACE_MS = 500;
/** As a shell has it: a program that could not be started. */
const CANNOT_START = 126;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export class PodProgram {
  readonly #options: ProgramOptions;
  readonly #ring = new LogRing(LOG_BYTES);
  readonly #delay = new RestartDelay();
  #child: ChildProcess | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;
  #restarts = 0;
  #lastState: ContainerState = {};

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  /** What it has written, on both of its streams: whole lines, oldest first, the last 64 KB. */
  log(): string {
    return this.#ring.text();
  }

  /** Puts a line of ours into its log. */
  say(line: string): void {
    this.#ring.write(line);
  }

  start(): void {
    const startedAt = timestamp();
    let isOver = false;
    const over = (exitCode: number, signal?: number) => {
      if (isOver) return;
      isOver = true;
      this.#ended({ exitCode, ...(signal === undefined ? {} : { signal }), startedAt });
    };
    try {
      const child = this.#spawn();
      this.#child = child;
      child.on('error', (error) => {
        this.say(`podwire: ${error.message}`);
        over(CANNOT_START);
      });
      child.on('exit', (code, name) => {
        // What it has started ends with it, as a container does with its first process.
        signalGroup(child, 'SIGKILL');
        if (code !== null) over(code);
        else over(128 + constants.signals[name!], constants.signals[name!]);
      });
      this.#tell('Running', { running: { startedAt } });
    } catch (error) {
      this.say(`podwire: ${error instanceof Error ? error.message : String(error)}`);
      over(CANNOT_START);
    }
  }

  /** Resolves when it has ended, by force where it must be. It is not started again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.on('exit', resolve));
    signalGroup(child, 'SIGTERM');
    const grace = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS);
    await ended;
    clearTimeout(grace);
  }

  /** Not by a shell of ours: `nsenter` gets words, and becomes the shell that the command is for. */
  #spawn(): ChildProcess {
    const { enter, command, hostname, environment } = this.#options;
    const { network, mounts, names, missing } = enter();
    for (const what of missing) this.say(`podwire: not set up: ${what}`);
    const places = [`--net=${network}`, `--mount=${mounts}`, `--uts=${names}`, `--wdns=${process.cwd()}`];
    const { readEnd, writeEnd } = createPipe();
    eachLine(new Socket({ fd: readEnd, readable: true, writable: false }), (line) => this.#ring.write(line));
    try {
      return spawn('nsenter', [...places, '--', 'sh', '-c', command], {
        // A session and group of its own, by which all of it can be ended.
        detached: true,
        env: { PATH: process.env['PATH'] ?? DEFAULT_PATH, HOSTNAME: hostname, ...environment },
        stdio: ['ignore', writeEnd, writeEnd],
      });
    } finally {
      close(writeEnd);
    }
  }

  #ended(end: { exitCode: number; signal?: number; startedAt: string }): void {
    this.#child = undefined;
    if (this.#stopped) return;
    const succeeded = end.exitCode === 0;
    const terminated = { ...end, reason: succeeded ? 'Completed' : 'Error', finishedAt: timestamp() };
    const { restartPolicy } = this.#options;
    if (restartPolicy === 'Never' || (restartPolicy === 'OnFailure' && succeeded)) {
      this.#tell(succeeded ? 'Succeeded' : 'Failed', { terminated });
      return;
    }
    const delayMs = this.#delay.next(performance.now());
    if (delayMs === 0) this.#tell('Running', { terminated });
    this.#lastState = { terminated };
    if (delayMs > 0) {
      const message = `back-off ${delayMs / 1000}s restarting failed container`;
      this.#tell('Running', { waiting: { reason: 'CrashLoopBackOff', message } });
      this.#options.onBackOff(message);
    }
    this.#retry = setTimeout(() => {
      this.#restarts++;
      this.start();
    }, delayMs);
  }

  #tell(phase: ProgramState['phase'], state: ContainerState): void {
    this.#options.onChange({ phase, state, lastState: this.#lastState, restartCount: this.#restarts });
  }
}

/** The values of a pod's environment that are written out, of its first container; it is the program's. */
export function environmentOf({ spec }: Pod): Record<string, string> {
  const entries = (spec.containers[0]?.env ?? []).filter(({ valueFrom }) => valueFrom === undefined);
  return Object.fromEntries(entries.map(({ name, value = '' }) => [name, value]));
}

function eachLine(stream: Socket, write: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) write(line);
    if (rest.length < LINE_MAX) return;
    write(rest);
    rest = '';
  });
  stream.on('end', () => rest !== '' && write(rest));
  stream.on('error', () => {}); // then it has ended too
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // nobody is left in it
  }
}

/** RFC 3339, UTC. */
function timestamp(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}
