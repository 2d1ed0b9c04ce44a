/** Kinds that keep pods running: Deployment, ReplicaSet, StatefulSet, DaemonSet (apps/v1), ReplicationController (v1). */
import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { DaemonSet, Deployment, ReplicaSet, ReplicationController, StatefulSet } from '../../store/object.ts';
import { shown } from '../field.ts';
import { dnsSubdomain, serviceName } from '../text-rule.ts';
import { checkMatch, checkOwnSelector } from './label-selector.ts';
import type { ObjectCheck } from './object-check.ts';
import { checkLabels, type ObjectKind } from './object-kind.ts';
import { checkTemplate, completePodSpec } from './pod-spec.ts';

const REVISIONS_KEPT = 10;
const PROGRESS_SECONDS = 600;

const app = { apiVersion: 'apps/v1', isNamespaced: true, nameRule: dnsSubdomain } as const;

function completeTemplate(template: PodTemplateSpec | undefined): void {
  if (template?.spec !== undefined) completePodSpec(template.spec);
}

function labelsOf(template: PodTemplateSpec | undefined): Readonly<Record<string, string>> {
  return template?.metadata?.labels ?? {};
}

export const deploymentKind: ObjectKind<Deployment> = {
  ...app,
  kind: 'Deployment',

  /** apps/v1/defaults.go: SetDefaults_Deployment. */
  complete({ spec }) {
    completeTemplate(spec.template);
    spec.replicas ??= 1;
    spec.strategy ??= {};
    spec.strategy.type ??= 'RollingUpdate';
    if (spec.strategy.type === 'RollingUpdate') {
      spec.strategy.rollingUpdate ??= {};
      spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
      spec.strategy.rollingUpdate.maxSurge ??= '25%';
    }
    spec.revisionHistoryLimit ??= REVISIONS_KEPT;
    spec.progressDeadlineSeconds ??= PROGRESS_SECONDS;
  },

  /** apps/validation: ValidateDeploymentSpec. */
  check({ spec }, problems) {
    checkReplicas(spec.replicas, problems);
    problems.count('spec.minReadySeconds', spec.minReadySeconds);
    problems.count('spec.revisionHistoryLimit', spec.revisionHistoryLimit);
    problems.count('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds);
    if ((spec.progressDeadlineSeconds ?? PROGRESS_SECONDS) <= (spec.minReadySeconds ?? 0)) {
      problems.refuse('spec.progressDeadlineSeconds', 'found one that ends before minReadySeconds, expected it longer');
    }
    checkUpdate(spec.strategy, 'spec.strategy', 'Recreate', problems);
    checkOwnSelector(spec.selector, labelsOf(spec.template), problems);
    checkTemplate(spec.template, 'spec.template', ['Always'], problems);
  },
};

export const replicaSetKind: ObjectKind<ReplicaSet> = {
  ...app,
  kind: 'ReplicaSet',

  complete({ spec }) {
    completeTemplate(spec.template);
    spec.replicas ??= 1;
  },

  check({ spec }, problems) {
    checkReplicas(spec.replicas, problems);
    problems.count('spec.minReadySeconds', spec.minReadySeconds);
    checkOwnSelector(spec.selector, labelsOf(spec.template), problems);
    checkTemplate(spec.template, 'spec.template', ['Always'], problems);
  },
};

export const replicationControllerKind: ObjectKind<ReplicationController> = {
  ...app,
  apiVersion: 'v1',
  kind: 'ReplicationController',

  /** core/v1/defaults.go: SetDefaults_ReplicationController. */
  complete({ metadata, spec }) {
    completeTemplate(spec.template);
    spec.replicas ??= 1;
    const labels = labelsOf(spec.template);
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  },

  /** core/validation: ValidateReplicationControllerSpec. */
  check({ spec }, problems) {
    checkReplicas(spec.replicas, problems);
    problems.count('spec.minReadySeconds', spec.minReadySeconds);
    const { selector = {}, template } = spec;
    checkTemplate(template, 'spec.template', ['Always'], problems);
    checkLabels(selector, 'spec.selector', problems);
    if (Object.keys(selector).length === 0) {
      problems.refuse(
        'spec.template.metadata',
        'found no labels, expected some, by which the pods are known; add labels',
      );
    }
    checkMatch({ matchLabels: selector }, 'spec.selector', labelsOf(template), problems);
  },
};

export const statefulSetKind: ObjectKind<StatefulSet> = {
  ...app,
  kind: 'StatefulSet',

  /** apps/v1/defaults.go: SetDefaults_StatefulSet. */
  complete({ spec }) {
    completeTemplate(spec.template);
    spec.podManagementPolicy ??= 'OrderedReady';
    spec.updateStrategy ??= {};
    spec.updateStrategy.type ??= 'RollingUpdate';
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate ??= {};
      spec.updateStrategy.rollingUpdate.partition ??= 0;
    }
    spec.persistentVolumeClaimRetentionPolicy ??= {};
    spec.persistentVolumeClaimRetentionPolicy.whenDeleted ??= 'Retain';
    spec.persistentVolumeClaimRetentionPolicy.whenScaled ??= 'Retain';
    spec.replicas ??= 1;
    spec.revisionHistoryLimit ??= REVISIONS_KEPT;
  },

  /** apps/validation: ValidateStatefulSetSpec. */
  check({ spec }, problems) {
    checkReplicas(spec.replicas, problems);
    problems.count('spec.minReadySeconds', spec.minReadySeconds);
    problems.count('spec.ordinals.start', spec.ordinals?.start);
    problems.choice('spec.podManagementPolicy', spec.podManagementPolicy, ['OrderedReady', 'Parallel']);
    problems.text('spec.serviceName', spec.serviceName, serviceName);
    checkUpdate(spec.updateStrategy, 'spec.updateStrategy', 'OnDelete', problems);
    problems.count('spec.updateStrategy.rollingUpdate.partition', spec.updateStrategy?.rollingUpdate?.partition);
    checkOwnSelector(spec.selector, labelsOf(spec.template), problems);
    checkTemplate(spec.template, 'spec.template', ['Always'], problems);
  },
};

