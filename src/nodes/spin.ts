/**
 * Is it worth looking again before going to sleep? A thread that sleeps is woken some 30 µs after its packet has come
 * (a 2.5 GHz Xeon, virtual); one that looks has it at once. So the loop looks for as long as packets have lately come
 * soon after each other, and a node with little to do sleeps. Between looks the processor is offered to others: without
 * that, on two processors, who spins keeps from running whom it waits for. When others take it for long, looking is the
 * wrong way: a thread that sleeps is put in front of them when its packet comes, one that looks has to wait its turn.
 */

/** Longest wait that is spun through, and what is remembered of a longer one. */
const SPIN_MAX_MS = 0.1;
const LONG_MS = 2 * SPIN_MAX_MS;
/** An offered processor that comes back after more than this was wanted by others. */
const TAKEN_MS = 0.2;
/** Weight of the newest wait in the mean. */
const WEIGHT = 1 / 8;

export class Spin {
  #meanMs = LONG_MS;

  /** How long to look before sleeping; 0: not at all. */
  get budgetMs(): number {
    return this.#meanMs < SPIN_MAX_MS ? SPIN_MAX_MS : 0;
  }

  /** It has looked for so long, and its budget was less: others have used the processor. */
  looked(ms: number): void {
    if (ms > SPIN_MAX_MS + TAKEN_MS) this.#meanMs = LONG_MS;
  }

  /** So long after there was nothing to do, there was something. */
  waited(ms: number): void {
    this.#meanMs += (Math.min(ms, LONG_MS) - this.#meanMs) * WEIGHT;
  }
}
