import { describe, expect, test } from 'vitest';
import { ProblemLog } from '../../src/cluster/source.ts';
import type { SourceNode } from '../../src/cluster/source-tree.ts';
import { readYaml } from '../../src/cluster/yaml-text.ts';
import { refusalOf } from './refusal.ts';

/** The documents as ordinary values; maps as entries would hide nothing, and keys here are harmless. */
function valuesOf(text: string): unknown[] {
  const log = new ProblemLog();
  const trees = readYaml('a.yaml', text, log);
  log.throwIfErrors();
  return trees.map(plain);
}

function plain(node: SourceNode): unknown {
  if (node.type === 'scalar') return node.value;
  if (node.type === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.fields].map(([key, field]) => [key, plain(field.node)]));
}

function refusal(text: string): string[] {
  return refusalOf(() => valuesOf(text));
}

describe('readYaml reads', () => {
  const cases = [
    { name: 'nothing from an empty text', text: '', want: [] },
    { name: 'nothing from empty documents', text: '---\n---\n# comment\n---\nnull\n---\n~\n...\n', want: [] },
    { name: 'several documents', text: 'a: 1\n---\nb: 2\n...\n---\nc: 3\n', want: [{ a: 1 }, { b: 2 }, { c: 3 }] },
    {
      name: 'JSON',
      text: '{"a": [1, true, null, "no", {"b": "\\u00e4"}]}',
      want: [{ a: [1, true, null, 'no', { b: 'ä' }] }],
    },
    { name: 'a byte order mark and CRLF', text: '\ufeffa: 1\r\nb: x\r\n', want: [{ a: 1, b: 'x' }] },
    {
      name: 'unquoted words as YAML 1.1',
      text: 'a: no\nb: "no"\nc: 012\nd: |\n  no\n',
      want: [{ a: false, b: 'no', c: 10, d: 'no\n' }],
    },
    { name: 'the same under a %YAML directive', text: '%YAML 1.2\n---\na: no\n', want: [{ a: false }] },
    {
      name: 'anchors and aliases',
      text: 'a: &x {k: v}\nb: *x\nc: [*x]\n',
      want: [{ a: { k: 'v' }, b: { k: 'v' }, c: [{ k: 'v' }] }],
    },
    {
      name: '!!str, and ! which says nothing',
      text: 'a: !!str no\nb: ! no\nc: !!map {}\nd: !!seq []',
      want: [{ a: 'no', b: 'no', c: {}, d: [] }],
    },
    {
      name: 'merge keys: what is there wins, then the earlier map',
      text: 'p: &p {a: 1, b: 1}\nq: &q {b: 2, c: 2}\nr: {<<: [*p, *q], a: 0}\ns: {<<: *q}',
      want: [{ p: { a: 1, b: 1 }, q: { b: 2, c: 2 }, r: { a: 0, b: 1, c: 2 }, s: { b: 2, c: 2 } }],
    },
    { name: 'a quoted << as a key like any other', text: '"<<": {a: 1}', want: [{ '<<': { a: 1 } }] },
    { name: 'numeric and true/false keys as text', text: '80: a\ntrue: b\n', want: [{ 80: 'a', true: 'b' }] },
  ];
  for (const { name, text, want } of cases) test(name, () => expect(valuesOf(text)).toEqual(want));
});

