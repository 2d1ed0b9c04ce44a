/** What every plot has around it: a ground of its own, so that it can be read on any page, a title, words for who cannot see. */
import type { Axis } from './plot-axis.ts';
import { element, escapeText, FONTS, textWidth, wrapText } from './svg.ts';

export const WIDTH = 760;
export const EDGE = 20;
export const LABEL_SIZE = 12;
export const INK = '#1f2328';
const FAINT_INK = '#57606a';
export const GROUND = '#ffffff';

const GRID = '#e3e6ea';
/** Of ticks without words. */
const FINE_GRID = '#f2f4f6';
const BORDER = '#d0d7de';
const TITLE_SIZE = 17;
const SUBTITLE_SIZE = 13;
const LINE = 1.4;
/** How much wider than others bold letters are, at most. */
export const BOLD = 1.12;

export interface Words {
  readonly title: string;
  readonly subtitle: string;
  /** Read aloud instead of the picture. */
  readonly description: string;
}

export interface TextStyle {
  readonly size?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly fill?: string;
  readonly weight?: 'bold';
  /** Degrees, around its own place. */
  readonly turn?: number;
}

/** One line of text; `y` is the line's middle. */
export function words(text: string, x: number, y: number, style: TextStyle = {}): string {
  const { size = LABEL_SIZE, anchor = 'start', fill = INK, weight, turn } = style;
  const attributes: Record<string, string | number> = { x, y: y + size * 0.35, 'font-size': size, fill };
  if (anchor !== 'start') attributes['text-anchor'] = anchor;
  if (weight !== undefined) attributes['font-weight'] = weight;
  if (turn !== undefined) attributes['transform'] = `rotate(${turn} ${x} ${y})`;
  return element('text', attributes, escapeText(text));
}

/** Title and subtitle as markup, and where the room below them begins. */
export function heading({ title, subtitle }: Pick<Words, 'title' | 'subtitle'>): { markup: string[]; bottom: number } {
  const markup: string[] = [];
  let y = EDGE;
  const write = (text: string, size: number, style: TextStyle) => {
    for (const line of wrapText(text, style.weight === 'bold' ? size * BOLD : size, WIDTH - 2 * EDGE)) {
      markup.push(words(line, EDGE, y + size / 2, { size, ...style }));
      y += size * LINE;
    }
  };
  write(title, TITLE_SIZE, { weight: 'bold' });
  write(subtitle, SUBTITLE_SIZE, { fill: FAINT_INK });
  return { markup, bottom: y + 12 };
}

/** The whole document. */
export function picture({ title, description }: Words, height: number, content: readonly string[]): string {
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    width: WIDTH,
    height,
    viewBox: `0 0 ${WIDTH} ${Math.ceil(height)}`,
    role: 'img',
    'aria-label': title,
    'font-family': FONTS,
  };
  const ground = { x: 0.5, y: 0.5, width: WIDTH - 1, height: height - 1, rx: 6, fill: GROUND, stroke: BORDER };
  const parts = [
    element('title', {}, escapeText(title)),
    element('desc', {}, escapeText(description)),
    element('rect', ground),
    ...content,
  ];
  return `${element('svg', attributes, '\n', ...parts.flatMap((part) => [part, '\n']))}\n`;
}

/** Upright lines of the grid from `top` to `bottom`, and the ticks' words below them. */
export function ticksBelow(axis: Axis, top: number, bottom: number): string[] {
  return axis.ticks.flatMap(({ at, words: text }) => [
    gridLine(at, top, at, bottom, text),
    ...(text === '' ? [] : [words(text, at, bottom + 14, { anchor: 'middle', fill: FAINT_INK })]),
  ]);
}

/** Level lines of the grid from `left` to `right`, and the ticks' words beside them. */
export function ticksBeside(axis: Axis, left: number, right: number): string[] {
  return axis.ticks.flatMap(({ at, words: text }) => [
    gridLine(left, at, right, at, text),
    ...(text === '' ? [] : [words(text, left - 8, at, { anchor: 'end', fill: FAINT_INK })]),
  ]);
}

/** Room that the widest of these takes. */
export function widest(texts: readonly string[], size = LABEL_SIZE): number {
  return texts.reduce((most, text) => Math.max(most, textWidth(text, size)), 0);
}

function gridLine(x1: number, y1: number, x2: number, y2: number, tick: string): string {
  return element('line', { x1, y1, x2, y2, stroke: tick === '' ? FINE_GRID : GRID });
}
