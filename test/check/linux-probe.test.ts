import { describe, expect, test } from 'vitest';
import { ClusterView } from '../../src/check/cluster-view.ts';
import { probeAnswer } from '../../src/check/linux-probe.ts';
import { readExpectations } from '../../src/check/read-expectations.ts';
import { resolvePairs } from '../../src/check/resolve-pairs.ts';
import type { PolicyWorld } from '../../src/network-policy/policy-world.ts';
import type { ProbeReport } from '../../src/nodes/protocol.ts';
import type { KubernetesObject } from '../../src/store/object.ts';
import { kinds, type Resource } from '../../src/store/resources.ts';

function pod(name: string, podIP: string, ports: readonly object[]) {
  const spec = { nodeName: 'n1', containers: [{ name: 'c', image: 'x', ports }] };
  const metadata = { name, namespace: 'default', labels: { app: name } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec,
    status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] },
  };
}

const ports = [
  { name: 'p', containerPort: 36412, protocol: 'SCTP' },
  { name: 'p-tcp', containerPort: 80, protocol: 'TCP' },
];
const servicePorts = [
  { port: 7, targetPort: 80, protocol: 'TCP' },
  { port: 7, targetPort: 'p', protocol: 'SCTP' },
  { port: 8, targetPort: 9, protocol: 'SCTP' },
];
const service = {
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'mme', namespace: 'default' } },
  spec: { clusterIP: '10.96.0.9', selector: { app: 'mme' }, ports: servicePorts },
};
const objects: [Resource, KubernetesObject[]][] = [
  [kinds.Pod, [pod('web', '10.244.0.2', []), pod('mme', '10.244.0.3', ports)] as never],
  [kinds.Service, [service] as never],
];
const view = new ClusterView(new Map(objects), { podSubnets: [], serviceSubnets: [] });

const worldPods: PolicyWorld['pods'] = ['web', 'mme'].map((name, i) => {
  const own = { namespace: 'default', name, labels: { app: name }, addresses: [`10.244.0.${i + 2}`] };
  return { ...own, node: 'n1', hostNetwork: false, ports: [] };
});
const open: PolicyWorld = { revision: 1, namespaces: [{ name: 'default', labels: {} }], pods: worldPods, policies: [] };
const denyAll = { podSelector: { matchLabels: { app: 'mme' } }, policyTypes: ['Ingress'] };
const closed: PolicyWorld = {
  ...open,
  policies: [{ namespace: 'default', name: 'deny', spec: denyAll, placeOf: () => undefined }],
};

function answer(entry: string, report: ProbeReport, world = open) {
  const text = `allow: [${entry}]`;
  const { pairs } = resolvePairs(readExpectations([{ file: 'e.yaml', text }], 'default'), view);
  return probeAnswer(view, world, pairs[0]!, report);
}

const refused = { outcome: 'refused', detail: 'protocol unreachable' } as ProbeReport;
const silent = { outcome: 'no-answer', detail: '' } as ProbeReport;

describe('an answer of real nodes', () => {
  test.each([
    ['a pod that declares the port', '{from: web, to: pod/mme, port: 36412, protocol: SCTP}', 'delivered'],
    ['a pod that declares another', '{from: web, to: pod/mme, port: 36413, protocol: SCTP}', 'refused'],
    ['a pod that declares it for TCP', '{from: web, to: pod/mme, port: 80, protocol: SCTP}', 'refused'],
    ['a Service whose pod declares the port', '{from: web, to: svc/mme, port: 7, protocol: SCTP}', 'delivered'],
    ['a Service whose pod does not', '{from: web, to: svc/mme, port: 8, protocol: SCTP}', 'refused'],
    ['TCP', '{from: web, to: pod/mme, port: 80}', 'refused'],
    ['whoever is outside', '{from: web, to: 192.0.2.1, port: 36412, protocol: SCTP}', 'refused'],
  ])('that no kernel knows SCTP counts as delivered only where somebody serves it: %s', (_, entry, outcome) => {
    expect(answer(entry, refused).outcome).toBe(outcome);
  });

  test('that is silence is a policy where one denies it, and says that this is inferred', () => {
    const entry = '{from: web, to: pod/mme, port: 80}';
    expect(answer(entry, silent, closed)).toMatchObject({ outcome: 'dropped', reason: 'PolicyDenied', inferred: true });
    expect(answer(entry, silent, open)).toMatchObject({ outcome: 'lost', reason: 'no-answer', inferred: false });
    expect(answer(entry, { outcome: 'delivered', detail: 'ok' } as ProbeReport, closed).inferred).toBe(false);
    // Whoever was told something knows better than what the words deny.
    expect(answer(entry, refused, closed)).toMatchObject({ outcome: 'refused', inferred: false });
  });
});
