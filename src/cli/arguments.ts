/** Reading a command's arguments: node:util's parser, with mistakes as `UsageError`. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { Refusal } from '../vessel/refusal.ts';
import { clusterNames } from '../vessel/run-directory.ts';

/** Wrong usage: the message, then how the command is used. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly usage: string;

  constructor(message: string, usage: string) {
    super(message);
    this.usage = usage;
  }
}

export type Options = NonNullable<ParseArgsConfig['options']>;

type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; allowPositionals: true; strict: true }>
>;

/** @throws UsageError for unknown flags and missing values. */
export function readArguments<const T extends Options>(argv: readonly string[], options: T, usage: string): Parsed<T> {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    if (error instanceof TypeError && (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true) {
      throw new UsageError(error.message.replace(/\. To specify a positional.*/s, ''), usage);
    }
    throw error;
  }
}

/** A whole number, or a `UsageError` that says so. */
export function readCount(text: string | undefined, flag: string, usage: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${flag} takes a whole number, found "${text}"`, usage);
  return Number(text);
}

/** `--wait` as `--wait=true`: the parser of node:util knows flags without values and flags with them, but not both. */
export function switchesSpelledOut(argv: readonly string[], names: readonly string[]): string[] {
  return argv.map((word) => (names.some((name) => word === `--${name}`) ? `${word}=true` : word));
}

/** A switch that may be turned off: `--wait=false`. */
export function readSwitch(text: string, flag: string, usage: string): boolean {
  if (text !== 'true' && text !== 'false') throw new UsageError(`${flag} takes true or false, found "${text}"`, usage);
  return text === 'true';
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `20ms`, `1.5s`, `5m`, `1h`, or a `UsageError` that says so. Nothing needs no unit. */
export function readTime(text: string, flag: string, usage: string): number {
  if (/^0+$/.test(text)) return 0;
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)$/.exec(text) ?? [];
  if (amount === undefined) throw new UsageError(`${flag} takes a time such as 20ms or 1.5s, found "${text}"`, usage);
  return Number(amount) * unitMs[unit!]!;
}

/** The flag that every command with a running cluster takes; `clusterName` reads it. */
export const clusterOption = { name: { type: 'string' } } as const satisfies Options;

const DEFAULT_NAME = 'podwire';

/** The named cluster; without a name the one called podwire, or the only one there is. */
export function clusterName(given: string | undefined): string {
  if (given !== undefined) return given;
  const running = clusterNames();
  if (running.includes(DEFAULT_NAME) || running.length === 0) return DEFAULT_NAME;
  if (running.length === 1) return running[0]!;
  throw new Refusal(`several clusters are running: choose one with --name ${running.join(', --name ')}`);
}
