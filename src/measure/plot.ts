/** Plots as SVG documents: lines over two axes, and bars with whiskers. What is drawn is handed in; nothing is read here. */
import { line, type SymbolType, symbol, symbolCircle, symbolDiamond, symbolSquare, symbolTriangle } from 'd3-shape';
import { type Axis, type AxisSpec, makeAxis, numberWords } from './plot-axis.ts';
import {
  BOLD,
  EDGE,
  GROUND,
  heading,
  INK,
  LABEL_SIZE,
  picture,
  ticksBelow,
  ticksBeside,
  WIDTH,
  widest,
  words,
} from './plot-frame.ts';
import { flow, LABEL_STEP, spread } from './plot-labels.ts';
import { element, shorten } from './svg.ts';

export interface LinePlot {
  readonly title: string;
  readonly subtitle: string;
  readonly x: AxisSpec;
  readonly y: AxisSpec;
  readonly series: readonly Series[];
}

export interface Series {
  readonly name: string;
  /** From left to right. */
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly dashed?: boolean;
}

export interface BarPlot {
  readonly title: string;
  readonly subtitle: string;
  /** Of the values: `Gbit/s`, `×`. */
  readonly unit: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** The whisker's ends. */
  readonly low?: number;
  readonly high?: number;
  /** The one that the plot is about. */
  readonly emphasis?: boolean;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Okabe and Ito's colours, apart for every kind of colour vision, without the yellow that white swallows. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'] as const;
const SYMBOLS: readonly SymbolType[] = [symbolCircle, symbolSquare, symbolTriangle, symbolDiamond];
const PLOT_HEIGHT = 320;
/** A line with more points than this is drawn without a mark at each. */
const MARKS_MAX = 40;
const MARK_ROOM = 22;
const NAME_ROOM_MAX = 250;
const BAR_STEP = 34;
const BAR_HEIGHT = 18;
const QUIET_BAR = '#8c959f';
const LOUD_BAR = COLOURS[0];

/** @throws Error for a value that has no place on its axis: no number, or not above 0 on a logarithmic one. */
export function linePlot(plot: LinePlot): string {
  const { series, x, y } = plot;
  const points = series.flatMap((one) => one.points);
  const head = heading(plot);
  const top = head.bottom + 8;
  const bottom = top + PLOT_HEIGHT;
  const upright = makeAxis(
    y,
    points.map((point) => point[1]),
    [bottom, top],
  );
  const left = EDGE + 22 + widest(upright.ticks.map((tick) => tick.words)) + 8;
  const names = series.map(({ name, points: own }) => (own.length === 0 ? `${name} (no data)` : name));
  const ends = series.map((one) => upright.at(one.points.at(-1)?.[1] ?? 0));
  // Series without points have no end to be beside.
  const labels = series.every((one) => one.points.length > 0) ? spread(ends, top, bottom) : undefined;
  const beside = labels !== undefined && widest(names) <= NAME_ROOM_MAX;
  const box = { left, right: WIDTH - EDGE - (beside ? MARK_ROOM + widest(names) : 10), top, bottom };
  const level = makeAxis(
    x,
    points.map((point) => point[0]),
    [box.left, box.right],
  );
  const legend = beside ? { markup: besideLines(names, ends, labels, box), height: 0 } : belowPlot(series, names, box);
  const content = [
    ...head.markup,
    ...ticksBelow(level, top, bottom),
    ...ticksBeside(upright, box.left, box.right),
    words(x.label, (box.left + box.right) / 2, bottom + 34, { anchor: 'middle' }),
    words(y.label, EDGE + 8, (top + bottom) / 2, { anchor: 'middle', turn: -90 }),
    ...(points.length === 0
      ? [words('no data', (box.left + box.right) / 2, (top + bottom) / 2, { anchor: 'middle' })]
      : []),
    ...series.flatMap((one, i) => drawSeries(one, i, level, upright)),
    ...legend.markup,
  ];
  return picture({ ...plot, description: describeLines(plot) }, bottom + 46 + legend.height + EDGE / 2, content);
}

/** Horizontal bars from 0, in the order given. @throws Error for a value that is no number. */
export function barPlot(plot: BarPlot): string {
  const { bars, unit } = plot;
  const head = heading(plot);
  const top = head.bottom;
  const bottom = top + Math.max(bars.length, 1) * BAR_STEP;
  const names = bars.map(({ name }) => shorten(name, LABEL_SIZE, NAME_ROOM_MAX));
  const figures = bars.map(({ value }) => withUnit(value, unit));
  const box = {
    left: EDGE + widest(names, LABEL_SIZE * BOLD) + 10,
    right: WIDTH - EDGE - widest(figures, LABEL_SIZE * BOLD) - 8,
    top,
    bottom,
  };
  const values = bars.flatMap(({ value, low = value, high = value }) => [value, low, high]);
  const axis = makeAxis({ label: unit, from: 0 }, values, [box.left, box.right], 5);
  const content = [
    ...head.markup,
    ...ticksBelow(axis, top, bottom),
    words(unit, (box.left + box.right) / 2, bottom + 34, { anchor: 'middle' }),
    ...(bars.length === 0
      ? [words('no data', (box.left + box.right) / 2, (top + bottom) / 2, { anchor: 'middle' })]
      : []),
    ...bars.flatMap((bar, i) => {
      const y = top + (i + 0.5) * BAR_STEP;
      const weight = bar.emphasis === true ? ({ weight: 'bold' } as const) : {};
      const right = Math.max(axis.at(bar.value), axis.at(bar.high ?? bar.value), axis.at(0));
      return [
        words(names[i]!, box.left - 10, y, { anchor: 'end', ...weight }),
        ...drawBar(bar, y, axis),
        words(figures[i]!, right + 8, y, weight),
      ];
    }),
  ];
  return picture({ ...plot, description: describeBars(plot) }, bottom + 46 + EDGE / 2, content);
}

