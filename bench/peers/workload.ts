/** What is measured, and how one takes part in it. */
import type { Usage } from './machine-usage.ts';

/** A figure that rounds have, as tables show it. */
export interface Figure {
  /** In `RoundResult.figures`. */
  readonly key: string;
  readonly title: string;
  readonly digits: number;
}

/** What one turn of a round found. */
export interface Turn {
  readonly figures: Readonly<Record<string, number>>;
  readonly usage: Usage;
}

export interface Participant {
  readonly name: string;
  readonly title: string;
  /** Measures once. Where it yields, the others go on: their trials and its own are then side by side in time. */
  readonly measure: () => AsyncGenerator<void, Turn>;
  /** Who does the same in the same workload without what this one is about: a Service, or a technique left out. */
  readonly plain?: string;
}

export interface Workload {
  readonly name: string;
  readonly title: string;
  /** How it is measured, in a sentence. */
  readonly method: string;
  /** The first is what it is about. */
  readonly figures: readonly [Figure, ...Figure[]];
  /** Of the first figure. */
  readonly better: 'more' | 'less';
  /** The figure that says what it costs. */
  readonly cost?: string;
  readonly participants: readonly Participant[];
  /** Those of ours that all others are compared with. */
  readonly subjects: readonly string[];
  /** What tables call a participant's plain one; `its own plain` when left out. */
  readonly plainTitle?: string;
}

/** A measurement that the others wait for. */
// biome-ignore lint/correctness/useYield: there is nothing to interleave
export async function* inOneTurn(measure: () => Promise<Turn>): AsyncGenerator<void, Turn> {
  return await measure();
}
