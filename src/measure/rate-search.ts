/** The highest rate of datagrams that arrives with hardly a loss. */

export interface Trial {
  /** Datagrams a second that were wanted; 0: as many as the generator can. */
  readonly wanted: number;
  readonly sent: number;
  /** Each counted once, however often it came. */
  readonly delivered: number;
  readonly seconds: number;
}

export interface Found {
  /** Datagrams per second that arrived; 0 when no rate was carried. */
  readonly rate: number;
  /** The trial that showed it. */
  readonly trial: Trial | undefined;
  /** Nothing was lost at the generator's fastest: more might be carried than it can send. */
  readonly generatorLimited: boolean;
}

export interface RateFound {
  /** All of them, in order; the last one is what is reported. */
  readonly trials: readonly Trial[];
  /** Undefined when no rate could be repeated. */
  readonly best: Trial | undefined;
}

export const LOSS_MAX = 0.001;
/** Bounds as near as this to each other are one. */
const NEAR = 1.02;
/** A generator that sends less than this of what it was asked has reached its own limit. */
const KEPT_UP = 0.97;
/** As many trials has a generator that is the limit itself: one alone would tell of the moment. */
const FLOODS = 4;
const TRIALS_MAX = 16;
/** Each time that the best rate cannot be repeated, it is tried with this much less. */
const STEP_BACK = 0.9;
const CONFIRMATIONS_MAX = 6;

export function lossOf({ sent, delivered }: Trial): number {
  return sent === 0 ? 1 : Math.max(0, 1 - delivered / sent);
}

/** Did it arrive, but for a thousandth? More than was sent is a count that cannot be trusted. */
export function isCarried({ sent, delivered }: Trial): boolean {
  return sent > 0 && delivered <= sent && sent - delivered <= sent * LOSS_MAX;
}

/** Datagrams a second; what trials of one search say of each other. */
export interface Disagreement {
  /** The most that was carried. */
  readonly carriedMost: number;
  /** The least at which more was lost than may be; undefined: nothing was. */
  readonly lostLeast: number | undefined;
}

/** @returns undefined when no trial was carried. */
export function disagreement(trials: readonly Trial[]): Disagreement | undefined {
  const carried = trials.filter(isCarried).map(arrivedRate);
  const lost = trials.filter((trial) => !isCarried(trial)).map(sentRate);
  if (carried.length === 0) return undefined;
  return { carriedMost: Math.max(...carried), lostLeast: lost.length === 0 ? undefined : Math.min(...lost) };
}

/**
 * Which rate to try next, and what was found. It runs no trials itself: between them others may have theirs.
 *
 * The first trial is as fast as can be, and so are some more when it loses nothing. When it loses, the next rate is just
 * below what came through; from there on the geometric mean of what is known to be carried and what is known to be lost.
 * A rate may lose by mischance: where the search has ended, the lost one is tried again, and when it is carried now, the
 * search goes on above it. What the generator could not send is not carried either: with few cores, it and the network
 * take them from each other.
 */
export class RateSearch {
  readonly #trials: Trial[] = [];

  /** What to ask of the generator next; undefined when there is nothing left to learn. */
  next(): number | undefined {
    const [first] = this.#trials;
    const last = this.#trials.at(-1);
    if (first === undefined || last === undefined) return 0;
    if (isCarried(first)) return this.#trials.length < FLOODS ? 0 : undefined;
    const carried = Math.max(0, ...this.#trials.filter(isCarried).map(carriedRate));
    if (carried === 0)
      return Math.max(1, Math.round(this.#trials.length === 1 ? arrivedRate(first) * 0.95 : last.wanted / 2));
    const lost = this.#trials.filter((trial) => !(isCarried(trial) && keptUp(trial)) && boundOf(trial) > carried);
    if (lost.length === 0) return undefined;
    const bound = Math.min(...lost.map(boundOf));
    if (bound > carried * NEAR) return Math.round(Math.sqrt(carried * bound));
    return lost.filter((trial) => trial.wanted === bound).length === 1 ? bound : undefined;
  }

  report(trial: Trial): void {
    this.#trials.push(trial);
  }

  found(): Found {
    const [trial] = this.#trials.filter(isCarried).sort((a, b) => arrivedRate(b) - arrivedRate(a));
    if (trial === undefined) return { rate: 0, trial, generatorLimited: false };
    return { rate: arrivedRate(trial), trial, generatorLimited: trial.wanted === 0 || !keptUp(trial) };
  }
}

function keptUp(trial: Trial): boolean {
  return sentRate(trial) >= trial.wanted * KEPT_UP;
}

/** The rate that is known to be carried: a generator that kept up sent what was wanted, but for its pauses. */
function carriedRate(trial: Trial): number {
  return keptUp(trial) ? Math.max(trial.wanted, sentRate(trial)) : sentRate(trial);
}

function sentRate({ sent, seconds }: Trial): number {
  return sent / seconds;
}

function arrivedRate({ delivered, seconds }: Trial): number {
  return delivered / seconds;
}

function boundOf(trial: Trial): number {
  return trial.wanted === 0 ? sentRate(trial) : trial.wanted;
}

/**
 * The whole search: its trials, and the best rate once more.
 *
 * @param run one trial at a rate, 0 for all that the generator can.
 * @param confirm one longer trial, whose figures are reported.
 */
export async function searchRate(
  run: (rate: number) => Promise<Trial>,
  confirm: (rate: number) => Promise<Trial> = run,
): Promise<RateFound> {
  const search = new RateSearch();
  const trials: Trial[] = [];
  for (let rate = search.next(); rate !== undefined && trials.length < TRIALS_MAX; rate = search.next()) {
    const trial = await run(rate);
    trials.push(trial);
    search.report(trial);
  }
  let { rate } = search.found();
  for (let i = 0; i < CONFIRMATIONS_MAX && rate >= 1; i++, rate *= STEP_BACK) {
    const trial = await confirm(rate);
    trials.push(trial);
    if (isCarried(trial)) return { trials, best: trial };
  }
  return { trials, best: undefined };
}
