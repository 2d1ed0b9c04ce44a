/**
 * What is left when something is killed, stopped or interrupted: nothing. A cluster lives and dies with its host
 * process, the pid 1 of its vessel and its cluster process.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { kill, PODWIRE, type Running, report, TestCluster, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { describeUnless, testUnless } from './skipping.ts';
import { Terminal } from './terminal.ts';
import { clusterManifest, twoNodes } from './worlds.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter');

/** Within a second, says the design; five times that before a test calls it broken. */
const GONE_MS = 5000;

async function withCluster(use: (cluster: TestCluster) => Promise<void>): Promise<void> {
  const cluster = new TestCluster();
  try {
    await cluster.up(twoNodes());
    await use(cluster);
  } finally {
    await cluster.close();
  }
}

/** A program runs in a pod meanwhile, and a namespace is held: neither survives. */
async function expectEnd(cluster: TestCluster, end: () => unknown): Promise<number> {
  const left = cluster.startExec('b', ['sh', '-c', 'echo ready; exec sleep 5000']);
  await left.says(/ready/);
  expect(cluster.networks().size).toBeGreaterThanOrEqual(1 + 2 + 3); // the vessel's, nodes' and pods'
  await end();
  const ms = await cluster.gone(GONE_MS);
  expect(cluster.networks().size).toBe(0);
  expect((await left.result).code).toBe(137);
  return ms;
}

describeUnless(lacks, 'a cluster ends whole', () => {
  for (const kind of ['host', 'unshare', 'reaper', 'cluster'] as const) {
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      // `unshare --kill-child` ignores SIGTERM: it has a child to look after.
      if (kind === 'unshare' && signal === 'SIGTERM') continue;
      test(`${signal} of the ${kind} process leaves nothing, and the name is free at once`, async () => {
        await withCluster(async (cluster) => {
          const ms = await expectEnd(cluster, () => kill(cluster.process(kind).pid, signal));
          const again = await cluster.up(twoNodes());
          report(`${signal} of ${kind}: gone after ${Math.round(ms)} ms; up again in ${Math.round(again.ms)} ms`);
          expect((await cluster.exec('a', ['true'])).code).toBe(0);

          // Once more, with nothing behind it but a question: what is left of a cluster goes with the next command.
          kill(cluster.process(kind).pid, signal);
          await cluster.gone(GONE_MS);
          const { code, stderr } = await cluster.run(['get', 'nodes', '--name', cluster.name]);
          expect(code).toBe(2);
          expect(stderr).toMatch(/no cluster named ".*" is running/);
          expect(existsSync(cluster.directory)).toBe(false);
        });
      });
    }
  }
});

testUnless(lacks, 'a pod that kills the watcher of the lifeline does not keep the cluster alive', async () => {
  await withCluster(async (cluster) => {
    // Pods share the PID namespace: the watcher is the child of pid 1 that is no Node process.
    const script =
      'cd /proc; for p in [0-9]*; do grep -qs "^PPid:.1$" $p/status && grep -qs "^Name:.sh$" $p/status && kill -9 $p && echo killed; done; true';
    expect((await cluster.exec('a', ['sh', '-c', script])).stdout).toBe('killed\n');
    await expectEnd(cluster, () => kill(cluster.process('host').pid, 'SIGKILL'));
  });
});

/** A program in a pod, stopped with all that belongs to it, as Ctrl-Z does: podwire, nsenter and the program. */
async function stoppedExec(cluster: TestCluster): Promise<Running> {
  const program = cluster.startExec('a', ['sh', '-c', 'echo ready; exec sleep 5000']);
  await program.says(/ready/);
  const job = cluster.processes().filter(({ words }) => words.join(' ').includes('sleep 5000'));
  expect(job.length).toBeGreaterThanOrEqual(3);
  for (const { pid } of job) kill(pid, 'SIGSTOP');
  return program;
}

