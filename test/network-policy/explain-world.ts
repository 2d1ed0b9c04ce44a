/** A small world that sentences are about: two namespaces, two nodes, one of them known by a host-network pod. */
import type { NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';
import type { PolicyWorld, WorldPod, WorldPolicy } from '../../src/network-policy/policy-world.ts';

export const address = {
  web: '10.244.0.2',
  db: '10.244.1.2',
  db6: 'fd00:10:244:1::2',
  web6: 'fd00:10:244::2',
  ops: '10.244.0.3',
  node1: '172.18.0.2',
  node2: '172.18.0.3',
  outside: '203.0.113.9',
};

function pod(
  namespace: string,
  name: string,
  node: string,
  addresses: string[],
  more: Partial<WorldPod> = {},
): WorldPod {
  return { namespace, name, labels: { app: name }, addresses, node, hostNetwork: false, ports: [], ...more };
}

const pods: readonly WorldPod[] = [
  pod('shop', 'web', 'n1', [address.web, address.web6], { ports: [{ name: 'http', port: 80, protocol: 'TCP' }] }),
  pod('shop', 'db', 'n2', [address.db, address.db6], {
    ports: [
      { name: 'sql', port: 5432, protocol: 'TCP' },
      { name: 'stats', port: 8125, protocol: 'UDP' },
    ],
  }),
  pod('ops', 'api', 'n1', [address.ops]),
  pod('kube-system', 'agent-1', 'n1', [address.node1], { hostNetwork: true }),
  pod('kube-system', 'agent-2', 'n2', [address.node2], { hostNetwork: true }),
];

/** Every path below the spec has its line: the policy's first, then one more for each `[`. */
export function policy(name: string, line: number, spec: Partial<NetworkPolicySpec>, namespace = 'shop'): WorldPolicy {
  const policyTypes = spec.policyTypes ?? ['Ingress'];
  return {
    namespace,
    name,
    spec: { podSelector: {}, ...spec, policyTypes },
    placeOf: (path) => {
      const [, index = ''] = /\[(\d+)\]/.exec(path) ?? [];
      return { file: 'policies.yaml', line: index === '' ? line : line + 5 + Number(index), column: 3 };
    },
  };
}

export function worldOf(...policies: WorldPolicy[]): PolicyWorld {
  return {
    revision: 1,
    namespaces: [
      { name: 'shop', labels: { 'kubernetes.io/metadata.name': 'shop', team: 'sales' } },
      { name: 'ops', labels: { 'kubernetes.io/metadata.name': 'ops' } },
      { name: 'kube-system', labels: { 'kubernetes.io/metadata.name': 'kube-system' } },
    ],
    pods,
    policies,
  };
}
