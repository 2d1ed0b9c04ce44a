/** Documents that speak of the code must say what the code says, and leave nothing out. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { renderDrops } from '../scripts/build-drops.ts';
import { consumeReasons, dropReasons } from '../src/packet/outcome.ts';
import { stagesOf, storyText } from './dataplane/story-source.ts';

const root = new URL('../', import.meta.url);

/** The document's text, or empty while nobody has written it. */
function document(name: string): string {
  const url = new URL(`docs/${name}`, root);
  return existsSync(url) ? readFileSync(url, 'utf8') : '';
}

/** The part of a document from its heading to the next one of the same level. */
function section(text: string, heading: string): string {
  const at = text.indexOf(`\n## ${heading}\n`);
  if (at < 0) return '';
  const end = text.indexOf('\n## ', at + 1);
  return text.slice(at, end < 0 ? undefined : end);
}

/** The rows of the tables in a text, without their heads: cells as they are written. */
function rows(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  const cells = lines.map((line) => line.slice(2, -2).split(/(?<!\\) \| /));
  return cells.filter((_, i) => !lines[i]!.startsWith('| ---') && !lines[i + 1]?.startsWith('| ---'));
}

/** What stands in backquotes at the beginning of a row. */
function names(text: string): string[] {
  return rows(text).map(([first = '']) => /^`(\w+)`/.exec(first)?.[1] ?? first);
}

describe('docs/DROPS.md', () => {
  const text = document('DROPS.md');

  test('is what scripts/build-drops.ts writes', () => {
    expect(text, 'run: npx tsx scripts/build-drops.ts').toBe(renderDrops());
  });

  for (const [heading, reasons] of [
    ['Dropped', dropReasons],
    ['Consumed', consumeReasons],
  ] as const) {
    test(`${heading}: every reason of the code is in the document, and every one of the document in the code`, () => {
      const listed = names(section(text, heading));
      expect(listed).toEqual(reasons.map(({ name }) => name));
      expect(listed.length).toBeGreaterThanOrEqual(6);
    });
  }

  test('no reason is without a meaning, no drop without a hint where to look', () => {
    for (const { name, means, look } of dropReasons) {
      expect(means, name).toMatch(/^\S.*\.$/);
      expect(look, name).toMatch(/^\S.*\.$/);
    }
    for (const { name, means } of consumeReasons) expect(means, name).toMatch(/^\S.*\.$/);
  });
});

/** Story, and the heading that tells it. */
const headings = {
  'from-pod': 'From a pod',
  'from-host': 'From the host',
  'from-underlay': 'From the underlay',
  forward: 'The end of every story',
} as const;

describe('docs/PACKET-LIFE.md', () => {
  const text = document('PACKET-LIFE.md');
  const absent = text === '';

  for (const [story, heading] of Object.entries(headings)) {
    test.skipIf(absent)(
      `${absent ? '(document not written yet) ' : ''}${heading}: the stages of ${story}, in order`,
      () => {
        const stages = stagesOf(storyText(story)).map(({ name }) => name);
        expect(stages.length).toBeGreaterThanOrEqual(6);
        expect(names(section(text, heading))).toEqual(stages);
      },
    );
  }

  test.skipIf(absent)('names no drop reason that does not exist', () => {
    const known = new Set<string>([...dropReasons, ...consumeReasons].map(({ name }) => name));
    const named = [...text.matchAll(/`([A-Z][a-z]+(?:[A-Z]\w*)+)`/g)].map(([, name]) => name!);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('docs/ARCHITECTURE.md', () => {
  const text = document('ARCHITECTURE.md');
  const absent = text === '';
  const folders = readdirSync(new URL('src/', root), { withFileTypes: true }).filter((entry) => entry.isDirectory());

  test.skipIf(absent)('has a line for every folder of src/', () => {
    const listed = new Set([...section(text, 'The house').matchAll(/`([\w-]+)\/`/g)].map(([, name]) => name));
    expect(folders.map(({ name }) => name).filter((name) => !listed.has(name))).toEqual([]);
  });
});

describe('links between documents', () => {
  const all = existsSync(new URL('docs/', root)) ? readdirSync(new URL('docs/', root)) : [];
  for (const name of all.filter((file) => file.endsWith('.md'))) {
    test(`docs/${name} points at nothing that is missing`, () => {
      const targets = [...document(name).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target]) => target!);
      const own = targets.filter((target) => !/^[a-z]+:/.test(target));
      expect(own.filter((target) => !existsSync(new URL(target, new URL('docs/', root))))).toEqual([]);
    });
  }
});
