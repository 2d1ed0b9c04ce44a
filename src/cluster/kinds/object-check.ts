/** What is wrong with one object, by path: a kind asks, and where the answer is no it is told to the log with its place. */
import { shown } from '../field.ts';
import { addressFault, parseAddress } from '../ip-address.ts';
import { nearestWord } from '../nearest-word.ts';
import type { ProblemLog } from '../source.ts';
import { childPath, nodeAt, type SourceNode, sourceOf } from '../source-tree.ts';
import { portName, type TextRule } from '../text-rule.ts';

/** RFC 6335 section 6; 0 stands for none. */
export const PORT_MAX = 65535;
const INT32_MAX = 2 ** 31 - 1;

const quotedPort: TextRule = {
  ...portName,
  expected: `${portName.expected}; for the port of that number, remove the quotes`,
};

export class ObjectCheck {
  readonly #source: SourceNode;
  readonly #log: ProblemLog;
  readonly #faults: readonly string[];

  /** @param faults paths of what the field tables refused already */
  constructor(source: SourceNode, log: ProblemLog, faults: readonly string[]) {
    this.#source = source;
    this.#log = log;
    this.#faults = faults;
  }

  /** Silent where something at, above or below the path was refused already: it may be a consequence. */
  refuse(path: string, message: string): void {
    if (this.#isFaulty(path)) return;
    this.#log.error(sourceOf({ source: this.#source }, path), path, message);
  }

  note(path: string, message: string): void {
    this.#log.note(sourceOf({ source: this.#source }, path), path, message);
  }

  /** A whole number from min to max, or nothing. */
  integer(path: string, value: number | undefined, min: number, max: number): void {
    if (value === undefined || (value >= min && value <= max)) return;
    const range = max === INT32_MAX && value < min ? `of ${min} or more` : `from ${min} to ${max}`;
    this.refuse(path, `found ${value}, expected a whole number ${range}`);
  }

  /** A count that the API keeps in 32 bits, or nothing. */
  count(path: string, value: number | undefined, min = 0): void {
    this.integer(path, value, min, INT32_MAX);
  }

  /** A text that keeps the rule, or nothing. */
  text(path: string, value: string | undefined, rule: TextRule): void {
    if (value === undefined || value === '' || rule.holds(value)) return;
    this.refuse(path, `found ${shown(value)}, expected ${rule.expected}`);
  }

  /** Refuses an empty text that was written: where the field is a pointer, the API does not take it for nothing. */
  notEmpty(path: string, expected: string): void {
    const node = nodeAt(this.#source, path);
    if (node?.type === 'scalar' && node.value === '') this.refuse(path, `found ${shown('')}, expected ${expected}`);
  }

  /** One of the words, or nothing. */
  choice(path: string, value: string | undefined, words: readonly string[]): void {
    if (value === undefined || words.includes(value)) return;
    const nearest = nearestWord(value, words);
    const remedy = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
    this.refuse(path, `found ${shown(value)}, expected ${words.join(' or ')}${remedy}`);
  }

  /** Something at the owner's field `name`. `example` completes the remedy: 'name: web'. */
  required(owner: string, name: string, value: unknown, example: string): void {
    if (value !== undefined && value !== '') return;
    if (this.#isFaulty(childPath(owner, name))) return;
    const place = sourceOf({ source: this.#source }, owner);
    const found = value === '' ? `an empty ${name}` : `no ${name}`;
    this.#log.error(place, owner, `found ${found}, expected one; add "${example}"`);
  }

  /** Is the value the first of its kind? A second one is refused; `what` names it: 'a second port "http"'. */
  first(path: string, seen: Set<string>, value: string, what: string): void {
    if (seen.has(value)) this.refuse(path, `found a second ${what}, expected each once; change or remove one`);
    seen.add(value);
  }

  /** A port by number or name. */
  port(path: string, value: number | string | undefined): void {
    if (typeof value === 'number') this.integer(path, value, 1, PORT_MAX);
    else this.text(path, value, /^[0-9]+$/.test(value ?? '') ? quotedPort : portName);
  }

  address(path: string, value: string | undefined): void {
    if (value === undefined || parseAddress(value) !== undefined) return;
    this.refuse(path, `found ${shown(value)}, expected ${addressFault(value)}`);
  }

  #isFaulty(path: string): boolean {
    return this.#faults.some((fault) => fault === path || isInside(fault, path) || isInside(path, fault));
  }
}

/** Is the path below the other: 'spec.ports[0].port' below 'spec.ports'? */
function isInside(path: string, outer: string): boolean {
  return path.startsWith(outer) && (outer === '' || path[outer.length] === '.' || path[outer.length] === '[');
}
