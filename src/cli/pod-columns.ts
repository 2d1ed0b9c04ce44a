/** Pods, and what holds them, as `kubectl get` shows them (kubernetes/pkg/printers/internalversion/printers.go). */
import type {
  ConfigMap,
  ContainerStatus,
  Namespace,
  Node,
  Pod,
  Secret,
  ServiceAccount,
} from 'kubernetes-types/core/v1.d.ts';
import { ageColumn, type Column, NONE, nameColumn } from './column.ts';

export const podColumns: readonly Column<Pod>[] = [
  nameColumn,
  { header: 'READY', cell: readyContainers },
  { header: 'STATUS', cell: podStatus },
  { header: 'RESTARTS', cell: ({ status }) => String(restarts(status?.containerStatuses)) },
  ageColumn,
  { header: 'IP', wide: true, cell: ({ status }) => status?.podIPs?.[0]?.ip ?? status?.podIP ?? NONE },
  { header: 'NODE', wide: true, cell: ({ spec }) => spec?.nodeName ?? NONE },
  { header: 'NOMINATED NODE', wide: true, cell: ({ status }) => status?.nominatedNodeName ?? NONE },
  { header: 'READINESS GATES', wide: true, cell: readinessGates },
];

export function hasCondition(
  object: { readonly status?: { readonly conditions?: readonly { type: string; status: string }[] } },
  type: string,
): boolean {
  return (
    object.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true
  );
}

function restarts(statuses: readonly ContainerStatus[] = []): number {
  return statuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
}

/** A pod without word of its containers is Ready as a whole or not at all. */
function readyContainers(pod: Pod): string {
  const wanted = pod.spec?.containers.length ?? 0;
  const statuses = pod.status?.containerStatuses;
  const whole = hasCondition(pod, 'Ready') ? wanted : 0;
  return `${statuses?.filter(({ ready }) => ready).length ?? whole}/${wanted}`;
}

/** As printPod: what is the matter with a container says more than the phase. */
export function podStatus({ metadata, status }: Pick<Pod, 'metadata' | 'status'>): string {
  const phase = status?.phase ?? 'Pending';
  const isOver = phase === 'Succeeded' || phase === 'Failed';
  if (metadata?.deletionTimestamp !== undefined && !isOver) return 'Terminating';
  const states = (status?.containerStatuses ?? []).map(({ state }) => state);
  const waiting = states.find((state) => state?.waiting?.reason !== undefined)?.waiting?.reason;
  const terminated = states.find((state) => state?.terminated?.reason !== undefined)?.terminated?.reason;
  if (waiting !== undefined) return waiting;
  if (status?.reason !== undefined) return status.reason;
  if (isOver) return terminated ?? (phase === 'Succeeded' ? 'Completed' : 'Error');
  return phase;
}

function readinessGates({ spec, status }: Pod): string {
  const gates = spec?.readinessGates ?? [];
  const open = gates.filter(({ conditionType }) => hasCondition({ status: status ?? {} }, conditionType));
  return gates.length === 0 ? NONE : `${open.length}/${gates.length}`;
}

const ROLE_PREFIX = 'node-role.kubernetes.io/';

export const nodeColumns: readonly Column<Node>[] = [
  nameColumn,
  { header: 'STATUS', cell: nodeStatus },
  { header: 'ROLES', cell: nodeRoles },
  ageColumn,
  { header: 'VERSION', cell: ({ status }) => status?.nodeInfo?.kubeletVersion ?? NONE },
  { header: 'INTERNAL-IP', wide: true, cell: (node) => nodeAddress(node, 'InternalIP') },
  { header: 'EXTERNAL-IP', wide: true, cell: (node) => nodeAddress(node, 'ExternalIP') },
  { header: 'POD-CIDR', wide: true, cell: ({ spec }) => spec?.podCIDRs?.join(',') ?? NONE },
];

function nodeStatus(node: Node): string {
  const known = node.status?.conditions?.some(({ type }) => type === 'Ready') === true;
  const ready = hasCondition(node, 'Ready') ? 'Ready' : known ? 'NotReady' : 'Unknown';
  return node.spec?.unschedulable === true ? `${ready},SchedulingDisabled` : ready;
}

export function nodeRoles({ metadata }: Pick<Node, 'metadata'>): string {
  const roles = Object.entries(metadata?.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return [key.slice(ROLE_PREFIX.length)];
    return key === 'kubernetes.io/role' ? [value] : [];
  });
  return (
    roles
      .filter((role) => role !== '')
      .sort()
      .join(',') || NONE
  );
}

function nodeAddress({ status }: Node, wanted: string): string {
  return status?.addresses?.find(({ type }) => type === wanted)?.address ?? NONE;
}

export const namespaceColumns: readonly Column<Namespace>[] = [
  nameColumn,
  { header: 'STATUS', cell: ({ status }) => status?.phase ?? 'Active' },
  ageColumn,
];

export const configMapColumns: readonly Column<ConfigMap>[] = [
  nameColumn,
  { header: 'DATA', cell: ({ data = {}, binaryData = {} }) => String(count(data) + count(binaryData)) },
  ageColumn,
];

export const secretColumns: readonly Column<Secret>[] = [
  nameColumn,
  { header: 'TYPE', cell: ({ type }) => type ?? 'Opaque' },
  { header: 'DATA', cell: ({ data = {}, stringData = {} }) => String(count({ ...data, ...stringData })) },
  ageColumn,
];

export const serviceAccountColumns: readonly Column<ServiceAccount>[] = [
  nameColumn,
  { header: 'SECRETS', cell: ({ secrets = [] }) => String(secrets.length) },
  ageColumn,
];

function count(data: object): number {
  return Object.keys(data).length;
}
