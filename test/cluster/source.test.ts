import { describe, expect, test } from 'vitest';
import { formatProblem, ManifestError, type Problem, ProblemLog, printable } from '../../src/cluster/source.ts';
import { childPath, sourceOf } from '../../src/cluster/source-tree.ts';
import { objectsOf } from './refusal.ts';

const place = { file: 'a.yaml', line: 3, column: 7 };
const problem: Problem = { place, path: 'spec.nodeName', message: 'no node n7', severity: 'error' };

describe('formatProblem', () => {
  const cases = [
    { name: 'place, path, message', problem, want: 'a.yaml:3:7: spec.nodeName: no node n7' },
    { name: 'a whole document has no path', problem: { ...problem, path: '' }, want: 'a.yaml:3:7: no node n7' },
    {
      name: 'an option has no line',
      problem: { ...problem, place: { file: 'command line', line: 0, column: 0 }, path: '--mtu' },
      want: 'command line: --mtu: no node n7',
    },
    {
      name: 'control characters are escaped wherever they stand',
      problem: { ...problem, place: { ...place, file: 'a\u001b[31m' }, path: 'x\r', message: 'y\n\u202e' },
      want: 'a\\u{1b}[31m:3:7: x\\u{d}: y\\u{a}\\u{202e}',
    },
  ];
  for (const c of cases) test(c.name, () => expect(formatProblem(c.problem)).toBe(c.want));
});

test('printable leaves letters of all scripts and escapes what steers a terminal', () => {
  expect(printable('Straße 東京 😀')).toBe('Straße 東京 😀');
  expect(printable('\u0000\u007f\u009b\u200b\u2028\ud800')).toBe('\\u{0}\\u{7f}\\u{9b}\\u{200b}\\u{2028}\\u{d800}');
});

test('a ManifestError lists all problems, one a line', () => {
  const error = new ManifestError([problem, { ...problem, message: 'other' }]);
  expect(error.message).toBe('a.yaml:3:7: spec.nodeName: no node n7\na.yaml:3:7: spec.nodeName: other');
  expect(error.problems).toHaveLength(2);
});

describe('ProblemLog', () => {
  test('throws nothing while there are only notes', () => {
    const log = new ProblemLog();
    log.note(place, '', 'skipped');
    expect(() => log.throwIfErrors()).not.toThrow();
    expect(log.notes).toEqual([{ place, path: '', message: 'skipped', severity: 'note' }]);
  });

  test('says a note once', () => {
    const log = new ProblemLog();
    log.note(place, '', 'skipped');
    log.note({ ...place, line: 9 }, '', 'skipped');
    expect(log.notes).toHaveLength(1);
  });

  test('keeps 1000 errors and counts the rest', () => {
    const log = new ProblemLog();
    for (let n = 0; n < 1234; n++) log.error(place, '', `error ${n}`);
    expect(() => log.throwIfErrors()).toThrow(/error 999\n.*and 234 more problems/);
  });
});

describe('sourceOf', () => {
  const text = [
    'apiVersion: v1',
    'kind: Pod',
    'metadata:',
    '  name: web',
    '  labels:',
    '    app.kubernetes.io/name: web',
    'spec:',
    '  containers:',
    '  - name: main',
    '    ports: [{containerPort: 80}, {containerPort: 81}]',
  ].join('\n');
  const [pod] = objectsOf(text);
  const cases = [
    { path: 'metadata.name', line: 4, column: 9, name: 'a scalar at its value' },
    { path: 'spec', line: 7, column: 1, name: 'a map at its key' },
    { path: 'metadata.labels[app.kubernetes.io/name]', line: 6, column: 29, name: 'a key with dots' },
    { path: 'spec.containers[0]', line: 9, column: 5, name: 'a list item' },
    { path: 'spec.containers[0].ports[1].containerPort', line: 10, column: 50, name: 'deep in a flow list' },
    { path: 'spec.nodeName', line: 7, column: 1, name: 'a field left out at its parent' },
    { path: 'status.podIP', line: 1, column: 1, name: 'a field of nothing at the document' },
  ];
  for (const { path, line, column, name } of cases) {
    test(name, () => expect(sourceOf(pod!, path)).toEqual({ file: 'a.yaml', line, column }));
  }

  test('childPath writes what sourceOf reads', () => {
    const path = childPath(childPath(childPath('', 'metadata'), 'labels'), 'app.kubernetes.io/name');
    expect(path).toBe('metadata.labels[app.kubernetes.io/name]');
    expect(childPath('items', 3)).toBe('items[3]');
  });
});
