/** From the values of a plot to an axis: what it spans, where its ticks are, and their words. */
import { format } from 'd3-format';
import { scaleLinear, scaleLog } from 'd3-scale';

export interface AxisSpec {
  /** With its unit: `time, s`. */
  readonly label: string;
  /** Logarithmic, base 10; then all values are greater than 0. */
  readonly log?: boolean;
  /** Where the axis begins; with the smallest value when it is not said. Smaller values move it. */
  readonly from?: number;
}

export interface Axis {
  /** Position of a value. */
  at(value: number): number;
  readonly ticks: readonly Tick[];
}

export interface Tick {
  readonly at: number;
  /** Empty where a logarithmic axis has no room for words. */
  readonly words: string;
}

const plain = format(',.12~r');
const prefixed = format('.12~s');
const rounded = format(',.3~r');
const whole = format(',.0f');

/**
 * @param positions of the axis' beginning and end.
 * @throws Error for values that have no place on it: no number, or not above 0 on a logarithmic axis.
 */
export function makeAxis(spec: AxisSpec, values: readonly number[], positions: readonly number[], count = 6): Axis {
  const domain = span(spec, values);
  const nice = spec.log === true ? scaleLog().domain(domain).nice() : scaleLinear().domain(domain).nice(count);
  const scale = nice.range(positions);
  // The scale's own words are empty where a logarithmic axis has no room for any, between powers of ten.
  const own = scale.tickFormat(count);
  const ticks = scale.ticks(count).map((tick) => ({ at: scale(tick), words: own(tick) === '' ? '' : tickWords(tick) }));
  return { at: (value) => scale(value), ticks };
}

/** A value in words, to three digits, thousands set apart; without its unit. */
export function numberWords(value: number): string {
  return Math.abs(value) >= 1000 ? whole(value) : rounded(value);
}

function tickWords(value: number): string {
  return Math.abs(value) >= 1e6 ? prefixed(value) : plain(value);
}

function span({ label, log = false, from }: AxisSpec, values: readonly number[]): [number, number] {
  const all = from === undefined ? values : [from, ...values];
  for (const value of all) {
    if (!Number.isFinite(value)) throw new Error(`the axis "${label}" has no place for ${value}`);
    if (log && value <= 0) throw new Error(`the axis "${label}" is logarithmic: it has no place for ${value}`);
  }
  if (all.length === 0) return log ? [1, 10] : [0, 1];
  const least = all.reduce((a, b) => Math.min(a, b));
  const most = all.reduce((a, b) => Math.max(a, b));
  if (least < most) return [least, most];
  // One value is no span: it gets some room around it.
  if (log) return [least / 2, most * 2];
  return least === 0 ? [0, 1] : [Math.min(0, 2 * least), Math.max(0, 2 * most)];
}
