/**
 * The YAML that most manifests are written in, read line by line: block maps and lists, ASCII words and simple quotes.
 * 10,000 Services, 3 MB, take the library 3 s of CPU and this reader 0.4 s (Node 20, two cores).
 *
 * Whatever is not plainly of that form is left to the library, whole: also every mistake. So there is nothing here about
 * what YAML forbids, and a test holds both readers against each other.
 */
import { resolvePlain } from './plain-scalar.ts';
import type { Place } from './source.ts';
import type { SourceField, SourceList, SourceNode, SourceScalar } from './source-tree.ts';

/** Less than any limit of the library's reader could be passed with: its limits stay its own to tell. */
const LINES_MAX = 400_000;
const LINE_LENGTH_MAX = 1000;
const NESTING_MAX = 40;

/** Indentation, a dash with what follows it, a key with its colon, and a value. */
const LINE = /^( *)(- +)?(?:([A-Za-z_][A-Za-z0-9_./-]*):(?: +|$))?(.*)$/;
/** A colon is inside a word when something follows it; blanks stand alone. */
const WORD =
  /^(?:[A-Za-z0-9_/]|[-.](?=[A-Za-z0-9]))(?:[A-Za-z0-9_./@+=,()%~^-]| (?=[A-Za-z0-9_./@+=(,)~^-])|:(?=[A-Za-z0-9_./@+=-]))*$/;
const QUOTED = /^(?:"[^"\\]*"|'[^']*')$/;

/** One line's part: a dash, or a key or value. Columns count from 0. */
interface Token {
  readonly line: number;
  readonly column: number;
  /** undefined: no key; a dash or a value in a list. */
  readonly key: string | undefined;
  readonly isDash: boolean;
  /** Where the value stands, or would. */
  readonly valueColumn: number;
  readonly value: string;
}

/** The trees of a text's documents as the library's reader makes them; undefined: not plain enough. */
export function readPlainYaml(file: string, text: string): SourceNode[] | undefined {
  const lines = text.split('\n');
  if (lines.length > LINES_MAX) return undefined;
  const trees: SourceNode[] = [];
  let tokens: Token[] = [];
  for (let i = 0; i <= lines.length; i++) {
    const line = lines[i];
    if (line === undefined || line === '---') {
      const tree = new PlainReader(file, tokens).document();
      if (tree === undefined) return undefined;
      if (tree !== 'nothing') trees.push(tree);
      tokens = [];
    } else if (!addTokens(tokens, line, i + 1)) return undefined;
  }
  return trees;
}

/** @returns false for a line that is not plain */
function addTokens(tokens: Token[], text: string, line: number): boolean {
  if (text.length > LINE_LENGTH_MAX) return false;
  const match = LINE.exec(text);
  if (match === null) return false;
  const [, indent = '', dash = '', key, value = ''] = match;
  const isBlank = value === '' || value.startsWith('#');
  if (dash === '' && key === undefined && isBlank) return true;
  if (value === '-' && dash === '' && key === undefined) {
    tokens.push({
      line,
      column: indent.length,
      key: undefined,
      isDash: true,
      valueColumn: indent.length + 1,
      value: '',
    });
    return true;
  }
  if (key !== undefined && typeof resolvePlain(key) !== 'string') return false;
  const valueColumn = text.length - value.length;
  const column = indent.length + dash.length;
  if (dash !== '') {
    tokens.push({ line, column: indent.length, key: undefined, isDash: true, valueColumn: column, value: '' });
  }
  if (dash === '' && key === undefined) return false;
  tokens.push({ line, column, key, isDash: false, valueColumn, value });
  return value === '' || WORD.test(value) || QUOTED.test(value) || value === '{}' || value === '[]';
}

/** Reads the tokens of one document. `undefined` goes up from wherever something is not plain. */
class PlainReader {
  readonly #file: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(file: string, tokens: readonly Token[]) {
    this.#file = file;
    this.#tokens = tokens;
  }

  document(): SourceNode | 'nothing' | undefined {
    if (this.#tokens.length === 0) return 'nothing';
    const tree = this.#collection();
    // A token that stands where no collection continues ends them all.
    return this.#next === this.#tokens.length ? tree : undefined;
  }

  #place(token: Token, column: number): Place {
    return { file: this.#file, line: token.line, column: column + 1 };
  }

  /** The list or map that begins at the next token. */
  #collection(): SourceNode | undefined {
    if (++this.#depth > NESTING_MAX) return undefined;
    const first = this.#tokens[this.#next]!;
    const node = first.isDash ? this.#list(first) : this.#map(first);
    this.#depth--;
    return node;
  }

  #list(first: Token): SourceList | undefined {
    const items: SourceNode[] = [];
    for (;;) {
      const dash = this.#tokens[this.#next];
      if (dash === undefined || !dash.isDash || dash.column !== first.column) break;
      this.#next++;
      const item = this.#item(dash);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return { type: 'list', items, place: this.#place(first, first.column), size: sizeOf(items), depth: depthOf(items) };
  }

  #item(dash: Token): SourceNode | undefined {
    const token = this.#tokens[this.#next];
    if (token === undefined || token.column <= dash.column) return this.#scalar(dash, '', dash.valueColumn);
    if (token.isDash || token.key !== undefined) return this.#collection();
    this.#next++;
    return this.#scalar(token, token.value, token.valueColumn);
  }

  #map(first: Token): SourceNode | undefined {
    const fields = new Map<string, SourceField>();
    const nodes: SourceNode[] = [];
    for (;;) {
      const token = this.#tokens[this.#next];
      if (token === undefined || token.isDash || token.column !== first.column) break;
      const { key } = token;
      if (key === undefined || fields.has(key)) return undefined;
      this.#next++;
      const node = token.value === '' ? this.#valueBelow(token) : this.#scalar(token, token.value, token.valueColumn);
      if (node === undefined) return undefined;
      fields.set(key, { key: this.#place(token, token.column), node });
      nodes.push(node);
    }
    return { type: 'map', fields, place: this.#place(first, first.column), size: sizeOf(nodes), depth: depthOf(nodes) };
  }

  /** The value of a key that has none on its line. A list may stand as far left as its key. */
  #valueBelow(key: Token): SourceNode | undefined {
    const token = this.#tokens[this.#next];
    const isBelow = token !== undefined && (token.column > key.column || (token.isDash && token.column === key.column));
    if (!isBelow) return this.#scalar(key, '', key.valueColumn);
    return this.#collection();
  }

  #scalar(token: Token, written: string, column: number): SourceNode {
    const place = this.#place(token, column);
    if (written === '{}') return { type: 'map', fields: new Map(), place, size: 1, depth: 1 };
    if (written === '[]') return { type: 'list', items: [], place, size: 1, depth: 1 };
    const isQuoted = written.startsWith('"') || written.startsWith("'");
    const text = isQuoted ? written.slice(1, -1) : written;
    const value = isQuoted ? text : resolvePlain(written);
    return { type: 'scalar', value, text, place, size: 1, depth: 0 } satisfies SourceScalar;
  }
}

function sizeOf(nodes: readonly SourceNode[]): number {
  let size = 1;
  for (const node of nodes) size += node.size;
  return size;
}

function depthOf(nodes: readonly SourceNode[]): number {
  let depth = 0;
  for (const node of nodes) depth = Math.max(depth, node.depth);
  return depth + 1;
}
