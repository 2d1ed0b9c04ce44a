/** Many probes at once: the same answers as one by one, each with the drop that was its own. */
import { describe, expect, test } from 'vitest';
import { createCluster, type ProbeQuestion } from '../../src/podwire.ts';
import { askCaptured } from '../../src/sim/probe-questions.ts';
import { SimCluster } from '../../src/sim/sim-cluster.ts';

const ports = [{ containerPort: 80 }, { containerPort: 53, protocol: 'UDP' }, { containerPort: 7, protocol: 'SCTP' }];

function pod(name: string, node: string, run: string): object {
  const metadata = { name, labels: { run } };
  const spec = { nodeName: node, containers: [{ name: 'c', image: 'i', ports: run === 'server' ? ports : [] }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec };
}

function service(name: string, run: string): object {
  const port = { port: 80, protocol: 'TCP' };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: { run }, ports: [port] } };
}

const denying = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: guarded-allow-friends}
spec:
  podSelector: {matchLabels: {run: guarded}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {run: friend}}}]
`;

/** `server` answers, `guarded` takes packets of `friend` alone. */
const objects = [
  pod('server', 'n1', 'server'),
  { ...pod('guarded', 'n2', 'server'), metadata: { name: 'guarded', labels: { run: 'guarded' } } },
  pod('friend', 'n1', 'friend'),
  pod('stranger', 'n1', 'stranger'),
  service('server', 'server'),
  service('guarded', 'guarded'),
  service('empty', 'nobody'),
];

async function world() {
  const cluster = await createCluster({ backend: 'sim', nodes: 2 });
  await cluster.apply(objects);
  await cluster.apply(denying);
  return cluster;
}

const asked: readonly (readonly [ProbeQuestion, outcome: string, reason?: string])[] = [
  [{ from: 'friend', to: 'server', port: 80 }, 'delivered'],
  [{ from: 'friend', to: 'guarded', port: 80 }, 'delivered'],
  [{ from: 'friend', to: 'svc/guarded', port: 80 }, 'delivered'],
  [{ from: 'stranger', to: 'guarded', port: 80 }, 'dropped', 'PolicyDenied'],
  [{ from: 'stranger', to: 'guarded', port: 53, protocol: 'UDP' }, 'dropped', 'PolicyDenied'],
  [{ from: 'stranger', to: 'guarded', port: 7, protocol: 'SCTP' }, 'dropped', 'PolicyDenied'],
  [{ from: 'stranger', to: 'guarded', protocol: 'ICMP' }, 'dropped', 'PolicyDenied'],
  [{ from: 'stranger', to: 'svc/guarded', port: 80 }, 'dropped', 'PolicyDenied'],
  [{ from: 'node/n1', to: 'guarded', port: 80 }, 'dropped', 'PolicyDenied'],
  [{ from: 'node/n1', to: 'svc/guarded', port: 80 }, 'dropped', 'PolicyDenied'],
  [{ from: 'node/n2', to: 'guarded', port: 80 }, 'delivered'],
  [{ from: 'guarded', to: 'guarded', port: 80 }, 'delivered'],
  [{ from: 'stranger', to: 'server', port: 9 }, 'refused'],
  [{ from: 'stranger', to: 'svc/empty', port: 80 }, 'rejected', 'NoEndpoints'],
  [{ from: 'stranger', to: '10.244.0.99', port: 80 }, 'rejected', 'NoSuchPod'],
  [{ from: 'stranger', to: '192.0.2.1', port: 53, protocol: 'UDP' }, 'rejected', 'NoRoute'],
];

describe('probeAll', () => {
  test('NP-026 NP-027 NP-031 tells each question its own answer, and the same as alone', async () => {
    const together = await (await world()).probeAll(asked.map(([question]) => question));
    const cluster = await world();
    for (const [i, [question, outcome, reason]] of asked.entries()) {
      const expected = reason === undefined ? { outcome } : { outcome, reason };
      expect(together[i], JSON.stringify(question)).toMatchObject(expected);
      expect(await cluster.probe(question), JSON.stringify(question)).toMatchObject(expected);
    }
  });

  test('a denial names its policies and says why, in JSON too; what nothing restricts says nothing', async () => {
    const cluster = await world();
    const denied = await cluster.probe({ from: 'stranger', to: 'svc/guarded', port: 80 });
    const sentence = expect.stringMatching(/ingress to default\/guarded .*guarded-allow-friends .*default\/stranger/);
    expect(JSON.parse(JSON.stringify(denied))).toMatchObject({
      connected: false,
      rule: { kind: 'NetworkPolicy', name: 'guarded-allow-friends', path: 'spec.podSelector', file: 'input', line: 5 },
      policies: [{ name: 'guarded-allow-friends' }],
      explanation: sentence,
    });
    const allowed = await cluster.probe({ from: 'friend', to: 'svc/guarded', port: 80 });
    expect(allowed).toMatchObject({
      rule: { path: 'spec.ingress[0]' },
      explanation: expect.stringContaining('allowed'),
    });
    const free = await cluster.probe({ from: 'guarded', to: 'server', port: 80 });
    expect(free).toMatchObject({ connected: true, policies: [] });
    expect(free.rule).toBe(undefined);
    expect(free.explanation).toBe(undefined);
  });

  test('what time does not change is decided at once; silence takes as long as it takes', async () => {
    const cluster = new SimCluster({ nodes: 2 });
    await cluster.apply([...objects]);
    await cluster.apply(denying);
    const ask = (from: string, to: string) => askCaptured(cluster, { from, to, port: 80 }, () => {});
    ask('stranger', 'guarded'); // neighbours are known from here on
    const before = cluster.simulation.nowMs;
    expect(ask('stranger', 'guarded').reason).toBe('PolicyDenied');
    expect(cluster.simulation.nowMs - before).toBeLessThan(2);
    cluster.simulation.setLinks(
      'n1',
      new Map([['n2', { delayMs: 1, jitterMs: 0, loss: 1, duplicate: 0, reorder: 0, seed: 1 }]]),
    );
    expect(ask('friend', 'guarded')).toMatchObject({ outcome: 'lost', reason: 'link-loss' });
    expect(cluster.simulation.nowMs - before).toBeGreaterThanOrEqual(5000);
  });

  test('a lost packet is sent again, and then counts what becomes of it', async () => {
    const cluster = new SimCluster({ nodes: 2 });
    await cluster.apply([...objects]);
    await cluster.apply(denying);
    const link = { delayMs: 3, jitterMs: 0, loss: 0.4, duplicate: 0, reorder: 0, seed: 5 };
    cluster.simulation.setLinks('n1', new Map([['n2', link]]));
    const target = {
      protocol: 'udp',
      address: cluster.plane.pod('default/guarded')!.status!.podIP!,
      port: 53,
    } as const;
    const at = { node: 'n1', address: cluster.plane.pod('default/stranger')!.status!.podIP! };
    const reports = cluster.probeAll(Array.from({ length: 20 }, () => ({ at, target })));
    expect(reports.map(({ drop }) => drop?.reason)).toEqual(reports.map(() => 'PolicyDenied'));
  });

  test('nodes may say as many errors, and know as many connections, as there are questions', async () => {
    const cluster = new SimCluster({ nodes: 2 });
    await cluster.apply([...objects]);
    const end = (name: string) => ({
      node: cluster.plane.pod(`default/${name}`)!.spec.nodeName!,
      address: cluster.plane.pod(`default/${name}`)!.status!.podIP!,
    });
    const empty = cluster.plane.service('default/empty')!.spec.clusterIP!;
    const rejected = { at: end('stranger'), target: { protocol: 'udp', address: empty, port: 80 } } as const;
    const told = cluster.probeAll(Array.from({ length: 200 }, () => rejected));
    expect(new Set(told.map(({ outcome, drop }) => `${outcome} ${drop?.reason}`))).toEqual(
      new Set(['refused NoServicePort']),
    );
    const open = {
      at: end('stranger'),
      target: { protocol: 'tcp', address: end('guarded').address, port: 80 },
    } as const;
    const answered = cluster.probeAll(Array.from({ length: 5000 }, () => open));
    expect(answered.every(({ outcome }) => outcome === 'delivered')).toBe(true);
    for (const { dataplane } of cluster.simulation.nodes.values()) {
      expect(dataplane.counters.check()).toBe(0);
      expect(dataplane.connections.statistics.drop).toBe(0);
    }
  });

  test('what cannot be asked fails before anything is sent', async () => {
    const cluster = await world();
    const questions = [
      { from: 'friend', to: 'server', port: 80 },
      { from: 'nobody', to: 'server' },
    ];
    await expect(cluster.probeAll(questions)).rejects.toThrow('no pod default/nobody');
  });

  test('askCaptured tells of every hop, there and back, and nothing afterwards', async () => {
    const cluster = new SimCluster({ nodes: 2 });
    await cluster.apply([...objects]);
    const hops: string[] = [];
    const answer = askCaptured(cluster, { from: 'friend', to: 'guarded', port: 53, protocol: 'UDP' }, (_, { node }) =>
      hops.push(node),
    );
    expect(answer.connected).toBe(true);
    expect(new Set(hops)).toEqual(new Set(['n1', 'n2']));
    for (const { dataplane } of cluster.simulation.nodes.values()) {
      expect(dataplane.recorder).toBe(dataplane.flightRecorder);
    }
    const seen = hops.length;
    cluster.simulation.advance(1000);
    askCaptured(cluster, { from: 'friend', to: 'server', port: 80 }, () => {});
    expect(hops.length).toBe(seen);
  });
});
