/** `podwire bench` between real pods: what it measures, and what it does when it should not. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { testCluster, until } from '../support/cluster.ts';
import { missing } from '../support/requires.ts';
import { describeUnless } from './skipping.ts';
import { addresses, twoNodes } from './worlds.ts';

const lacks = missing('linux', 'root', 'built', 'tun', 'vessel', 'program:nsenter');

interface Use {
  readonly name: string;
  readonly cpuSeconds: number;
  readonly coreShare: number;
  readonly workShare: number;
  readonly samples?: readonly number[];
}

interface Document {
  readonly measurement: string;
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly date: string;
  readonly version: string;
  readonly machine: { readonly cores: number };
  readonly noise: { readonly trusted: boolean; readonly reasons: readonly string[] };
  readonly figures: Record<string, never>;
  readonly participants: readonly Use[];
  readonly cpu: { readonly busySeconds: number; readonly seconds: number };
  readonly limit: string;
  readonly network: {
    readonly underlay: string;
    readonly podMtu: number;
    readonly links: readonly object[];
    readonly capturing: readonly string[];
  };
  readonly losses: {
    readonly podQueue: number | null;
    readonly wireQueues: number | null;
    readonly nodes: readonly { readonly node: string }[];
  };
  readonly raw: Record<string, never>;
}

interface Trial {
  readonly wanted: number;
  readonly sent: number;
  readonly delivered: number;
  readonly seconds: number;
}

describeUnless(lacks, 'bench', () => {
  const cluster = testCluster();

  beforeAll(async () => {
    await cluster.up(twoNodes());
  });

  const words = (...more: string[]) => ['bench', ...more, '--name', cluster.name];
  const document = async (...more: string[]) => {
    const result = await cluster.run(words(...more, '--duration', '2s', '--noisy', '-o', 'json'));
    const found = JSON.parse(result.stdout) as Document;
    // On a machine with much else to do no rate may be found that could be repeated.
    const mayFail = more[0] === 'pps' && !found.noise.trusted;
    expect(mayFail ? [0, 1] : [0], result.stderr).toContain(result.code);
    return found;
  };
  /** Programs of a measurement that are still there. */
  const leftovers = () =>
    cluster
      .processes()
      .filter(({ words: line }) => line.some((word) => /iperf3|meter\.js/.test(word)))
      .map(({ words: line }) => line.join(' '));
  /** A PATH with no more than what podwire needs. */
  const withoutIperf = () => {
    const bin = join(cluster.home, 'bin');
    const links = ['sh', 'cat', 'nsenter'].map((name) => `ln -sf "$(command -v ${name})" ${bin}/${name}`);
    execFileSync('sh', ['-c', [`mkdir -p ${bin}`, ...links].join(' && ')]);
    return bin;
  };
  const seesNodes = ({ participants }: Document) => {
    const names = participants.map(({ name }) => name);
    expect(names).toEqual([expect.stringMatching(/^client/), 'n1', 'n2', expect.stringMatching(/^server/)]);
    for (const { name, cpuSeconds, coreShare, workShare, samples } of participants.slice(1, 3)) {
      expect(workShare, name).toBeLessThanOrEqual(coreShare);
      expect(cpuSeconds, name).toBeGreaterThan(0);
      expect(
        samples!.reduce((sum, count) => sum + count),
        name,
      ).toBeGreaterThan(100);
    }
  };

  test('throughput: intervals, their sum, CPU of everybody on the way', async () => {
    const found = await document('throughput', '--from', 'a', '--to', 'b');
    expect(found).toMatchObject({
      ...{ measurement: 'throughput', from: 'default/a on n1', to: 'pod default/b on n2' },
      ...{ method: expect.stringMatching(/^one TCP stream by/), version: expect.any(String) },
    });
    const { bytes, seconds, bitsPerSecond } = found.figures as unknown as Record<string, number>;
    expect(bytes).toBeGreaterThan(1e6);
    expect(bitsPerSecond).toBeCloseTo((8 * bytes!) / seconds!, -3);
    const { intervals } = found.raw as unknown as { intervals: { bytes: number }[] };
    expect(intervals.length).toBeGreaterThanOrEqual(2);
    const sum = intervals.reduce((total, interval) => total + interval.bytes, 0);
    // What the client has sent and the server has received: what is on its way at the end is in one of them.
    expect(Math.abs(sum - bytes!)).toBeLessThan(0.2 * bytes!);
    seesNodes(found);
    expect(found.limit).toMatch(/limited by/);
    expect(found.network).toMatchObject({ nodes: ['n1', 'n2'], podMtu: 1450, links: [], capturing: [] });
    expect(found.network.underlay).toMatch(/^(TAP|UDP sockets)$/);
    expect(found.losses).toMatchObject({
      podQueue: expect.any(Number),
      wireQueues: found.network.underlay === 'TAP' ? expect.any(Number) : null,
      nodes: [{ node: 'n1' }, { node: 'n2' }],
    });
    expect(found.cpu.busySeconds).toBeGreaterThan(0);
    expect(found.cpu.busySeconds).toBeLessThan(found.cpu.seconds * found.machine.cores * 1.1);
    expect(leftovers()).toEqual([]);
  });

  test('latency: quantiles in order, more round trips than none', async () => {
    const found = await document('latency', '--from', 'b', '--to', 'a');
    const { count, lost, minUs, p50Us, p90Us, p99Us, maxUs } = found.figures as unknown as Record<string, number>;
    expect(count).toBeGreaterThan(100);
    expect(lost).toBeLessThan(count! / 10);
    const sorted = [minUs!, p50Us!, p90Us!, p99Us!, maxUs!];
    expect(sorted).toEqual(sorted.toSorted((x, y) => x - y));
    const { quantilesUs } = found.raw as unknown as { quantilesUs: number[] };
    expect([quantilesUs[0], quantilesUs[500], quantilesUs.at(-1)]).toEqual([minUs, p50Us, maxUs]);
    expect(leftovers()).toEqual([]);
  });

  test('pps: what was delivered was sent, with both generators', async () => {
    const found = await document('pps', '--from', 'a', '--to', 'b');
    const { trials } = found.raw as unknown as { trials: Record<string, Trial[]> };
    expect(Object.keys(trials)).toEqual(['sendmmsg', 'UDP_SEGMENT']);
    for (const [generator, list] of Object.entries(trials)) {
      expect(list.length, generator).toBeGreaterThanOrEqual(5);
      for (const { sent, delivered } of list) expect(delivered).toBeLessThanOrEqual(sent);
      expect(list[0]!.delivered).toBeGreaterThan(0);
      const figures = found.figures[generator] as unknown as { deliveredPerSecond: number; loss: number } | null;
      if (figures === null) continue;
      const last = list.at(-1)!;
      expect(figures.deliveredPerSecond).toBeCloseTo(last.delivered / last.seconds);
      expect(figures.deliveredPerSecond).toBeGreaterThan(100);
      expect(figures.loss).toBeLessThanOrEqual(0.001);
    }
    expect(leftovers()).toEqual([]);
  });

  test('without --from and --to it says whom it has taken; -o svg is a picture', async () => {
    const { code, stdout, stderr } = await cluster.run(words('latency', '--duration', '1s', '--noisy', '-o', 'svg'));
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^<svg [\s\S]*<\/svg>\s*$/);
    expect(stderr).toMatch(/from default\/a on n1: chosen/);
    expect(stderr).toMatch(/to default\/b on n2: chosen/);
  });

  test('without iperf3 the meter streams, and its name is in the method', async () => {
    const run = words('throughput', '--duration', '1s', '--noisy', '--from', 'a', '--to', 'b:9000');
    const { code, stdout, stderr } = await cluster.run(run, { env: { PATH: withoutIperf() } });
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(
      `to:   pod default/b on n2 (${addresses.b.v4} port 9000)\none TCP stream by podwire's meter`,
    );
    expect(stdout).toMatch(/^\[ {2}1\] +0\.00-\d\.\d\d +sec .* received$/m);
    expect(stdout).toMatch(/^n1 +\d/m);
    for (const line of stdout.split('\n').filter((one) => !/too noisy/.test(one))) {
      expect(line.length, line).toBeLessThanOrEqual(80);
    }
  });

  describe('interrupted', () => {
    test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('%s leaves no process in a pod', async (signal) => {
      const running = cluster.podwire(words('throughput', '--duration', '60s', '--noisy'));
      await running.says(/^\[ {2}1\] +0\.00-/m);
      expect(leftovers().length).toBeGreaterThanOrEqual(2);
      running.child.kill(signal);
      const { code } = await running.result;
      expect(code).toBe({ SIGINT: 130, SIGTERM: 143, SIGKILL: 137 }[signal]);
      await until(
        () => leftovers().length === 0,
        5000,
        () => leftovers().join('\n'),
      );
    });
  });

  test('a machine with other work is refused: no figure, its name, exit code 1', async () => {
    const burner = cluster.hold(['sh', '-c', 'while :; do :; done']);
    try {
      const { code, stdout, stderr } = await cluster.run(words('throughput', '--duration', '1s', '-o', 'json'));
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(
        /too noisy to begin: .*other processes used \d\.\d+ cores \(limit 0\.3\): .*sh \(pid \d+\)/,
      );
      expect(stderr).toMatch(/--noisy prints the figures all the same, marked/);
      const marked = await document('latency', '--from', 'a', '--to', 'b');
      expect(marked.noise).toMatchObject({ trusted: false });
      expect(marked.noise.reasons.join()).toMatch(/other processes used/);
    } finally {
      burner.child.kill('SIGKILL');
      await burner.result;
    }
  });

  test('work that begins in the middle is seen at the end', async () => {
    const running = cluster.podwire(words('throughput', '--duration', '5s'));
    const begun = await until(
      () => /^\[ {2}1\]/m.test(running.stdout) || running.child.exitCode !== null,
      20_000,
      () => running.stderr,
    );
    expect(begun).toBe(true);
    const burner = cluster.hold(['sh', '-c', 'while :; do :; done']);
    const { code, stdout, stderr } = await running.result;
    burner.child.kill('SIGKILL');
    await burner.result;
    expect(code).toBe(1);
    expect(stderr).toMatch(/too noisy to (trust|begin): /);
    expect(stdout).not.toMatch(/received/);
  });

  test('a policy in the way: it is said at once, with both programs, and nothing is left', async () => {
    const deny = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}, policyTypes: [Ingress]}
