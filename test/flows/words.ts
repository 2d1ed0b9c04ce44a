/** A line of a scenario, word by word; whatever is wrong with it is told with file and line. */

export class FlowError extends Error {
  override readonly name = 'FlowError';

  constructor(place: string, message: string) {
    super(`${place}: ${message}`);
  }
}

/** `[fd00::2]:80` and quoted text are one word each, other brackets words of their own. */
const WORD = /"[^"]*"|\[[0-9a-fA-F:.]+\]:\d+|[[\]]|[^\s[\]"]+/g;

export class Words {
  /** `file:line`. */
  readonly place: string;
  readonly #words: readonly string[];
  #next = 0;

  constructor(place: string, text: string) {
    this.place = place;
    this.#words = text.match(WORD) ?? [];
  }

  get done(): boolean {
    return this.#next >= this.#words.length;
  }

  get peek(): string | undefined {
    return this.#words[this.#next];
  }

  /** @param what to expect, for the message. */
  take(what: string): string {
    const word = this.#words[this.#next++];
    if (word === undefined) this.fail(`the line ends where ${what} is expected`);
    return word;
  }

  expect(word: string): void {
    const found = this.take(`"${word}"`);
    if (found !== word) this.fail(`found "${found}", expected "${word}"`);
  }

  /** Takes the word if it is the next one. */
  has(word: string): boolean {
    if (this.peek !== word) return false;
    this.#next++;
    return true;
  }

  number(what: string): number {
    const word = this.take(what);
    const value = Number(word);
    if (word === '' || !Number.isFinite(value)) this.fail(`found "${word}", expected ${what}, a number`);
    return value;
  }

  bytes(what: string): Uint8Array {
    const word = this.take(what);
    if (!/^([0-9a-f]{2})*$/i.test(word)) this.fail(`found "${word}", expected ${what} in pairs of hex digits`);
    return Uint8Array.from(Buffer.from(word, 'hex'));
  }

  /** `31s`, `20ms`, `5d`: milliseconds. */
  duration(): number {
    const word = this.take('a duration');
    const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(word) ?? [];
    if (amount === undefined) this.fail(`found "${word}", expected a duration such as 20ms, 31s or 5d`);
    return Number(amount) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as 'ms'];
  }

  /** The words up to the bracket that closes the one just taken. */
  group(): Words {
    let depth = 1;
    const from = this.#next;
    while (depth > 0) {
      const word = this.take('"]"');
      if (word === '[') depth++;
      if (word === ']') depth--;
    }
    return new Words(this.place, this.#words.slice(from, this.#next - 1).join(' '));
  }

  end(): void {
    if (!this.done) this.fail(`found "${this.peek}", expected nothing more`);
  }

  fail(message: string): never {
    throw new FlowError(this.place, message);
  }
}
