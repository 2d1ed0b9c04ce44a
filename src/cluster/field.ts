/**
 * Reading a document field by field. A reader asks for what it expects; what is otherwise is told to the log, with
 * place and path, and reads as undefined, so that one pass finds every problem. Values read while the log has errors
 * are never used: readManifests throws at its end.
 */
import { nearestWord } from './nearest-word.ts';
import { type Place, type ProblemLog, printable } from './source.ts';
import { childPath, fieldPlace, type SourceNode } from './source-tree.ts';
import type { TextRule } from './text-rule.ts';

/** Texts longer than this are cut in messages. */
const SHOWN_MAX = 60;

/** Lists of expected words longer than this are not shown whole. */
const WORDS_SHOWN_MAX = 16;

/** A text as it may stand in a message: quoted, escaped, cut. */
export function shown(text: string): string {
  const cut = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
  return `"${printable(cut)}"`;
}

/** What stands there, in words: 'the number 0x10', 'a list'. */
export function described(node: SourceNode): string {
  if (node.type === 'list') return 'a list';
  if (node.type === 'map') return 'a map';
  if (node.value === null) return 'nothing';
  if (typeof node.value === 'string') return `the string ${shown(node.text)}`;
  return `the ${typeof node.value} ${printable(node.text.slice(0, SHOWN_MAX))}`;
}

/** `; did you mean "nodes"?`, else the words themselves while they are few. */
export function suggestion(found: string, words: readonly string[]): string {
  const nearest = nearestWord(found, words);
  if (nearest !== undefined) return `; did you mean "${nearest}"?`;
  return words.length <= WORDS_SHOWN_MAX ? `; expected one of ${words.join(', ')}` : '';
}

/** One value of a document, under its path. */
export class Field {
  readonly node: SourceNode;
  readonly place: Place;
  readonly path: string;
  readonly #log: ProblemLog;

  /** @param key where the value's key stands; for a list item or a document, the value's own place. */
  constructor(node: SourceNode, key: Place, path: string, log: ProblemLog) {
    this.node = node;
    this.place = fieldPlace(key, node);
    this.path = path;
    this.#log = log;
  }

  refuse(message: string): void {
    this.#log.error(this.place, this.path, message);
  }

  note(message: string): void {
    this.#log.note(this.place, this.path, message);
  }

  /** A string; given a rule, one that keeps it. */
  text(rule?: TextRule): string | undefined {
    const { node } = this;
    if (node.type !== 'scalar' || typeof node.value !== 'string') {
      const remedy = node.type === 'scalar' && node.value !== null ? `; quote it: ${shown(node.text)}` : '';
      this.refuse(`found ${described(node)}, expected a string${remedy}`);
      return undefined;
    }
    if (rule !== undefined && !rule.holds(node.value)) {
      this.refuse(`found ${shown(node.value)}, expected ${rule.expected}`);
      return undefined;
    }
    return node.value;
  }

  /** As text; an empty string counts as left out, as it does in the Kubernetes API. */
  textOrEmpty(rule?: TextRule): string | undefined {
    const isEmpty = this.node.type === 'scalar' && this.node.value === '';
    return isEmpty ? undefined : this.text(rule);
  }

  /** A whole number from min to max. */
  integer(min: number, max: number): number | undefined {
    const { node } = this;
    const expected = `expected a whole number from ${min} to ${max}`;
    if (node.type !== 'scalar' || typeof node.value !== 'number') {
      const isQuotedNumber = node.type === 'scalar' && typeof node.value === 'string' && /^[0-9]+$/.test(node.value);
      this.refuse(`found ${described(node)}, ${expected}${isQuotedNumber ? '; remove the quotes' : ''}`);
      return undefined;
    }
    if (!Number.isInteger(node.value) || node.value < min || node.value > max) {
      this.refuse(`found ${printable(node.text.slice(0, SHOWN_MAX))}, ${expected}`);
      return undefined;
    }
    return node.value;
  }

  boolean(): boolean | undefined {
    const { node } = this;
    if (node.type === 'scalar' && typeof node.value === 'boolean') return node.value;
    const isQuoted = node.type === 'scalar' && (node.value === 'true' || node.value === 'false');
    this.refuse(`found ${described(node)}, expected true or false${isQuoted ? '; remove the quotes' : ''}`);
    return undefined;
  }

  /** One of the given words. */
  choice<const Word extends string>(words: readonly Word[]): Word | undefined {
    const found = this.text();
    if (found === undefined) return undefined;
    const word = words.find((candidate) => candidate === found);
    if (word === undefined) {
      const nearest = nearestWord(found, words);
      const remedy = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
      this.refuse(`found ${shown(found)}, expected ${words.join(' or ')}${remedy}`);
    }
    return word;
  }

  /** The items of a list, with their own paths. */
  items(): readonly Field[] {
    const { node, path } = this;
    if (node.type === 'list') {
      return node.items.map((item, index) => new Field(item, item.place, childPath(path, index), this.#log));
    }
    this.refuse(`found ${described(node)}, expected a list; start each entry with "- "`);
    return [];
  }

  /** The entries of a map, keys as written; nothing is known about the keys. Empty values are included. */
  entries(): readonly (readonly [key: string, value: Field])[] {
    const { node, path } = this;
    if (node.type === 'map') {
      return [...node.fields].map(([key, field]) => {
        return [key, new Field(field.node, field.key, childPath(path, key), this.#log)] as const;
      });
    }
    this.refuse(`found ${described(node)}, expected a map: key: value`);
    return [];
  }

  /** The fields of an object whose names are all known. An unknown one is a mistake, not an extension. */
  object(known: readonly string[]): Fields {
    const present = new Map<string, Field>();
    for (const [name, field] of this.entries()) {
      if (!known.includes(name)) {
        const key = this.node.type === 'map' ? this.node.fields.get(name)!.key : this.place;
        const remedy = this.#log.isFull ? '' : suggestion(name, known);
        this.#log.error(key, field.path, `unknown field ${shown(name)}${remedy}`);
      } else if (field.node.type !== 'scalar' || field.node.value !== null) {
        present.set(name, field);
      }
    }
    return new Fields(this, present);
  }
}

/** An object's fields by name. Fields without a value (null) count as absent, as in the Kubernetes API. */
export class Fields {
  readonly owner: Field;
  readonly #present: ReadonlyMap<string, Field>;

  constructor(owner: Field, present: ReadonlyMap<string, Field>) {
    this.owner = owner;
    this.#present = present;
  }

  get(name: string): Field | undefined {
    return this.#present.get(name);
  }

  /** As get; a missing one is refused. `example` completes the remedy: 'name: web'. */
  required(name: string, example: string): Field | undefined {
    const field = this.#present.get(name);
    if (field === undefined && this.owner.node.type === 'map') {
      this.owner.refuse(`found no ${name}, expected one; add "${example}"`);
    }
    return field;
  }
}
