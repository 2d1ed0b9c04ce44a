/** Stories of probes in a simulated cluster, told whole. */
import { beforeAll, describe, expect, test } from 'vitest';
import { podAddresses } from '../../src/controllers/pod-state.ts';
import { kinds } from '../../src/store/resources.ts';
import type { Trace } from '../../src/trace/trace.ts';
import { traceText } from '../../src/trace/trace-text.ts';
import { pod, type Question, TracedCluster } from './traced-cluster.ts';

const service = (name: string, spec: object) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec });
const ports = [{ containerPort: 80 }, { containerPort: 53, protocol: 'UDP' }, { containerPort: 9, protocol: 'SCTP' }];
const cluster = new TracedCluster(2);
const address = new Map<string, string>();

const policies = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: b-allow-a}
spec:
  podSelector: {matchLabels: {app: b}}
  ingress:
    - from: [{podSelector: {matchLabels: {app: a}}}]
      ports: [{port: 80}, {port: 53, protocol: UDP}, {port: 81}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: c-stays}
spec:
  podSelector: {matchLabels: {app: c}}
  policyTypes: [Egress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: e-goes}
spec:
  podSelector: {matchLabels: {app: e}}
  policyTypes: [Egress]
  egress: [{}]
`;

beforeAll(async () => {
  await cluster.apply([
    ...[
      ['a', 'n1'],
      ['b', 'n2'],
      ['c', 'n1'],
      ['d', 'n2'],
      ['e', 'n1'],
    ].map(([name, node]) => pod(name!, node!, { labels: { app: name }, ports })),
    service('b', { selector: { app: 'b' }, ports: [{ port: 8080, targetPort: 80 }] }),
    service('a', { selector: { app: 'a' }, ports: [{ port: 8080, targetPort: 80 }] }),
    service('empty', { selector: { app: 'none' }, ports: [{ port: 80 }] }),
    service('door', { type: 'NodePort', selector: { app: 'd' }, ports: [{ port: 80, nodePort: 30080 }] }),
  ]);
  await cluster.apply(policies);
  const { store } = cluster.sim.plane;
  for (const one of store.list(kinds.Pod)) address.set(one.metadata.name, podAddresses(one)[0]!);
  for (const one of store.list(kinds.Service)) address.set(`svc/${one.metadata.name}`, one.spec.clusterIP!);
});

const nodeOf: Readonly<Record<string, string>> = { a: 'n1', b: 'n2', c: 'n1', d: 'n2', e: 'n1' };

function asked(from: string, to: string, port: number, protocol: Question['protocol'] = 'TCP'): Question {
  return { node: nodeOf[from]!, source: address.get(from)!, address: address.get(to) ?? to, port, protocol };
}

/** The story as lines, with short names for addresses and ports of clients. */
function told({ hops }: Trace): string[] {
  const names = [...address].sort(([, a], [, b]) => b.length - a.length);
  const short = (words: string) => {
    let text = words;
    for (const [name, ip] of names) text = text.replaceAll(new RegExp(`\\b${ip.replaceAll('.', '\\.')}\\b`, 'g'), name);
    return text.replaceAll(/:(?:4[0-9]|5[0-9]|6[0-5]|3[3-9])\d{3}\b/g, ':…');
  };
  return hops.map(({ direction, node, words }) => `${direction === 'forward' ? '>' : '<'} ${node} ${short(words)}`);
}

describe('stories', () => {
  test('NP-031 through a Service to another node, with the rules that let it pass', () => {
    const trace = cluster.trace(asked('a', 'svc/b', 8080));
    expect(told(trace)).toEqual([
      '> n1 SYN a:… → svc/b:8080 comes in from pod/default/a',
      '> n1 Service default/b: its destination becomes b:80, pod default/b on n2',
      '> n1 egress policy: no policy restricts egress from default/a',
      '> n1 leaves for n2 by VXLAN',
      '> n2 SYN a:… → b:80 comes in from node n1 by VXLAN',
      '> n2 ingress policy: ingress to default/b is allowed by b-allow-a rule 1 (input:7)',
      '> n2 delivered to pod/default/b',
      '< n2 SYN, ACK b:80 → a:… comes in from pod/default/b',
      '< n2 leaves for n1 by VXLAN',
      '< n1 SYN, ACK b:80 → a:… comes in from node n2 by VXLAN',
      '< n1 its source becomes svc/b:8080, as its asker knows it',
      '< n1 delivered to pod/default/a',
    ]);
    expect(trace).toMatchObject({
      outcome: 'delivered',
      rule: { name: 'b-allow-a', path: 'spec.ingress[0]', file: 'input', line: 7 },
      policies: [{ name: 'b-allow-a', path: 'spec.podSelector' }],
    });
    const translated = trace.hops.find(({ kind }) => kind === 'translated')!;
    expect(translated.packet).toContain(`→ ${address.get('svc/b')}:8080`);
    expect(translated.becomes).toContain(`→ ${address.get('b')}:80`);
    expect(trace.hops[0]).toMatchObject({ ms: 0, place: 'pod/default/a', kind: 'received' });
    const times = trace.hops.map(({ ms }) => ms);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test('NP-002 denied where it arrives: the sentence once, at the end', () => {
    const trace = cluster.trace(asked('d', 'b', 80));
    expect(told(trace)).toEqual([
      '> n2 SYN d:… → b:80 comes in from pod/default/d',
      '> n2 egress policy: no policy restricts egress from default/d',
      '> n2 ingress policy: no rule of b-allow-a allows it',
      '> n2 DROPPED at ingressPolicy: PolicyDenied',
    ]);
    expect(trace).toMatchObject({
      ...{ outcome: 'dropped', reason: 'PolicyDenied' },
      rule: { name: 'b-allow-a', path: 'spec.podSelector', line: 5 },
      hops: [{}, {}, { kind: 'policy', rule: { path: 'spec.podSelector' } }, { stage: 'ingressPolicy' }],
    });
    expect(trace.explanation).toBe(
      'dropped: ingress to default/b is restricted by b-allow-a (input:5); no rule matched: rule 1 wants app=a, ' +
        'default/d has app=d; port 80 was fine',
    );
  });

  test('NP-031 denied on its way out, behind a Service: who would have had it is told', () => {
    const trace = cluster.trace(asked('c', 'svc/b', 8080));
    expect(told(trace)).toEqual([
      '> n1 SYN c:… → svc/b:8080 comes in from pod/default/c',
      '> n1 Service default/b: its destination becomes b:80, pod default/b on n2',
      '> n1 egress policy: no rule of c-stays allows it',
      '> n1 DROPPED at egressPolicy: PolicyDenied',
    ]);
    expect(trace).toMatchObject({ outcome: 'dropped', rule: { name: 'c-stays' }, policies: [{ name: 'c-stays' }] });
  });

  test('NP-003 let out, not let in: the denial alone is told', () => {
    const trace = cluster.trace(asked('e', 'b', 80));
    expect(told(trace)[1]).toMatch(/^> n1 egress policy: egress from default\/e is allowed by e-goes rule 1/);
    expect(trace).toMatchObject({ outcome: 'dropped', rule: { name: 'b-allow-a' } });
    expect(trace.policies.map(({ name }) => name)).toEqual(['b-allow-a']);
    expect(trace.explanation).toMatch(/^dropped: ingress to default\/b/);
    const both = cluster.trace(asked('e', 'd', 80));
    expect(both).toMatchObject({ outcome: 'delivered', rule: { name: 'e-goes', path: 'spec.egress[0]' } });
  });

  test('NP-026 to itself through a Service: masqueraded, and judged as itself', () => {
    const trace = cluster.trace(asked('a', 'svc/a', 8080));
    expect(told(trace).slice(0, 4)).toEqual([
      '> n1 SYN a:… → svc/a:8080 comes in from pod/default/a',
      '> n1 Service default/a: its destination becomes a:80, pod default/a on n1; masqueraded: its source becomes 10.244.0.1:…',
      '> n1 egress policy: no policy restricts egress from default/a',
      '> n1 ingress policy: no policy restricts ingress to default/a',
    ]);
    expect(told(trace).at(-2)).toBe(
      '< n1 its destination becomes a:…, pod default/a on n1; its source becomes svc/a:8080, as its asker knows it',
    );
    expect(trace).toMatchObject({ outcome: 'delivered', rule: undefined, policies: [], explanation: '' });
  });

  test('KP-019 a Service without endpoints: the node says no', () => {
    const trace = cluster.trace(asked('a', 'svc/empty', 80));
    expect(told(trace)).toEqual([
      '> n1 SYN a:… → svc/empty:80 comes in from pod/default/a',
      '> n1 DROPPED at serviceDnat: NoEndpoints',
      '< n1 the node itself answers: port unreachable 10.244.0.1 → a',
    ]);
    expect(trace).toMatchObject({ outcome: 'rejected', reason: 'NoEndpoints', rule: undefined, policies: [] });
    expect(trace.explanation).toMatch(/^No endpoint of the Service/);
  });

  test('KP-024 a Service without the port: what it has is told, and nothing twice', async () => {
    const trace = cluster.trace(asked('a', 'svc/b', 81));
    expect(trace).toMatchObject({ outcome: 'rejected', reason: 'NoServicePort' });
    expect(trace.explanation).toMatch(/ none of its ports.*\. Service default\/b has 8080\/TCP\.$/);
    const text = traceText(trace).replaceAll(/\s+/g, ' ');
    expect(text.split('none of its ports')).toHaveLength(2);
    expect((await cluster.dryTrace(asked('a', 'svc/b', 81))).explanation).toBe(trace.explanation);
  });

  test('NP-002 policies that changed after the packet have no say in its story', async () => {
    const denied = asked('c', 'b', 80);
    const allowed = asked('a', 'b', 80);
    await cluster.apply(`apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: c-stays}
