/** `podwire trace` in a running cluster: by real packets, and by a dry run; what both say, against the rules. */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { ApiClient } from '../../src/api/client.ts';
import { PROBE_PATH } from '../../src/api/probe.ts';
import type { PolicyWorld } from '../../src/network-policy/policy-world.ts';
import type { ProbeReport } from '../../src/nodes/protocol.ts';
import { slowVerdict } from '../oracle/slow-policy.ts';
import { testCluster } from '../support/cluster.ts';
import { Random } from '../support/random.ts';
import { missing } from '../support/requires.ts';

const lacks = missing('linux', 'built', 'tun', 'vessel');
const PAIRS = 40;
const FILE = 'trace.yaml';

/** Roles a, b and c in two namespaces, three nodes; policies that some of them are isolated by. */
const objects = `
apiVersion: podwire.dev/v1alpha1
kind: Cluster
nodes: [{role: worker}, {role: worker}, {role: worker}]
---
apiVersion: v1
kind: Namespace
metadata: {name: x, labels: {team: x}}
---
apiVersion: v1
kind: Namespace
metadata: {name: w, labels: {team: w}}
${['x', 'w']
  .flatMap((namespace) =>
    ['a', 'b', 'c'].map(
      (name, i) => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${namespace}, labels: {pod: ${name}}}
spec:
  nodeName: n${i + 1}
  containers: [{name: main, image: none, ports: [{containerPort: 80, name: web}, {containerPort: 53, protocol: UDP}]}]
`,
    ),
  )
  .join('')}---
