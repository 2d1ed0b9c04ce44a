/**
 * What is left when something is killed. The cluster lives and dies with its host process, its pid 1 and its cluster
 * process; a node that dies is a machine that failed, and comes back.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  clusterManifest,
  kill,
  type Listed,
  PODWIRE,
  podAddresses,
  type Running,
  report,
  TestCluster,
  testCluster,
  twoNodes,
  until,
} from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { describeUnless, testUnless } from './skipping.ts';
import { Terminal } from './terminal.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter');
const lacksPing = lacks ?? missing('program:ping');

/** Within a second, says the design; five times that before a test calls it broken. */
const GONE_MS = 5000;
const READY_MS = 5000;
const TICKER = fileURLToPath(new URL('./programs/ticker.mjs', import.meta.url));

async function withCluster(use: (cluster: TestCluster) => Promise<void>): Promise<void> {
  const cluster = new TestCluster();
  try {
    await cluster.up(twoNodes());
    await use(cluster);
  } finally {
    await cluster.close();
  }
}

async function nodeStatus(cluster: TestCluster, name: string): Promise<string | undefined> {
  const { items } = await cluster.api<{ items: Listed[] }>('/api/v1/nodes');
  const node = items.find(({ metadata }) => metadata.name === name);
  return node?.status.conditions.find(({ type }) => type === 'Ready')?.status;
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

/** A connection between pods a and b that says a number every 20 ms. */
class Flow {
  readonly #server: Running;
  readonly #client: Running;

  private constructor(server: Running, client: Running) {
    this.#server = server;
    this.#client = client;
  }

  static async open(cluster: TestCluster, port: number): Promise<Flow> {
    const { b } = await podAddresses(cluster);
    const server = cluster.startExec('b', [process.execPath, TICKER, 'serve', String(port)]);
    await server.says(/listening/);
    const client = cluster.startExec('a', [process.execPath, TICKER, 'connect', b!.v4, String(port)]);
    await client.says(/^10$/m);
    return new Flow(server, client);
  }

  /** The number that came back last. */
  get last(): number {
    return Number(this.#client.stdout.trimEnd().split('\n').at(-1));
  }

  /** Resolves when numbers come back that were sent after now; says how long that took. */
  async goesOn(timeoutMs = 20_000): Promise<number> {
    const startedMs = performance.now();
    const { last } = this;
    await until(
      () => this.last > last + 5,
      timeoutMs,
      () => `numbers after ${last}: ${this.#client.stdout.slice(-50)}`,
    );
    return performance.now() - startedMs;
  }

  /** Every number came back, once, in order, and the connection was never closed. */
  async expectWhole(): Promise<void> {
    const numbers = this.#client.stdout.trimEnd().split('\n');
    expect(numbers).toEqual(numbers.map((_, i) => String(i + 1)));
    for (const running of [this.#client, this.#server]) {
      running.child.kill('SIGTERM');
      await running.result;
    }
  }
}

describeUnless(lacksPing, 'a node that fails', () => {
  const cluster = testCluster();

  beforeAll(async () => {
    await cluster.up(twoNodes());
  });

  const look = ['sh', '-c', 'readlink /proc/self/ns/net; cat /proc/net/fib_trie /proc/net/if_inet6'];
  const pingable = async (from: string, to: string) => {
    const { code, stdout } = await cluster.exec(from, ['ping', '-c', '3', '-i', '0.05', '-W', '2', to]);
    expect(code, stdout).toBe(0);
  };

  for (const [signal, name, port] of [
    ['SIGKILL', 'n1', '6001'],
    ['SIGKILL', 'n2', '6002'],
    ['SIGTERM', 'n1', '6003'],
  ] as const) {
    test(`${signal} of ${name}: pods keep namespace and addresses, it comes back, and an open connection goes on`, async () => {
      const pods = ['a', 'b', 'c'];
      const before = await Promise.all(pods.map((pod) => cluster.exec(pod, look)));
      const flow = await Flow.open(cluster, Number(port));
      const { pid } = cluster.process('node', name);

      const startedMs = performance.now();
      kill(pid, signal);
      await until(async () => (await nodeStatus(cluster, name)) === 'False', READY_MS);
      await until(async () => (await nodeStatus(cluster, name)) === 'True', READY_MS);
      report(`${signal} of ${name}: Ready again after ${Math.round(performance.now() - startedMs)} ms`);
      await flow.goesOn();
      report(`the connection goes on after ${Math.round(performance.now() - startedMs)} ms`);

      expect(cluster.process('node', name).pid).not.toBe(pid);
      const after = await Promise.all(pods.map((pod) => cluster.exec(pod, look)));
      expect(after.map(({ stdout }) => stdout)).toEqual(before.map(({ stdout }) => stdout));
      const { a, b, c } = await podAddresses(cluster);
      for (const [from, to] of [
        ['a', b!.v4],
        ['b', a!.v6],
        ['a', c!.v4],
        [`node/${name}`, b!.v4],
        ['b', a!.v4],
      ] as const) {
        await pingable(from, to);
      }
      await flow.expectWhole();
      for (const node of ['n1', 'n2']) expect((await cluster.counters(node)).violations).toBe(0);
    });
  }

  test('a node that is killed again and again comes back each time', async () => {
    for (let round = 0; round < 3; round++) {
      const { pid } = cluster.process('node', 'n2');
      kill(pid, 'SIGKILL');
      await until(() => cluster.processes().some((other) => other.words.includes('n2') && other.pid !== pid), READY_MS);
      await until(async () => (await nodeStatus(cluster, 'n2')) === 'True', READY_MS);
    }
    await pingable('a', (await podAddresses(cluster))['b']!.v4);
  });

  test('both nodes at once: the connection between them goes on', async () => {
    const flow = await Flow.open(cluster, 6004);
    const pids = ['n1', 'n2'].map((name) => cluster.process('node', name).pid);
    for (const pid of pids) kill(pid, 'SIGKILL');
    await flow.goesOn();
    await flow.expectWhole();
  });

  test('SIGSTOP: silence; SIGCONT: the connection goes on', async () => {
    const flow = await Flow.open(cluster, 6005);
    const { pid } = cluster.process('node', 'n1');
    kill(pid, 'SIGSTOP');
    await sleep(100);
    const { last } = flow;
    await sleep(1500);
    expect(flow.last).toBe(last);
    kill(pid, 'SIGCONT');
    report(`after SIGCONT the connection goes on within ${Math.round(await flow.goesOn())} ms`);
    await flow.expectWhole();
  });

  test('the cluster process stopped: packets go on, and a question is told that nobody answers', async () => {
    const flow = await Flow.open(cluster, 6006);
    const { pid } = cluster.process('cluster');
    kill(pid, 'SIGSTOP');
    try {
      await flow.goesOn();
      const [get, exec] = await Promise.all([
        cluster.run(['get', 'nodes', '--name', cluster.name]),
        cluster.exec('a', ['true']),
      ]);
      expect(get.code).toBe(2);
      expect(exec.code).toBe(125);
      for (const { stderr } of [get, exec]) expect(stderr).toMatch(/^cluster ".*" does not answer: .*\n$/);
      report(`get gives up after ${Math.round(get.ms)} ms`);
    } finally {
      kill(pid, 'SIGCONT');
    }
    await flow.goesOn();
    expect((await cluster.run(['get', 'nodes', '--name', cluster.name])).code).toBe(0);
    await flow.expectWhole();
  });
});

describeUnless(lacks, 'up in the foreground', () => {
  const lacksTmux = missing('program:tmux');
  const cluster = testCluster();
  const file = cluster.write('two.yaml', twoNodes());
  const words = ['up', file, '--name', cluster.name];

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    test(`${signal} ends it in order: exit code 0, nothing left`, async () => {
      const up = cluster.podwire(words);
      await until(() => up.stderr.includes('is ready'), 20_000);
      up.child.kill(signal);
      const { code, stdout, ms } = await up.result;
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
      expect(ms).toBeLessThan(60_000);
      expect(cluster.processes()).toEqual([]);
      expect(cluster.leftBehind()).toEqual([]);
    });
  }

  testUnless(lacksTmux, 'Ctrl-C ends it in order: exit code 0, nothing left', async () => {
    const command = [process.execPath, PODWIRE, ...words];
    await Terminal.with(command, { columns: 100, rows: 30, env: cluster.env }, async (screen) => {
      await screen.shows(/is ready/);
      screen.press('C-c');
      await screen.shows(/^code \d+$/m);
      expect(screen.text()).toMatch(/^code 0$/m);
      expect(screen.text()).not.toMatch(/ended by itself|Error|^\s+at /m);
      await cluster.gone(GONE_MS);
      expect(cluster.leftBehind()).toEqual([]);
    });
  });

  testUnless(lacksTmux, 'closing the terminal ends it too, and leaves nothing', async () => {
    const command = [process.execPath, PODWIRE, ...words];
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
        }
      } finally {
        await cluster.close();
      }
    });
  }
});

