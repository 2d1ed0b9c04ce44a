/**
 * What rounds say together: medians, spreads, and ratios between contenders of the same round, so that a machine that
 * changes its pace changes both.
 */

/** One figure of one contender in one round. */
export interface Sample {
  readonly round: number;
  readonly value: number;
  /** The machine was busy with something else meanwhile. */
  readonly noisy: boolean;
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
  /** How many samples these are of. */
  readonly count: number;
  /** Too few rounds were quiet, so that these are of all, the noisy ones with them. */
  readonly noisy: boolean;
}

/** The value below which `share` of the sorted numbers lies, between two of them in proportion (type 7 of Hyndman and Fan, 1996). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) throw new RangeError('no numbers');
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)]!;
  const above = sorted[Math.ceil(at)]!;
  return below + (above - below) * (at - Math.floor(at));
}

/** Of the quiet samples when at least half are quiet, else of all. Undefined when there are none. */
export function spread(samples: readonly Sample[]): Spread | undefined {
  if (samples.length === 0) return undefined;
  const quiet = samples.filter((sample) => !sample.noisy);
  const enough = quiet.length * 2 >= samples.length;
  const sorted = (enough ? quiet : samples).map(({ value }) => value).sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    least: sorted[0]!,
    most: sorted.at(-1)!,
    lowerQuartile: quantile(sorted, 0.25),
    upperQuartile: quantile(sorted, 0.75),
    count: sorted.length,
    noisy: !enough,
  };
}

/** Rounds that both have, combined; noisy when either is. */
function paired(
  ours: readonly Sample[],
  theirs: readonly Sample[],
  combine: (our: number, their: number) => number,
): Sample[] {
  const byRound = new Map(theirs.map((sample) => [sample.round, sample]));
  return ours.flatMap(({ round, value, noisy }) => {
    const other = byRound.get(round);
    if (other === undefined) return [];
    const combined = combine(value, other.value);
    return Number.isFinite(combined) ? [{ round, value: combined, noisy: noisy || other.noisy }] : [];
  });
}

/** Ours divided by theirs, round by round. A round in which theirs is nothing has no ratio. */
export function ratios(ours: readonly Sample[], theirs: readonly Sample[]): Sample[] {
  return paired(ours, theirs, (our, their) => our / their);
}

/** Ours less theirs, round by round. */
export function differences(ours: readonly Sample[], theirs: readonly Sample[]): Sample[] {
  return paired(ours, theirs, (our, their) => our - their);
}
