/** The times of a CronJob, as far as to know them from mistakes (robfig/cron v3, parser.go: ParseStandard). */
import type { TextRule } from '../text-rule.ts';

interface CronField {
  readonly min: number;
  readonly max: number;
  /** Words for values, in the order of the values from `min`. */
  readonly names: readonly string[];
}

const fields: readonly CronField[] = [
  { min: 0, max: 59, names: [] },
  { min: 0, max: 23, names: [] },
  { min: 1, max: 31, names: [] },
  { min: 1, max: 12, names: 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ') },
  { min: 0, max: 6, names: 'sun mon tue wed thu fri sat'.split(' ') },
];

const MACRO =
  /^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every [0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h)([0-9.]+(ns|us|µs|ms|s|m|h))*)$/;

export const cronSchedule: TextRule = {
  expected:
    'a schedule: minute (0-59), hour (0-23), day (1-31), month (1-12), day of the week (0-6, 0 is Sunday), or @daily and the like, such as "*/5 * * * *"',
  holds: (text) => {
    if (text.startsWith('@')) return MACRO.test(text);
    const parts = text.trim().split(/\s+/);
    return parts.length === fields.length && parts.every((part, index) => isField(part, fields[index]!));
  },
};

function isField(text: string, field: CronField): boolean {
  return text.split(',').every((range) => isRange(range, field));
}

/** `*`, `5`, `1-5`, `mon-fri`, each with a step: `0-30/10`. */
function isRange(text: string, field: CronField): boolean {
  const [, range = '', step = '1'] = /^([^/]+)(?:\/([0-9]+))?$/.exec(text) ?? [];
  if (Number(step) === 0) return false;
  if (range === '*' || range === '?') return true;
  const [low = '', high = low, ...more] = range.split('-');
  const from = cronValue(low, field);
  const to = cronValue(high, field);
  return more.length === 0 && from !== undefined && to !== undefined && from <= to;
}

function cronValue(text: string, { min, max, names }: CronField): number | undefined {
  const name = names.indexOf(text.toLowerCase());
  const value = name < 0 ? Number(text) : name + min;
  if (name < 0 && !/^[0-9]+$/.test(text)) return undefined;
  return value >= min && value <= max ? value : undefined;
}