describeUnless(lacks, 'down', () => {
  for (const [kind, word] of [
    ['host', undefined],
    ['unshare', undefined],
    ['reaper', undefined],
    ['cluster', undefined],
    ['node', 'n1'],
  ] as const) {
    test(`ends a cluster whose ${kind} process is stopped`, async () => {
      await withCluster(async (cluster) => {
        kill(cluster.process(kind, word).pid, 'SIGSTOP');
        const { code, stderr, ms } = await cluster.down();
        expect({ code, stderr }).toEqual({ code: 0, stderr: `cluster "${cluster.name}" has ended\n` });
        report(`down with ${kind} stopped: ${Math.round(ms)} ms`);
        await cluster.gone(GONE_MS);
        expect(existsSync(cluster.directory)).toBe(false);
      });
    });
  }

  test('ends a cluster while somebody has stopped an exec (Ctrl-Z)', async () => {
    await withCluster(async (cluster) => {
      const program = await stoppedExec(cluster);
      const { code, stderr } = await cluster.down();
      expect({ code, stderr }).toEqual({ code: 0, stderr: `cluster "${cluster.name}" has ended\n` });
      program.child.kill('SIGCONT');
      expect((await program.result).code).toBe(137);
      await cluster.gone(GONE_MS);
    });
  });

  test('ends a cluster of which everything is stopped, programs in pods too', async () => {
    await withCluster(async (cluster) => {
      const program = cluster.startExec('a', ['sh', '-c', 'echo ready; exec sleep 5000']);
      await program.says(/ready/);
      for (const { pid } of cluster.processes()) kill(pid, 'SIGSTOP');
      const { code, stderr } = await cluster.down();
      expect({ code, stderr }).toEqual({ code: 0, stderr: `cluster "${cluster.name}" has ended\n` });
      // `podwire exec` itself stays stopped: it is somebody's job, and ends when that somebody lets it go on.
      expect(cluster.processes().map(({ pid }) => pid)).toEqual([program.child.pid]);
      program.child.kill('SIGCONT');
      expect((await program.result).code).toBe(137);
    });
  });

  test('leaves no file behind', async () => {
    await withCluster(async (cluster) => {
      await cluster.down();
      expect(cluster.leftBehind()).toEqual([]);
    });
  });
});

describeUnless(lacks, 'up in the foreground', () => {
  const lacksTmux = missing('program:tmux');
  const cluster = testCluster();
  const words = () => ['up', cluster.write('two.yaml', twoNodes()), '--name', cluster.name];

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    test(`${signal} ends it in order: exit code 0, nothing left`, async () => {
      const up = cluster.podwire(words());
      await until(() => up.stderr.includes('is ready'), 20_000);
      up.child.kill(signal);
      const { code, stdout, ms } = await up.result;
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
      expect(ms).toBeLessThan(60_000);
      expect(cluster.processes()).toEqual([]);
      expect(cluster.leftBehind()).toEqual([]);
    });
  }

  test('SIGTERM ends it also while somebody has stopped an exec (Ctrl-Z)', async () => {
    const up = cluster.podwire(words());
    await until(() => up.stderr.includes('is ready'), 20_000);
    const program = await stoppedExec(cluster);
    up.child.kill('SIGTERM');
    expect((await up.result).code).toBe(0);
    expect(cluster.processes().map(({ pid }) => pid)).toEqual([program.child.pid]);
    program.child.kill('SIGCONT');
    expect((await program.result).code).toBe(137);
    expect(cluster.leftBehind()).toEqual([]);
  });

  testUnless(lacksTmux, 'Ctrl-C ends it in order: exit code 0, nothing left', async () => {
    const command = [process.execPath, PODWIRE, ...words()];
    await Terminal.with(command, { columns: 100, rows: 30, env: cluster.env }, async (screen) => {
      await screen.shows(/is ready/);
      screen.press('C-c');
      await screen.shows(/code \d+$/m);
      expect(screen.text()).toMatch(/code 0$/m);
      expect(screen.text()).not.toMatch(/ended by itself|Error|^\s+at /m);
      await cluster.gone(GONE_MS);
      expect(cluster.leftBehind()).toEqual([]);
    });
  });

  testUnless(lacksTmux, 'closing the terminal ends it too, and leaves nothing', async () => {
    const command = [process.execPath, PODWIRE, ...words()];
    await Terminal.with(command, { columns: 100, rows: 30, env: cluster.env }, async (screen) => {
      await screen.shows(/is ready/);
    });
    await cluster.gone(GONE_MS);
    expect(cluster.leftBehind()).toEqual([]);
  });
});

describeUnless(lacks, 'interrupted while starting', () => {
  const pods = Array.from({ length: 200 }, (_, i) => ({ name: `p${i}` }));

  for (const detached of [false, true]) {
    test(`up${detached ? ' -d' : ''} leaves no process, whenever the signal comes`, async () => {
      const cluster = new TestCluster();
      try {
        const file = cluster.write('many.yaml', clusterManifest(2, pods));
        for (const delayMs of [50, 150, 300, 500, 800]) {
          const up = cluster.podwire(['up', file, '--name', cluster.name, ...(detached ? ['-d'] : [])]);
          await sleep(delayMs);
          up.child.kill('SIGINT');
          await up.result;
          await cluster.gone(GONE_MS);
          expect((await cluster.run(['get', 'nodes', '--name', cluster.name])).stderr).toMatch(/no cluster named/);
          expect(cluster.leftBehind()).toEqual([]);
        }
      } finally {
        await cluster.close();
      }
    });
  }
});
