import { harmless } from './flow-text.ts';

/** Lost events are told at once, but no more often than this: what is lost now is told with what is lost next. */
const PAUSE_MS = 1_000;

/** Says which events are missing, as silence would be taken for completeness. */
export class LossTeller {
  readonly #put: (line: string) => void;
  readonly #told = new Map<string, number>();
  #toldMs = -Infinity;

  /** @param put is given whole lines. */
  constructor(put: (line: string) => void) {
    this.#put = put;
  }

  /** @param losses how many have been lost so far, by hop. @param last there is no later call: nothing may wait. */
  tell(losses: ReadonlyMap<string, number>, nowMs: number, last: boolean): void {
    if (!last && nowMs - this.#toldMs < PAUSE_MS) return;
    for (const [hop, count] of losses) {
      const more = count - (this.#told.get(hop) ?? 0);
      if (more === 0) continue;
      this.#put(`EVENTS LOST: ${more} at ${harmless(hop)}\n`);
      this.#told.set(hop, count);
      this.#toldMs = nowMs;
    }
  }
}
