import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describe, expect, test } from 'vitest';
import { noOptions, readList, readNumber, readRounds, understand } from '../../bench/command-line.ts';

const root = new URL('../../', import.meta.url);
const usage = 'Usage: npm run bench:example -- [--fast]\n\nWhat an example costs. A second, no root.\n';
const read = (args: string[]) => parseArgs({ args, options: { fast: { type: 'boolean', default: false } } }).values;

describe('the command line of a benchmark', () => {
  test('what is understood', () => {
    expect(understand(usage, read, ['--fast'])).toEqual({ value: { fast: true } });
  });

  test.each([['--help'], ['-h'], ['--fast', '--help'], ['--nonsense', '--help']])('%j prints the usage', (...words) => {
    expect(understand(usage, read, words)).toEqual({ farewell: { stdout: usage, stderr: '', status: 0 } });
  });

  test.each([
    [['--slow'], "Unknown option '--slow'"],
    [['word'], 'Unexpected argument'],
    [['--fast=1'], '--fast'],
  ])('%j is a mistake: a line with its reason, no stack, status 2', (words, reason) => {
    const found = understand(usage, read, words);
    if (!('farewell' in found)) throw new Error('was understood');
    const { stdout, stderr, status } = found.farewell;
    expect({ stdout, status }).toEqual({ stdout: '', status: 2 });
    expect(stderr).toContain(reason);
    expect(stderr).toMatch(/^bench:example: .*\nbench:example: --help tells of its options\n$/);
    expect(stderr).not.toContain('    at ');
  });

  test('nothing to choose', () => {
    expect(() => noOptions([])).not.toThrow();
    expect(() => noOptions(['--fast'])).toThrow("Unknown option '--fast'");
    expect(() => noOptions(['fast'])).toThrow();
  });

  test('numbers', () => {
    expect(readNumber('0.5', '--seconds')).toBe(0.5);
    for (const text of ['', ' ', '0', '-1', 'x', '3601', 'Infinity', 'NaN']) {
      expect(() => readNumber(text, '--seconds'), text).toThrow(
        `--seconds takes a number above 0, up to 3600; found "${text}"`,
      );
    }
    expect(readNumber('0', '--settle', { least: -1 })).toBe(0);
    expect(readNumber('4000', '--gigabytes', { most: 1e6 })).toBe(4000);
  });

  test('rounds', () => {
    expect(readRounds([], 20)).toBe(20);
    expect(readRounds(['3'], 20)).toBe(3);
    for (const words of [['0'], ['1.5'], ['many'], ['1', '2'], ['--quick']])
      expect(() => readRounds(words, 20)).toThrow();
  });

  test('lists', () => {
    expect(readList(undefined, '--only', ['a', 'b'])).toEqual(['a', 'b']);
    expect(readList('b', '--only', ['a', 'b'])).toEqual(['b']);
    expect(() => readList('c', '--only', ['a', 'b'])).toThrow('--only takes a, b; found "c"');
  });

  test('is that of every benchmark', () => {
    const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const files = Object.entries(scripts).flatMap(([name, words]) => {
      return name.startsWith('bench:') ? [[name, /bench\/\S+\.ts/.exec(words)![0]] as const] : [];
    });
    expect(files.length).toBeGreaterThan(8);
    for (const [name, file] of files) {
      const text = readFileSync(new URL(file, root), 'utf8');
      expect(text, file).toContain('commandLine(usage');
      expect(text, file).toContain(`Usage: npm run ${name}`);
    }
  });
});
