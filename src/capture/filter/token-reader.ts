import { nearestWord } from '../../cluster/nearest-word.ts';
import { FilterError } from './filter-error.ts';
import { ownWords } from './names.ts';
import { type Token, tokensOf } from './tokens.ts';

/** The tokens of an expression, one after the other. */
export class TokenReader {
  readonly text: string;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(text: string) {
    this.text = text;
    this.#tokens = tokensOf(text);
  }

  /** Number of the next token. */
  get position(): number {
    return this.#next;
  }

  /** The next token, or one behind it; at the end, the end. */
  peek(ahead = 0): Token {
    return this.at(this.#next + ahead);
  }

  at(position: number): Token {
    return this.#tokens[Math.min(position, this.#tokens.length - 1)]!;
  }

  take(): Token {
    const token = this.peek();
    this.#next++;
    return token;
  }

  /** Takes the next token if it is this one. */
  takes(text: string): boolean {
    if (this.peek().text !== text || this.peek().kind === 'end') return false;
    this.#next++;
    return true;
  }

  skipTo(position: number): void {
    this.#next = position;
  }

  /** Says what is wrong with the next token; without a remedy, which word may have been meant. */
  fail(expected: string, remedy?: string): never {
    throw this.fault(this.peek(), expected, remedy);
  }

  fault({ kind, text, start }: Token, expected: string, remedy?: string): FilterError {
    const nearest = remedy === undefined && kind === 'word' ? nearestWord(text, ownWords) : undefined;
    const meant = nearest === undefined || nearest === text ? undefined : `did you mean "${nearest}"?`;
    return new FilterError(start + 1, expected, text, remedy ?? meant);
  }
}
