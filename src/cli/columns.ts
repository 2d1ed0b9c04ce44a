/** Which columns the objects of a kind have. */
import { printable } from '../cluster/source.ts';
import type { KubernetesObject } from '../store/object.ts';
import { kinds, type Resource } from '../store/resources.ts';
import { ageColumn, type Column, nameColumn } from './column.ts';
import {
  configMapColumns,
  namespaceColumns,
  nodeColumns,
  podColumns,
  secretColumns,
  serviceAccountColumns,
} from './pod-columns.ts';
import {
  endpointSliceColumns,
  endpointsColumns,
  eventColumns,
  networkPolicyColumns,
  serviceColumns,
} from './service-columns.ts';
import {
  cronJobColumns,
  daemonSetColumns,
  deploymentColumns,
  jobColumns,
  replicaSetColumns,
  replicationControllerColumns,
  statefulSetColumns,
} from './workload-columns.ts';

const columnsByKind = new Map<Resource, readonly Column<never>[]>([
  [kinds.Namespace, namespaceColumns],
  [kinds.Node, nodeColumns],
  [kinds.Pod, podColumns],
  [kinds.Service, serviceColumns],
  [kinds.Endpoints, endpointsColumns],
  [kinds.ConfigMap, configMapColumns],
  [kinds.Secret, secretColumns],
  [kinds.ServiceAccount, serviceAccountColumns],
  [kinds.ReplicationController, replicationControllerColumns],
  [kinds.Event, eventColumns],
  [kinds.Deployment, deploymentColumns],
  [kinds.ReplicaSet, replicaSetColumns],
  [kinds.StatefulSet, statefulSetColumns],
  [kinds.DaemonSet, daemonSetColumns],
  [kinds.Job, jobColumns],
  [kinds.CronJob, cronJobColumns],
  [kinds.EndpointSlice, endpointSliceColumns],
  [kinds.NetworkPolicy, networkPolicyColumns],
]);

function columnsOf(resource: Resource, wide: boolean): readonly Column<KubernetesObject>[] {
  const all = (columnsByKind.get(resource) ?? [nameColumn, ageColumn]) as readonly Column<KubernetesObject>[];
  return all.filter((column) => wide || column.wide !== true);
}

export function headerRow(resource: Resource, wide: boolean): string[] {
  return columnsOf(resource, wide).map(({ header }) => header);
}

/** Cells are fit for a terminal, whoever has written the object. */
export function objectRow(resource: Resource, object: KubernetesObject, wide: boolean): string[] {
  return columnsOf(resource, wide).map((column) => printable(column.cell(object)));
}
