/** How long a program that ends again and again waits: kubelet's back-off (client-go, util/flowcontrol/backoff.go). */

/** pkg/kubelet: MaxContainerBackOff, and what it begins with. */
const DELAY_MAX_MS = 300_000;
const DELAY_MIN_MS = 10_000;

export class RestartDelay {
  #delayMs = 0;
  #startedMs = Number.NEGATIVE_INFINITY;

  /**
   * The first restart comes at once; one that comes twice the longest delay after the one before is a first again.
   *
   * @param endedMs when the program ended. @returns milliseconds from then until it is to start.
   */
  next(endedMs: number): number {
    const isFirst = endedMs - this.#startedMs > 2 * DELAY_MAX_MS;
    const delayMs = isFirst ? 0 : this.#delayMs;
    this.#delayMs = isFirst ? DELAY_MIN_MS : Math.min(2 * this.#delayMs, DELAY_MAX_MS);
    this.#startedMs = endedMs + delayMs;
    return delayMs;
  }
}
