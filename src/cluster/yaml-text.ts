/**
 * Text → trees of values with places. The only file that knows the YAML library.
 *
 * The library parses; what a text may cost is decided here, before and while it parses: length, documents, tokens,
 * nesting, and how large aliases make it. JSON is YAML, so it is read too.
 */
import { createRequire } from 'node:module';
import type { Alias, CST, Document, LineCounter, Node, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { resolvePlain } from './plain-scalar.ts';
import { readPlainYaml } from './plain-yaml.ts';
import { type Place, type ProblemLog, printable } from './source.ts';
import { childPath, type SourceField, type SourceList, type SourceNode, type SourceScalar } from './source-tree.ts';

/** Limits we chose. A parsed token costs some 300 bytes and 4 µs: at the limit about 1 GB and 20 s. */
const TEXT_LENGTH_MAX = 16 * 1024 * 1024;
const TOKENS_MAX = 4_000_000;
const DOCUMENTS_MAX = 10_000;
export const NESTING_MAX = 100;
/** Values of a text with all aliases written out. Without aliases the token limit comes first. */
export const VALUES_MAX = 2_000_000;

/** YAML 1.2 section 5.1, c-printable, turned round. The byte order mark is the lexer's matter. */
const UNREADABLE = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/**
 * Every scalar stays text: what plain words mean is decided by resolvePlain. Duplicate keys are found by TreeBuilder, as
 * the library compares each with each.
 */
const LIBRARY_OPTIONS = {
  schema: 'failsafe',
  resolveKnownTags: false,
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'silent',
} as const;

type Library = typeof import('yaml');
let library: Library | undefined;

/** The library, loaded when a text needs it: 36 ms of a start that most texts do without. */
function yaml(): Library {
  library ??= createRequire(import.meta.url)('yaml') as Library;
  return library;
}

const isAlias = (node: Node): node is Alias => yaml().isAlias(node);
const isMap = (node: Node): node is YAMLMap => yaml().isMap(node);
const isScalar = (node: Node): node is Scalar => yaml().isScalar(node);
const isSeq = (node: Node): node is YAMLSeq => yaml().isSeq(node);

/** The documents of a text; empty ones are left out, faulty ones too after they were told to the log. */
export function readYaml(file: string, text: string, log: ProblemLog): SourceNode[] {
  const refusal = refusalBeforeParsing(text);
  if (refusal !== undefined) {
    log.error(placeAt(file, text, refusal.offset), '', refusal.message);
    return [];
  }
  return readPlainYaml(file, text) ?? readAnyYaml(file, text, log);
}

/** As readYaml, by the library. Pre: the text has been judged before parsing. */
export function readAnyYaml(file: string, text: string, log: ProblemLog): SourceNode[] {
  const lines = new (yaml().LineCounter)();
  const builder = new TreeBuilder(file, lines, log);
  const trees: SourceNode[] = [];
  try {
    for (const document of documents(text, lines)) {
      const tree = builder.build(document);
      if (tree !== undefined) trees.push(tree);
    }
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    log.error(positionOf(file, lines, error.offset), error.path, error.message);
    return [];
  }
  return trees;
}

/** A limit was passed: there is no sense in reading on. */
class TooMuch extends Error {
  readonly offset: number;
  readonly path: string;

  constructor(message: string, offset: number, path: string) {
    super(message);
    this.offset = offset;
    this.path = path;
  }
}

function refusalBeforeParsing(text: string): { offset: number; message: string } | undefined {
  if (text.length > TEXT_LENGTH_MAX) {
    const message = `found ${text.length} characters, expected at most ${TEXT_LENGTH_MAX}; split the file`;
    return { offset: 0, message };
  }
  // A start of line `---` begins a document whatever surrounds it, so counting them is cheap and never too high.
  let separators = 0;
  for (const match of text.matchAll(/^---(?=\s|$)/gm)) {
    if (++separators > DOCUMENTS_MAX) return { offset: match.index, message: tooManyDocuments };
  }
  const unreadable = UNREADABLE.exec(text);
  if (unreadable === null) return undefined;
  const code = unreadable[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  const remedy = 'remove it, or write it as an escape in double quotes';
  return { offset: unreadable.index, message: `found the character U+${code}, which YAML may not hold; ${remedy}` };
}

const tooDeep = `found values nested more than ${NESTING_MAX} deep, expected at most so many`;
const tooManyDocuments = `found more than ${DOCUMENTS_MAX} documents, expected at most so many; split the file`;

function placeAt(file: string, text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { file, line: before.split('\n').length, column: offset - lineStart + 1 };
}

function positionOf(file: string, lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { file, line, column: col };
}

/** Parses document by document, so that one document's library objects are garbage when the next is read. */
function* documents(text: string, lines: LineCounter): Generator<Document.Parsed> {
  const composer = new (yaml().Composer)(LIBRARY_OPTIONS);
  let count = 0;
  for (const token of cstTokens(text, lines)) {
    for (const document of composer.next(token)) {
      if (++count >= DOCUMENTS_MAX) throw new TooMuch(tooManyDocuments, document.range[2], '');
      yield document;
    }
  }
  // The last document, or for a text without any an empty one, which carries what is wrong with the directives.
  yield* composer.end(true, text.length);
}

/** The library's parser keeps its open collections on a stack; whatever follows would recurse as deep. */
function* cstTokens(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new (yaml().Parser)(lines.addNewLine);
  lines.addNewLine(0);
  let count = 0;
  for (const lexeme of new (yaml().Lexer)().lex(text)) {
    if (++count > TOKENS_MAX) {
      const message = `found more than ${TOKENS_MAX} YAML tokens, expected at most so many; split the file`;
      throw new TooMuch(message, parser.offset, '');
    }
    yield* parser.next(lexeme);
    // The document and the scalar being read are on the stack too.
    if (parser.stack.length > NESTING_MAX + 2) throw new TooMuch(tooDeep, parser.offset, '');
  }
  yield* parser.end();
}

/** Turns the library's documents of one text into SourceNodes. */
class TreeBuilder {
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #log: ProblemLog;
  /** Anchors of this document met so far; undefined while the anchored value is still being built. */
  readonly #anchors = new Map<string, SourceNode | undefined>();
  readonly #path: (string | number)[] = [];
  /** Values built or shared so far: the work a reader of the trees would have. */
  #values = 0;

  constructor(file: string, lines: LineCounter, log: ProblemLog) {
    this.#file = file;
    this.#lines = lines;
    this.#log = log;
  }

  build(document: Document.Parsed): SourceNode | undefined {
    for (const { pos, message } of document.warnings) this.#log.note(this.#place(pos[0]), '', message);
    for (const { pos, message } of document.errors) {
      this.#log.error(this.#place(pos[0]), '', `not valid YAML: ${message}`);
    }
    const { contents } = document;
    if (document.errors.length > 0 || contents === null) return undefined;
    this.#anchors.clear();
    const tree = this.#node(contents);
    const isEmpty = tree.type === 'scalar' && tree.value === null;
    return isEmpty ? undefined : tree;
  }

  #place(offset: number): Place {
    return positionOf(this.#file, this.#lines, offset);
  }

  #node(node: Node): SourceNode {
    const offset = node.range?.[0] ?? 0;
    if (isAlias(node)) return this.#shared(node.source, offset);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    const built = this.#unshared(node, offset);
    if (anchor !== undefined) this.#anchors.set(anchor, built);
    return built;
  }

  #unshared(node: Node, offset: number): SourceNode {
    this.#count(1, offset);
    if (isMap(node)) {
      this.#checkTag(node.tag, 'map', offset);
      return this.#map(node.items as unknown as readonly LibraryPair[], offset);
    }
    if (isSeq(node)) {
      this.#checkTag(node.tag, 'seq', offset);
      return this.#list(node.items as readonly Node[], offset);
    }
    return this.#scalar(node, offset);
  }

  #count(values: number, offset: number): void {
    this.#values += values;
    if (this.#values > VALUES_MAX) {
      const message = `found more than ${VALUES_MAX} values with all aliases written out, expected at most so many`;
      throw new TooMuch(message, offset, this.#pathText());
    }
  }

  #shared(anchor: string, offset: number): SourceNode {
    const target = this.#anchors.get(anchor);
    if (target === undefined) {
      const reason = this.#anchors.has(anchor) ? 'which holds this place itself' : 'which no &anchor before it names';
      this.#refuse(offset, `found the alias *${anchor}, ${reason}; write the value out`);
      return this.#absent(offset);
    }
    this.#count(target.size, offset);
    // A chain of aliases nests without nesting the text.
    if (target.depth + this.#path.length > NESTING_MAX) throw new TooMuch(tooDeep, offset, this.#pathText());
    return target;
  }

  #list(items: readonly Node[], offset: number): SourceList {
    let size = 1;
    let depth = 0;
    const built = items.map((item, index) => {
      this.#path.push(index);
      const node = this.#node(item);
      this.#path.pop();
      size += node.size;
      depth = Math.max(depth, node.depth);
      return node;
    });
    return { type: 'list', items: built, place: this.#place(offset), size, depth: depth + 1 };
  }

  #map(pairs: readonly LibraryPair[], offset: number): SourceNode {
    const fields = new Map<string, SourceField>();
    const merged: SourceNode[] = [];
    for (const { key, value } of pairs) {
      const keyOffset = key.range?.[0] ?? offset;
      const name = this.#key(key, keyOffset);
      if (name === undefined) continue;
      this.#path.push(name);
      const node = value === null ? this.#absent(keyOffset) : this.#node(value);
      const first = fields.get(name);
      if (isMergeKey(key)) merged.push(node);
      else if (first === undefined) fields.set(name, { key: this.#place(keyOffset), node });
      else
        this.#refuse(
          keyOffset,
          `found this key twice, first in line ${first.key.line}; expected each once: remove one`,
        );
      this.#path.pop();
    }
    for (const node of merged) this.#merge(fields, node);
    let size = 1;
    let depth = 0;
    for (const { node } of fields.values()) {
      size += node.size;
      depth = Math.max(depth, node.depth);
    }
    return { type: 'map', fields, place: this.#place(offset), size, depth: depth + 1 };
  }

  /** `<<: *defaults` or `<<: [*a, *b]`: keys that are there win, then the earlier map (yaml.org/type/merge.html). */
  #merge(fields: Map<string, SourceField>, source: SourceNode): void {
    const maps = source.type === 'list' ? source.items : [source];
    for (const map of maps) {
      if (map.type !== 'map') {
        this.#log.error(map.place, this.#pathText(), 'found no map to merge, expected "<<: *name" of a map');
        continue;
      }
      for (const [name, field] of map.fields) if (!fields.has(name)) fields.set(name, field);
    }
  }

  /** A key as text. kubectl turns other scalars into text too, but `on:` into "true": only unchanged ones are accepted. */
  #key(key: Node, offset: number): string | undefined {
    if (!isScalar(key) || typeof key.value !== 'string') {
      const remedy = isScalar(key) ? '' : '; if this is a template, {{…}}, render it first';
      this.#refuse(offset, `found a key that is no plain word, expected a string${remedy}`);
      return undefined;
    }
    if (isMergeKey(key)) return '<<';
    const { value, text } = this.#scalar(key, offset);
    if (key.anchor !== undefined)
      this.#refuse(offset, `found the anchor &${key.anchor} at a key, expected it at a value`);
    if (String(value) === text && value !== null) return text;
    this.#refuse(
      offset,
      `found the key ${printable(text)}, which YAML reads as ${value}; quote it: "${printable(text)}"`,
    );
    return undefined;
  }

  #scalar(node: Node, offset: number): SourceScalar {
    const written = isScalar(node) && typeof node.value === 'string' ? node.value : '';
    const tag = isScalar(node) ? node.tag : undefined;
    const isPlain = isScalar(node) && (node.type === 'PLAIN' || node.type === undefined);
    this.#checkTag(tag, 'str', offset);
    const value = isPlain && tag === undefined ? resolvePlain(written) : written;
    return { type: 'scalar', value, text: written, place: this.#place(offset), size: 1, depth: 0 };
  }

  /** Tags other than the value's own kind make readers run code or read bytes; manifests need none. */
  #checkTag(tag: string | undefined, kind: 'map' | 'seq' | 'str', offset: number): void {
    if (tag === undefined || tag === '!' || tag === `tag:yaml.org,2002:${kind}`) return;
    const name = tag.replace('tag:yaml.org,2002:', '!!');
    this.#refuse(offset, `found the tag ${printable(name.slice(0, 60))}, expected none here but !!${kind}; remove it`);
  }

  #absent(offset: number): SourceScalar {
    return { type: 'scalar', value: null, text: '', place: this.#place(offset), size: 1, depth: 0 };
  }

  #refuse(offset: number, message: string): void {
    this.#log.error(this.#place(offset), this.#pathText(), message);
  }

  #pathText(): string {
    return this.#path.reduce<string>((path, key) => childPath(path, key), '');
  }
}

interface LibraryPair {
  readonly key: Node;
  readonly value: Node | null;
}

function isMergeKey(key: Node): boolean {
  return isScalar(key) && key.value === '<<' && key.type === 'PLAIN';
}
