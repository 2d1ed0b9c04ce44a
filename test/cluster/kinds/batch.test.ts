import { describe, expect, test } from 'vitest';
import { cronSchedule } from '../../../src/cluster/kinds/cron-schedule.ts';
import type { CronJob, Job } from '../../../src/store/object.ts';
import { objectsOf } from '../refusal.ts';
import { documentText, objectOf, testRefusals } from './refused.ts';

const template = 'template: {metadata: {labels: {a: b}}, spec: {restartPolicy: Never, containers: [{name: c}]}}';
const job = (fields: string) => documentText('batch/v1', 'Job', `spec: {${fields}}`);
const cronJob = (fields: string) => documentText('batch/v1', 'CronJob', `spec: {${fields}}`);
const hourly = 'schedule: "0 * * * *"';

test('a Job gets its defaults', () => {
  const { metadata, spec } = objectOf<Job>(job(template));
  expect(metadata.labels).toEqual({ a: 'b' });
  const rest = { backoffLimit: 6, completionMode: 'NonIndexed', suspend: false };
  expect(spec).toMatchObject({ completions: 1, parallelism: 1, ...rest });
  expect(objectOf<Job>(job(`parallelism: 3, ${template}`)).spec.completions).toBeUndefined();
  expect(objectOf<Job>(job(`completions: 3, ${template}`)).spec).toMatchObject({ completions: 3, parallelism: 1 });
});

test('a CronJob gets its defaults, its Jobs too', () => {
  expect(objectOf<CronJob>(cronJob(`${hourly}, jobTemplate: {spec: {${template}}}`)).spec).toMatchObject({
    ...{ concurrencyPolicy: 'Allow', suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 },
    jobTemplate: { spec: { completions: 1, template: { spec: { dnsPolicy: 'ClusterFirst' } } } },
  });
});

test('a Job that was exported selects by what its controller gave it', () => {
  const exported = `selector: {matchLabels: {batch.kubernetes.io/controller-uid: x}}, ${template}`;
  expect(() => objectsOf(job(exported))).not.toThrow();
});

describe('refused', () => {
  testRefusals([
    [
      'no restartPolicy',
      job('template: {spec: {containers: [{name: c}]}}'),
      'spec.template.spec.restartPolicy: found "Always", expected OnFailure or Never in this kind of workload; write "restartPolicy: OnFailure"',
    ],
    ['parallelism below 0', job(`parallelism: -1, ${template}`), 'spec.parallelism: found -1'],
    ['no template', job('completions: 1'), 'spec: found no template'],
    [
      'an index without a count',
      job(`parallelism: 2, completionMode: Indexed, ${template}`),
      'spec: found no completions',
    ],
    ['a mode that is none', job(`completionMode: indexed, ${template}`), 'spec.completionMode: found "indexed"'],
    [
      'a selector by hand',
      job(`selector: {matchLabels: {a: b}}, ${template}`),
      'spec.selector: found a selector, expected none: Jobs get their own',
    ],
    [
      'a selector of other pods',
      job(`manualSelector: true, selector: {matchLabels: {a: c}}, ${template}`),
      'spec.selector.matchLabels.a: found "c" here and "b" in',
    ],
    ['no schedule', cronJob(`jobTemplate: {spec: {${template}}}`), 'spec: found no schedule'],
    [
      'a schedule of six fields',
      cronJob(`schedule: "0 0 * * * *", jobTemplate: {spec: {${template}}}`),
      'spec.schedule: found "0 0 * * * *", expected a schedule',
    ],
    ['no Job', cronJob(hourly), 'spec: found no jobTemplate'],
    ['a Job template without spec', cronJob(`${hourly}, jobTemplate: {}`), 'spec.jobTemplate: found no spec'],
    [
      'a Job of pods that run for ever',
      cronJob(`${hourly}, jobTemplate: {spec: {template: {spec: {}}}}`),
      'spec.jobTemplate.spec.template.spec.restartPolicy: found "Always"',
    ],
    [
      'a long name',
      cronJob(`${hourly}, jobTemplate: {spec: {${template}}}`).replace('name: a', `name: ${'a'.repeat(53)}`),
      'metadata.name: found',
    ],
    [
      'a concurrency policy that is none',
      cronJob(`${hourly}, concurrencyPolicy: Deny, jobTemplate: {spec: {${template}}}`),
      'spec.concurrencyPolicy: found "Deny"',
    ],
  ]);
});

describe('schedules', () => {
  const right = [
    '* * * * *',
    '*/5 0-12/2 1,15 JAN-mar sun',
    '0 0 ? * 1-5',
    '@daily',
    '@every 1h30m',
    ' 0  0 * * 6 ',
    '5/10 * * * *',
  ];
  const wrong = [
    '',
    '* * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 7',
    '*/0 * * * *',
    '5-1 * * * *',
    '@noon',
    '@every day',
    '1-2-3 * * * *',
    'a * * * *',
    'TZ=UTC * * * * *',
    '* * * * mon-',
    '1,,2 * * * *',
  ];
  for (const text of right) test(`${text} is one`, () => expect(cronSchedule.holds(text)).toBe(true));
  for (const text of wrong) test(`${text || 'nothing'} is none`, () => expect(cronSchedule.holds(text)).toBe(false));
});
