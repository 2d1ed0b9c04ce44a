/** What `podwire bench` prints: lines in the shape of iperf3's, and tables. */
import { formatTable } from '../cli/table.ts';
import type { RoundTripTimes } from './latency.ts';
import { limitWords, type ParticipantUse, workShare } from './limit.ts';
import { lossWords } from './losses.ts';
import { disagreement, LOSS_MAX, lossOf, type RateFound, type Trial } from './rate-search.ts';
import type { RunUse } from './run-watch.ts';
import type { StreamInterval } from './throughput.ts';

const COLUMNS = 80;
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

/** Words in lines of at most 80 columns; those behind the first are indented. */
export function wrapped(text: string, indent = '  '): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = lines.length === 0 && line === '' ? word : `${line} ${word}`;
  }
  return `${[...lines, line].join('\n')}\n`;
}

/** Whom a measurement is between, and how. */
export function headText(from: string, to: string, more: readonly string[]): string {
  return [`from: ${from}`, `to:   ${to}`, ...more].map((words) => wrapped(words, '      ')).join('');
}

/** CPU of the machine and of each participant. @param per what core-seconds are divided by. */
export function cpuText(
  { machine, participants }: Pick<RunUse, 'machine' | 'participants'>,
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
    // Interrupts, the cluster's other threads, other programs.
    row('others', Math.max(0, machine.busySeconds - participants.reduce((sum, one) => sum + one.cpuSeconds, 0))),
  ];
  return `${formatTable(rows)}${spinText(participants)}`;
}

/** From here on it is worth a line. */
const SPIN_SHARE_MIN = 0.05;

/** Why a node may use a whole core without being at its limit; empty where none does. */
function spinText(participants: readonly ParticipantUse[]): string {
  const spinning = participants
    .map((one) => ({ name: one.name, share: one.coreShare - workShare(one) }))
    .filter(({ share }) => share >= SPIN_SHARE_MIN)
    .map(({ name, share }) => `${name} ${Math.round(100 * share)} %`);
  if (spinning.length === 0) return '';
  return wrapped(`spinning, looking for more packets before it sleeps: ${spinning.join(', ')} of one core`);
}

export function limitText({ machine, participants }: RunUse): string {
  return wrapped(limitWords(participants, machine));
}

export function lossText({ losses }: Pick<RunUse, 'losses'>): string {
  return lossWords(losses)
    .map((words) => wrapped(words))
    .join('');
}

/** What is known of where a round trip's time goes: what each has worked for it. */
export function timeText(
  { count, lost }: Pick<RoundTripTimes, 'count' | 'lost'>,
  { machine, participants }: Pick<RunUse, 'machine' | 'participants'>,
): string {
  // Who waits for what was lost waits for a time-out: a mean over both would be of neither.
  if (count === 0 || lost > 0) return '';
  const us = (seconds: number) => ((1e6 * seconds) / count).toFixed(1);
  const parts = participants.map((one) => `${one.name} ${us(workShare(one) * machine.seconds)}`);
  return wrapped(
    `a round trip took ${us(machine.seconds)} µs in the mean; work of it: ${parts.join(', ')} µs; the rest is waking up, the kernel's part and links`,
  );
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
  const table = formatTable([['GENERATOR', 'SENT/S', 'DELIVERED/S', 'LOSS', 'TRIALS'], ...rows]);
  const spread = rates.map(({ generator, found }) => spreadText(generator, found.trials));
  return `${table}${words.join('')}${spread.join('')}${SUPERFRAMES}`;
}

const SUPERFRAMES = wrapped(
  'UDP_SEGMENT: the pod hands over rows of datagrams; nodes forward each whole, as one superframe',
);

/** How far trials agree; nothing where all were carried. */
function spreadText(generator: string, trials: readonly Trial[]): string {
  const { carriedMost, lostLeast } = disagreement(trials) ?? {};
  if (carriedMost === undefined || lostLeast === undefined) return '';
  const rate = (perSecond: number) => `${Math.round(perSecond).toLocaleString('en')}/s`;
  const verb = lostLeast >= carriedMost ? 'agree' : 'disagree';
  return wrapped(`${generator}: trials ${verb}: carried up to ${rate(carriedMost)}, lost from ${rate(lostLeast)} on`);
}

/** `trial 3: 512,000/s sent, 511,900/s delivered, loss 0.020 %` */
export function trialText(number: number, trial: Trial): string {
  const rate = (count: number) => `${Math.round(count / trial.seconds).toLocaleString('en')}/s`;
  const loss = `${(100 * lossOf(trial)).toFixed(3)} %`;
  return `trial ${number}: ${rate(trial.sent)} sent, ${rate(trial.delivered)} delivered, loss ${loss}`;
}

/** Three digits, as iperf3 shows amounts and rates: `1.45`, `14.5`, `145`. */
function three(value: number): string {
  const places = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return value.toFixed(places).padStart(4);
}
