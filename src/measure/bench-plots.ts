/** What `podwire bench -o svg` draws. */
import type { RoundTripTimes } from './latency.ts';
import { linePlot } from './plot.ts';
import type { RateFound } from './rate-search.ts';
import type { StreamInterval } from './throughput.ts';

export interface PlotWords {
  readonly title: string;
  readonly subtitle: string;
}

/** Rate over time, each interval at its end. */
export function streamPlot(words: PlotWords, intervals: readonly StreamInterval[]): string {
  const points = intervals
    .filter(({ fromSeconds, toSeconds }) => toSeconds > fromSeconds)
    .map(({ fromSeconds, toSeconds, bytes }) => {
      return [toSeconds, (8 * bytes) / (toSeconds - fromSeconds) / 1e9] as const;
    });
  return linePlot({
    ...words,
    x: { label: 'seconds', from: 0 },
    y: { label: 'Gbit/s', from: 0 },
    series: [{ name: 'one TCP stream', points }],
  });
}

/** Which share of round trips took no longer than so many microseconds. */
export function latencyPlot(words: PlotWords, { quantilesUs }: RoundTripTimes): string {
  const points = quantilesUs.flatMap((us, i) =>
    us === null ? [] : [[us, (100 * i) / (quantilesUs.length - 1)] as const],
  );
  return linePlot({
    ...words,
    x: { label: 'µs', log: true },
    y: { label: '% of round trips', from: 0 },
    series: [{ name: 'round trips', points }],
  });
}

/** What arrived of what was sent, trial by trial. */
export function ratePlot(
  words: PlotWords,
  rates: readonly { readonly generator: string; readonly found: RateFound }[],
): string {
  const series = rates.map(({ generator, found: { trials } }) => {
    const points = trials.map(({ sent, delivered, seconds }) => [sent / seconds, delivered / seconds] as const);
    const name = generator === 'UDP_SEGMENT' ? 'UDP_SEGMENT (superframes)' : generator;
    return { name, points: points.sort((a, b) => a[0] - b[0]) };
  });
  const most = Math.max(1, ...series.flatMap(({ points }) => points.map(([offered]) => offered)));
  const all = { name: 'all of it', dashed: true, points: [[0, 0] as const, [most, most] as const] };
  return linePlot({
    ...words,
    x: { label: 'datagrams sent a second' },
    y: { label: 'delivered a second', from: 0 },
    series: [...series, all],
  });
}
