import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPlainYaml } from '../../src/cluster/plain-yaml.ts';
import { ProblemLog } from '../../src/cluster/source.ts';
import type { SourceNode } from '../../src/cluster/source-tree.ts';
import { readAnyYaml } from '../../src/cluster/yaml-text.ts';
import { type Random, withRandom } from '../support/random.ts';
import { missing } from '../support/requires.ts';

/** What the library makes of a text; it must find nothing to say about one that is plain. */
function byLibrary(text: string): SourceNode[] {
  const log = new ProblemLog();
  const trees = readAnyYaml('a.yaml', text, log);
  log.throwIfErrors();
  expect(log.notes).toEqual([]);
  return trees;
}

/** Is the text plain? Then both readers must agree, places included. */
function agreesWithLibrary(text: string): boolean {
  const trees = readPlainYaml('a.yaml', text);
  if (trees !== undefined) expect(trees, text).toEqual(byLibrary(text));
  return trees !== undefined;
}

const plain = {
  'maps and lists': 'a:\n  b: c\n  d:\n  - e\n  - f: g\n    h: 1\n  -\n  - i:\n      j: k\n',
  'lists at their key and below it': 'a:\n- b\n- c: d\n  e:\n    - f\n    -   g: h\n        i: j\nk: l',
  'a list at the top': '- a\n- b: c\n-\n  d: e\n',
  documents: '---\na: b\n---\n---\nc: d\n---\n',
  'comments and blank lines': '# x\na:\n    # y\n\n  b: c\n # z\n---\n# only\n---\nd: e',
  nothing: '',
  'letters beyond ASCII in quotes and comments': 'a: "ü\u0085\t"\n# ö\tx\n',
  'blanks behind a key': 'a:  \nb:   \n- c\n-  \n- d',
  words:
    'a: b c\nd: x:1\ne: a/b.c@d+e=f,g(h)%~^i-j\nf: -1\ng: .5\nh: 1e3\ni: no\nj: 012\nk: null\nl: 10:30:00\nm: r.io/x:v1.2',
  quotes: `a: "b c"\nb: 'd: e # f'\nc: ""\nd: '{}'\ne: "no"`,
  'empty values': 'a:\nb:\n  c:\n  d: {}\ne: []\n- '.slice(0, -2),
  'keys with dots and slashes': 'labels:\n  app.kubernetes.io/name: x\n  a_b-c/d: y',
  'a map that begins deeper': '  a: b\n  c: d\n',
} as const;

describe('plain texts are as the library reads them', () => {
  for (const [name, text] of Object.entries(plain)) test(name, () => expect(agreesWithLibrary(text)).toBe(true));
});

