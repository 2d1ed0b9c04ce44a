/** What `podwire bench` prints: lines in the shape of iperf3's, and tables. */
import { formatTable } from '../cli/table.ts';
import type { RoundTripTimes } from './latency.ts';
import { limitWords } from './limit.ts';
import { LOSS_MAX, lossOf, type RateFound } from './rate-search.ts';
import type { RunUse } from './run-watch.ts';
import type { StreamInterval } from './throughput.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** `[  1]   0.00-1.00   sec  1.45 GBytes  12.5 Gbits/sec`: as iperf3, a GByte is 2^30 bytes, a Gbit 10^9. */
export function intervalLine({ fromSeconds, toSeconds, bytes }: StreamInterval, more = ''): string {
  const seconds = toSeconds - fromSeconds;
  const rate = seconds > 0 ? (8 * bytes) / seconds : 0;
  const [amount, unit] = bytes >= GIB ? [bytes / GIB, 'GBytes'] : [bytes / MIB, 'MBytes'];
  const [speed, speedUnit] = rate >= 1e9 ? [rate / 1e9, 'Gbits/sec'] : [rate / 1e6, 'Mbits/sec'];
  const span = `${fromSeconds.toFixed(2).padStart(6)}-${toSeconds.toFixed(2).padEnd(6)}`;
  return `[  1] ${span} sec  ${three(amount)} ${unit}  ${three(speed)} ${speedUnit}${more}\n`;
}

/** The line of an interval whose figure nobody should believe. */
export function noisyLine({ fromSeconds, toSeconds }: StreamInterval, reasons: readonly string[]): string {
  const span = `${fromSeconds.toFixed(2).padStart(6)}-${toSeconds.toFixed(2).padEnd(6)}`;
  return `[  1] ${span} sec  too noisy: ${reasons.join('; ')}\n`;
}

/** CPU of the machine and of each participant. @param per what core-seconds are divided by. */
export function cpuText(
  { machine, participants }: RunUse,
  per: { readonly amount: number; readonly unit: string },
): string {
  const row = (name: string, seconds: number) => [
    name,
    seconds.toFixed(2),
    `${machine.seconds > 0 ? Math.round((100 * seconds) / machine.seconds) : 0} %`,
    per.amount > 0 ? (seconds / per.amount).toFixed(3) : '-',
  ];
  const rows = [
    ['CPU', 'CORE-SECONDS', 'OF ONE CORE', `PER ${per.unit}`],
    row(`machine (${machine.processors} cores)`, machine.busySeconds),
    ...participants.map(({ name, cpuSeconds }) => row(name, cpuSeconds)),
  ];
  return formatTable(rows);
}

export function limitText({ machine, participants }: RunUse): string {
  return `${limitWords(participants, machine)}\n`;
}

export function latencyText({ count, lost, minUs, p50Us, p90Us, p99Us, maxUs }: RoundTripTimes): string {
  const us = (value: number | null) => (value === null ? '-' : value.toFixed(1));
  return formatTable([
    ['ROUND TRIPS', 'LOST', 'MIN', 'P50', 'P90', 'P99', 'MAX (µs)'],
    [String(count), String(lost), us(minUs), us(p50Us), us(p90Us), us(p99Us), us(maxUs)],
  ]);
}

/** One generator a row. */
export function rateText(rates: readonly { readonly generator: string; readonly found: RateFound }[]): string {
  const rows = rates.map(({ generator, found: { best, trials } }) => {
    if (best === undefined) return [generator, '-', '-', '-', String(trials.length)];
    const perSecond = (count: number) => Math.round(count / best.seconds).toLocaleString('en');
    const loss = `${(100 * lossOf(best)).toFixed(3)} %`;
    return [generator, perSecond(best.sent), perSecond(best.delivered), loss, String(trials.length)];
  });
  const missed = rates.filter(({ found }) => found.best === undefined);
  const words = missed.map(
    ({ generator }) => `${generator}: no rate could be repeated with a loss of at most ${100 * LOSS_MAX} %\n`,
  );
  return `${formatTable([['GENERATOR', 'SENT/S', 'DELIVERED/S', 'LOSS', 'TRIALS'], ...rows])}${words.join('')}`;
}

/** Three digits, as iperf3 shows amounts and rates: `1.45`, `14.5`, `145`. */
function three(value: number): string {
  const places = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return value.toFixed(places).padStart(4);
}
