/** Clusters that tests start: their manifests, and what is known of them beforehand. */
import type { TestCluster } from '../support/cluster.ts';

export interface PodSpec {
  readonly name: string;
  readonly node?: string;
  readonly namespace?: string;
}

/** Manifests of a cluster of worker nodes n1, n2, … with these pods. */
export function clusterManifest(nodes: number, pods: readonly PodSpec[]): string {
  const roles = Array.from({ length: nodes }, () => '{role: worker}').join(', ');
  const documents = pods.map(({ name, node, namespace }) => {
    const where = node === undefined ? '' : `nodeName: ${node}, `;
    const metadata = namespace === undefined ? `{name: ${name}}` : `{name: ${name}, namespace: ${namespace}}`;
    return `apiVersion: v1\nkind: Pod\nmetadata: ${metadata}\nspec: {${where}containers: [{name: main, image: none}]}\n`;
  });
  return [`apiVersion: podwire.dev/v1alpha1\nkind: Cluster\nnodes: [${roles}]\n`, ...documents].join('---\n');
}

/** Pods a and c on n1, b on n2. Their addresses follow from that: `addresses`. */
export function twoNodes(): string {
  return clusterManifest(2, [
    { name: 'a', node: 'n1' },
    { name: 'b', node: 'n2' },
    { name: 'c', node: 'n1' },
  ]);
}

/** Of `twoNodes`, with the default subnets. A node owns the first address of its pod CIDR too. */
export const addresses = {
  a: { v4: '10.244.0.2', v6: 'fd00:10:244::2' },
  b: { v4: '10.244.1.2', v6: 'fd00:10:244:1::2' },
  c: { v4: '10.244.0.3', v6: 'fd00:10:244::3' },
  n1: { v4: '172.18.0.2', first: '10.244.0.1', v6: 'fd00:10:244::1' },
  n2: { v4: '172.18.0.3', first: '10.244.1.1', v6: 'fd00:10:244:1::1' },
} as const;

/** What `get -o json` has of a node or a pod. */
export interface Listed {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions: readonly { readonly type: string; readonly status: string }[];
  };
}

/** IPv4 and IPv6 address of every pod, by name. */
export async function podAddresses(cluster: TestCluster): Promise<Record<string, { v4: string; v6: string }>> {
  const pods = await cluster.get<Listed>('pods');
  return Object.fromEntries(
    pods.map(({ metadata, status }) => {
      const [v4, v6] = (status.podIPs ?? []).map(({ ip }) => ip);
      return [metadata.name, { v4: v4!, v6: v6! }];
    }),
  );
}
