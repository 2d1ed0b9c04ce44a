import { describe, expect, test } from 'vitest';
import { barPlot, type LinePlot, linePlot, type Series } from '../../src/measure/plot.ts';
import { makeAxis, numberWords } from '../../src/measure/plot-axis.ts';
import { flow, LABEL_STEP, spread } from '../../src/measure/plot-labels.ts';
import { escapeText, shorten, textWidth, wrapText } from '../../src/measure/svg.ts';
import { all, type Found, readSvg } from './read-svg.ts';

const HOSTILE = '</text><script>alert("1")</script> & \'x\' ]]> \u0000\u001b[31m \ud800 \ufffe';

function lines(series: readonly Series[], more: Partial<LinePlot> = {}): Found {
  return readSvg(
    linePlot({ title: 'T', subtitle: 'S', x: { label: 'Services' }, y: { label: 'ns' }, series, ...more }),
  );
}

const number = (found: Found | undefined, attribute: string) => Number(found!.attributes[attribute]);

/** The text that says just this. */
function saying(picture: Found, words: string): Found | undefined {
  return all(picture, 'text').find(({ text }) => text === words);
}

/** Where the marks of the points are. */
function marks(picture: Found): [number, number][] {
  return all(picture, 'path').flatMap(({ attributes }) => {
    const at = /^translate\((\S+) (\S+)\)$/.exec(attributes['transform'] ?? '');
    return at === null ? [] : [[Number(at[1]), Number(at[2])] as [number, number]];
  });
}

/** Room that a text takes, as the drawing takes it to be. */
function extent({ text, attributes }: Found): { left: number; right: number; top: number; bottom: number } {
  const size = Number(attributes['font-size']);
  const width = textWidth(text, size) * (attributes['font-weight'] === 'bold' ? 1.12 : 1);
  const anchors: Readonly<Record<string, number>> = { middle: width / 2, end: width };
  const left = Number(attributes['x']) - (anchors[attributes['text-anchor'] ?? ''] ?? 0);
  const y = Number(attributes['y']);
  return { left, right: left + width, top: y - 0.75 * size, bottom: y + 0.2 * size };
}

/** Pairs of level texts that lie on each other, and texts that leave the picture. */
function collisions(picture: Found): string[] {
  const texts = all(picture, 'text').filter(({ attributes }) => attributes['transform'] === undefined);
  const extents = texts.map(extent);
  const over = texts.flatMap((one, i) => {
    const a = extents[i]!;
    const outside = a.left < 0 || a.right > number(picture, 'width') || a.bottom > number(picture, 'height');
    const others = texts.slice(i + 1).filter((_, k) => {
      const b = extents[i + 1 + k]!;
      return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    });
    return [
      ...(outside ? [`${one.text} leaves the picture`] : []),
      ...others.map((other) => `${one.text} | ${other.text}`),
    ];
  });
  return over;
}

