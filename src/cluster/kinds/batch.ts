/** Kinds whose pods end: Job and CronJob (batch/v1). */
import type { JobSpec } from 'kubernetes-types/batch/v1.d.ts';
import type { CronJob, Job } from '../../store/object.ts';
import { dnsSubdomain, type TextRule } from '../text-rule.ts';
import { cronSchedule } from './cron-schedule.ts';
import { checkLabelSelector, checkMatch } from './label-selector.ts';
import type { ObjectCheck } from './object-check.ts';
import { checkTemplateMetadata, type ObjectKind } from './object-kind.ts';
import { checkTemplate, completePodSpec } from './pod-spec.ts';

const batch = { apiVersion: 'batch/v1', isNamespaced: true } as const;

/** Jobs get 11 characters more than their CronJob (batch/validation: ValidateCronJobCreate). */
const CRON_NAME_LENGTH_MAX = 52;
const cronJobName: TextRule = {
  expected: dnsSubdomain.expected.replace('253', String(CRON_NAME_LENGTH_MAX)),
  holds: (text) => text.length <= CRON_NAME_LENGTH_MAX && dnsSubdomain.holds(text),
};

/** Labels that a job controller gives to its pods: an exported Job selects by them. */
const generatedLabels = [
  'controller-uid',
  'batch.kubernetes.io/controller-uid',
  'job-name',
  'batch.kubernetes.io/job-name',
];

export const jobKind: ObjectKind<Job> = {
  ...batch,
  kind: 'Job',
  nameRule: dnsSubdomain,

  complete({ metadata, spec }) {
    completeJob(spec);
    const labels = spec.template?.metadata?.labels;
    if (labels !== undefined && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  },

  check({ spec }, problems) {
    checkJob(spec, 'spec', problems);
    const { selector, manualSelector } = spec;
    checkLabelSelector(selector, 'spec.selector', problems);
    if (manualSelector === true) {
      problems.required('spec', 'selector', selector, 'selector: {matchLabels: …}');
      if (selector !== undefined) {
        checkMatch(selector, 'spec.selector.matchLabels', spec.template?.metadata?.labels ?? {}, problems);
      }
    } else if (Object.keys(selector?.matchLabels ?? {}).some((key) => !generatedLabels.includes(key))) {
      const message = 'found a selector, expected none: Jobs get their own; remove it, or add "manualSelector: true"';
      problems.refuse('spec.selector', message);
    }
  },
};

export const cronJobKind: ObjectKind<CronJob> = {
  ...batch,
  kind: 'CronJob',
  nameRule: cronJobName,

  /** batch/v1/defaults.go: SetDefaults_CronJob. */
  complete({ spec }) {
    spec.concurrencyPolicy ??= 'Allow';
    spec.suspend ??= false;
    spec.successfulJobsHistoryLimit ??= 3;
    spec.failedJobsHistoryLimit ??= 1;
    if (spec.jobTemplate?.spec !== undefined) completeJob(spec.jobTemplate.spec);
  },

  /** batch/validation: validateCronJobSpec. */
  check({ spec }, problems) {
    problems.required('spec', 'schedule', spec.schedule, 'schedule: "0 * * * *"');
    problems.text('spec.schedule', spec.schedule, cronSchedule);
    problems.choice('spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']);
    problems.count('spec.startingDeadlineSeconds', spec.startingDeadlineSeconds);
    problems.count('spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit);
    problems.count('spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit);
    const template = spec.jobTemplate;
    problems.required('spec', 'jobTemplate', template, 'jobTemplate: {spec: {template: …}}');
    if (template === undefined) return;
    checkTemplateMetadata(template.metadata, 'spec.jobTemplate.metadata', problems);
    problems.required('spec.jobTemplate', 'spec', template.spec, 'spec: {template: …}');
    if (template.spec === undefined) return;
    checkJob(template.spec, 'spec.jobTemplate.spec', problems);
    if (template.spec.selector !== undefined) {
      problems.refuse(
        'spec.jobTemplate.spec.selector',
        'found a selector, expected none: each Job gets its own; remove it',
      );
    }
  },
};

/** batch/v1/defaults.go: SetDefaults_Job. */
function completeJob(spec: JobSpec): void {
  if (spec.template?.spec !== undefined) completePodSpec(spec.template.spec);
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= 6;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
}

/** batch/validation: validateJobSpec. */
function checkJob(spec: JobSpec, path: string, problems: ObjectCheck): void {
  for (const name of ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit'] as const) {
    problems.count(`${path}.${name}`, spec[name]);
  }
  problems.count(`${path}.ttlSecondsAfterFinished`, spec.ttlSecondsAfterFinished);
  problems.choice(`${path}.completionMode`, spec.completionMode, ['NonIndexed', 'Indexed']);
  if (spec.completionMode === 'Indexed') problems.required(path, 'completions', spec.completions, 'completions: 3');
  checkTemplate(spec.template, `${path}.template`, ['OnFailure', 'Never'], problems);
}
