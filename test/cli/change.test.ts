/** `podwire apply` and `podwire delete`: what they say, and with which exit code. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { kinds } from '../../src/store/resources.ts';
import { configMap, ServedCluster } from '../api/served-cluster.ts';
import { podwire } from './command-line.ts';

let served: ServedCluster;
let file: string;

beforeEach(async () => {
  served = await ServedCluster.start();
  file = join(served.home, 'x.yaml');
});

afterEach(() => served.close());

const yaml = (name: string, value = '1') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {a: "${value}"}\n`;
const names = () => served.store.list(kinds.ConfigMap).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);

describe('apply', () => {
  test('a line for each object', async () => {
    writeFileSync(file, `${yaml('a')}---\n${yaml('b')}`);
    expect(await podwire(served, 'apply', '-f', file)).toEqual({
      ...{ code: 0, stderr: '' },
      stdout: 'configmap/a created\nconfigmap/b created\n',
    });
    writeFileSync(file, `${yaml('a', '2')}---\n${yaml('b')}`);
    const { stdout } = await podwire(served, 'apply', file, '-n', 'default');
    expect(stdout).toBe('configmap/a configured\nconfigmap/b unchanged\n');
    await podwire(served, 'apply', file, '-n', 'shop');
    expect(names()).toEqual(['default/a', 'default/b', 'shop/a', 'shop/b']);
  });

  test('notes are on stderr', async () => {
    writeFileSync(file, `${yaml('a')}---\napiVersion: acme.example/v1\nkind: Road\nmetadata: {name: r}\n`);
    const { code, stdout, stderr } = await podwire(served, 'apply', file);
    expect([code, stdout]).toEqual([0, 'configmap/a created\n']);
    expect(stderr).toContain('skipped 1 object of kind Road');
  });

  test('what is refused: every problem with its line, exit code 2, nothing changed', async () => {
    writeFileSync(file, `${yaml('a')}---\n${yaml('A_B')}---\n${yaml('C_D')}`);
    const { code, stdout, stderr } = await podwire(served, 'apply', '-f', file);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.match(/^.*x\.yaml:\d+:\d+: metadata\.name: found/gm)).toHaveLength(2);
    expect(stderr).not.toContain('Error from server');
    expect(names()).toEqual([]);
  });

  test('waits, unless it is told not to', async () => {
    writeFileSync(file, yaml('a'));
    for (const flags of [[], ['--wait'], ['--wait=true'], ['--wait=false']]) {
      await podwire(served, 'apply', ...flags, '-f', file);
    }
    expect(served.cluster.waits).toEqual([true, true, true, false]);
  });

  test.each([
    [[], 'expected -f PATH'],
    [['/nonexistent.yaml'], '/nonexistent.yaml: no such file or folder'],
    [['--wait=maybe', 'x'], '--wait takes true or false, found "maybe"'],
    [['--prune'], "Unknown option '--prune'"],
  ])('%j: exit code 2', async (words, message) => {
    const { code, stderr } = await podwire(served, 'apply', ...words);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe('delete', () => {
  beforeEach(() => {
    for (const name of ['a', 'b', 'c']) served.store.create(configMap(name, { app: name }));
  });

  test('what files name', async () => {
    writeFileSync(file, `${yaml('a')}---\n${yaml('x')}`);
    expect(await podwire(served, 'delete', '-f', file)).toEqual({
      ...{ code: 1, stdout: 'configmap "a" deleted\n' },
      stderr: 'Error from server (NotFound): configmaps "x" not found\n',
    });
    expect((await podwire(served, 'delete', '-f', file, '--ignore-not-found')).code).toBe(0);
    expect(names()).toEqual(['default/b', 'default/c']);
  });

  test.each([
    [['cm', 'a', 'c'], ['default/b']],
    [['configmap/b'], ['default/a', 'default/c']],
    [['cm', '-l', 'app in (a,b)'], ['default/c']],
    [['cm', '--all'], []],
    [
      ['cm', '--all', '-n', 'elsewhere'],
      ['default/a', 'default/b', 'default/c'],
    ],
  ])('%j', async (words, left) => {
    expect((await podwire(served, 'delete', ...words)).code).toBe(0);
    expect(names()).toEqual(left);
  });

  test('what is not there is told, and the rest is gone', async () => {
    const { code, stdout, stderr } = await podwire(served, 'delete', 'cm', 'a', 'x', 'b');
    expect([code, stdout]).toEqual([1, 'configmap "a" deleted\nconfigmap "b" deleted\n']);
    expect(stderr).toBe('Error from server (NotFound): configmaps "x" not found\n');
  });

  test('waits, unless it is told not to', async () => {
    await podwire(served, 'delete', 'cm', 'a');
    await podwire(served, 'delete', 'cm', 'b', '--wait=false');
    expect(served.cluster.waits).toEqual([true, false]);
  });

  test.each([
    [['cm'], 'expected a NAME, -l SELECTOR or --all'],
    [['cm', 'a', '--all'], 'name objects or select them'],
    [['cm', '-f', 'x'], 'expected no KIND beside it'],
    [[], 'expected a KIND'],
  ])('%j: exit code 2, and nothing is deleted', async (words, message) => {
    const { code, stderr } = await podwire(served, 'delete', ...words);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(names()).toHaveLength(3);
  });
});