const other = {
  'flow style': 'a: [b]',
  'a map in braces': 'a: {b: c}',
  'a block of text': 'a: |\n  b',
  'a word of two lines': 'a: b\n  c',
  'a word of two lines below': 'a:\n  b\n  c',
  'a comment behind a value': 'a: b # c',
  'a comment behind a key': 'a: # c\n  b: d',
  'an anchor': 'a: &b c',
  'an alias': 'a: *b',
  'a tag': 'a: !!str b',
  'escapes in quotes': 'a: "\\n"',
  'a quote in quotes': "a: 'it''s'",
  'a key that is no string': 'on: a',
  'a key in quotes': '"a": b',
  'a key that merges': '<<: a',
  'a key twice': 'a: b\na: c',
  'letters beyond ASCII': 'a: ü',
  tabs: 'a:\tb',
  'line ends of Windows': 'a: b\r\n',
  'a directive': '%YAML 1.1\n---\na: b',
  'an end of document': 'a: b\n...\n',
  'a value behind the separator': '--- a\n',
  'a colon and a blank in a word': 'a: b: c',
  'a colon at the end of a word': 'a: b:',
  'a list in a list': '- - a',
  'a scalar': 'a',
  'a key to the left': '  a: b\nc: d',
  'a key between': 'a:\n    b: c\n  d: e',
  'a list after a value': 'a: b\n- c',
  'a map after a list': '- a\nb: c',
  'blanks at the end of a value': 'a: b ',
  'a line of 1001 characters': `a: ${'b'.repeat(998)}`,
  'nesting of 41': Array.from({ length: 41 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
} as const;

describe('other texts are left to the library', () => {
  for (const [name, text] of Object.entries(other)) {
    test(name, () => expect(readPlainYaml('a.yaml', text)).toBeUndefined());
  }
});

const words = [
  'a',
  'no',
  '12',
  '-1',
  'x:1',
  'a b',
  '"q"',
  "'r s'",
  '{}',
  '[]',
  '',
  '',
  'true',
  '1.5',
  'v/w',
  '.x',
  '-',
  '- a',
  '#c',
  ':',
  'a:',
  '"ü"',
  "'\t'",
  '!x',
  '"',
  '- -',
];
const keys = ['a', 'b', 'c', 'spec', 'x.y/z', 'on', '1', 'a b', '-k'];

/** A block of lines as people write them, now and then otherwise. */
function block(random: Random, indent: number, depth: number): string[] {
  const space = ' '.repeat(random.once(30) ? Math.max(0, indent + random.between(-2, 2)) : indent);
  const isList = random.once(3);
  return Array.from({ length: random.between(1, 3) }, () => {
    const key = random.once(15) ? random.pick(keys) : `k${random.below(1000)}`;
    const head = isList ? `${space}-` : `${space}${key}:`;
    const value = random.once(10) ? random.pick(words) : random.pick(words.slice(0, 15));
    if (depth > 3 || random.once(2)) return [value === '' ? head : `${head} ${value}`];
    const inner = block(random, indent + random.pick([2, 2, 2, 4, isList ? 1 : 0]), depth + 1);
    const joined =
      isList && random.once(2) ? [`${head}${inner[0]!.slice(indent + 1)}`, ...inner.slice(1)] : [head, ...inner];
    return random.once(10) ? ['', `${space}# x`, ...joined] : joined;
  }).flat();
}

test('random texts: who calls a text plain agrees with the library', () => {
  const rounds = 1000;
  let plainTexts = 0;
  withRandom((random) => {
    for (let round = 0; round < rounds; round++) {
      const lines = block(random, 0, 0);
      if (random.once(4))
        lines.splice(
          random.below(lines.length + 1),
          0,
          random.pick(['---', '', '  ', '# x', ' x', 'x: y', '- z', '...']),
        );
      let text = lines.join('\n');
      if (random.once(4)) {
        const at = random.below(text.length + 1);
        text =
          text.slice(0, at) +
          random.pick([' ', ':', '-', '#', '\n', '"', "'", 'x', ': ', ' #']) +
          text.slice(at + random.below(2));
      }
      if (agreesWithLibrary(text)) plainTexts++;
    }
  });
  expect(plainTexts).toBeGreaterThan(rounds / 10);
});

test('10,000 Services are read in seconds on a slow machine, and are plain', () => {
  const service = (i: number) =>
    `apiVersion: v1\nkind: Service\nmetadata:\n  name: s${i}\nspec:\n  selector:\n    app: a${i}\n  ports:\n  - name: http\n    port: 80\n    targetPort: 8080\n`;
  const text = Array.from({ length: 10_000 }, (_, i) => service(i)).join('---\n');
  expect(readPlainYaml('a.yaml', text)).toHaveLength(10_000);
});

describe.skipIf(missing('testdata'))('manifests of others (needs PODWIRE_TESTDATA)', () => {
  const folder = join(process.env['PODWIRE_TESTDATA'] ?? '/nonexistent', 'corpora', 'manifests');
  test('are read as the library reads them', () => {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.ya?ml$/.test(name));
    const agreed = files.filter((file) => agreesWithLibrary(readFileSync(join(folder, file), 'utf8')));
    expect(agreed.length).toBeGreaterThan(150);
  });
});
