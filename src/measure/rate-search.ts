/**
 * The highest rate of datagrams that arrives: binary search over trials, and the best one once more. A trial that loses
 * a little has a second chance.
 */

export interface Trial {
  /** Datagrams a second that were wanted; 0: as many as the generator can. */
  readonly wanted: number;
  readonly sent: number;
  /** Each counted once, however often it came. */
  readonly delivered: number;
  readonly seconds: number;
}

export interface RateFound {
  /** All of them, in order; the last one is what is reported. */
  readonly trials: readonly Trial[];
  /** Undefined when no rate could be repeated. */
  readonly best: Trial | undefined;
}

export const LOSS_MAX = 0.001;
const TRIALS_MIN = 8;
const TRIALS_MAX = 16;
/** The search is over when it knows the rate to this share. */
const PRECISION = 0.02;
/** Each time that the best rate cannot be repeated, it is tried with this much less. */
const STEP_BACK = 0.9;
const CONFIRMATIONS_MAX = 6;
/** Who loses more than this was sent too much. Less may be a moment in which the machine did something else. */
const CLEAR_LOSS = 0.05;

export function lossOf({ sent, delivered }: Trial): number {
  return sent === 0 ? 1 : Math.max(0, 1 - delivered / sent);
}

export function isGood(trial: Trial): boolean {
  return trial.sent > 0 && trial.sent - trial.delivered <= LOSS_MAX * trial.sent;
}

/**
 * @param run one trial at a rate, 0 for all that the generator can.
 * @param confirm one longer trial, whose figures are reported.
 */
export async function searchRate(
  run: (rate: number) => Promise<Trial>,
  confirm: (rate: number) => Promise<Trial> = run,
): Promise<RateFound> {
  const trials: Trial[] = [];
  const flood = await run(0);
  trials.push(flood);
  let [low, high] = [0, flood.sent / flood.seconds];
  // Of what arrives when too much is sent something will arrive in order too.
  let rate = isGood(flood) ? high : Math.max(1, flood.delivered / flood.seconds);
  while (trials.length < TRIALS_MIN || (high - low > PRECISION * high && trials.length < TRIALS_MAX)) {
    let trial = await run(rate);
    trials.push(trial);
    if (!isGood(trial) && lossOf(trial) < CLEAR_LOSS) {
      trial = await run(rate);
      trials.push(trial);
    }
    // A generator that cannot send that much has still sent something.
    if (isGood(trial)) low = Math.max(low, Math.min(rate, trial.sent / trial.seconds));
    else high = Math.min(high, rate);
    if (low > high) high = low;
    rate = (low + high) / 2;
  }
  rate = low;
  for (let i = 0; i < CONFIRMATIONS_MAX && rate >= 1; i++, rate *= STEP_BACK) {
    const trial = await confirm(rate);
    trials.push(trial);
    if (isGood(trial)) return { trials, best: trial };
  }
  return { trials, best: undefined };
}
