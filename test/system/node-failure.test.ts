/** A node that dies is a machine that failed: its pods see silence, and it comes back. A bug shows itself. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kill, report, TestCluster, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { Flow } from './flow.ts';
import { describeUnless, testUnless } from './skipping.ts';
import { addresses, type Listed, twoNodes } from './worlds.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel', 'program:nsenter');
const lacksPing = lacks ?? missing('program:ping');

const GONE_MS = 5000;
/** Within a second, says the design; five times that before a test calls it broken. */
const READY_MS = 5000;

async function nodeStatus(cluster: TestCluster, name: string): Promise<string | undefined> {
  const { items } = await cluster.api<{ items: Listed[] }>('/api/v1/nodes');
  const node = items.find(({ metadata }) => metadata.name === name);
  return node?.status.conditions.find(({ type }) => type === 'Ready')?.status;
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
      const { a, b, c } = addresses;
      for (const [from, to] of [
        ['a', b.v4],
        ['b', a.v6],
        ['a', c.v4],
        [`node/${name}`, b.v4],
        ['b', a.v4],
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
    await pingable('a', addresses.b.v4);
  });

  testUnless(
    missing('program:ip'),
    'a pod that has broken its own interface harms no other when its node restarts',
    async () => {
      const cluster = new TestCluster();
      try {
        await cluster.up(twoNodes());
        const broken = 'ip link set eth0 down; ip link set eth0 name was0; ip link add eth0 type veth peer name peer0';
        expect((await cluster.exec('a', ['sh', '-ec', broken])).stderr).toBe('');
        const { pid } = cluster.process('node', 'n1');
        kill(pid, 'SIGKILL');
        await until(() => cluster.processes().some(({ words, pid: p }) => words.includes('n1') && p !== pid), READY_MS);
        await until(async () => (await nodeStatus(cluster, 'n1')) === 'True', READY_MS);
        const ping = await cluster.exec('c', ['ping', '-c', '3', '-i', '0.2', '-W', '2', addresses.b.v4]);
        expect(ping.code, ping.stdout).toBe(0);
      } finally {
        await cluster.close();
      }
    },
  );

  test('both nodes at once: the connection between them goes on', async () => {
    const flow = await Flow.open(cluster, 6004);
    const pids = ['n1', 'n2'].map((name) => cluster.process('node', name).pid);
    for (const pid of pids) kill(pid, 'SIGKILL');
    report(`both killed: the connection goes on after ${Math.round(await flow.goesOn())} ms`);
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

  for (const [place, prefix] of [
    ['control thread', 'throw-'],
    ['dataplane thread', 'throw-in-loop-'],
  ] as const) {
    test(`in a node’s ${place} shows its stack, and the node comes back`, async () => {
      const before = cluster.log().length;
      const flow = await Flow.open(cluster, prefix.length + 6100);
      const { pid } = cluster.process('node', 'n1');
      cluster.write(`${prefix}${innerPid(pid)}`, '');
      await until(() => cluster.processes().some(({ words, pid: p }) => words.includes('n1') && p !== pid), READY_MS);
      await until(async () => (await nodeStatus(cluster, 'n1')) === 'True', READY_MS);
      const said = cluster.log().slice(before);
      expect(said).toMatch(/Error: planted bug\n\s+at .*plantedBug/);
      expect(said).toMatch(/node n1 ended \(exit code \d+\); restarting/);
      await flow.goesOn();
      await flow.expectWhole();
    });
  }

  test('in the cluster process ends the cluster, and the next command shows the stack', async () => {
    cluster.write(`throw-${innerPid(cluster.process('cluster').pid)}`, '');
    await cluster.gone(GONE_MS);
    const { stderr } = await cluster.run(['get', 'nodes', '--name', cluster.name]);
    expect(stderr).toMatch(/^cluster ".*" had died; the end of its log:\n/);
    expect(stderr).toMatch(/Error: planted bug\n\s+at .*plantedBug/);
    expect(stderr).toMatch(/cluster ".*" ended by itself/);
    expect(existsSync(cluster.directory)).toBe(false);
  });
});
