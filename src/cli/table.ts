/** Columns as kubectl prints them: three spaces between, the last one unpadded. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  return new TableFormatter().format(rows);
}

/** A table that goes on: rows that come later stand under the columns of the first, as far as they fit. */
export class TableFormatter {
  readonly #widths: number[] = [];

  format(rows: readonly (readonly string[])[]): string {
    const widths = this.#widths;
    for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
    return rows
      .map((row) => `${row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join('   ')}\n`)
      .join('');
  }
}

/** The age of a timestamp; `<unknown>` without one. */
export function formatAge(timestamp: string | undefined, nowMs = Date.now()): string {
  const sinceMs = Date.parse(timestamp ?? '');
  return Number.isNaN(sinceMs) ? '<unknown>' : formatDuration(nowMs - sinceMs);
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** [below how many seconds, the larger unit, its letter, the smaller unit, its letter] */
const scales = [
  [10 * MINUTE, MINUTE, 'm', 1, 's'],
  [3 * HOUR, MINUTE, 'm', 0, ''],
  [8 * HOUR, HOUR, 'h', MINUTE, 'm'],
  [2 * DAY, HOUR, 'h', 0, ''],
  [8 * DAY, DAY, 'd', HOUR, 'h'],
  [2 * YEAR, DAY, 'd', 0, ''],
  [8 * YEAR, YEAR, 'y', DAY, 'd'],
  [Number.POSITIVE_INFINITY, YEAR, 'y', 0, ''],
] as const;

/** `5m12s`, `3h4m`, `3d`: as kubectl shortens it (k8s.io/apimachinery/pkg/util/duration, HumanDuration). */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 2 * MINUTE) return `${seconds}s`;
  const [, unit, letter, smallUnit, smallLetter] = scales.find(([below]) => seconds < below)!;
  const rest = smallUnit === 0 ? 0 : Math.floor((seconds % unit) / smallUnit);
  return `${Math.floor(seconds / unit)}${letter}${rest === 0 ? '' : `${rest}${smallLetter}`}`;
}
