/** The meter program (`src/measure/meter.ts`) from outside: one JSON document a line, both ways. */
import { fileURLToPath } from 'node:url';
import { Program } from './program.ts';

const program = fileURLToPath(new URL('../../dist/measure/meter.js', import.meta.url));
/** Starting Node, and entering a pod before. */
const START_MS = 10_000;
const ANSWER_MS = 5000;

export class Meter {
  readonly #program: Program;

  /** @param inPod words that run a command in the pod. @param role and its flags. */
  constructor(inPod: readonly string[], role: readonly string[], signal: AbortSignal) {
    this.#program = new Program([...inPod, process.execPath, program, ...role], signal);
  }

  /** The first line of those that listen. */
  async ready(): Promise<void> {
    await this.#answer(START_MS);
  }

  /** @param takesMs what the order itself is to take. */
  async order(order: object, takesMs = 0): Promise<Readonly<Record<string, number>>> {
    this.#program.send(JSON.stringify(order));
    return await this.#answer(takesMs + ANSWER_MS);
  }

  async end(): Promise<void> {
    await this.#program.end();
  }

  async #answer(timeoutMs: number): Promise<Readonly<Record<string, number>>> {
    const line = await this.#program.line(timeoutMs);
    const answer: unknown = JSON.parse(line);
    if (typeof answer !== 'object' || answer === null) throw new Error(`the meter answered ${line}`);
    if ('error' in answer) throw new Error(`the meter: ${answer.error}`);
    return answer as Record<string, number>;
  }
}
