import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { GatedProgram } from '../../bench/peers/gated-program.ts';

const { signal } = new AbortController();
const PATIENCE_MS = 5000;

test('a gated program begins when it is told, and not before', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pwgate'));
  const program = new GatedProgram(['env', '-C', directory], ['sh', '-c', 'touch begun; echo one; echo two'], signal);
  try {
    await program.ready(PATIENCE_MS);
    await sleep(100); // long enough for one that does not wait
    expect(readdirSync(directory)).toEqual([]);
    expect(await program.run(PATIENCE_MS)).toBe('one\ntwo');
    expect(readdirSync(directory)).toEqual(['begun']);
  } finally {
    await program.end();
    rmSync(directory, { recursive: true });
  }
});

test.each([
  ['echo report; exit 1', 'report'],
  ['true', ''],
])('%j: what it printed counts', async (script, text) => {
  const program = new GatedProgram([], ['sh', '-c', script], signal);
  await program.ready(PATIENCE_MS);
  expect(await program.run(PATIENCE_MS)).toBe(text);
  await program.end();
});

test('one that cannot be started is a failure', async () => {
  const program = new GatedProgram([], ['no-such-program'], signal);
  await program.ready(PATIENCE_MS);
  await expect(program.run(PATIENCE_MS)).rejects.toThrow('no-such-program: ended with 127');
  await program.end();
});