`;
    const file = cluster.write('deny.yaml', deny);
    expect((await cluster.run(['apply', '-f', file, '--name', cluster.name])).code).toBe(0);
    const refused = async (kind: string, env: NodeJS.ProcessEnv = {}) => {
      const run = words(kind, '--duration', '1s', '--noisy', '--from', 'a', '--to', 'b');
      const { code, stderr } = await cluster.run(run, { env });
      return [code, ...stderr.trim().split('\n').slice(-3)];
    };
    const silence = (protocol: string, trace: string) => [
      1,
      expect.stringMatching(new RegExp(`nothing comes back from 10\\.244\\.1\\.2, ${protocol} port \\d+$`)),
      expect.stringMatching(/^ {2}dropped: ingress to default\/b .*deny \(.*deny\.yaml:\d+\)/),
      expect.stringMatching(new RegExp(`^ {2}podwire trace default/a 10\\.244\\.1\\.2:\\d+${trace}$`)),
    ];
    expect(await refused('throughput')).toEqual(silence('TCP', ''));
    expect(await refused('throughput', { PATH: withoutIperf() })).toEqual(silence('TCP', ''));
    expect(await refused('latency')).toEqual(silence('UDP', ' --proto udp'));
    expect(await refused('pps')).toEqual(silence('UDP', ' --proto udp'));
    const chosen = await cluster.run(words('latency', '--duration', '1s', '--noisy', '--from', 'a'));
    expect(chosen.code, chosen.stderr).toBe(0);
    expect(chosen.stderr).toMatch(/to kube-system\/coredns-\S+ on n\d: chosen/);
    expect(leftovers()).toEqual([]);
    expect((await cluster.run(['delete', '-f', file, '--name', cluster.name])).code).toBe(0);
  });

  test('links with more latency than a time-out: every round trip is there, and the link in the figures', async () => {
    const set = (latency: string) =>
      cluster.run(['link', 'set', 'n1', 'n2', '--latency', latency, '--name', cluster.name]);
    expect((await set('150ms')).code).toBe(0);
    const found = await document('latency', '--from', 'a', '--to', 'b');
    expect(found.network.links).toMatchObject([{ nodes: ['n1', 'n2'], delayMs: 150 }]);
    expect(found.figures).toMatchObject({ lost: 0 });
    expect(Number(found.figures['minUs'])).toBeGreaterThan(300_000);
    expect((await set('0ms')).code).toBe(0);
  });

  test('a port that is taken: nothing is measured, exit code 1', async () => {
    const other = cluster.podwire(words('throughput', '--duration', '5s', '--noisy', '--from', 'a', '--to', 'b:9000'));
    await other.says(/^\[ {2}1\] +0\.00-/m);
    const run = words('throughput', '--duration', '1s', '--noisy', '--from', 'a', '--to', 'b:9000');
    const { code, stderr } = await cluster.run(run);
    other.child.kill('SIGTERM');
    await other.result;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/port 9000 of pod default\/b on n2 is taken/)]);
  });

  describe('a Service', () => {
    const manifest = `apiVersion: v1
