/** Filter expressions as words and symbols. */
import { FilterError, THE_END } from './filter-error.ts';

export interface Token {
  /** `scope` is `outer:` or `inner:`. */
  readonly kind: 'word' | 'symbol' | 'and' | 'or' | 'not' | 'scope' | 'end';
  /** As it is written; of a scope, without the colon. */
  readonly text: string;
  /** Its first character, and the first behind it, from 0. */
  readonly start: number;
  readonly end: number;
  /** Of a bracket or parenthesis that opens: number of the token that closes it. */
  readonly closedBy?: number;
}

/** Far more than fit a program, and few enough to be refused in no time. */
const TOKENS_MAX = 20_000;

const blank = /[ \t\r\n]*/y;
const scope = /(?:outer|inner):/y;
/** Also numbers, addresses of every kind, `10-20`, and names that a backslash keeps from being words of the language. */
const word = /\\?[A-Za-z0-9_.:][-A-Za-z0-9_.:]*/y;
const symbol = /&&|\|\||[!=<>]=|<<|>>|[-()[\]!<>=&|^+*/%]/y;
const connectives: Readonly<Record<string, 'and' | 'or' | 'not'>> = {
  and: 'and',
  '&&': 'and',
  or: 'or',
  '||': 'or',
  not: 'not',
  '!': 'not',
};
const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']' };

/** The tokens, with one of kind `end` behind them. Throws `FilterError`. */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = skipBlank(text, 0);
  while (at < text.length) {
    if (tokens.length === TOKENS_MAX) throw new FilterError(at + 1, `at most ${TOKENS_MAX} words and symbols`, '');
    const token = tokenAt(text, at);
    tokens.push(token);
    at = skipBlank(text, token.end);
  }
  tokens.push({ kind: 'end', text: THE_END, start: text.length, end: text.length });
  return withClosings(tokens);
}

function skipBlank(text: string, at: number): number {
  blank.lastIndex = at;
  blank.test(text);
  return blank.lastIndex;
}

function tokenAt(text: string, start: number): Token {
  const prefix = matchAt(scope, text, start);
  if (prefix !== undefined) return { kind: 'scope', text: prefix.slice(0, -1), start, end: start + prefix.length };
  const name = matchAt(word, text, start);
  const found = name ?? matchAt(symbol, text, start);
  if (found === undefined) {
    const character = String.fromCodePoint(text.codePointAt(start)!);
    throw new FilterError(start + 1, 'a filter expression', character);
  }
  const kind = Object.hasOwn(connectives, found) ? connectives[found]! : name === undefined ? 'symbol' : 'word';
  return { kind, text: found, start, end: start + found.length };
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function withClosings(tokens: readonly Token[]): readonly Token[] {
  const open: number[] = [];
  const closedBy = new Map<number, number>();
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== 'symbol') continue;
    if (token.text === '(' || token.text === '[') open.push(i);
    if (token.text !== ')' && token.text !== ']') continue;
    const opened = open.pop();
    if (opened === undefined || closing[tokens[opened]!.text] !== token.text) {
      throw new FilterError(token.start + 1, 'what this closes in front of it', token.text);
    }
    closedBy.set(opened, i);
  }
  const unclosed = open.pop();
  if (unclosed !== undefined) {
    const { text, start } = tokens[unclosed]!;
    throw new FilterError(start + 1, `"${closing[text]}" somewhere behind`, text);
  }
  return tokens.map((token, i) => (closedBy.has(i) ? { ...token, closedBy: closedBy.get(i)! } : token));
}
