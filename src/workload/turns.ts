/**
 * Who may work in this turn of the event loop. Each owner gets one piece of work a turn, however many it has waiting,
 * so that a pod whose clients send all they can does not keep the others from answering.
 */
export class Turns {
  readonly #waiting = new Map<object, (() => void)[]>();

  /** @param work runs once, in a later turn; of one owner in the order in which they came. */
  take(owner: object, work: () => void): void {
    const queue = this.#waiting.get(owner);
    if (queue !== undefined) {
      queue.push(work);
      return;
    }
    this.#waiting.set(owner, [work]);
    if (this.#waiting.size === 1) setImmediate(() => this.#turn());
  }

  #turn(): void {
    const round = [...this.#waiting];
    // All taken out before any is done, since work asks for further turns.
    const pieces = round.map(([, queue]) => queue.shift()!);
    for (const [owner, queue] of round) if (queue.length === 0) this.#waiting.delete(owner);
    if (this.#waiting.size > 0) setImmediate(() => this.#turn());
    for (const work of pieces) work();
  }
}
