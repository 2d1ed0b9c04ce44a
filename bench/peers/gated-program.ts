/**
 * A program in a pod that begins when it is told, in a shell that has entered the pod before. What is looked at from that
 * moment on is the program alone: `podwire exec` starts Node to enter a pod, 0.2 s of a core, and `nsenter` next to nothing.
 */
import { Program } from './program.ts';

/** Waits for a line before the program begins, and for another one before it ends itself. */
const GATE = 'echo ready; read -r go; "$@"; echo "over $?"; read -r go';

export class GatedProgram {
  readonly #name: string;
  readonly #shell: Program;

  /** @param inPod words that run a command in the pod. */
  constructor(inPod: readonly string[], command: readonly string[], signal: AbortSignal) {
    this.#name = command[0]!;
    this.#shell = new Program([...inPod, 'sh', '-c', GATE, 'sh', ...command], signal);
  }

  /** Resolves when it waits for `run`. */
  async ready(timeoutMs: number): Promise<void> {
    const line = await this.#shell.line(timeoutMs);
    if (line !== 'ready') throw new Error(`the shell for ${this.#name} began with "${line}"`);
  }

  /** @returns what the program printed, however it ended, as iperf3 reports its failures there. @throws when that is nothing. */
  async run(timeoutMs: number): Promise<string> {
    this.#shell.send('go');
    const lines: string[] = [];
    for (;;) {
      const line = await this.#shell.line(timeoutMs);
      const [, status] = /^over (\d+)$/.exec(line) ?? [];
      if (status === undefined) lines.push(line);
      else if (lines.length === 0 && status !== '0') throw new Error(`${this.#name}: ended with ${status}`);
      else return lines.join('\n');
    }
  }

  async end(): Promise<void> {
    await this.#shell.end();
  }
}
