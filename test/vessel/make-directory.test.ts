import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeDirectory } from '../../src/vessel/make-directory.ts';

const home = mkdtempSync(join(tmpdir(), 'podwire-directory-'));

afterAll(() => rmSync(home, { recursive: true }));

test('makes what is missing, with its mode, and leaves what is there', () => {
  const path = join(home, 'a/b/c');
  makeDirectory(path, 0o700);
  makeDirectory(path, 0o755);
  for (const made of ['a', 'a/b', 'a/b/c']) expect(statSync(join(home, made)).mode & 0o777).toBe(0o700);
});

test('a file in the way is told', () => {
  writeFileSync(join(home, 'file'), '');
  expect(() => makeDirectory(join(home, 'file'))).toThrow('EEXIST');
  expect(() => makeDirectory(join(home, 'file/x'))).toThrow(/EEXIST|ENOTDIR/);
});

test('what the system does not let anybody make is told, and soon', () => {
  expect(() => makeDirectory('/proc/nobody/x/y')).toThrow('/proc/nobody');
});
