/** What makes pods, as `kubectl get` shows it (kubernetes/pkg/printers/internalversion/printers.go). */
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { CronJob, Job } from 'kubernetes-types/batch/v1.d.ts';
import type { PodTemplateSpec, ReplicationController } from 'kubernetes-types/core/v1.d.ts';
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import { ageColumn, type Column, labelsText, NONE, nameColumn, selectorText } from './column.ts';
import { hasCondition } from './pod-columns.ts';
import { formatAge, formatDuration } from './table.ts';

interface WithTemplate {
  readonly spec?: { readonly template?: PodTemplateSpec; readonly selector?: LabelSelector };
}

const containerColumns: readonly Column<WithTemplate>[] = [
  { header: 'CONTAINERS', wide: true, cell: ({ spec }) => containersOf(spec?.template, 'name') },
  { header: 'IMAGES', wide: true, cell: ({ spec }) => containersOf(spec?.template, 'image') },
];

const templateColumns: readonly Column<WithTemplate>[] = [
  ...containerColumns,
  { header: 'SELECTOR', wide: true, cell: ({ spec }) => selectorText(spec?.selector ?? {}) || NONE },
];

function containersOf(template: PodTemplateSpec | undefined, field: 'name' | 'image'): string {
  return (template?.spec?.containers ?? []).map((container) => container[field] ?? '').join(',');
}

export const deploymentColumns: readonly Column<Deployment>[] = [
  nameColumn,
  { header: 'READY', cell: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 1}` },
  { header: 'UP-TO-DATE', cell: ({ status }) => String(status?.updatedReplicas ?? 0) },
  { header: 'AVAILABLE', cell: ({ status }) => String(status?.availableReplicas ?? 0) },
  ageColumn,
  ...templateColumns,
];

const replicaColumns: readonly Column<ReplicaSet | ReplicationController>[] = [
  nameColumn,
  { header: 'DESIRED', cell: ({ spec }) => String(spec?.replicas ?? 1) },
  { header: 'CURRENT', cell: ({ status }) => String(status?.replicas ?? 0) },
  { header: 'READY', cell: ({ status }) => String(status?.readyReplicas ?? 0) },
  ageColumn,
];

export const replicaSetColumns: readonly Column<ReplicaSet>[] = [...replicaColumns, ...templateColumns];

export const replicationControllerColumns: readonly Column<ReplicationController>[] = [
  ...replicaColumns,
  { header: 'CONTAINERS', wide: true, cell: ({ spec }) => containersOf(spec?.template, 'name') },
  { header: 'IMAGES', wide: true, cell: ({ spec }) => containersOf(spec?.template, 'image') },
  { header: 'SELECTOR', wide: true, cell: ({ spec }) => labelsText(spec?.selector) },
];

export const statefulSetColumns: readonly Column<StatefulSet>[] = [
  nameColumn,
  { header: 'READY', cell: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 1}` },
  ageColumn,
  ...containerColumns,
];

export const daemonSetColumns: readonly Column<DaemonSet>[] = [
  nameColumn,
  { header: 'DESIRED', cell: ({ status }) => String(status?.desiredNumberScheduled ?? 0) },
  { header: 'CURRENT', cell: ({ status }) => String(status?.currentNumberScheduled ?? 0) },
  { header: 'READY', cell: ({ status }) => String(status?.numberReady ?? 0) },
  { header: 'UP-TO-DATE', cell: ({ status }) => String(status?.updatedNumberScheduled ?? 0) },
  { header: 'AVAILABLE', cell: ({ status }) => String(status?.numberAvailable ?? 0) },
  { header: 'NODE SELECTOR', cell: ({ spec }) => labelsText(spec?.template?.spec?.nodeSelector) },
  ageColumn,
  ...templateColumns,
];

export const jobColumns: readonly Column<Job>[] = [
  nameColumn,
  { header: 'STATUS', cell: jobStatus },
  { header: 'COMPLETIONS', cell: completions },
  { header: 'DURATION', cell: jobDuration },
  ageColumn,
  ...templateColumns,
];

function jobStatus(job: Job): string {
  if (hasCondition(job, 'Complete')) return 'Complete';
  if (hasCondition(job, 'Failed')) return 'Failed';
  if (job.metadata?.deletionTimestamp !== undefined) return 'Terminating';
  return hasCondition(job, 'Suspended') ? 'Suspended' : 'Running';
}

function completions({ spec, status }: Job): string {
  const done = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${done}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
}

function jobDuration({ status }: Job): string {
  if (status?.startTime === undefined) return '';
  const end = status.completionTime === undefined ? Date.now() : Date.parse(status.completionTime);
  return formatDuration(end - Date.parse(status.startTime));
}

export const cronJobColumns: readonly Column<CronJob>[] = [
  nameColumn,
  { header: 'SCHEDULE', cell: ({ spec }) => spec?.schedule ?? '' },
  { header: 'TIMEZONE', cell: ({ spec }) => spec?.timeZone ?? NONE },
  { header: 'SUSPEND', cell: ({ spec }) => (spec?.suspend === true ? 'True' : 'False') },
  { header: 'ACTIVE', cell: ({ status }) => String(status?.active?.length ?? 0) },
  {
    header: 'LAST SCHEDULE',
    cell: ({ status }) => (status?.lastScheduleTime === undefined ? NONE : formatAge(status.lastScheduleTime)),
  },
  ageColumn,
  { header: 'CONTAINERS', wide: true, cell: ({ spec }) => containersOf(spec?.jobTemplate.spec?.template, 'name') },
  { header: 'IMAGES', wide: true, cell: ({ spec }) => containersOf(spec?.jobTemplate.spec?.template, 'image') },
];
