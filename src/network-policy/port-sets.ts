/**
 * Sets of ports, each written in one way only, so that equal sets are one number. Unions of many are made at once:
 * a *pile* is a list of sets that shares its beginning with other lists, and becomes a set when all have been added.
 */
import { ALL_PORTS, NO_PORTS, type PortRange } from '../policy/policy-spec.ts';
import type { Numbers } from './numbers.ts';

export const PORT_LAST = 65_535;

/** Of the pile without sets. Piles that hold ALL_PORTS are one. */
export const EMPTY_PILE = NO_PORTS;
const FULL_PILE = ALL_PORTS;
/** More than there can be sets: two numbers as one key. */
const SETS_MAX = 2 ** 26;

/** Those of one compilation. Their numbers are internal until `told`. */
export class PortSets {
  readonly #told: Numbers<readonly PortRange[]>;
  readonly #sets: (readonly PortRange[])[] = [[], []];
  readonly #numbers = new Map<string, number>([['', NO_PORTS]]);
  readonly #below: number[] = [EMPTY_PILE, EMPTY_PILE];
  readonly #top: number[] = [NO_PORTS, ALL_PORTS];
  readonly #piles = new Map<number, number>();
  /** By pile, once it has been asked for. */
  readonly #answers: (number | undefined)[] = [NO_PORTS, ALL_PORTS];

  /** @param told the numbers that nodes know; here NO_PORTS and ALL_PORTS are taken. */
  constructor(told: Numbers<readonly PortRange[]>) {
    this.#told = told;
  }

  /** The number of a set, here only. */
  setOf(ranges: readonly PortRange[]): number {
    const sorted = merged(ranges);
    const text = textOf(sorted);
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#sets.push(sorted) - 1;
      this.#numbers.set(text, number);
    }
    return number;
  }

  /** The pile with one more set on it. */
  add(pile: number, set: number): number {
    if (set === NO_PORTS || pile === FULL_PILE || this.#top[pile] === set) return pile;
    if (set === ALL_PORTS) return FULL_PILE;
    const key = pile * SETS_MAX + set;
    let next = this.#piles.get(key);
    if (next === undefined) {
      next = this.#top.push(set) - 1;
      this.#below.push(pile);
      this.#answers.push(undefined);
      this.#piles.set(key, next);
    }
    return next;
  }

  /** What all sets of a pile allow together: the number that nodes are told. */
  told(pile: number): number {
    const known = this.#answers[pile];
    if (known !== undefined) return known;
    const ranges: PortRange[] = [];
    for (let at = pile; at !== EMPTY_PILE; at = this.#below[at]!) {
      for (const range of this.#sets[this.#top[at]!]!) ranges.push(range);
    }
    const sorted = merged(ranges);
    const number = this.#told.of(textOf(sorted), sorted);
    this.#answers[pile] = number;
    return number;
  }
}

/** By protocol and port; what touches is one range. */
function merged(ranges: readonly PortRange[]): readonly PortRange[] {
  const sorted = [...ranges].sort((a, b) => (a.protocol === b.protocol ? a.first - b.first : order(a) - order(b)));
  const result: PortRange[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (last === undefined || last.protocol !== range.protocol || range.first > last.last + 1) result.push(range);
    else if (range.last > last.last) result[result.length - 1] = { ...last, last: range.last };
  }
  return result;
}

function order({ protocol }: PortRange): number {
  return protocol === 'TCP' ? 0 : protocol === 'UDP' ? 1 : 2;
}

function textOf(ranges: readonly PortRange[]): string {
  return ranges.map(({ protocol, first, last }) => `${protocol}${first}-${last}`).join(' ');
}
