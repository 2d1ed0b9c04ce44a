/** Programs inside pods for the time of a measurement, with their answers; none of them outlives it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { programUrl } from '../installation.ts';
import { Refusal } from '../vessel/refusal.ts';
import { type ProcessTimes, readProcessTimes } from './proc-stat.ts';

/** Where a program is to run. */
export interface PodPlace {
  /** Arguments of `nsenter`. */
  readonly wayIn: readonly string[];
  /** `shop/web-1 on n1` */
  readonly words: string;
}

/** A shell becomes the program, and something beside it ends it when descriptor 3 does: with whoever measures. */
const WATCHED = ['sh', '-c', '(cat <&3; kill -9 $$) >/dev/null 2>&1 & exec "$@" 3<&-', 'sh'];

export class PodProgram {
  /** Such as `client (iperf3)`. */
  readonly name: string;
  /** The exit code; 128 when a signal ended it, or it could not be started. */
  readonly exited: Promise<number>;
  stderr = '';
  hasEnded = false;
  readonly #place: PodPlace;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #pid: number | undefined;

  constructor(name: string, place: PodPlace, command: readonly string[]) {
    this.name = name;
    this.#place = place;
    // In a process group of its own: Ctrl-C is for this process, which then ends all of them.
    this.#child = spawn('nsenter', [...place.wayIn, ...WATCHED, ...command], {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child.stdin!.on('error', () => {}); // it has ended, which `line` tells
    this.#child.stderr!.on('data', (bytes) => {
      this.stderr += bytes;
    });
    this.exited = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        this.stderr += error.message;
        resolve(128);
      });
      this.#child.on('exit', () => {
        this.hasEnded = true;
        this.#endGroup();
      });
      this.#child.on('close', (code) => resolve(code ?? 128));
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** The next line that it writes; undefined when there is none any more. */
  async line(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done === true ? undefined : value;
  }

  /** The next answer of a meter. @throws Refusal when it has ended, or says that something is wrong. */
  async answer<T>(): Promise<T> {
    const line = await this.line();
    if (line === undefined) throw this.failure();
    const answer = JSON.parse(line) as T & { error?: string };
    if (answer.error !== undefined) throw new Refusal(`${this.name} in pod ${this.#place.words}: ${answer.error}`);
    return answer;
  }

  /** Waits until a meter takes orders: it answers one that means nothing. @throws Refusal when it has ended */
  async ready(): Promise<void> {
    this.#child.stdin!.write('{}\n');
    if ((await this.line()) === undefined) throw this.failure();
  }

  order<T>(order: object): Promise<T> {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    return this.answer();
  }

  failure(): Refusal {
    const said = this.stderr.trim().split('\n')[0] ?? '';
    return new Refusal(`${this.name} in pod ${this.#place.words} has ended${said === '' ? '' : `: ${said}`}`);
  }

  /** Its CPU time so far; undefined when it has ended. */
  times(): ProcessTimes | undefined {
    this.#pid ??= childOf(this.#child.pid);
    return this.#pid === undefined ? undefined : readProcessTimes(this.#pid);
  }

  async end(): Promise<void> {
    this.#endGroup();
    await this.exited;
  }

  /** Whatever of it is left: also what watches the program, when that has ended by itself. */
  #endGroup(): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // all of them have ended
    }
    this.#child.stdin!.destroy();
    (this.#child.stdio[3] as { destroy(): void } | null)?.destroy();
  }
}

/** `nsenter` forks to enter a PID namespace, and its child becomes the program. */
function childOf(nsenter: number | undefined): number | undefined {
  try {
    const children = readFileSync(`/proc/${nsenter}/task/${nsenter}/children`, 'utf8').trim();
    return children === '' ? undefined : Number(children.split(' ')[0]);
  } catch {
    return undefined;
  }
}

/** Those of one measurement. */
export class PodPrograms {
  readonly #running = new Set<PodProgram>();

  start(name: string, place: PodPlace, command: readonly string[]): PodProgram {
    const program = new PodProgram(name, place, command);
    this.#running.add(program);
    void program.exited.then(() => this.#running.delete(program));
    return program;
  }

  /** @param words role and flags of the meter program. */
  meter(name: string, place: PodPlace, words: readonly string[]): PodProgram {
    return this.start(name, place, [process.execPath, fileURLToPath(programUrl('measure/meter.js')), ...words]);
  }

  async end(): Promise<void> {
    await Promise.all([...this.#running].map((program) => program.end()));
  }
}
