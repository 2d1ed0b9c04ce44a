/** A small world, and what is told of policies in it. */
import type { NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';
import { networkPolicyKind } from '../../src/cluster/kinds/network-policy.ts';
import type { NamedPort, PolicyWorld, WorldPod, WorldPolicy } from '../../src/network-policy/policy-world.ts';
import type { ClusterFacts } from '../../src/network-policy/warning-scene.ts';
import { policyWarnings } from '../../src/network-policy/warnings.ts';
import type { Service } from '../../src/store/object.ts';

type Labels = Readonly<Record<string, string>>;

let pods = 0;

export function pod(key: string, labels: Labels, more: Partial<WorldPod> = {}): WorldPod {
  const [namespace = '', name = ''] = key.split('/');
  const addresses = [`10.244.0.${++pods % 250}`];
  return { namespace, name, labels, addresses, node: 'n1', hostNetwork: false, ports: [], ...more };
}

export function port(name: string, number: number, protocol: NamedPort['protocol'] = 'TCP'): NamedPort {
  return { name, port: number, protocol };
}

export function policy(namespace: string, name: string, spec: Partial<NetworkPolicySpec>): WorldPolicy {
  const object = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name },
    spec: structuredClone(spec),
  };
  networkPolicyKind.complete!(object as never);
  return { namespace, name, spec: object.spec as NetworkPolicySpec, placeOf: () => undefined };
}

export const app = (value: string) => ({ podSelector: { matchLabels: { app: value } } });
const namespace = (name: string, labels: Labels = {}) => ({
  name,
  labels: { 'kubernetes.io/metadata.name': name, ...labels },
});

export const api = pod(
  'shop/api-1',
  { app: 'api', tier: 'back' },
  { ports: [port('http', 8080), port('metrics', 9090)] },
);
export const web = pod('shop/web-1', { app: 'web', tier: 'front' }, { ports: [port('http', 80)] });
export const db = pod(
  'shop/db-1',
  { app: 'db', tier: 'back' },
  { ports: [port('postgres', 5432), port('stats', 53, 'UDP')] },
);
const edge = pod('front/edge-1', { app: 'edge' });
const hostAgent = pod('ops/agent-1', { app: 'agent' }, { hostNetwork: true, addresses: ['172.18.0.2'] });
const dns = pod('kube-system/coredns-1', { 'k8s-app': 'kube-dns' }, { ports: [port('dns', 53, 'UDP')] });

export const all = [api, web, db, edge, hostAgent, dns];
export const namespaces = [
  namespace('shop', { team: 'sales' }),
  namespace('front', { team: 'web' }),
  ...['ops', 'kube-system', 'empty'].map((name) => namespace(name)),
];

/** @param address of no network: `None` */
export function service(key: string, address: string, selector: Labels, ...ports: object[]): Service {
  const [namespace = '', name = ''] = key.split('/');
  const spec = { clusterIP: address, clusterIPs: [address], selector, ports };
  return { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name }, spec } as Service;
}

export const services = [service('shop/db', '10.96.0.7', { app: 'db' }), service('shop/outside', '10.96.0.8', {})];

/** @param unnamed ports of pods that have no names, by pod */
export function facts(
  more: readonly Service[],
  unnamed: ReadonlyMap<WorldPod, readonly number[]> = new Map(),
): ClusterFacts {
  return {
    podSubnets: ['10.244.0.0/16', 'fd00:10:244::/56'],
    serviceSubnets: ['10.96.0.0/16', 'fd00:10:96::/108'],
    services: more,
    portsOf: (one) => [
      ...one.ports,
      ...(unnamed.get(one) ?? []).map((number) => ({ name: undefined, port: number, protocol: 'TCP' as const })),
    ],
  };
}

/** `path: message` of what is told of the policies, in a world that has them and nothing else. */
export function told(
  policies: readonly WorldPolicy[],
  there: readonly WorldPod[] = all,
  known = facts(services),
): string[] {
  const world: PolicyWorld = { revision: 1, namespaces, pods: there, policies };
  return policyWarnings(world, known, policies).map(({ path, message }) => `${path}: ${message}`);
}