spec: {podSelector: {matchLabels: {app: c}}, policyTypes: [Egress], egress: [{}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: b-allow-a}
spec: {podSelector: {matchLabels: {app: b}}}
`);
    const otherWorld = cluster.world;
    await cluster.apply(policies);
    const changed = { rule: undefined, policies: [], explanation: 'policies have changed meanwhile' };
    const arrived = cluster.trace(allowed, otherWorld);
    expect(arrived).toMatchObject({ outcome: 'delivered', ...changed });
    expect(told(arrived)).toContain('> n2 ingress policy: policies have changed meanwhile');
    expect(traceText(arrived)).not.toContain('dropped');
    const stopped = cluster.trace(denied, otherWorld);
    expect(stopped).toMatchObject({ outcome: 'dropped', reason: 'PolicyDenied', ...changed });
    expect(told(stopped)).toContain('> n1 egress policy: policies have changed meanwhile');
    expect(traceText(stopped)).toMatch(/\ndropped: PolicyDenied\n$/);
    expect(cluster.trace(denied).explanation).toMatch(/^dropped: egress from default\/c is denied by c-stays/);
  });

  test('a closed port refuses: by RST, or by an ICMP error that finds its way back', () => {
    const reset = cluster.trace(asked('a', 'b', 81));
    expect(reset).toMatchObject({ outcome: 'refused', rule: { name: 'b-allow-a' } });
    expect(told(reset).slice(-2)).toEqual([
      '< n1 RST, ACK b:81 → a:… comes in from node n2 by VXLAN',
      '< n1 delivered to pod/default/a',
    ]);
    const unreachable = cluster.trace(asked('a', 'd', 99, 'UDP'));
    expect(unreachable.outcome).toBe('refused');
    expect(told(unreachable).slice(-2)).toEqual([
      '< n1 port unreachable d → a comes in from node n2 by VXLAN',
      '< n1 delivered to pod/default/a',
    ]);
  });

  test('UDP, ICMP and SCTP have stories too', () => {
    expect(cluster.trace(asked('a', 'b', 53, 'UDP'))).toMatchObject({
      outcome: 'delivered',
      rule: { name: 'b-allow-a' },
    });
    expect(cluster.trace(asked('a', 'd', 9, 'SCTP')).outcome).toBe('delivered');
    const ping = cluster.trace(asked('a', 'd', 0, 'ICMP'));
    expect(told(ping)).toEqual([
      '> n1 echo request a → d comes in from pod/default/a',
      '> n1 egress policy: no policy restricts egress from default/a',
      '> n1 leaves for n2 by VXLAN',
      '> n2 echo request a → d comes in from node n1 by VXLAN',
      '> n2 ingress policy: no policy restricts ingress to default/d',
      '> n2 delivered to pod/default/d',
      '< n2 echo reply d → a comes in from pod/default/d',
      '< n2 leaves for n1 by VXLAN',
      '< n1 echo reply d → a comes in from node n2 by VXLAN',
      '< n1 delivered to pod/default/a',
    ]);
  });

  test('nobody there: the other node says so, by an error that travels', () => {
    const trace = cluster.trace(asked('a', '10.244.1.99', 80));
    expect(told(trace)).toEqual([
      '> n1 SYN a:… → 10.244.1.99:80 comes in from pod/default/a',
      '> n1 egress policy: no policy restricts egress from default/a',
      '> n1 leaves for n2 by VXLAN',
      '> n2 SYN a:… → 10.244.1.99:80 comes in from node n1 by VXLAN',
      '> n2 DROPPED at route: NoSuchPod',
      '< n2 the node itself answers: host unreachable 10.244.1.1 → a',
      '< n1 host unreachable 10.244.1.1 → a comes in from node n2 by VXLAN',
      '< n1 delivered to pod/default/a',
    ]);
    expect(trace).toMatchObject({ outcome: 'rejected', reason: 'NoSuchPod' });
  });

  test('NP-029 a node asks through a Service: the other node sees whom it was masqueraded as', () => {
    const [n1] = cluster.sim.topology.nodes;
    const trace = cluster.trace({ ...asked('a', 'svc/b', 8080), source: n1!.underlayAddress });
    expect(told(trace).slice(1)).toEqual([
      '> n1 Service default/b: its destination becomes b:80, pod default/b on n2; masqueraded: its source becomes 10.244.0.1:…',
      '> n1 leaves for n2 by VXLAN',
      '> n2 SYN 10.244.0.1:… → b:80 comes in from node n1 by VXLAN',
      '> n2 ingress policy: no rule of b-allow-a allows it',
      '> n2 DROPPED at ingressPolicy: PolicyDenied',
    ]);
    expect(trace.explanation).toContain('10.244.0.1');
  });

  test('a node asks: no egress policy is asked', () => {
    const [n1] = cluster.sim.topology.nodes;
    const trace = cluster.trace({ ...asked('a', 'd', 80), source: n1!.underlayAddress });
    expect(trace.outcome).toBe('delivered');
    expect(told(trace)[0]).toMatch(/comes in from node\/n1:host$/);
    expect(trace.hops.filter(({ kind }) => kind === 'policy').map(({ words }) => words)).toEqual([
      'ingress policy: no policy restricts ingress to default/d',
    ]);
  });

  test('a link that loses: lost, and why', () => {
    const { simulation } = cluster.sim;
    const link = { delayMs: 0, jitterMs: 0, loss: 1, duplicate: 0, reorder: 0, seed: 1 };
    simulation.setLinks('n1', new Map([['n2', link]]));
    const trace = cluster.trace(asked('a', 'd', 80));
    expect(trace).toMatchObject({ outcome: 'lost', reason: 'link-loss' });
    expect(told(trace).at(-1)).toBe('> n1 DROPPED at output: LinkLoss');
    expect(told(trace).length).toBe(3);
    simulation.setLinks('n1', new Map([['n2', { ...link, loss: 0, delayMs: 10 }]]));
    const slow = cluster.trace(asked('a', 'd', 80));
    expect(told(slow).slice(2, 5)).toEqual([
      '> n1 waits for its turn on the link to n2',
      '> n2 SYN a:… → d:80 comes in from node n1 by VXLAN',
      '> n2 ingress policy: no policy restricts ingress to default/d',
    ]);
    expect(slow.hops.find(({ node }) => node === 'n2')!.ms).toBeGreaterThanOrEqual(10);
    simulation.setLinks('n1', new Map());
    simulation.setLinks('n2', new Map([['n1', link]]));
    const lostAnswer = cluster.trace(asked('a', 'd', 80));
    expect(lostAnswer).toMatchObject({ outcome: 'lost', reason: 'link-loss' });
    expect(told(lostAnswer).at(-1)).toBe('< n2 DROPPED at output: LinkLoss');
    simulation.setLinks('n2', new Map());
  });
});

describe('a dry run', () => {
  test('tells the same stories', async () => {
    for (const question of [
      asked('a', 'svc/b', 8080),
      asked('d', 'b', 80),
      asked('c', 'svc/b', 8080),
      asked('a', 'svc/a', 8080),
      asked('a', 'svc/empty', 80),
      asked('a', 'd', 99, 'UDP'),
      asked('a', 'd', 0, 'ICMP'),
      asked('a', '10.244.1.99', 80),
    ]) {
      const [live, dry] = [cluster.trace(question), await cluster.dryTrace(question)];
      expect(told(dry)).toEqual(told(live));
      expect({ ...dry, hops: [], dryRun: false }).toEqual({ ...live, hops: [] });
      expect(dry.dryRun).toBe(true);
    }
  });

  test('knows links, serves no SCTP, and leaves the cluster as it was', async () => {
    const tables = await cluster.tables();
    const before = cluster.sim.plan.feed.nodes.get('n1')!.difference(9);
    expect(before).toBeUndefined();
    expect((await cluster.dryTrace(asked('a', 'd', 9, 'SCTP'))).outcome).toBe('refused');
    const link = { delayMs: 0, jitterMs: 0, loss: 1, duplicate: 0, reorder: 0, seed: 1, endpoint: 0 };
    const nodes = tables.nodes.map((node) => ({ ...node, update: { ...node.update, links: [link] } }));
    const { DryCluster } = await import('../../src/trace/dry-run.ts');
    const { report } = new DryCluster({ ...tables, nodes }).probe(asked('a', 'd', 80));
    expect(report.outcome).toBe('no-answer');
    const programs = new Map([['default/d', [{ port: 7000, protocol: 'TCP' } as const]]]);
    expect(new DryCluster(tables).probe(asked('a', 'd', 7000)).report.outcome).toBe('refused');
    expect(new DryCluster(tables, programs).probe(asked('a', 'd', 7000)).report.outcome).toBe('delivered');
    expect(() => new DryCluster(tables).probe({ ...asked('a', 'd', 80), source: '10.9.9.9' })).toThrow('nobody has');
  });
});

describe('as text', () => {
  test('numbered places, wrapped at 100 columns, the outcome last', () => {
    const text = traceText(cluster.trace(asked('d', 'b', 80)));
    const port = /10\.244\.1\.\d+:(\d+) →/.exec(text)![1];
    expect(text.replaceAll(port!, 'PORT')).toBe(`TCP from pod ${address.get('d')} to ${address.get('b')}, port 80

there
  1. n2  SYN ${address.get('d')}:PORT → ${address.get('b')}:80 comes in from pod/default/d
         egress policy: no policy restricts egress from default/d
         ingress policy: no rule of b-allow-a allows it
         DROPPED at ingressPolicy: PolicyDenied

dropped: ingress to default/b is restricted by b-allow-a (input:5); no rule matched: rule 1 wants
  app=a, default/d has app=d; port 80 was fine
`);
  });

  test('both ways are numbered through; no line is too long', () => {
    const lines = traceText(cluster.trace(asked('a', 'svc/b', 8080))).split('\n');
    expect(lines.filter((line) => /^ {2}\d\. n\d {2}/.test(line)).map((line) => line.slice(0, 7))).toEqual([
      '  1. n1',
      '  2. n2',
      '  3. n2',
      '  4. n1',
    ]);
    expect(lines.filter((line) => line === 'there' || line === 'back')).toEqual(['there', 'back']);
    expect(lines.at(-2)).toMatch(/^delivered: connected[^;]*$/); // the hop has said why
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('a dry run says so, with its notes; a packet that nobody saw', () => {
    const trace = { ...cluster.trace(asked('a', 'b', 80)), dryRun: true, hops: [], explanation: '' };
    const text = traceText({ ...trace, question: { ...trace.question, notes: ['one\u001b[31m', 'two'] } });
    expect(text.split('\n')).toEqual([
      `TCP from pod ${address.get('a')} to ${address.get('b')}, port 80 (dry run)`,
      '  one\\u001b[31m',
      '  two',
      '',
      'no node has seen a packet of it',
      '',
      expect.stringMatching(/^delivered: connected[^;]*$/),
      '',
    ]);
  });
});
