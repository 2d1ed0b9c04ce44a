/** Programs of pods, in the namespaces of this process: how they are started, end, and are started again. */
import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { environmentOf, PodProgram, type ProgramOptions } from '../../src/cluster/pod-program.ts';
import type { ProgramState } from '../../src/cluster/pod-reports.ts';
import type { Pod } from '../../src/store/object.ts';
import { missing } from '../support/requires.ts';

const lacks = missing('linux', 'root', 'program:nsenter');

/** Long enough for a line of its output to be beyond a pipe's buffer. */
const LONG = 100_000;

function started(command: string, options: Partial<ProgramOptions> = {}) {
  const states: ProgramState[] = [];
  const backOffs: string[] = [];
  const here = (kind: string) => `/proc/${process.pid}/ns/${kind}`;
  const program = new PodProgram({
    command,
    hostname: 'web',
    restartPolicy: 'Never',
    environment: {},
    enter: () => ({ network: here('net'), mounts: here('mnt'), names: here('uts'), missing: [] }),
    onChange: (state) => states.push(state),
    onBackOff: (message) => backOffs.push(message),
    ...options,
  });
  program.start();
  onTestFinished(() => program.stop());
  const last = () => states.at(-1);
  return { program, states, backOffs, last };
}

describe.skipIf(lacks)(`programs of pods${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test.each([
    ['Never', 'exit 0', 'Succeeded', { exitCode: 0, reason: 'Completed' }],
    ['Never', 'exit 3', 'Failed', { exitCode: 3, reason: 'Error' }],
    ['Never', 'kill -KILL $$', 'Failed', { exitCode: 137, signal: 9, reason: 'Error' }],
    ['Never', 'no-such-program', 'Failed', { exitCode: 127 }],
    ['OnFailure', 'exit 0', 'Succeeded', { exitCode: 0 }],
  ])('restartPolicy %s, `%s`: %s', async (restartPolicy, command, phase, terminated) => {
    const { last, states } = started(command, { restartPolicy });
    expect(states[0]).toMatchObject({ phase: 'Running', state: { running: {} }, restartCount: 0 });
    await expect.poll(last).toMatchObject({ phase, state: { terminated }, restartCount: 0 });
  });

  test.each([
    ['OnFailure', 'exit 3'],
    ['Always', 'exit 0'],
  ])('restartPolicy %s, `%s`: again at once, then after a while', async (restartPolicy, command) => {
    const { last, states, backOffs } = started(command, { restartPolicy });
    const waiting = { reason: 'CrashLoopBackOff', message: 'back-off 10s restarting failed container' };
    await expect.poll(last).toMatchObject({ phase: 'Running', state: { waiting }, restartCount: 1 });
    expect(last()!.lastState.terminated?.exitCode).toBe(Number(command.slice(-1)));
    expect(states.map(({ state }) => Object.keys(state)[0])).toEqual(['running', 'terminated', 'running', 'waiting']);
    expect(backOffs).toEqual([waiting.message]);
  });

  test('what it writes is its log: both streams in their order, opened anew too, long lines and unfinished ones', async () => {
    const line = `head -c ${LONG} /dev/zero | tr '\\0' x`;
    const { program, last } = started(`echo one; echo two >&2; echo three >/dev/stdout; ${line}; echo; printf end`);
    await expect.poll(last).toMatchObject({ phase: 'Succeeded' });
    await expect.poll(() => program.log()).toMatch(/end\n$/);
    const log = program.log();
    expect(log.length).toBeLessThanOrEqual(64 << 10);
    const short = started('echo one; echo two >&2; echo three >/dev/stdout');
    await expect.poll(() => short.program.log()).toBe('one\ntwo\nthree\n');
  });

  test('it sees the environment that its pod names, and no other of ours', async () => {
    const { program, last } = started('env', { environment: { GREETING: 'good day; echo $HOME', HOSTNAME: 'other' } });
    await expect.poll(last).toMatchObject({ phase: 'Succeeded' });
    await expect.poll(() => program.log()).toMatch(/GREETING=good day; echo \$HOME\n/);
    const names = program.log().match(/^[A-Z_]+(?==)/gm);
    expect(names!.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name)).sort()).toEqual([
      'GREETING',
      'HOSTNAME',
      'PATH',
    ]);
    expect(program.log()).toContain('HOSTNAME=other\n');
  });

  test('what it has started ends with it', async () => {
    const { program, last } = started('sleep 1000 & echo $!; exit 0');
    await expect.poll(last).toMatchObject({ phase: 'Succeeded' });
    await expect.poll(() => program.log()).toMatch(/^\d+\n$/);
    const pid = Number(program.log());
    await expect.poll(() => isThere(pid)).toBe(false);
  });

  test('stopped, it ends by SIGTERM, or by SIGKILL when it will not, and does not start again', async () => {
    const willing = started("trap 'echo bye; exit 0' TERM; echo begun; while :; do sleep 0.01; done", {
      restartPolicy: 'Always',
    });
    await expect.poll(() => willing.program.log()).toBe('begun\n');
    await willing.program.stop();
    await expect.poll(() => willing.program.log()).toMatch(/bye\n$/);
    const stubborn = started("trap '' TERM; echo $$; while :; do sleep 0.01; done", { restartPolicy: 'Always' });
    await expect.poll(() => stubborn.program.log()).not.toBe('');
    await stubborn.program.stop();
    expect(isThere(Number(stubborn.program.log()))).toBe(false);
    for (const { states } of [willing, stubborn]) expect(states).toHaveLength(1);
  });

  test('a place that cannot be made is a program that cannot be started', async () => {
    const enter = () => {
      throw new Error('no room');
    };
    const { program, last } = started('true', { enter });
    expect(last()).toMatchObject({ phase: 'Failed', state: { terminated: { exitCode: 126 } } });
    expect(program.log()).toBe('podwire: no room\n');
  });
});

test('of the environment only what is written out, of the first container', () => {
  const env = [{ name: 'A', value: '1' }, { name: 'B' }, { name: 'C', valueFrom: { fieldRef: { fieldPath: 'x' } } }];
  const containers = [
    { name: 'a', env },
    { name: 'b', env: [{ name: 'D', value: '4' }] },
  ];
  expect(environmentOf({ spec: { containers } } as unknown as Pod)).toEqual({ A: '1', B: '' });
});

function isThere(pid: number): boolean {
  try {
    // One that has ended and that nobody has collected yet is gone.
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
