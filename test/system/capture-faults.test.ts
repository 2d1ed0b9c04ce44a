/** What goes wrong while `podwire capture` runs: it says so, its file is sound, and the cluster's packets do not notice. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { capinfos, faults, fields, packetCount, RANDOM_TCP_PORT, TestCapture } from '../support/capturing.ts';
import { kill, PODWIRE, type Running, testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { Flow } from './flow.ts';
import { ping, program } from './programs.ts';
import { describeUnless, testUnless } from './skipping.ts';
import { addresses, type Listed, twoNodes } from './worlds.ts';

const lacks = missing(
  ...(['linux', 'built', 'tun', 'vessel', 'program:nsenter', 'program:ping', 'program:ip'] as const),
  ...(['program:tshark', 'program:capinfos', 'program:mkfifo'] as const),
);

const { b, c } = addresses;
const CAPTURES_MAX = 8;
const FLOW_PORT = 6100;
const BULK_BYTES = 24 << 20;
/** What may wait for a reader: 16 MiB at the capture; at each node a ring of 2, a connection of 4, and what sockets hold. */
const WAITING_BYTES_MAX = 36 << 20;
/** Patience with whatever must end by itself. */
const END_MS = 10_000;

describeUnless(lacks, 'capture: faults', () => {
  const cluster = testCluster();
  let flow: Flow;
  let files = 0;

  beforeAll(async () => {
    await cluster.up(twoNodes());
    flow = await Flow.open(cluster, FLOW_PORT);
  });

  /** Whatever was done to a capture, packets go on, and all are accounted for. */
  async function unharmed(): Promise<void> {
    await flow.goesOn();
    const nodes = await cluster.get<Listed>('nodes');
    expect(nodes.map(({ status }) => status.conditions.find(({ type }) => type === 'Ready')?.status)).toEqual([
      'True',
      'True',
    ]);
    for (const node of ['n1', 'n2']) expect((await cluster.counters(node)).violations).toBe(0);
  }

  const start = (...flags: string[]) => new TestCapture(cluster, `f${++files}.pcapng`, flags);
  const pings = (to: string = b.v4) => cluster.exec('a', ['ping', '-c', '2', '-i', '0.01', '-W', '1', to]);
  const command = (...flags: string[]) => [process.execPath, PODWIRE, 'capture', '--name', cluster.name, ...flags];
  const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;
  const captures = () => cluster.processes().filter(({ words }) => words[1] === PODWIRE && words[2] === 'capture');

  /** Many MiB both ways, with nobody waiting for the end. */
  async function bulk(): Promise<void> {
    const server = cluster.startExec('b', [
      ...program('transfer'),
      'serve',
      String(RANDOM_TCP_PORT),
      String(BULK_BYTES),
    ]);
    await server.says(/listening/);
    const words = [...program('transfer'), 'connect', b.v4, String(RANDOM_TCP_PORT), String(BULK_BYTES)];
    expect((await cluster.exec('a', words)).code).toBe(0);
    await server.result;
  }

  afterEach(async () => {
    for (const { pid } of captures()) kill(pid, 'SIGKILL');
    if (cluster.processes().length > 0) await unharmed();
  });

  test('two at once, each with its own filter', async () => {
    const one = start('icmp', 'and', 'host', b.v4);
    const other = start('tcp', 'and', 'port', String(FLOW_PORT));
    await other.begun(pings);
    await one.begun(pings);
    for (const capture of [one, other]) expect((await capture.end()).code).toBe(0);
    expect(await fields(one.path, ['frame.number'], 'not icmp')).toEqual([]);
    expect(await fields(other.path, ['frame.number'], `not tcp.port == ${FLOW_PORT}`)).toEqual([]);
    for (const { path } of [one, other]) expect((await capinfos(path)).match(/packets = [1-9]/g)?.length).toBe(4);
  });

  test('nine at once: the ninth is refused, and the others go on', async () => {
    const eight = Array.from({ length: CAPTURES_MAX }, () => start('-i', 'pod/default/c'));
    for (const capture of eight) await capture.begun(() => pings(c.v4));
    const { code, stderr } = await start('-i', 'pod/default/a').running.result;
    expect(code, stderr).toBe(2);
    expect(stderr).toContain('node n1: 8 captures are running on this node');
    const elsewhere = start('-i', 'pod/default/b');
    await elsewhere.begun(pings);
    const counts = await Promise.all(eight.map(({ path }) => packetCount(path)));
    await pings(c.v4);
    expect((await eight[0]!.end()).code).toBe(0);
    expect(await packetCount(eight[0]!.path)).toBe(counts[0]! + 4);
    const ninth = start('-i', 'pod/default/a');
    await ninth.begun(pings);
    for (const capture of [...eight.slice(1), elsewhere, ninth]) expect((await capture.end()).code).toBe(0);
  });

  test('a node is killed: the capture goes on when it is back', async () => {
    const capture = start();
    await capture.begun(pings);
    const { pid } = cluster.process('node', 'n2');
    kill(pid, 'SIGKILL');
    const killedS = Date.now() / 1000;
    await until(() => capture.running.stderr.includes('node n2 has gone; the capture goes on when it is back'), END_MS);
    await flow.goesOn();
    const after = `frame.time_epoch > ${killedS} && frame.interface_name == "pod/default/b"`;
    await until(async () => {
      await pings();
      return (await fields(capture.path, ['frame.number'], after)).length > 0;
    }, END_MS);
    const { code, stderr } = await capture.end();
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('out of order')]);
    expect(await capinfos(capture.path)).toMatch(/Strict time order: +True/);
    expect(await faults(capture.path)).toEqual([]);
  });

  test('a node stands still: packets of the other go on, and what comes late is counted', async () => {
    const capture = start();
    await capture.begun(pings);
    const { pid } = cluster.process('node', 'n2');
    kill(pid, 'SIGSTOP');
    try {
      await sleep(2000);
      const before = await packetCount(capture.path);
      expect(capture.running.stderr).toContain('node n2 says nothing; its packets may come late');
      await pings(c.v4);
      await until(async () => (await packetCount(capture.path)) >= before + 8, 10_000);
    } finally {
      kill(pid, 'SIGCONT');
    }
    await flow.goesOn();
    await pings();
    const { code, ms, stderr } = await capture.end();
    expect([code, ms < END_MS]).toEqual([0, true]);
    const order = /Strict time order: +(\w+)/.exec(await capinfos(capture.path))?.[1];
    expect(order).toBe(/\d out of order/.test(stderr) ? 'False' : 'True');
    expect((await capinfos(capture.path)).match(/packets = [1-9]/g)?.length).toBe(5);
  });

  test('the reader of a pipe has enough: it ends with the next packet, and without complaint', async () => {
    const shell = 'set -o pipefail; "$@" | head -c 3000 > /dev/null';
    const running = cluster.start(['bash', '-c', shell, 'bash', ...command('-w', '-')]);
    await until(async () => {
      await pings();
      return running.child.exitCode !== null;
    }, END_MS);
    const { code, stderr } = await running.result;
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/^podwire capture: listening at \d+ hops; Ctrl-C ends\n\d+ packets captured\n$/),
    ]);
  });

  /** A capture into a pipe that somebody reads who can be stopped. */
  async function piped() {
    const path = join(cluster.home, `f${++files}.pcapng`);
    const before = cluster.processes().map(({ pid }) => pid);
    const words = ['bash', '-c', 'set -o pipefail; "$@" | cat > "$FILE"', 'bash', ...command('-w', '-', '-B', '2048')];
    const running = cluster.start(words, { env: { FILE: path } });
    await until(async () => (await pings()).code === 0 && (await packetCount(path)) > 0, END_MS);
    const reader = cluster.processes().find((one) => one.words[0] === 'cat' && !before.includes(one.pid))!.pid;
    const { pid } = captures().find((one) => !before.includes(one.pid))!;
    return { path, running, reader, pid };
  }

  /** What was lost is told, by hop, and all else is in the file. */
  async function expectTold(path: string, running: Running): Promise<void> {
    const { code, stderr } = await running.result;
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^podwire capture: listening at \d+ hops; Ctrl-C ends\n\d+ packets captured\n(\d+ lost at [^\n]+\n){4}$/,
      ),
    ]);
    for (const hop of ['pod/default/a', 'pod/default/b', 'node/n1:underlay', 'node/n2:underlay']) {
      expect(stderr).toMatch(new RegExp(`^[1-9]\\d* lost at ${hop}: more than this capture could take$`, 'm'));
    }
    expect(await packetCount(path)).toBe(Number(/\d+(?= packets captured)/.exec(stderr)![0]));
    expect(await capinfos(path)).toMatch(/Strict time order: +True/);
  }

  test('readers of pipes stop for five seconds under traffic: they and Ctrl-C still end their captures', async () => {
    const goesOn = await piped();
    const goesOnLate = await piped();
    const never = await piped();
    const all = [goesOn, goesOnLate, never];
    const stoppedMs = performance.now();
    for (const { reader } of all) kill(reader, 'SIGSTOP');
    await bulk();
    await flow.goesOn();
    await sleep(5000 - (performance.now() - stoppedMs));

    kill(never.pid, 'SIGINT');
    kill(goesOnLate.pid, 'SIGINT');
    kill(goesOn.reader, 'SIGCONT');
    const later = `icmp && frame.time_epoch > ${Date.now() / 1000}`;
    await until(async () => {
      await pings();
      return (await fields(goesOn.path, ['frame.number'], later)).length > 0;
    }, END_MS);
    kill(goesOn.pid, 'SIGINT');
    await expectTold(goesOn.path, goesOn.running);

    await sleep(3500 - (performance.now() - stoppedMs - 5000)); // longer than nodes have to tell the rest
    expect(captures().length).toBe(2);
    kill(goesOnLate.reader, 'SIGCONT');
    await expectTold(goesOnLate.path, goesOnLate.running);
    expect(statSync(goesOnLate.path).size).toBeLessThan(WAITING_BYTES_MAX);
    kill(never.pid, 'SIGINT');
    await until(() => captures().length === 0, 10_000);
    kill(never.reader, 'SIGCONT');
    expect((await never.running.result).code).toBe(130);
  });

  test('the disk is full: it says so, and the file ends behind a whole packet', async () => {
    const path = join(cluster.home, `f${++files}.pcapng`);
    const disk = join(cluster.home, 'disk');
    mkdirSync(disk);
    const shell = 'mount -t tmpfs -o size=200k none "$1" && shift && "$@"; code=$?; cp "$FULL" "$COPY"; exit $code';
    const full = join(disk, 'x.pcapng');
    const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
    const words = ['unshare', ...user, '--mount', 'sh', '-c', shell, 'sh', disk, ...command('-w', full)];
    const running = cluster.start(words, { env: { FULL: full, COPY: path } });
    await until(async () => {
      await cluster.exec('a', ['ping', '-c', '20', '-i', '0.002', '-s', '8000', b.v4]);
      return running.child.exitCode !== null;
    }, 20_000);
    const { code, stderr } = await running.result;
    expect(code, stderr).toBe(1);
    const said = /x\.pcapng: no space left \(ENOSPC\); the capture ends after (\d+) bytes/.exec(stderr);
    expect(Number(said?.[1]), stderr).toBe(statSync(path).size);
    expect(statSync(path).size).toBeGreaterThan(150_000);
    expect(await capinfos(path)).toMatch(/Strict time order: +True/);
    expect(await faults(path)).toEqual([]);
  });

  testUnless(missing('root'), '/dev/full is full', async () => {
    const { code, stderr } = await new TestCapture(cluster, '/dev/full').running.result;
    expect([code, stderr]).toEqual([1, expect.stringContaining('/dev/full: no space left (ENOSPC)')]);
  });

  test('a FIFO that nobody reads: it waits, and Ctrl-C ends it', async () => {
    const path = join(cluster.home, 'fifo');
    execFileSync('mkfifo', [path]);
    const capture = new TestCapture(cluster, path);
    await sleep(1500);
    expect(capture.running.child.exitCode).toBe(null);
    const interruptedMs = performance.now();
    const { code } = await capture.end();
    expect([0, 130]).toContain(code);
    expect(performance.now() - interruptedMs).toBeLessThan(2000);
  });

  test('captures are killed: nodes stop telling, and keep nothing of them', async () => {
    const pids = ['n1', 'n2'].map((name) => cluster.process('node', name).pid);
    pids.push(cluster.process('cluster').pid);
    await sleep(200); // what earlier tests have ended
    const before = pids.map(descriptors);
    for (let round = 0; round < 3; round++) {
      const some = Array.from({ length: 3 }, () => start());
      for (const capture of some) await capture.begun(pings);
      for (const { pid } of some) kill(pid, 'SIGKILL');
      await Promise.all(some.map(({ running }) => running.result));
    }
    await until(
      () => pids.every((pid, i) => descriptors(pid) <= before[i]!),
      3000,
      () => `${pids.map(descriptors)} fds, as before: ${before}`,
    );
    const after = start();
    await after.begun(pings);
    expect((await after.end()).code).toBe(0);
    expect(await faults(after.path)).toEqual([]);
  });

  test('a pod loses its interface: the capture says so and goes on', async () => {
    const capture = start();
    await capture.begun(() => pings(c.v4));
    expect((await cluster.exec('c', ['ip', 'link', 'delete', 'eth0'])).code).toBe(0);
    await until(() => capture.running.stderr.includes('pod/default/c is gone: its interface was removed'), END_MS);
    const before = await packetCount(capture.path);
    await pings();
    const { code } = await capture.end();
    expect([code, (await packetCount(capture.path)) >= before + 16]).toEqual([0, true]);
    expect(await faults(capture.path)).toEqual([]);
  });

  test('the cluster ends: so does the capture, and its file is whole', async () => {
    const capture = start();
    await capture.begun(() => ping(cluster, 'a', b.v4));
    await flow.expectWhole();
    expect((await cluster.down()).code).toBe(0);
    const { code, stderr } = await Promise.race([
      capture.running.result,
      sleep(END_MS).then(() => Promise.reject(new Error(`still there: ${capture.running.stderr}`))),
    ]);
    expect([code, stderr]).toEqual([0, expect.stringContaining('the cluster has ended')]);
    expect(await capinfos(capture.path)).toMatch(/Strict time order: +True/);
    expect(await packetCount(capture.path)).toBe(Number(/^(\d+) packets captured$/m.exec(stderr)?.[1]));
  });
});