apiVersion: v1
kind: Service
metadata: {name: b, namespace: x}
spec: {selector: {pod: b}, ports: [{name: web, port: 8080, targetPort: web}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty, namespace: x}
spec: {selector: {pod: nobody}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: b-from-a, namespace: x}
spec:
  podSelector: {matchLabels: {pod: b}}
  ingress:
    - from: [{podSelector: {matchLabels: {pod: a}}}, {namespaceSelector: {matchLabels: {team: w}}}]
      ports: [{port: web}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: no-way-out, namespace: w}
spec:
  podSelector: {matchLabels: {pod: c}}
  policyTypes: [Egress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-w, namespace: w}
spec:
  podSelector: {matchLabels: {pod: a}}
  ingress: [{from: [{podSelector: {}}]}]
`;

interface Told {
  readonly outcome: string;
  readonly reason: string;
  readonly rule: { name: string; path: string; file: string; line: number } | null;
  readonly policies: readonly { name: string }[];
  readonly hops: readonly { direction: string; kind: string; node: string; words: string }[];
  readonly explanation: string;
  readonly notes: readonly string[];
}

interface ListedPod {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly status: { readonly podIP: string };
}

function randomAsk(random: Random) {
  const pods = ['x/a', 'x/b', 'x/c', 'w/a', 'w/b', 'w/c'];
  const from = random.pick(pods);
  const to = random.pick(pods.filter((one) => one !== from));
  const protocol = random.pick(['TCP', 'UDP', 'ICMP'] as const);
  return { from, to, protocol, port: protocol === 'UDP' ? 53 : random.pick([80, 81]) };
}

const placesOf = ({ hops }: Told) => hops.map(({ node, kind, direction }) => `${direction} ${node} ${kind}`);

function expectDenial({ reason, rule, explanation }: Told): void {
  expect(reason).toBe('PolicyDenied');
  expect(rule).toMatchObject({ kind: 'NetworkPolicy', path: 'spec.podSelector' });
  expect(rule!.file).toMatch(/trace\.yaml$/);
  expect(rule!.line).toBeGreaterThan(1);
  expect(explanation).toMatch(/^dropped: /);
  expect(explanation).toContain(`${rule!.name} (`);
}

describe.skipIf(lacks)(`podwire trace${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  const cluster = testCluster();
  const addresses = new Map<string, string>();
  let world: PolicyWorld;

  const trace = async (...words: string[]): Promise<Told & { code: number | null }> => {
    const { code, stdout, stderr } = await cluster.run(['trace', '--name', cluster.name, '-o', 'json', ...words]);
    if (stdout === '') throw new Error(`trace ${words.join(' ')}: exit code ${code}\n${stderr}`);
    return { ...(JSON.parse(stdout) as Told), code };
  };
  const probe = (body: object, signal?: AbortSignal) => {
    process.env['PODWIRE_HOME'] = cluster.home;
    return new ApiClient(cluster.name).post<ProbeReport>(PROBE_PATH, body, 10_000, signal);
  };
  const both = (...words: string[]) => Promise.all([trace(...words), trace(...words, '--dry-run')]);

  beforeAll(async () => {
    const file = cluster.write(FILE, objects);
    const { code, stderr } = await cluster.run(['up', file, '-d', '--name', cluster.name]);
    if (code !== 0) throw new Error(stderr);
    const { items } = await cluster.api<{ items: readonly ListedPod[] }>('/api/v1/pods');
    for (const { metadata, status } of items) addresses.set(`${metadata.namespace}/${metadata.name}`, status.podIP);
    world = await cluster.api<PolicyWorld>('/apis/podwire.dev/v1/policyworlds/latest');
  });

  test(`${PAIRS} random pairs: packets, dry run and rules agree; a denial names its rule`, async () => {
    const random = new Random(7);
    let denied = 0;
    for (let i = 0; i < PAIRS; i++) {
      const { from, to, protocol, port } = randomAsk(random);
      const [source, destination] = [addresses.get(from)!, addresses.get(to)!];
      const { allowed } = slowVerdict(world, { source, destination, protocol, port });
      const target = protocol === 'ICMP' ? `pod/${to}` : `pod/${to}:${port}`; // x/b is a Service too
      const [live, dry] = await both(from, target, '--proto', protocol.toLowerCase());
      const what = `${from} ${target} ${protocol}`;
      const open = protocol === 'TCP' && port === 81 ? 'refused' : 'delivered';
      const wanted = allowed ? open : 'dropped';
      expect([what, live.outcome, live.code]).toEqual([what, wanted, wanted === 'delivered' ? 0 : 1]);
      expect([what, dry.outcome, dry.rule, dry.policies]).toEqual([what, live.outcome, live.rule, live.policies]);
      expect(placesOf(dry), live.notes.join('; ')).toEqual(placesOf(live));
      if (allowed) continue;
      denied++;
      expectDenial(live);
    }
    expect(denied).toBeGreaterThan(5);
  }, 300_000);

  test('a Service: its backend, and its name again on the way back', async () => {
    const [live, dry] = await both('-n', 'x', 'a', 'b:web');
    for (const told of [live, dry]) {
      expect(told).toMatchObject({
        outcome: 'delivered',
        code: 0,
        rule: { name: 'b-from-a', path: 'spec.ingress[0]' },
      });
      const words = told.hops.map((hop) => hop.words).join('\n');
      expect(words).toContain(`Service x/b: its destination becomes ${addresses.get('x/b')}:80, pod x/b on n2`);
      expect(words).toMatch(/its source becomes 10\.96\.\d+\.\d+:8080, as its asker knows it/);
    }
  });

  test('a Service without endpoints rejects, and so does the address of a pod that is not there', async () => {
    for (const told of await both('x/a', 'svc/x/empty:80')) {
      expect(told).toMatchObject({ outcome: 'rejected', reason: 'NoEndpoints', code: 1 });
      expect(told.hops.map(({ kind }) => kind)).toEqual(['received', 'dropped', 'answered']);
    }
    for (const told of await both('x/a', '10.244.1.200:80')) {
      expect(told).toMatchObject({ outcome: 'rejected', reason: 'NoSuchPod', rule: null });
    }
  });

  test('a closed UDP port refuses, and a pod without SCTP; a node asks too', async () => {
    for (const told of await both('x/c', 'w/b:9', '--proto', 'sctp')) expect(told.outcome).toBe('refused');
    expect(await trace('x/c', 'pod/x/b:9', '--proto', 'sctp')).toMatchObject({
      outcome: 'dropped',
      reason: 'PolicyDenied',
    });
    for (const told of await both('x/c', 'w/b:99', '--proto', 'udp')) expect(told.outcome).toBe('refused');
    for (const told of await both('node/n1', 'w/b:80')) {
      expect(told.outcome).toBe('delivered');
      expect(told.hops[0]!.words).toContain('comes in from node/n1:host');
    }
  });

  test('text: the story by places, the outcome last', async () => {
    const { stdout, code } = await cluster.run(['trace', '--name', cluster.name, 'x/c', 'x/b']);
    expect(code).toBe(1);
    const lines = stdout.split('\n');
    expect(lines[0]).toBe(`TCP from pod x/c on n3 to pod x/b on n2 (${addresses.get('x/b')}), port 80`);
    expect(lines[1]).toBe('  no port was given: 80/TCP is the first that it declares');
    expect(stdout).toMatch(/\nthere\n {2}1\. n3 {2}SYN .* comes in from pod\/x\/c\n/);
    expect(stdout).toMatch(
      /DROPPED at ingressPolicy: PolicyDenied\n\ndropped: ingress to x\/b is restricted by b-from-a/,
    );
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('a link that loses everything, and a pod that is gone', async () => {
    const link = (loss: string) => cluster.run(['link', 'set', 'n1', 'n2', '--loss', loss, '--name', cluster.name]);
    await link('100%');
    for (const told of await both('x/a', 'w/b:80')) {
      expect(told).toMatchObject({ outcome: 'lost', reason: 'link-loss', code: 1 });
    }
    await link('0%');
    const [gone] = [addresses.get('w/b')!];
    await cluster.run([
      'delete',
      '-f',
      cluster.write(
        'gone.yaml',
        'apiVersion: v1\nkind: Pod\nmetadata: {name: b, namespace: w}\nspec: {containers: [{name: m, image: none}]}\n',
      ),
      '--name',
      cluster.name,
    ]);
    for (const told of await both('x/a', `${gone}:80`)) expect(told.reason).toBe('NoSuchPod');
    expect((await cluster.run(['trace', '--name', cluster.name, 'x/a', 'w/b:80'])).code).toBe(2);
  });

  test('a stranger who is denied the same at the same time has no part in the story', async () => {
    let ending = false;
    let asked = 0;
    const denied = { from: { namespace: 'x', pod: 'c' }, address: addresses.get('x/b')!, port: 80, timeoutMs: 20 };
    const stranger = async () => {
      while (!ending) {
        const report = await probe(denied);
        expect(report.outcome).toBe('no-answer');
        asked++;
      }
    };
    const strangers = [stranger(), stranger(), stranger()];
    for (let i = 0; i < 5; i++) {
      const told = await trace('x/a', 'pod/x/b:80');
      expect(told).toMatchObject({ outcome: 'delivered', code: 0 });
      expect(told.hops[0]!.words).toContain('comes in from pod/x/a');
      const fromNode = await trace('node/n1', 'w/c:80', '--proto', 'icmp');
      expect(fromNode.outcome).toBe('delivered');
    }
    ending = true;
    await Promise.all(strangers);
    expect(asked).toBeGreaterThan(50);
  });

  test('a port that was wanted and is taken is said to be; whoever goes away is not asked for any more', async () => {
    const from = { namespace: 'x', pod: 'c' };
    const body = { from, address: addresses.get('w/c')!, port: 80, timeoutMs: 1500, sourcePort: 40_404 };
    expect((await probe(body)).source).toEqual({ address: addresses.get('x/c'), port: 40_404 });
    const silence = { ...body, address: addresses.get('x/b')!, sourcePort: 40_405 };
    const ending = new AbortController();
    const first = probe(silence, ending.signal).catch(() => 'ended');
    await sleep(100);
    for (const protocol of ['TCP', 'UDP']) {
      const second = await probe({ ...silence, address: body.address, protocol });
      const isTaken = protocol === 'TCP';
      expect([protocol, second.portTaken]).toEqual([protocol, isTaken ? true : undefined]);
    }
    ending.abort();
    expect(await first).toBe('ended');
    const free = async () => (await probe({ ...body, sourcePort: 40_405 })).portTaken;
    await expect.poll(free, { timeout: 700, interval: 20 }).toBeUndefined();
    const ping = await probe({ ...body, protocol: 'ICMP', sourcePort: 777 });
    expect([ping.outcome, ping.source!.port]).toEqual(['delivered', 777]);
  });

  test('a pod asks itself: no node sees it, and that is said', async () => {
    for (const told of await both('x/a', 'pod/x/a:80')) {
      expect(told).toMatchObject({ outcome: 'delivered', hops: [] });
      expect(told.notes).toEqual([expect.stringContaining('the packet stays within the pod')]);
    }
  });

  test('a node that is stopped is not waited for, and that is said', async () => {
    const { pid } = cluster.process('node', 'n2');
    process.kill(pid, 'SIGSTOP');
    try {
      const began = performance.now();
      const told = await trace('x/a', 'x/c:80');
      expect(performance.now() - began).toBeLessThan(10_000);
      expect(told.outcome).toBe('delivered');
      expect(told.notes).toEqual(['node n2 says nothing: the story may have a hole']);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  test('wrong words are said to be wrong', async () => {
    for (const [words, said] of [
      [['x/a'], 'expected SRC and DST'],
      [['x/a', '10.0.0.1'], 'which port?'],
      [['x/a', 'x/b:'], 'nothing behind the colon'],
      [['x/a', 'x/b:dns'], 'no port named "dns"'],
      [['x/a', 'x/b', '--proto', 'gre'], '--proto takes'],
      [['x/a', 'x/b', '-o', 'yaml'], '-o takes text or json'],
      [['x/a', 'x/b:99999'], '99999 is not a port: 1 to 65535'],
      [['x/a', 'nosuch:80'], 'nor a workload or Service of that name'],
      [['x/nobody', 'x/b'], 'not found'],
      [['node/n9', 'x/b'], 'not found'],
    ] as const) {
      const { code, stderr } = await cluster.run(['trace', '--name', cluster.name, ...words]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(said)]);
    }
  });
});