kind: Service
metadata: {name: measured}
spec:
  selector: {app: measured}
  ports: [{name: free, port: 5201}, {name: taken, port: 80}, {name: u, port: 5202, protocol: UDP}]
---
apiVersion: v1
kind: Pod
metadata: {name: measured, labels: {app: measured}}
spec: {nodeName: n2, containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}
`;
    const run = (kind: string, ...more: string[]) => words(kind, '--noisy', '--from', 'a', ...more);

    beforeAll(async () => {
      const file = cluster.write('measured.yaml', manifest);
      expect((await cluster.run(['apply', '-f', file, '--name', cluster.name])).code).toBe(0);
      await cluster.run(['get', 'pod', 'measured', '--name', cluster.name]);
    });

    test('is what is measured, on a port that is free in its pods', async () => {
      const measured = () => cluster.run(run('throughput', '--duration', '1s', '--to', 'svc/measured:5201'));
      // The pod has only just begun.
      const result = await until(async () => {
        const one = await measured();
        return one.code === 0 && one;
      }, 20_000);
      expect(result.stdout).toMatch(/^to: {3}Service default\/measured, port 5201 \(10\.96\.\S+ port 5201\)$/m);
    });

    test('and nothing else in its place where the port is taken', async () => {
      const { code, stdout, stderr } = await cluster.run(run('throughput', '--to', 'svc/measured:80'));
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/leads to port 80, which is taken in a pod behind it.*targetPort no container declares/);
    });

    test('whose pod is deleted meanwhile: nothing is measured', async () => {
      const running = cluster.podwire(run('latency', '--duration', '5s', '--to', 'svc/measured:5202'));
      await running.says(/^UDP round trips/m);
      await until(() => leftovers().length >= 2, 10_000);
      expect((await cluster.run(['delete', 'pod', 'measured', '--name', cluster.name])).code).toBe(0);
      const { code, stdout, stderr } = await running.result;
      expect(code, stdout).toBe(1);
      expect(stderr).toMatch(/nothing was measured: server \(meter\) in pod default\/measured on n2 has ended/);
    });
  });

  test('a capture that runs is said: it keeps its node from merging', async () => {
    const file = join(cluster.home, 'bench.pcapng');
    const capture = cluster.podwire(['capture', '-i', 'node/n1:underlay', '-w', file, '--name', cluster.name]);
    let found = await document('latency', '--from', 'a', '--to', 'b');
    for (let i = 0; i < 3 && found.network.capturing.length === 0; i++)
      found = await document('latency', '--from', 'a', '--to', 'b');
    capture.child.kill('SIGINT');
    await capture.result;
    expect(found.network.capturing).toEqual(['n1']);
  });

  test('a node that is killed meanwhile: its name, no figures, exit code 1', async () => {
    const running = cluster.podwire(words('throughput', '--duration', '4s', '--noisy', '--from', 'a', '--to', 'b'));
    await running.says(/^\[ {2}1\] +0\.00-/m);
    process.kill(cluster.process('node', 'n2').pid, 'SIGKILL');
    const { code, stdout, stderr } = await running.result;
    expect(code).toBe(1);
    expect(stderr).toMatch(/nothing was measured: node n2 has ended during the measurement/);
    expect(stdout).not.toMatch(/received/);
    expect(leftovers()).toEqual([]);
  });

  test.each([
    ['one pod', ['latency', '--from', 'a', '--to', 'a'], 2, /both ends are pod default\/a/],
    ['no such pod', ['latency', '--from', 'a', '--to', 'nobody'], 2, /"nobody" not found/],
    ['a node', ['latency', '--from', 'node/n1'], 2, /bench measures between pods/],
    ['no such measurement', ['jitter'], 2, /expected throughput, latency or pps/],
    ['less than nothing', ['latency', '--duration', '-1s'], 2, /whole seconds from 1s to 1h, found "-1s"/],
    ['half a second', ['latency', '--duration', '500ms'], 2, /whole seconds/],
    ['a format', ['latency', '-o', 'yaml'], 2, /table, json or svg/],
  ])('refused: %s', async (_, more, code, message) => {
    const result = await cluster.run(words(...more, '--noisy'));
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/^\s+at /m);
  });
});

describeUnless(lacks, 'bench without a cluster', () => {
  const cluster = testCluster();

  test('says what to do', async () => {
    const { code, stderr } = await cluster.run(['bench', 'latency']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/no cluster named "podwire" is running; start one: podwire up/);
  });
});
