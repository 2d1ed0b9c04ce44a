/**
 * The namespaces, daemons and files of one rival. They are held by this process alone, and by the kernel's hand: namespaces
 * live as long as programs that read a pipe from here, daemons get SIGKILL when this process is gone, and the directory is
 * removed by a program that waits for the end of such a pipe. So nothing is left, however this process ends.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long anything here may take to be there. */
const PATIENCE_MS = 20_000;

export interface Namespace {
  /** Words that run a command in it. They neither fork nor leave the current directory. */
  readonly enter: readonly string[];
  /** Of a process that is in it. */
  readonly pid: number;
  /** @returns what the command wrote. @throws Error with what it complained of. */
  run(...command: string[]): string;
  /** Lines for `ip -batch`. */
  ip(lines: string): void;
}

export interface Daemon {
  readonly pid: number;
  /** Words that run a command in its network and mount namespace, where /run is its own. */
  readonly enter: readonly string[];
}

export class Laboratory {
  /** For configuration and logs; goes with the rest. */
  readonly directory = mkdtempSync(join(tmpdir(), 'pw-rival-'));
  readonly #janitor: ChildProcess;
  readonly #holders: ChildProcess[] = [];
  readonly #daemons = new Map<ChildProcess, string>();

  private constructor(farewell: readonly string[]) {
    // The terminal's Ctrl-C is not for it: it has a session of its own.
    const script = 'cat >/dev/null; [ $# = 0 ] || "$@"; rm -rf "$DIRECTORY"';
    const env = { ...process.env, DIRECTORY: this.directory };
    const stdio = ['pipe', 'ignore', 'ignore'] as const;
    this.#janitor = spawn('sh', ['-c', script, 'sh', ...farewell], { stdio: [...stdio], detached: true, env });
  }

  /**
   * Builds something in a laboratory of its own; when that fails, nothing is left of it.
   *
   * @param farewell - a command that runs when all is over, before namespaces and directory go; it has the directory's
   * path in the variable DIRECTORY.
   */
  static async build<T>(make: (laboratory: Laboratory) => Promise<T>, farewell: readonly string[] = []): Promise<T> {
    const laboratory = new Laboratory(farewell);
    try {
      return await make(laboratory);
    } catch (error) {
      await laboratory.end();
      throw error;
    }
  }

  get daemons(): number[] {
    return [...this.#daemons.keys()].map(({ pid }) => pid!);
  }

  /** A new network namespace with loopback up. */
  async namespace(): Promise<Namespace> {
    const words = ['--net', 'sh', '-c', 'ip link set lo up && echo ready && exec cat'];
    const holder = spawn('unshare', words, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    this.#holders.push(holder);
    await new Promise((resolve, reject) => {
      holder.stdout!.once('data', resolve);
      holder.once('error', reject);
      holder.once('exit', () => reject(new Error('no network namespace: this needs root')));
    });
    return namespaceOf(holder.pid!);
  }

  /** Starts a program that stays in the foreground. Its /run is its own; its output is in `directory`. */
  daemon(place: Namespace, ...command: string[]): Daemon {
    const log = join(this.directory, `log${this.#daemons.size}`);
    const fd = openSync(log, 'w');
    const ownRun = 'mount -t tmpfs tmpfs /run && exec "$@"';
    const wrapper = ['--pdeathsig', 'KILL', ...place.enter, 'unshare', '--mount', 'sh', '-c', ownRun, 'sh'];
    const child = spawn('setpriv', [...wrapper, ...command], { stdio: ['ignore', fd, fd], detached: true });
    this.#daemons.set(child, log);
    const pid = child.pid!;
    return { pid, enter: ['nsenter', '--target', String(pid), '--net', '--mount', '--'] };
  }

  /** Asks again and again until `holds` returns true without throwing. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        if (holds()) return;
      } catch {} // not yet
      this.#refuseTheDead(what);
      if (performance.now() > deadline) throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s\n${this.#logs()}`);
      await sleep(50);
    }
  }

  /** Waits for an answer to a ping. */
  async reachable(from: Namespace, address: string): Promise<void> {
    await this.until(`an answer from ${address}`, () => {
      from.run('ping', '-c', '1', '-W', '1', address);
      return true;
    });
  }

  async end(): Promise<void> {
    for (const daemon of this.#daemons.keys()) daemon.kill('SIGKILL');
    await Promise.all([...this.#daemons.keys()].map(gone));
    for (const holder of [this.#janitor, ...this.#holders]) {
      holder.stdin!.end();
      await gone(holder);
    }
    if (existsSync(this.directory)) throw new Error(`${this.directory} is still there`);
  }

  #refuseTheDead(what: string): void {
    for (const { spawnargs, exitCode, signalCode } of this.#daemons.keys()) {
      if (exitCode === null && signalCode === null) continue;
      throw new Error(`${what}: ended with ${exitCode ?? signalCode}: ${spawnargs.join(' ')}\n${this.#logs()}`);
    }
  }

  #logs(): string {
    return [...this.#daemons.values()].map((log) => readFileSync(log, 'utf8').slice(-1000)).join('\n');
  }
}

/** The network namespace that a process is in. */
export function namespaceOf(pid: number): Namespace {
  const enter = ['nsenter', '--target', String(pid), '--net', '--'];
  const run = (command: readonly string[], input?: string) => {
    const [program, ...words] = [...enter, ...command];
    return execFileSync(program!, words, {
      encoding: 'utf8',
      ...(input === undefined ? {} : { input }),
      stdio: 'pipe',
    });
  };
  return { enter, pid, run: (...command) => run(command), ip: (lines) => void run(['ip', '-batch', '-'], lines) };
}

/** Resolves when the child has ended, also if it has before, or never began. */
async function gone(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once('exit', resolve));
}
