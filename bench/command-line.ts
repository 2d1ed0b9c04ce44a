/** What the command lines of all benchmarks have in common: `--help`, and mistakes in words, never with a stack. */
import { parseArgs } from 'node:util';

/** As a shell reports the end by SIGINT. */
export const EXIT_INTERRUPTED = 130;
const EXIT_USAGE = 2;

/** What is to be said, and the exit status after it. */
export interface Farewell {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

/**
 * @param usage begins with `Usage: ` and the command. @param read makes something of the words, and throws errors in words
 * for the user, as `parseArgs` does.
 */
export function understand<T>(
  usage: string,
  read: (words: string[]) => T,
  words: string[],
): { readonly value: T } | { readonly farewell: Farewell } {
  if (words.includes('--help') || words.includes('-h')) {
    return { farewell: { stdout: usage, stderr: '', status: 0 } };
  }
  try {
    return { value: read(words) };
  } catch (error) {
    const name = /bench[:/][\w.-]+/.exec(usage)?.[0] ?? 'bench';
    const [reason] = (error as Error).message.split('. To specify'); // node:util goes on at length
    const stderr = `${name}: ${reason}\n${name}: --help tells of its options\n`;
    return { farewell: { stdout: '', stderr, status: EXIT_USAGE } };
  }
}

/** The words of this process, understood; else it ends here. */
export function commandLine<T>(usage: string, read: (words: string[]) => T): T {
  const found = understand(usage, read, process.argv.slice(2));
  if ('value' in found) return found.value;
  const { stdout, stderr, status } = found.farewell;
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  process.exit(status);
}

/** For a benchmark that has nothing to choose. */
export function noOptions(words: string[]): void {
  parseArgs({ args: words, options: {} });
}

/** Words between commas, in the order in which they are known, not as they were asked for. @param list undefined: all. */
export function readList<T extends string>(list: string | undefined, option: string, known: readonly T[]): T[] {
  if (list === undefined) return [...known];
  const asked = list.split(',');
  const stranger = asked.find((name) => !known.some((one) => one === name));
  if (stranger !== undefined) throw new Error(`${option} takes ${known.join(', ')}; found "${stranger}"`);
  return known.filter((name) => asked.includes(name));
}

/** @param what the option, for the error. @throws Error for what is no number above `least`, up to `most`. */
export function readNumber(text: string, what: string, { least = 0, most = 3600 } = {}): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value > least && value <= most) return value;
  throw new Error(`${what} takes a number above ${least}, up to ${most}; found "${text}"`);
}

/** The one positional word: how many rounds, or what else. @throws Error also for more words. */
export function readRounds(words: string[], usual: number, { what = 'ROUNDS', most = 3600 } = {}): number {
  const { positionals } = parseArgs({ args: words, options: {}, allowPositionals: true });
  const [rounds = String(usual), ...more] = positionals;
  if (more.length > 0) throw new Error(`${what} is one number; found also "${more.join(' ')}"`);
  const count = readNumber(rounds, what, { most });
  if (!Number.isInteger(count)) throw new Error(`${what} takes a whole number; found "${rounds}"`);
  return count;
}