export const daemonSetKind: ObjectKind<DaemonSet> = {
  ...app,
  kind: 'DaemonSet',

  /** apps/v1/defaults.go: SetDefaults_DaemonSet. */
  complete({ spec }) {
    completeTemplate(spec.template);
    spec.updateStrategy ??= {};
    spec.updateStrategy.type ??= 'RollingUpdate';
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate ??= {};
      spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
      spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
    }
    spec.revisionHistoryLimit ??= REVISIONS_KEPT;
  },

  check({ spec }, problems) {
    problems.count('spec.minReadySeconds', spec.minReadySeconds);
    checkUpdate(spec.updateStrategy, 'spec.updateStrategy', 'OnDelete', problems);
    checkOwnSelector(spec.selector, labelsOf(spec.template), problems);
    checkTemplate(spec.template, 'spec.template', ['Always'], problems);
  },
};

interface Update {
  readonly type?: string;
  readonly rollingUpdate?: { readonly maxUnavailable?: number | string; readonly maxSurge?: number | string };
}

/** Either RollingUpdate or the other type, which has no parameters (apps/validation). */
function checkUpdate(update: Update | undefined, path: string, other: string, problems: ObjectCheck): void {
  const { type, rollingUpdate } = update ?? {};
  problems.choice(`${path}.type`, type, ['RollingUpdate', other]);
  if (rollingUpdate === undefined) return;
  if (type === other)
    problems.refuse(`${path}.rollingUpdate`, `found one, expected none as type is ${other}; remove it`);
  const { maxUnavailable, maxSurge } = rollingUpdate;
  checkShare(maxUnavailable, `${path}.rollingUpdate.maxUnavailable`, problems);
  checkShare(maxSurge, `${path}.rollingUpdate.maxSurge`, problems);
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    problems.refuse(
      `${path}.rollingUpdate`,
      'found maxUnavailable and maxSurge 0, expected one above 0: nothing could move',
    );
  }
}

function isZero(share: number | string | undefined): boolean {
  return share === 0 || (typeof share === 'string' && /^0+%$/.test(share));
}

/** A count of pods, or a percentage of them. */
function checkShare(share: number | string | undefined, path: string, problems: ObjectCheck): void {
  if (typeof share === 'number') problems.count(path, share);
  else if (share !== undefined && !(/^[0-9]{1,3}%$/.test(share) && Number.parseInt(share, 10) <= 100)) {
    problems.refuse(path, `found ${shown(share)}, expected a whole number, or a percentage such as "25%"`);
  }
}

/** What one machine can hold, with room: each pod is a network namespace of the kernel's. */
const REPLICAS_MAX = 5000;
const INT32_MAX = 0x7fff_ffff;

function checkReplicas(replicas: number | undefined, problems: ObjectCheck): void {
  problems.count('spec.replicas', replicas);
  if (replicas === undefined || replicas <= REPLICAS_MAX || replicas > INT32_MAX) return;
  problems.refuse('spec.replicas', `found ${replicas}, expected at most ${REPLICAS_MAX}: all pods run on this machine`);
}
