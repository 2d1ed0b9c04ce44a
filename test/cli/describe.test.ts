/** `podwire describe`: what there is to know of an object, with what happened to it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubernetesObject } from '../../src/store/object.ts';
import { configMap, NOW, pod, ServedCluster } from '../api/served-cluster.ts';
import { podwire } from './command-line.ts';

let served: ServedCluster;

function event(about: KubernetesObject, reason: string, message: string, lastTimestamp = NOW, count = 1) {
  const { kind, apiVersion, metadata } = about;
  const { namespace = 'default', name, uid } = metadata;
  served.store.create({
    ...{ apiVersion: 'v1', kind: 'Event', metadata: { name: `${name}.${reason}`, namespace } },
    involvedObject: { kind, apiVersion, name, namespace, uid },
    ...{
      reason,
      message,
      type: 'Warning',
      source: { component: 'scheduler' },
      count,
      firstTimestamp: NOW,
      lastTimestamp,
    },
  } as never);
}

beforeAll(async () => {
  served = await ServedCluster.start();
  const { store } = served;
  const web = store.create({ ...pod('web', { labels: { app: 'web' } }) } as never as KubernetesObject);
  event(web, 'Later', 'second', '2026-11-20T10:00:09Z', 4);
  event(web, 'FailedScheduling', 'first\u001b[2J');
  event({ ...web, metadata: { ...web.metadata, uid: 'another' } }, 'Other', 'of a pod that had the name before');
  const network = { node: 'n1', mac: '0a:58:0a:f4:00:02', addresses: [] };
  served.cluster.pods.set('default/web', { pod: network } as never);
  const node = store.create({
    ...{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } },
    spec: { podCIDRs: ['10.244.0.0/24'] },
    status: {
      addresses: [{ type: 'InternalIP', address: '172.18.0.2' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  } as never as KubernetesObject);
  event(node, 'NodeNotReady', 'was killed');
  const ports = [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080, protocol: 'TCP' }];
  const spec = { type: 'NodePort', selector: { app: 'web' }, clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'], ports };
  store.create({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec } as never);
  store.create({
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { name: 'web-x', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: [
      {
        addresses: ['10.244.0.2'],
        conditions: { ready: true },
        nodeName: 'n1',
        targetRef: { kind: 'Pod', name: 'web' },
      },
      { addresses: ['10.244.1.2'], conditions: { ready: false, serving: true, terminating: true }, nodeName: 'n2' },
    ],
  } as never);
  const rules = { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] };
  const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' };
  store.create({ ...policy, metadata: { name: 'deny', namespace: 'default' }, spec: rules } as never);
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'default' } };
  store.create({ ...secret, data: { password: Buffer.from('hunter2').toString('base64') } } as never);
  store.create({
    ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db', namespace: 'default' } },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'db' } },
      template: { spec: { containers: [{ name: 'db', image: 'pg' }] } },
    },
    status: { replicas: 2, readyReplicas: 1, updatedReplicas: 2 },
  } as never);
});

afterAll(() => served.close());

async function described(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await podwire(served, 'describe', ...words);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

/** The lines below a title. */
function block(text: string, title: string): string[][] {
  const lines = text.split('\n');
  const from = lines.indexOf(`${title}:`) + 1;
  const to = lines.findIndex((line, i) => i >= from && !line.startsWith('  '));
  return lines.slice(from, to).map((line) => line.trim().split(/ {2,}/));
}

describe('describe', () => {
  test('a pod: node, addresses, MAC, ports, conditions, and its own events, oldest first', async () => {
    const text = await described('pod', 'web');
    expect(text).toMatch(/^Name: {2,}web\nNamespace: {2,}default\nLabels: {2,}app=web\nAnnotations: {2,}<none>\n/);
    expect(text).toMatch(/^Node: {2,}n1\//m);
    expect(text).toMatch(/^IPs: {2,}10\.244\.0\.2\n {2,}fd00:10:244::2$/m);
    expect(text).toMatch(/^MAC: {2,}0a:58:0a:f4:00:02$/m);
    expect(text).toMatch(/^ {4}Ports: {2,}80\/TCP \(http\)$/m);
    expect(block(text, 'Conditions')).toContainEqual(['Ready', 'True']);
    const events = block(text, 'Events').slice(2);
    expect(events.map(([, reason, , from, message]) => [reason, from, message])).toEqual([
      ['FailedScheduling', 'scheduler', 'first\\u{1b}[2J'],
      ['Later', 'scheduler', 'second'],
    ]);
    expect(events[1]![2]).toMatch(/^\w+ \(x4 over \w+\)$/);
  });

  test('a service: its endpoints, with node and state', async () => {
    const text = await described('svc/web');
    expect(text).toMatch(/^Port: {2,}http 80\/TCP\nTargetPort: {2,}8080\/TCP\nNodePort: {2,}30080\/TCP\n/m);
    expect(text).toMatch(/^Endpoints: {2,}10\.244\.0\.2:8080$/m);
    expect(block(text, 'Endpoints').slice(2)).toEqual([
      ['10.244.0.2', '8080/TCP', 'true', 'true', 'false', 'n1', 'Pod/web'],
      ['10.244.1.2', '8080/TCP', 'false', 'true', 'true', 'n2', '<none>'],
    ]);
    expect(text).toMatch(/^Events: {2}<none>$/m);
  });

  test('a node: its addresses, pods and events', async () => {
    const text = await described('node', 'n1');
    expect(text).toMatch(/^Addresses: {2,}InternalIP 172\.18\.0\.2$/m);
    expect(block(text, 'Pods').slice(2)).toEqual([['default', 'web', '1/1', 'Running', '10.244.0.2', 'n1']]);
    expect(block(text, 'Events').slice(2)[0]).toContain('NodeNotReady');
  });

  test('a workload: its numbers in words', async () => {
    const text = await described('sts/db');
    expect(text).toMatch(
      /^Replicas: {2,}3 desired\nExisting Replicas: {2,}2\nReady Replicas: {2,}1\nUpdated Replicas: {2,}2$/m,
    );
    expect(text).toMatch(/^Selector: {2,}app=db$/m);
    expect(text).toMatch(/^Pods: {2}<none>$/m);
  });

  test('other kinds as they are written, and of secrets only how much', async () => {
    expect(await described('netpol/deny')).toMatch(/^Spec:\n {2}podSelector:\n {4}matchLabels:\n {6}app: web$/m);
    const secret = await described('secret', 's');
    expect(secret).toContain('password:  7 bytes');
    expect(secret).not.toContain(Buffer.from('hunter2').toString('base64'));
  });

  test('all of a kind', async () => {
    served.store.create(configMap('a'));
    served.store.create(configMap('b', { app: 'b' }, 'shop'));
    expect((await described('cm', '-A')).match(/^Name:/gm)).toHaveLength(2);
    expect(await described('cm', '-A', '-l', 'app=b')).toMatch(/^Name: {2,}b\nNamespace: {2,}shop$/m);
  });

  test.each([
    [['pod', 'x'], 1, 'Error from server (NotFound): pods "x" not found'],
    [['pod', 'web', '-A'], 2, '-A describes all objects'],
    [['pdo', 'web'], 2, 'there is no kind "pdo"'],
    [['jobs'], 0, 'No resources found'],
  ])('%j: exit code %i', async (words, code, message) => {
    const said = await podwire(served, 'describe', ...words);
    expect([said.code, said.stdout]).toEqual([code, '']);
    expect(said.stderr).toContain(message);
  });
});
