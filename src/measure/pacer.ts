/**
 * When to send how many, at a steady rate: bursts on an absolute schedule. Who comes late catches up with one burst and
 * lets the others go, so a pause is no flood afterwards.
 */

/** Nobody waits longer than this for the next burst where the rate allows it. */
const BURST_MS = 1;

export class Pacer {
  /** Datagrams of a burst; the last may have fewer. */
  readonly burst: number;
  readonly #total: number;
  readonly #bursts: number;
  readonly #intervalMs: number;
  /** Milliseconds of the whole schedule. */
  readonly totalMs: number;
  /** The next burst's place in the schedule. */
  #next = 0;

  /** @param rate datagrams a second, more than 0. @param burstMax datagrams. */
  constructor(rate: number, seconds: number, burstMax: number) {
    this.burst = Math.max(1, Math.min(burstMax, Math.round((rate * BURST_MS) / 1000)));
    this.#total = Math.round(rate * seconds);
    this.#bursts = Math.ceil(this.#total / this.burst);
    this.#intervalMs = (this.burst / rate) * 1000;
    this.totalMs = seconds * 1000;
  }

  get done(): boolean {
    return this.#next >= this.#bursts;
  }

  /** Milliseconds from the start on when the next burst is due. */
  get dueMs(): number {
    return this.#next * this.#intervalMs;
  }

  /** How many to send at this moment, in milliseconds from the start on; 0: it is too early, or all is done. */
  take(elapsedMs: number): number {
    const due = Math.floor(elapsedMs / this.#intervalMs);
    // Of those that are due, the last two.
    this.#next = Math.max(this.#next, Math.min(due - 1, this.#bursts));
    if (this.done || elapsedMs < this.dueMs) return 0;
    const size = Math.min(this.burst, this.#total - this.#next * this.burst);
    this.#next++;
    return size;
  }
}
