/**
 * Is it worth looking again before going to sleep? A thread that sleeps is woken some 30 µs after its packet has come
 * (a 2.5 GHz Xeon, virtual); one that looks has it at once. So the loop looks for as long as packets have lately come
 * soon after each other, and a node with little to do sleeps. Between looks the processor is offered to others: without
 * that, on two processors, who spins keeps from running whom it waits for.
 */

/** Longest wait that is spun through, and what is remembered of a longer one. */
const SPIN_MAX_MS = 0.1;
const LONG_MS = 2 * SPIN_MAX_MS;
/** Weight of the newest wait in the mean. */
const WEIGHT = 1 / 8;

export class Spin {
  #meanMs = LONG_MS;

  /** How long to look before sleeping; 0: not at all. */
  get budgetMs(): number {
    return this.#meanMs < SPIN_MAX_MS ? SPIN_MAX_MS : 0;
  }

  /** So long after there was nothing to do, there was something. */
  waited(ms: number): void {
    this.#meanMs += (Math.min(ms, LONG_MS) - this.#meanMs) * WEIGHT;
  }
}