describe('a line plot', () => {
  const decades: Series = { name: 'flat', points: [10, 100, 1000, 10_000].map((x) => [x, 50] as const) };

  test('has marks where ticks of the same values are, on linear axes', () => {
    const picture = lines([
      {
        name: 'a',
        points: [
          [0, 0],
          [50, 20],
          [100, 40],
        ],
      },
    ]);
    const [first, middle, last] = marks(picture);
    expect(first![0]).toBeCloseTo(number(saying(picture, '0'), 'x'), 1);
    expect(last![0]).toBeCloseTo(number(saying(picture, '100'), 'x'), 1);
    // 20 stands on both axes; words beside the upright one end where it begins.
    const beside = all(picture, 'text').find((one) => one.text === '20' && one.attributes['text-anchor'] === 'end');
    expect(middle![1]).toBeCloseTo(number(beside, 'y') - 12 * 0.35, 1);
    expect(middle![0]).toBeCloseTo((first![0] + last![0]) / 2, 1);
    expect(middle![1]).toBeCloseTo((first![1] + last![1]) / 2, 1);
  });

  test('has decades at equal distances on a logarithmic axis, thousands set apart', () => {
    const picture = lines([decades], { x: { label: 'Services', log: true } });
    const at = marks(picture).map(([x]) => x);
    expect(at[1]! - at[0]!).toBeCloseTo(at[2]! - at[1]!, 1);
    expect(at[2]! - at[1]!).toBeCloseTo(at[3]! - at[2]!, 1);
    for (const [i, words] of ['10', '100', '1,000', '10,000'].entries()) {
      expect(number(saying(picture, words), 'x'), words).toBeCloseTo(at[i]!, 1);
    }
  });

  test('draws a path through all points, dashed where it is said', () => {
    const picture = lines([decades, { ...decades, name: 'other', dashed: true }]);
    const paths = all(picture, 'path').filter(({ attributes }) => attributes['fill'] === 'none');
    expect(paths.map(({ attributes }) => attributes['d']!.match(/[ML]/g)!.length)).toEqual([4, 4]);
    expect(paths.map(({ attributes }) => attributes['stroke-dasharray'])).toEqual([undefined, '6 5']);
    expect(new Set(paths.map(({ attributes }) => attributes['stroke'])).size).toBe(2);
  });

  test('has each name once, beside the end of its line, and none upon another', () => {
    const series = [0, 1, 2, 3].map((k) => ({
      name: `series ${k}`,
      points: [
        [0, 1],
        [10, 10 + k / 100],
      ] as const,
    }));
    const picture = lines(series);
    const ends = Math.max(...marks(picture).map(([x]) => x));
    for (const { name } of series) {
      const label = all(picture, 'text').filter(({ text }) => text === name);
      expect(label).toHaveLength(1);
      expect(number(label[0], 'x')).toBeGreaterThan(ends);
    }
    expect(collisions(picture)).toEqual([]);
  });

  test('has a legend below when there are more names than room', () => {
    const series = Array.from({ length: 40 }, (_, k) => ({
      name: `series ${k}`,
      points: [
        [0, k],
        [9, k],
      ] as const,
    }));
    const picture = lines(series);
    const axisName = number(saying(picture, 'Services'), 'y');
    for (const { name } of series) expect(number(saying(picture, name), 'y'), name).toBeGreaterThan(axisName);
    expect(collisions(picture)).toEqual([]);
  });

  test('has a legend below for names of any length, cut to the picture', () => {
    const picture = lines([
      {
        name: 'W'.repeat(400),
        points: [
          [1, 1],
          [2, 2],
        ],
      },
    ]);
    expect(collisions(picture)).toEqual([]);
    expect(all(picture, 'text').some(({ text }) => /^W{20,}…$/.test(text))).toBe(true);
  });

  test.each([
    ['no series', []],
    ['a series without points', [{ name: 'none', points: [] }]],
  ])('of %s says so', (_, series) => {
    for (const log of [false, true]) {
      const picture = lines(series, { x: { label: 'x', log }, y: { label: 'y', log } });
      expect(saying(picture, 'no data')).toBeDefined();
      expect(marks(picture).length).toBe(series.length); // in the legend
    }
  });

  test('names a series without points beside others that have some', () => {
    const picture = lines([decades, { name: 'lost', points: [] }]);
    expect(saying(picture, 'lost (no data)')).toBeDefined();
    expect(saying(picture, 'no data')).toBeUndefined();
    expect(collisions(picture)).toEqual([]);
  });

  test.each([0, 7, -7, 1e9, 1e-9])('of the one point %d has it within its axes', (value) => {
    for (const log of value > 0 ? [false, true] : [false]) {
      const picture = lines([{ name: 'a', points: [[value, value]] }], {
        x: { label: 'x', log },
        y: { label: 'y', log },
      });
      const grid = all(picture, 'line').map(({ attributes }) => attributes);
      const xs = grid.flatMap(({ x1, x2 }) => [Number(x1), Number(x2)]);
      const [x, y] = marks(picture)[0]!;
      expect(x).toBeGreaterThanOrEqual(Math.min(...xs));
      expect(x).toBeLessThanOrEqual(Math.max(...xs));
      expect(y).toBeGreaterThan(0);
      expect(y).toBeLessThan(number(picture, 'height'));
      expect(all(picture, 'path').filter(({ attributes }) => attributes['fill'] === 'none')).toEqual([]);
    }
  });

  test.each([0, -1])('refuses %d on a logarithmic axis, and names the axis', (value) => {
    const series = [
      {
        name: 'a',
        points: [
          [1, 1],
          [2, value],
        ] as const,
      },
    ];
    expect(() => lines(series, { y: { label: 'latency', log: true } })).toThrow(
      `the axis "latency" is logarithmic: it has no place for ${value}`,
    );
    expect(() => lines([], { x: { label: 'x', log: true, from: value } })).toThrow('is logarithmic');
    expect(() => lines(series)).not.toThrow();
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses %d', (value) => {
    expect(() => lines([{ name: 'a', points: [[1, value]] }])).toThrow(`the axis "ns" has no place for ${value}`);
  });

  test('begins where it is told, and lower where values are', () => {
    const a = {
      name: 'a',
      points: [
        [0, 100],
        [1, 110],
      ] as const,
    };
    expect(saying(lines([a], { y: { label: 'ns', from: 40 } }), '40')).toBeDefined();
    expect(saying(lines([a]), '40')).toBeUndefined();
    expect(
      saying(
        lines(
          [
            {
              ...a,
              points: [
                [0, -100],
                [1, 100],
              ],
            },
          ],
          { y: { label: 'ns', from: 0 } },
        ),
        '−100',
      ),
    ).toBeDefined();
  });

  test('marks few points, not many', () => {
    const many = Array.from({ length: 500 }, (_, i) => [i, i % 7] as const);
    expect(marks(lines([{ name: 'a', points: many }]))).toEqual([]);
    expect(marks(lines([{ name: 'a', points: many.slice(0, 40) }]))).toHaveLength(40);
  });
});

