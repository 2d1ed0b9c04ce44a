/** A program that is run, spoken to by lines, and certainly ended: with all that it started, when its time is over too. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** How much of what a program complains of is told when it fails. */
const COMPLAINT_LENGTH = 300;
/** How long a killed program may take to be gone. */
const END_MS = 2000;

/** Starts at once, in a process group of its own: a Ctrl-C meant for the benchmark is the benchmark's to answer. */
export class Program {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #exited: Promise<void>;
  readonly #signal: AbortSignal;
  #complaint = '';
  #ended = false;
  /** Called whenever there is a new line or an end. */
  #wake = () => {};
  readonly #abort = () => {
    this.#kill();
    this.#wake();
  };

  /** @param signal ends the program, and whoever waits for it learns why. */
  constructor([command, ...words]: readonly string[], signal: AbortSignal) {
    signal.throwIfAborted();
    this.#name = nameOf([command!, ...words]);
    this.#signal = signal;
    this.#child = spawn(command!, words, { detached: true });
    signal.addEventListener('abort', this.#abort);
    const { stdin, stdout, stderr } = this.#child;
    stdin!.on('error', () => {}); // it has ended: its exit says so
    stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-COMPLAINT_LENGTH);
    });
    createInterface(stdout!).on('line', (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    this.#exited = new Promise((resolve) => {
      const end = () => {
        this.#ended = true;
        signal.removeEventListener('abort', this.#abort);
        this.#wake();
        resolve();
      };
      this.#child.on('close', end);
      this.#child.on('error', (error) => {
        this.#complaint = error.message;
        end();
      });
    });
  }

  send(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** The next line that it prints. */
  async line(timeoutMs: number): Promise<string> {
    await this.#until(() => this.#lines.length > 0, timeoutMs);
    const line = this.#lines.shift();
    if (line === undefined) throw this.#failure('ended');
    return line;
  }

  /** All that it prints, once it has ended of itself and well. */
  async output(timeoutMs: number): Promise<string> {
    await this.#until(() => false, timeoutMs);
    const { exitCode, signalCode } = this.#child;
    const text = this.#lines.join('\n');
    if (exitCode !== 0) throw this.#failure(`ended with ${exitCode ?? signalCode}`, text);
    return text;
  }

  /** Kills it and its group, and waits until it is gone. */
  async end(): Promise<void> {
    this.#kill();
    const late = new Promise((resolve) => setTimeout(resolve, END_MS).unref());
    await Promise.race([this.#exited, late]);
  }

  /** Until `enough` or the program's end. Time-out and interruption kill the program and throw. */
  async #until(enough: () => boolean, timeoutMs: number): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, timeoutMs);
    try {
      while (!(enough() || this.#ended || late || this.#signal.aborted)) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
    this.#signal.throwIfAborted();
    if (late && !enough() && !this.#ended) {
      await this.end();
      throw this.#failure(`no answer within ${Math.round(timeoutMs / 100) / 10} s`);
    }
  }

  #kill(): void {
    if (this.#ended || this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // its group is gone already
    }
  }

  #failure(what: string, printed = ''): Error {
    const complaint = (this.#complaint.trim() || printed.slice(-COMPLAINT_LENGTH).trim()).replaceAll(/\s+/g, ' ');
    return new Error(`${this.#name}: ${what}${complaint === '' ? '' : `: ${complaint}`}`);
  }
}

/** `iperf3 -c 10.0.0.1 -t 5`, not how a pod is entered to run it. */
function nameOf(argv: readonly string[]): string {
  const at = argv.findIndex((word) => /(?:^|\/)(?:iperf3|meter\.js|pipe-ring\.ts)$/.test(word));
  return (at < 0 ? argv : argv.slice(at))
    .slice(0, 4)
    .join(' ')
    .replace(/^\S*\//, '');
}
