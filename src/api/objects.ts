/**
 * `api/`: the cluster as Kubernetes' own REST API shows it. This file makes the objects, with the field names and the
 * meaning of core/v1; what podwire does not have, it leaves out.
 */
import type { Cluster, RunningNode, RunningPod } from '../cluster/cluster.ts';

export interface ObjectMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly creationTimestamp: string;
  readonly resourceVersion: string;
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
}

export interface NodeObject {
  readonly apiVersion: 'v1';
  readonly kind: 'Node';
  readonly metadata: ObjectMetadata;
  readonly spec: { readonly podCIDR: string; readonly podCIDRs: readonly string[] };
  readonly status: {
    readonly addresses: readonly { readonly type: string; readonly address: string }[];
    readonly conditions: readonly Condition[];
  };
}

export interface PodObject {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: ObjectMetadata;
  readonly spec: { readonly nodeName: string; readonly hostNetwork?: true; readonly hostname: string };
  readonly status: {
    readonly phase: 'Pending' | 'Running';
    readonly hostIP: string;
    readonly podIP: string;
    readonly podIPs: readonly { readonly ip: string }[];
    readonly conditions: readonly Condition[];
  };
}

export interface ObjectList<T> {
  readonly apiVersion: 'v1';
  readonly kind: string;
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly T[];
}

export function nodeObject(cluster: Cluster, { node, ready }: RunningNode): NodeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: metadata(cluster, { name: node.name, labels: node.labels }),
    spec: { podCIDR: node.podCidrs[0] ?? '', podCIDRs: node.podCidrs },
    status: {
      addresses: [
        { type: 'InternalIP', address: node.underlayAddress },
        { type: 'Hostname', address: node.name },
      ],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

export function podObject(cluster: Cluster, running: RunningPod): PodObject {
  const { pod } = running;
  const node = cluster.nodes.get(pod.node);
  // A pod is as reachable as its node.
  const ready = running.ready && node?.ready === true;
  const { namespace, name, labels, annotations } = pod;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata(cluster, { name, namespace, labels, annotations }),
    spec: { nodeName: pod.node, ...(pod.hostNetwork ? { hostNetwork: true as const } : {}), hostname: pod.hostname },
    status: {
      phase: running.ready ? 'Running' : 'Pending',
      hostIP: node?.node.underlayAddress ?? '',
      podIP: pod.addresses[0] ?? '',
      podIPs: pod.addresses.map((ip) => ({ ip })),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

export function listOf<T>(cluster: Cluster, kind: string, items: readonly T[]): ObjectList<T> {
  return { apiVersion: 'v1', kind, metadata: { resourceVersion: String(cluster.version) }, items };
}

function metadata(
  cluster: Cluster,
  identity: Omit<ObjectMetadata, 'creationTimestamp' | 'resourceVersion'>,
): ObjectMetadata {
  const creationTimestamp = `${cluster.startedAt.toISOString().slice(0, 19)}Z`;
  return { ...identity, creationTimestamp, resourceVersion: String(cluster.version) };
}