describe('a bar plot', () => {
  const bars = [
    { name: 'ours', value: 30, low: 20, high: 40, emphasis: true },
    { name: 'theirs', value: 10 },
  ];
  const draw = (more = {}) => readSvg(barPlot({ title: 'T', subtitle: 'S', unit: 'Gbit/s', bars, ...more }));
  const rects = (picture: Found) => all(picture, 'rect').slice(1); // the first is the ground

  test('has bars from 0, in proportion, with their values and unit', () => {
    const picture = draw();
    const [ours, theirs] = rects(picture);
    expect(number(ours, 'width')).toBeCloseTo(3 * number(theirs, 'width'), 1);
    expect(number(ours, 'x')).toBeCloseTo(number(saying(picture, '0'), 'x'), 1);
    expect(saying(picture, '30 Gbit/s')).toBeDefined();
    expect(saying(picture, '10 Gbit/s')).toBeDefined();
    expect(ours!.attributes['fill']).not.toBe(theirs!.attributes['fill']);
  });

  test('has whiskers from low to high, behind which the value stands', () => {
    const picture = draw();
    const whiskers = all(picture, 'path').map(({ attributes }) => attributes['d']!);
    expect(new Set(whiskers).size).toBe(1);
    const [, from, to] = /^M([\d.]+),[\d.]+H([\d.]+)/.exec(whiskers[0]!)!.map(Number);
    expect(from).toBeCloseTo(number(saying(picture, '20'), 'x'), 1);
    expect(to).toBeCloseTo(number(saying(picture, '40'), 'x'), 1);
    expect(number(saying(picture, '30 Gbit/s'), 'x')).toBeGreaterThan(to!);
  });

  test('sets ratios without a gap, and thousands apart', () => {
    expect(saying(draw({ unit: '×' }), '30×')).toBeDefined();
    expect(saying(draw({ bars: [{ name: 'a', value: 12_345.6 }], unit: 'µs' }), '12,346 µs')).toBeDefined();
  });

  test('of nothing says so; of zeros and of negative values is drawn', () => {
    expect(saying(draw({ bars: [] }), 'no data')).toBeDefined();
    expect(number(rects(draw({ bars: [{ name: 'a', value: 0 }] }))[0], 'width')).toBe(0);
    const picture = draw({ bars: [{ name: 'a', value: -5 }] });
    const [bar] = rects(picture);
    expect(number(bar, 'x') + number(bar, 'width')).toBeCloseTo(number(saying(picture, '0'), 'x'), 1);
  });

  test('refuses what is no number', () => {
    expect(() => draw({ bars: [{ name: 'a', value: Number.NaN }] })).toThrow('the axis "Gbit/s" has no place for NaN');
    expect(() => draw({ bars: [{ name: 'a', value: 1, high: Number.POSITIVE_INFINITY }] })).toThrow(
      'no place for Infinity',
    );
  });

  test('has no words upon others, also long and bold ones', () => {
    const long = { name: 'W'.repeat(90), value: 1e7, emphasis: true };
    expect(collisions(draw({ bars: [...bars, long], subtitle: 'many words '.repeat(60) }))).toEqual([]);
  });
});

