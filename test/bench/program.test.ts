import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Program } from '../../bench/peers/program.ts';

const { signal } = new AbortController();
const node = (script: string, ...words: string[]) => [process.execPath, '-e', script, ...words];
const shell = (script: string) => ['sh', '-c', script];

/** Gone, or a zombie that nobody has waited for yet. */
async function isGone(pid: number): Promise<boolean> {
  for (let i = 0; i < 50; i++) {
    if (!existsSync(`/proc/${pid}/stat`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

describe('a program', () => {
  test('speaks by lines, both ways', async () => {
    const program = new Program(['cat'], signal);
    program.send('one');
    expect(await program.line(5000)).toBe('one');
    program.send('two');
    program.send('three');
    expect([await program.line(5000), await program.line(5000)]).toEqual(['two', 'three']);
    await program.end();
  });

  test('all that it printed, when it ends well', async () => {
    expect(await new Program(shell('echo a; echo b'), signal).output(5000)).toBe('a\nb');
  });

  test.each([
    [shell('echo "no route to host" >&2; exit 3'), /ended with 3: no route to host/],
    [shell('echo "on standard output"; exit 1'), /ended with 1: on standard output/],
    [shell('kill -9 $$'), /ended with SIGKILL/],
    [['/nonexistent/program'], /ENOENT/],
  ])('%j fails in its own words', async (command, words) => {
    await expect(new Program(command, signal).output(5000)).rejects.toThrow(words);
  });

  test('that ends is no answer', async () => {
    await expect(new Program(shell('echo "address in use" >&2'), signal).line(5000)).rejects.toThrow(
      /ended: address in use/,
    );
  });

  test('that never answers is killed in time, with what it started', async () => {
    const program = new Program(shell('sleep 1000 & echo $!; wait'), signal);
    const child = Number(await program.line(5000));
    await expect(program.line(100)).rejects.toThrow('no answer within 0.1 s');
    expect(await isGone(child)).toBe(true);
  });

  test('is killed by an interruption, and whoever waits for it learns why', async () => {
    const interruption = new AbortController();
    const program = new Program(node('console.log(process.pid); setInterval(() => {}, 1000)'), interruption.signal);
    const pid = Number(await program.line(5000));
    const waiting = program.output(60_000);
    interruption.abort(new Error('Ctrl-C'));
    await expect(waiting).rejects.toThrow('Ctrl-C');
    expect(await isGone(pid)).toBe(true);
    expect(() => new Program(['true'], interruption.signal)).toThrow('Ctrl-C');
  });
});
