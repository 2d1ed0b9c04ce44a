/** Numbers that things keep from one compilation to the next, by what they are. */
export class Numbers<T> {
  /** By number. */
  readonly #values: T[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #live = new Set<number>();
  #list: readonly T[] | undefined;

  /** How many numbers were given away. */
  get count(): number {
    return this.#values.length;
  }

  /** How many of them have been asked for since `beginRound`. */
  get liveCount(): number {
    return this.#live.size;
  }

  beginRound(): void {
    this.#live.clear();
  }

  of(key: string, value: T): number {
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#values.push(value) - 1;
      this.#numbers.set(key, number);
      this.#list = undefined;
    }
    this.#live.add(number);
    return number;
  }

  /** Things by number; the same array as long as none was added. */
  list(): readonly T[] {
    this.#list ??= [...this.#values];
    return this.#list;
  }
}
