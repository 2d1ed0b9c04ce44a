/** Pods and nodes: where they are on the network. */
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { AnswerError, type ApiClient } from '../api/client.ts';
import type { PodNetwork } from '../api/server.ts';
import type { Node, Pod } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { NONE } from './column.ts';
import { headerRow, objectRow } from './columns.ts';
import { type Block, conditionBlock, type Description, fieldLines, tableLines } from './description.ts';
import { nodeRoles, podStatus } from './pod-columns.ts';

export async function describePod(client: ApiClient, pod: Pod): Promise<Description> {
  const { metadata, spec, status } = pod;
  const { nodeName } = spec;
  const network = await networkOf(client, metadata.namespace ?? '', metadata.name);
  return {
    fields: [
      ['Node', nodeName === undefined ? NONE : `${nodeName}/${status?.hostIP ?? ''}`],
      ['Status', podStatus(pod)],
      ...(status?.reason === undefined ? [] : [['Reason', status.reason] as const]),
      ...(status?.message === undefined ? [] : [['Message', status.message] as const]),
      ['IP', status?.podIP ?? ''],
      ['IPs', (status?.podIPs ?? []).map(({ ip }) => ip ?? '')],
      ['MAC', network?.mac ?? NONE],
      ['Host Network', spec.hostNetwork === true ? 'true' : 'false'],
    ],
    blocks: [
      { title: 'Containers', lines: spec.containers.flatMap(containerLines) },
      conditionBlock(status?.conditions),
    ],
  };
}

/** undefined for a pod that has none yet, or any more. */
async function networkOf(client: ApiClient, namespace: string, name: string): Promise<PodNetwork | undefined> {
  const pod = `namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
  try {
    return await client.get<PodNetwork>(`/apis/podwire.dev/v1/${pod}/network`);
  } catch (error) {
    if (error instanceof AnswerError && error.code === 404) return undefined;
    throw error;
  }
}

export function containerLines({ name, image, ports = [], readinessProbe }: Container): string[] {
  const portTexts = ports.map(({ containerPort, hostPort, protocol = 'TCP', name: portName }) => {
    const host = hostPort === undefined ? '' : `, host port ${hostPort}`;
    return `${containerPort}/${protocol}${portName === undefined ? '' : ` (${portName})`}${host}`;
  });
  const probe = readinessProbe === undefined ? [] : [['Readiness', JSON.stringify(readinessProbe)] as const];
  const fields = fieldLines([['Image', image ?? ''], ['Ports', portTexts.join(', ') || NONE], ...probe]);
  return [`${name}:`, ...fields.map((line) => `  ${line}`)];
}

export async function describeNode(client: ApiClient, node: Node): Promise<Description> {
  const { metadata, spec, status } = node;
  const { items } = await client.list(kinds.Pod, { fieldSelector: `spec.nodeName=${metadata.name}` });
  return {
    fields: [
      ['Roles', nodeRoles(node)],
      ['Unschedulable', String(spec.unschedulable === true)],
      ['Addresses', (status?.addresses ?? []).map(({ type, address }) => `${type} ${address}`)],
      ['PodCIDRs', (spec.podCIDRs ?? []).join(',')],
      ['Taints', (spec.taints ?? []).map(({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`)],
    ],
    blocks: [conditionBlock(status?.conditions), podsBlock(items)],
  };
}

/** As `get pods -A -o wide` shows them, in short. */
export function podsBlock(pods: readonly Pod[]): Block {
  const columns = ['NAME', 'READY', 'STATUS', 'IP', 'NODE'];
  const headers = headerRow(kinds.Pod, true);
  const rows = pods.map((pod) => {
    const cells = objectRow(kinds.Pod, pod, true);
    return [pod.metadata.namespace ?? '', ...columns.map((column) => cells[headers.indexOf(column)] ?? '')];
  });
  return { title: 'Pods', lines: tableLines(['Namespace', 'Name', 'Ready', 'Status', 'IP', 'Node'], rows) };
}