describe('readYaml refuses', () => {
  const cases = [
    { name: 'tabs', text: 'a:\n\tb: 1', want: /^a\.yaml:2:1: not valid YAML: Tabs/ },
    { name: 'an unclosed bracket', text: 'a: [1', want: /^a\.yaml:1:6: not valid YAML: Flow sequence/ },
    {
      name: 'duplicate keys, naming both lines',
      text: 'a:\n  k: 1\n  k: 2',
      want: /^a\.yaml:3:3: a\.k: found this key twice, first in line 2/,
    },
    {
      name: 'duplicate keys that differ in quotes only',
      text: 'k: 1\n"k": 2',
      want: /^a\.yaml:2:1: k: found this key twice/,
    },
    { name: 'control characters', text: 'a: x\nb: y\u0007', want: /^a\.yaml:2:5: found the character U\+0007/ },
    { name: 'lone surrogates', text: 'a: \ud800', want: /^a\.yaml:1:4: found the character U\+D800/ },
    {
      name: 'tags of other programs',
      text: 'a: !!js/function "x"',
      want: /a\.yaml:1:\d+: a: found the tag !!js\/function, expected none here but !!str/,
    },
    { name: 'binary', text: 'a: !!binary "////"', want: /: a: found the tag !!binary/ },
    { name: 'tags on maps', text: 'a: !!set {b}', want: /: a: found the tag !!set, expected none here but !!map/ },
    { name: 'an alias of nothing', text: 'a: *x', want: /: a: found the alias \*x, which no &anchor before it names/ },
    {
      name: 'an alias inside its own anchor',
      text: 'a: &x [*x]',
      want: /: a\[0\]: found the alias \*x, which holds this place itself/,
    },
    { name: 'an anchor of another document', text: 'a: &x 1\n---\nb: *x', want: /^a\.yaml:3:4: b: found the alias/ },
    {
      name: 'keys that YAML 1.1 changes',
      text: 'on: 1',
      want: /^a\.yaml:1:1: found the key on, which YAML reads as true; quote it: "on"/,
    },
    { name: 'a null key', text: '~: 1', want: /found the key ~, which YAML reads as null/ },
    {
      name: 'templates',
      text: 'a: {{ .Values.x }}',
      want: /^a\.yaml:1:5: a: found a key that is no plain word.*render it first/,
    },
    { name: 'a merge of no map', text: 'a: {<<: 1}', want: /: a: found no map to merge/ },
    { name: 'directives without a document', text: '%YAML 1.2\n', want: /not valid YAML: Missing directives-end/ },
  ];
  for (const { name, text, want } of cases) test(name, () => expect(refusal(text)[0]).toMatch(want));

  test('every faulty document, not only the first', () => {
    const lines = refusal('a: [\n---\nb: 1\n---\nc: {\n');
    expect(lines.map((line) => line.slice(0, 9))).toEqual(['a.yaml:2:', 'a.yaml:6:']);
  });

  test('nothing of a key that only looks like a way to the prototype', () => {
    const [value] = valuesOf('__proto__: {polluted: true}\nconstructor: 1') as [object];
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('limits', () => {
  const nested = {
    'flow lists': (depth: number) => '['.repeat(depth) + ']'.repeat(depth),
    'flow maps': (depth: number) => `${'{a: '.repeat(depth)}1${'}'.repeat(depth)}`,
    'block maps': (depth: number) => Array.from({ length: depth }, (_, level) => `${' '.repeat(level)}a:`).join('\n'),
    'block lists': (depth: number) => `${'- '.repeat(depth)}1`,
  };
  for (const [name, textOf] of Object.entries(nested)) {
    test(`${name}: 100 deep is read, 103 is not`, () => {
      expect(() => valuesOf(textOf(100))).not.toThrow();
      expect(refusal(textOf(103))[0]).toMatch(/nested more than 100 deep/);
    });
  }

  test('nesting by a chain of aliases counts', () => {
    const chain = (links: number) => [
      'a0: &a0 []',
      ...Array.from({ length: links }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}]`),
    ];
    expect(() => valuesOf(chain(95).join('\n'))).not.toThrow();
    expect(refusal(chain(105).join('\n'))[0]).toMatch(/^a\.yaml:1\d\d:.*nested more than 100 deep/);
  });

  test('16 MiB is the longest text', () => {
    expect(refusal('#'.repeat(16 * 1024 * 1024 + 1))).toEqual([
      'a.yaml:1:1: found 16777217 characters, expected at most 16777216; split the file',
    ]);
  });

  test('10,000 documents are read, 10,001 not', () => {
    const documents = (count: number) => Array(count).fill('1').join('\n---\n');
    expect(valuesOf(documents(10_000))).toHaveLength(10_000);
    expect(refusal(documents(10_001))).toEqual([expect.stringMatching(/found more than 10000 documents/)]);
    expect(refusal('---\n'.repeat(10_001))).toEqual([
      expect.stringMatching(/^a\.yaml:10001:1: found more than 10000 documents/),
    ]);
    expect(refusal('1\n...\n'.repeat(10_001))).toEqual([expect.stringMatching(/found more than 10000 documents/)]);
  });

  test('an alias bomb is refused by arithmetic, in one document or spread over many', () => {
    const bomb = (levels: number) =>
      Array.from({ length: levels }, (_, level) => {
        const item = level === 0 ? 'lol' : `*a${level - 1}`;
        return `a${level}: &a${level} [${Array(10).fill(item).join(', ')}]`;
      }).join('\n');
    expect(refusal(bomb(30))).toEqual([
      expect.stringMatching(/found more than 2000000 values with all aliases written out/),
    ]);
    expect(() => valuesOf(bomb(3))).not.toThrow();
    const spread = Array(20).fill(bomb(5)).join('\n---\n');
    expect(refusal(spread)).toEqual([expect.stringMatching(/found more than 2000000 values/)]);
  });
});