describeUnless(lacks, 'a bug in podwire', () => {
  // Throws in the process whose number is in the name of a file that appears; in a worker, from within its loop.
  const trap = `
    const { existsSync } = require('node:fs');
    const { isMainThread } = require('node:worker_threads');
    const { performance } = require('node:perf_hooks');
    const wanted = () => existsSync(process.env.PODWIRE_HOME + (isMainThread ? '/throw-' : '/throw-in-loop-') + process.pid);
    function plantedBug() {
      if (wanted()) throw new Error('planted bug');
    }
    if (isMainThread) setInterval(plantedBug, 20).unref();
    else {
      const now = performance.now.bind(performance);
      performance.now = () => {
        plantedBug();
        return now();
      };
    }
  `;
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = new TestCluster();
    const file = cluster.write('trap.cjs', trap);
    await cluster.up(twoNodes(), [], { env: { NODE_OPTIONS: `--require=${file}` } });
  });
  afterAll(() => cluster.close());

  /** A process as it knows itself, inside the vessel. */
  const innerPid = (pid: number) => /^NSpid:.*\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  const log = () => readFileSync(join(cluster.home, `${cluster.name}.log`), 'utf8');

  for (const [place, prefix] of [
    ['control thread', 'throw-'],
    ['dataplane thread', 'throw-in-loop-'],
  ] as const) {
    test(`in a node’s ${place} shows its stack, and the node comes back`, async () => {
      const before = log().length;
      const flow = await Flow.open(cluster, prefix.length + 6100);
      const { pid } = cluster.process('node', 'n1');
      cluster.write(`${prefix}${innerPid(pid)}`, '');
      await until(() => cluster.processes().some(({ words, pid: p }) => words.includes('n1') && p !== pid), READY_MS);
      await until(async () => (await nodeStatus(cluster, 'n1')) === 'True', READY_MS);
      const said = log().slice(before);
      expect(said).toMatch(/Error: planted bug\n\s+at .*plantedBug/);
      expect(said).toMatch(/node n1 ended \(exit code \d+\); restarting/);
      await flow.goesOn();
      await flow.expectWhole();
    });
  }

  test('in the cluster process shows its stack, and the cluster ends', async () => {
    cluster.write(`throw-${innerPid(cluster.process('cluster').pid)}`, '');
    await cluster.gone(GONE_MS);
    expect(log()).toMatch(/Error: planted bug\n\s+at .*plantedBug/);
    expect(log()).toMatch(/cluster ".*" ended by itself/);
    expect(existsSync(cluster.directory)).toBe(false);
  });
});