test('hostile names stay words, wherever they stand', () => {
  const told = HOSTILE.replaceAll(/[^\P{Cc}\t\n\r]|\p{Surrogate}|\ufffe/gu, '\ufffd');
  const axis = { label: HOSTILE };
  const pictures = [
    linePlot({ title: HOSTILE, subtitle: HOSTILE, x: axis, y: axis, series: [{ name: HOSTILE, points: [[1, 2]] }] }),
    barPlot({ title: HOSTILE, subtitle: HOSTILE, unit: HOSTILE, bars: [{ name: HOSTILE, value: 1 }] }),
  ].map(readSvg);
  for (const picture of pictures) {
    expect(all(picture, 'script')).toEqual([]);
    expect(picture.attributes['aria-label']).toBe(told);
    expect(all(picture, 'title')[0]!.text).toBe(told);
    expect(all(picture, 'desc')[0]!.text).toContain(told);
  }
  expect(() => readSvg(`<svg>${HOSTILE}</svg>`)).toThrow();
});

test('the picture is told in words, as an image with a title', () => {
  const picture = lines([
    {
      name: 'ours',
      points: [
        [10, 2000],
        [1000, 2100],
      ],
    },
  ]);
  expect(picture.attributes).toMatchObject({ role: 'img', 'aria-label': 'T', xmlns: 'http://www.w3.org/2000/svg' });
  expect(picture.children.slice(0, 2).map(({ name, text }) => [name, text])).toEqual([
    ['title', 'T'],
    ['desc', 'S Lines of ns over Services. ours: from 2,000 at 10 to 2,100 at 1,000.'],
  ]);
});

test('labels are spread in their order, within bounds, and given up when there are too many', () => {
  expect(spread([50, 50, 49], 0, 100)).toEqual([49 + LABEL_STEP, 49 + 2 * LABEL_STEP, 49]);
  expect(spread([100, 100], 0, 100)).toEqual([100 - LABEL_STEP, 100]);
  expect(spread([0, 0], 0, 100)).toEqual([0, LABEL_STEP]);
  expect(spread([0, 0, 0], 0, 2 * LABEL_STEP)).toBeDefined();
  expect(spread([0, 0, 0], 0, 2 * LABEL_STEP - 1)).toBeUndefined();
  expect(spread([], 0, 10)).toEqual([]);
});

test('a legend flows into rows', () => {
  expect(flow([40, 40, 40], 100)).toEqual({
    at: [
      { x: 0, row: 0 },
      { x: 40, row: 0 },
      { x: 0, row: 1 },
    ],
    rows: 2,
  });
  expect(flow([], 100)).toEqual({ at: [], rows: 0 });
  expect(flow([400], 100).rows).toBe(1);
});

test('numbers in words', () => {
  const words = [0, 0.001_234_5, 0.93, 9.999, 12.34, 999.9, 1234.5, 1e7, -5].map(numberWords);
  expect(words).toEqual(['0', '0.00123', '0.93', '10', '12.3', '1,000', '1,235', '10,000,000', '−5']);
  const axis = makeAxis({ label: 'x', log: true }, [0.01, 1e7], [0, 100], 10);
  expect(axis.ticks.map((tick) => tick.words).filter((text) => text !== '')).toEqual([
    '0.01',
    '0.1',
    '1',
    '10',
    '100',
    '1,000',
    '10,000',
    '100,000',
    '1M',
    '10M',
  ]);
});

test('texts are wrapped and shortened to their room', () => {
  expect(wrapText('', 12, 100)).toEqual([]);
  expect(wrapText('one two three', 10, textWidth('one two', 10))).toEqual(['one two', 'three']);
  expect(textWidth(shorten('W'.repeat(50), 10, 100), 10)).toBeLessThanOrEqual(100);
  expect(escapeText('a\tb\nc')).toBe('a\tb\nc');
  expect(escapeText('😀')).toBe('😀');
});