function drawSeries({ points, dashed = false }: Series, index: number, x: Axis, y: Axis): string[] {
  const stroke = colourOf(index);
  const path = line<readonly [number, number]>(
    (point) => x.at(point[0]),
    (point) => y.at(point[1]),
  ).digits(2)(points);
  const dash = dashed ? { 'stroke-dasharray': '6 5' } : {};
  const drawn =
    points.length < 2 ? [] : [element('path', { d: path!, fill: 'none', stroke, 'stroke-width': 2, ...dash })];
  if (points.length > MARKS_MAX) return drawn;
  return [...drawn, ...points.map((point) => mark(index, x.at(point[0]), y.at(point[1])))];
}

function mark(index: number, x: number, y: number): string {
  const d = symbol(SYMBOLS[index % SYMBOLS.length], 42).digits(2)()!;
  return element('path', {
    d,
    transform: `translate(${x.toFixed(2)} ${y.toFixed(2)})`,
    fill: colourOf(index),
    stroke: GROUND,
  });
}

/** Each name beside the end of its line; where it had to move, a thin line leads to it. */
function besideLines(names: readonly string[], ends: readonly number[], places: readonly number[], box: Box): string[] {
  return names.flatMap((name, i) => {
    const [from, to] = [ends[i]!, places[i]!];
    const lead = { x1: box.right + 5, y1: from, x2: box.right + MARK_ROOM - 5, y2: to, stroke: colourOf(i) };
    return [element('line', lead), words(name, box.right + MARK_ROOM, to)];
  });
}

function belowPlot(
  series: readonly Series[],
  names: readonly string[],
  box: Box,
): { markup: string[]; height: number } {
  const room = WIDTH - 2 * EDGE;
  const texts = names.map((name) => shorten(name, LABEL_SIZE, room - MARK_ROOM));
  const { at, rows } = flow(
    texts.map((text) => widest([text]) + MARK_ROOM + 14),
    room,
  );
  const markup = series.flatMap((_, i) => {
    const x = EDGE + at[i]!.x;
    const y = box.bottom + 58 + at[i]!.row * LABEL_STEP;
    return [mark(i, x + 8, y), words(texts[i]!, x + MARK_ROOM, y)];
  });
  return { markup, height: rows * LABEL_STEP };
}

function drawBar({ value, low, high, emphasis }: Bar, y: number, axis: Axis): string[] {
  const [zero, end] = [axis.at(0), axis.at(value)];
  const bar = { x: Math.min(zero, end), y: y - BAR_HEIGHT / 2, width: Math.abs(end - zero), height: BAR_HEIGHT };
  const drawn = element('rect', { ...bar, fill: emphasis === true ? LOUD_BAR : QUIET_BAR });
  if (low === undefined && high === undefined) return [drawn];
  const [from, to] = [axis.at(low ?? value), axis.at(high ?? value)];
  const cap = (x: number) => `M${x.toFixed(2)},${(y - 5).toFixed(2)}v10`;
  const d = `M${from.toFixed(2)},${y.toFixed(2)}H${to.toFixed(2)}${cap(from)}${cap(to)}`;
  // On a ground of its own, so that it is seen on the bar and beside it.
  const whisker = (stroke: string, width: number) =>
    element('path', { d, fill: 'none', stroke, 'stroke-width': width });
  return [drawn, whisker(GROUND, 4), whisker(INK, 1.5)];
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length]!;
}

function withUnit(value: number, unit: string): string {
  return unit === '×' || unit === '%' ? `${numberWords(value)}${unit}` : `${numberWords(value)} ${unit}`;
}

function describeLines({ subtitle, x, y, series }: LinePlot): string {
  const lines = series.map(({ name, points }) => {
    const [first, last] = [points[0], points.at(-1)];
    if (first === undefined || last === undefined) return `${name}: no data.`;
    const of = (point: readonly [number, number]) => `${numberWords(point[1])} at ${numberWords(point[0])}`;
    return points.length === 1 ? `${name}: ${of(first)}.` : `${name}: from ${of(first)} to ${of(last)}.`;
  });
  return [subtitle, `Lines of ${y.label} over ${x.label}.`, ...lines].join(' ');
}

function describeBars({ subtitle, unit, bars }: BarPlot): string {
  const figures = bars.map(({ name, value, low, high }) => {
    const range =
      low === undefined && high === undefined ? '' : ` (${numberWords(low ?? value)} to ${numberWords(high ?? value)})`;
    return `${name}: ${withUnit(value, unit)}${range}.`;
  });
  return [subtitle, ...figures].join(' ');
}
