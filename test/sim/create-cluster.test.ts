/** The library's simulated cluster: what a program asks, and what it is told. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createCluster, type SimulatedCluster } from '../../src/podwire.ts';

const shop = readFileSync(new URL('../../examples/shop/shop.yaml', import.meta.url), 'utf8');

async function shopCluster(seed = 1): Promise<SimulatedCluster> {
  const cluster = await createCluster({ backend: 'sim', nodes: 3, seed });
  await cluster.apply(shop);
  return cluster;
}

describe('the shop of examples/', () => {
  test('every pod is placed, Ready, and answers through its Service, by number and by name', async () => {
    const cluster = await shopCluster();
    for (const [name, port, named] of [
      ['web', 80, 'http'],
      ['api', 80, 'http'],
      ['db', 5432, 'postgres'],
    ] as const) {
      expect(cluster.pod(`deploy/shop/${name}`)).toMatchObject({ ready: true });
      expect(await cluster.probe({ from: 'deploy/shop/web', to: `svc/shop/${name}`, port })).toMatchObject({
        outcome: 'delivered',
        connected: true,
      });
      expect(await cluster.probe({ from: 'deploy/shop/web', to: `deploy/shop/${name}`, port: named })).toMatchObject({
        connected: true,
      });
    }
    await cluster.close();
  });

  test('a pod reaches Services of its own namespace by short words', async () => {
    const cluster = await shopCluster();
    const web = cluster.pod('deploy/shop/web');
    expect(await web.reaches('svc/api:80')).toBe(true);
    expect(await web.reaches('svc/shop/db:5432')).toBe(true);
    expect(await web.reaches('svc/api:81')).toBe(false);
  });

  test('the same seed gives the same cluster', async () => {
    const [a, b] = await Promise.all([shopCluster(7), shopCluster(7)]);
    for (const name of ['web', 'api', 'db']) {
      expect(a.pod(`deploy/shop/${name}`).ips).toEqual(b.pod(`deploy/shop/${name}`).ips);
    }
  });
});

test('pods whose readinessProbes are obeyed are Ready, and none starts a program of this machine', async () => {
  const cluster = await createCluster({ backend: 'sim', nodes: 1 });
  const pod = (annotations: string) => `apiVersion: v1
kind: Pod
metadata: {name: a, annotations: {${annotations}}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}], readinessProbe: {tcpSocket: {port: 80}}}]}`;
  await expect(cluster.apply(pod('podwire.dev/run: serve'))).rejects.toThrow('--allow-run');
  await cluster.apply(pod('podwire.dev/probes: obey'));
  expect(cluster.pod('pod/a')).toMatchObject({ ready: true });
  await cluster.close();
});

describe('what a probe is told', () => {
  const pods = `apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: a}}
spec: {nodeName: n1, containers: [{name: c, image: i, ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}, {containerPort: 7, protocol: SCTP}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b}
spec: {nodeName: n2}
---
apiVersion: v1
kind: Service
metadata: {name: empty}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
`;
  const world = async () => {
    const cluster = await createCluster({ backend: 'sim', nodes: 2 });
    await cluster.apply(pods);
    return cluster;
  };

  for (const [protocol, port] of [
    ['TCP', 80],
    ['UDP', 53],
    ['SCTP', 7],
    ['ICMP', 0],
  ] as const) {
    test(`${protocol}: delivered, from another node, from the same, from a node, to itself`, async () => {
      const cluster = await world();
      for (const from of ['b', 'node/n1', 'node/n2', 'default/b', 'pod/a']) {
        expect(await cluster.probe({ from, to: 'a', port, protocol }), from).toMatchObject({ outcome: 'delivered' });
      }
    });
  }

  test('refused: the far end has nobody on the port', async () => {
    const cluster = await world();
    for (const protocol of ['TCP', 'UDP', 'SCTP'] as const) {
      expect(await cluster.probe({ from: 'b', to: 'a', port: 9, protocol })).toMatchObject({ outcome: 'refused' });
    }
  });

  test('KP-019 rejected: the network says so, with a packet', async () => {
    const cluster = await world();
    expect(await cluster.probe({ from: 'b', to: 'svc/empty', port: 80 })).toEqual({
      outcome: 'rejected',
      reason: 'NoEndpoints',
      connected: false,
      rule: undefined,
      policies: [],
      explanation: undefined,
    });
  });

  test('rejected: where nobody is, its node says so', async () => {
    const cluster = await world();
    expect(await cluster.probe({ from: 'b', to: '10.244.0.99', port: 80 })).toMatchObject({
      outcome: 'rejected',
      reason: 'NoSuchPod',
    });
  });

  test('a bare name means a pod, else a workload; as a destination a Service that has the port', async () => {
    const cluster = await createCluster({ backend: 'sim', nodes: 2 });
    await cluster.apply(shop);
    const ask = async (from: string, to: string, port: number | string) =>
      (await cluster.probe({ from, to, port })).outcome;
    expect(await ask('shop/web', 'shop/api', 80)).toBe('delivered'); // only the Service has it
    expect(await ask('shop/web', 'deploy/shop/api', 8080)).toBe('delivered');
    expect(await ask('shop/web', 'deploy/shop/api', 80)).toBe('refused');
    expect(await ask('shop/web', 'shop/api', 8080)).toBe('rejected'); // of the Service, before the workload
    await cluster.close();
  });

  test('what cannot be asked is said in words', async () => {
    const cluster = await world();
    await expect(cluster.probe({ from: 'nobody', to: 'a', port: 80 })).rejects.toThrow('no pod default/nobody');
    await expect(cluster.probe({ from: 'a', to: 'svc/nothing', port: 80 })).rejects.toThrow(
      'no Service default/nothing',
    );
    await expect(cluster.probe({ from: 'a', to: 'b', port: 'web' })).rejects.toThrow('b has no port "web"');
    await expect(createCluster({ backend: 'docker' as 'sim' })).rejects.toThrow('backend "sim"');
  });
});

describe('a cluster that changes', () => {
  test('objects may be text, an object, or a list; what they say is in force when apply resolves', async () => {
    const cluster = await createCluster({ backend: 'sim' });
    const container = { name: 'c', image: 'i', ports: [{ containerPort: 80 }] };
    const pod = (name: string) => {
      return {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, labels: { app: 'x' } },
        spec: { containers: [container] },
      };
    };
    await cluster.apply(pod('one'));
    await cluster.apply([pod('two'), pod('three')]);
    await cluster.apply(
      '{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {selector: {app: x}, ports: [{port: 80}]}}',
    );
    expect(await cluster.pod('one').reaches('svc/x:80')).toBe(true);
    await cluster.delete([pod('two'), pod('three')]);
    expect(() => cluster.pod('two')).toThrow('no pod default/two');
    expect(await cluster.pod('one').reaches('svc/x:80')).toBe(true);
    await cluster.delete(pod('one'));
    expect(() => cluster.pod('one')).toThrow('no pod');
  });

  test('a workload’s pods are those that it owns, however it selects them', async () => {
    const cluster = await createCluster({ backend: 'sim' });
    const by = (name: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchExpressions: [{key: app, operator: In, values: [${name}]}]}
  template: {metadata: {labels: {app: ${name}, team: t}}, spec: {containers: [{name: c, image: i}]}}`;
    await cluster.apply(`${by('one')}\n---\n${by('two')}`);
    expect(cluster.pod('deploy/one').ip).not.toBe(cluster.pod('deploy/two').ip);
    expect(() => cluster.pod('deploy/three')).toThrow('no pod of deploy/three');
  });

  test('bad objects are refused with every problem, and change nothing', async () => {
    const cluster = await createCluster({ backend: 'sim' });
    const bad = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: { container: [], nodeNam: 'n1' } };
    await expect(cluster.apply(bad)).rejects.toThrow(/object 1: spec.container: unknown field.*\n.*nodeNam/);
    expect(() => cluster.pod('a')).toThrow('no pod');
  });
});
