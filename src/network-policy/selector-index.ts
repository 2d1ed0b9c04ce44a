/**
 * Distinct label selectors, and which of them match some labels, without trying each: every selector waits under one
 * label that it cannot do without, the rarest of those it has.
 */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import { matches, type Requirements, requirementsOf } from '../store/selector.ts';

/** A selector, read once. */
export interface ReadSelector {
  /** Equal selectors have equal texts. */
  readonly text: string;
  readonly requirements: Requirements;
}

export type Labels = Readonly<Record<string, string>>;

export function readSelector(selector: LabelSelector): ReadSelector {
  const requirements = requirementsOf(selector);
  return { text: JSON.stringify(requirements), requirements };
}

export class SelectorIndex {
  /** Keys that any selector mentions: other labels say nothing. */
  readonly keys = new Set<string>();
  readonly #selectors: Requirements[] = [];
  readonly #numbers = new Map<string, number>();
  /** How many selectors could wait under `key=value`, or under `key`. */
  readonly #demand = new Map<string, number>();
  #waiting: Map<string, number[]> | undefined;
  #everywhere: number[] = [];

  /** @returns the selector's number, from 0. */
  add({ text, requirements }: ReadSelector): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#selectors.push(requirements) - 1;
    this.#numbers.set(text, number);
    this.#waiting = undefined;
    for (const requirement of requirements) {
      this.keys.add(requirement.key);
      for (const place of placesOf(requirement)) this.#demand.set(place, (this.#demand.get(place) ?? 0) + 1);
    }
    return number;
  }

  /** Numbers of the selectors that match. */
  matching(labels: Labels): number[] {
    const waiting = this.#waiting ?? this.#index();
    const found = this.#everywhere.filter((number) => matches(this.#selectors[number]!, labels));
    for (const [key, value] of Object.entries(labels)) {
      for (const place of [`${key}=${value}`, key]) {
        for (const number of waiting.get(place) ?? []) {
          if (matches(this.#selectors[number]!, labels)) found.push(number);
        }
      }
    }
    return found;
  }

  #index(): Map<string, number[]> {
    const waiting = new Map<string, number[]>();
    this.#everywhere = [];
    for (const [number, requirements] of this.#selectors.entries()) {
      const places = this.#rarest(requirements);
      if (places === undefined) this.#everywhere.push(number);
      for (const place of places ?? []) {
        const there = waiting.get(place);
        if (there === undefined) waiting.set(place, [number]);
        else there.push(number);
      }
    }
    this.#waiting = waiting;
    return waiting;
  }

  /** The places of the requirement that the fewest selectors share; undefined when none needs a label to be there. */
  #rarest(requirements: Requirements): readonly string[] | undefined {
    let best: readonly string[] | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const requirement of requirements) {
      const places = placesOf(requirement);
      const demand = places.reduce((sum, place) => sum + this.#demand.get(place)!, 0);
      if (places.length === 0 || demand >= least) continue;
      best = places;
      least = demand;
    }
    return best;
  }
}

/** Labels of which an object must have one to meet the requirement; none when it may do without. A key has no `=`. */
function placesOf({ key, operator, values }: Requirements[number]): readonly string[] {
  if (operator === 'In') return [...new Set(values)].map((value) => `${key}=${value}`);
  return operator === 'Exists' ? [key] : [];
}
