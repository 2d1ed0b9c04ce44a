/** Keys in the order in which they came, each once. */
export class KeyQueue {
  readonly #waiting = new Set<string>();
  /** From `#head` on, those that wait. */
  #keys: string[] = [];
  #head = 0;

  get size(): number {
    return this.#waiting.size;
  }

  add(key: string): void {
    if (this.#waiting.has(key)) return;
    this.#waiting.add(key);
    this.#keys.push(key);
  }

  /** The first key, which waits no more. Pre: there is one. */
  take(): string {
    const key = this.#keys[this.#head++]!;
    this.#waiting.delete(key);
    if (this.#waiting.size === 0) {
      this.#keys = [];
      this.#head = 0;
    }
    return key;
  }
}
