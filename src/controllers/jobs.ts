/** Jobs: pods that end, until enough of them have. CronJobs make no Jobs: no time passes here by itself. */
import type { Job, Pod } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import type { Context } from './context.ts';
import { joined, suffix, templateHash } from './names.ts';
import { keyOf, splitKey } from './object-key.ts';
import { podFromTemplate } from './pod-from-template.ts';
import {
  commandOf,
  controllerOf,
  isActive,
  isReady,
  isReplicaNews,
  isTerminating,
  withCondition,
} from './pod-state.ts';
import type { Controller } from './reconciler.ts';

const INDEX = 'batch.kubernetes.io/job-completion-index';

export class Jobs implements Controller {
  readonly name = 'job-controller';
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  notice({ type, object, previous }: StoreEvent, dirty: (key: string) => void): void {
    if (object.kind === 'Job') dirty(keyOf(object));
    if (object.kind !== 'Pod') return;
    const [now, before] = [object as Pod, previous as Pod | undefined];
    if (type === 'MODIFIED' && !isReplicaNews(now, before) && restartsOf(now) === restartsOf(before!)) return;
    const owner = controllerOf(object);
    if (owner?.kind === 'Job') dirty(`${object.metadata.namespace}/${owner.name}`);
  }

  sync(key: string): void {
    const { store } = this.#context;
    const job = store.get(kinds.Job, ...splitKey(key));
    if (job === undefined || isTerminating(job)) return;
    for (const pod of store.ownedBy(kinds.Pod, job.metadata.uid)) this.#endWhenReady(pod);
    const pods = store.ownedBy(kinds.Pod, job.metadata.uid);
    const active = pods.filter(isActive);
    const succeeded = doneBy(job, pods);
    const { parallelism = 1, completions, suspend } = job.spec;
    // Without completions one success is the end: the pods still running are left to end (a work queue).
    const isComplete = completions === undefined ? succeeded > 0 && active.length === 0 : succeeded >= completions;
    const open = completions === undefined ? (succeeded > 0 ? 0 : parallelism) : completions - succeeded;
    const isFailed = !isComplete && hasFailed(job, pods);
    const wanted = suspend === true || isComplete || isFailed ? 0 : Math.min(parallelism, open);
    const isQueueClosed = completions === undefined && succeeded > 0 && !isFailed;
    if (active.length < wanted) this.#create(job, pods, wanted - active.length);
    else if (!isQueueClosed) for (const pod of active.slice(wanted)) this.#delete(job, pod);
    this.#report(job, isComplete, isFailed);
  }

  /** Nothing runs in most pods of Jobs: to be ready is to be done. Programs say themselves when they are. */
  #endWhenReady(pod: Pod): void {
    const { store, now } = this.#context;
    if (!isActive(pod) || !isReady(pod) || commandOf(pod) !== undefined) return;
    const conditions = withCondition(
      pod.status?.conditions,
      { type: 'Ready', status: 'False', reason: 'PodCompleted' },
      now(),
    );
    store.updateStatus({ ...pod, status: { ...pod.status, phase: 'Succeeded', conditions } });
  }

  #create(job: Job, pods: readonly Pod[], count: number): void {
    const { store, events } = this.#context;
    const { namespace = '', name } = job.metadata;
    const hash = templateHash(job.spec.template);
    const isIndexed = job.spec.completionMode === 'Indexed';
    const taken = new Set(pods.filter((pod) => isActive(pod) || isDone(pod)).map(indexOf));
    const free = Array.from({ length: job.spec.completions ?? 0 }, (_, index) => String(index));
    const indexes = free.filter((index) => !taken.has(index));
    for (let ordinal = 0, left = count; left > 0; ordinal++) {
      const index = isIndexed ? indexes[count - left] : undefined;
      if (isIndexed && index === undefined) return;
      const base = index === undefined ? name : `${name}-${index}`;
      const podName = joined(base, suffix(`${name} ${hash}`, ordinal));
      if (store.get(kinds.Pod, namespace, podName) !== undefined) continue;
      store.create(podFromTemplate(job, job.spec.template, podName, additions(job, index)));
      events.record(job, 'Normal', 'SuccessfulCreate', `Created pod: ${podName}`, this.name);
      left--;
    }
  }

  #delete(job: Job, pod: Pod): void {
    const { store, events } = this.#context;
    store.delete(kinds.Pod, pod.metadata.namespace ?? '', pod.metadata.name);
    events.record(job, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`, this.name);
  }

  #report(job: Job, isComplete: boolean, isFailed: boolean): void {
    const { store, now, events } = this.#context;
    const pods = store.ownedBy(kinds.Pod, job.metadata.uid);
    const active = pods.filter(isActive);
    const { status = {} } = job;
    const completed = {
      completionTime: status.completionTime ?? now(),
      conditions: withCondition(status.conditions, { type: 'Complete', status: 'True' }, now()),
    };
    if (isComplete && status.completionTime === undefined) {
      events.record(job, 'Normal', 'Completed', 'Job completed', this.name);
    }
    const reason = 'BackoffLimitExceeded';
    const message = 'Job has reached the specified backoff limit';
    const failed = {
      conditions: withCondition(status.conditions, { type: 'Failed', status: 'True', reason, message }, now()),
    };
    if (isFailed && !isMarkedFailed(job)) events.record(job, 'Warning', reason, message, this.name);
    store.updateStatus({
      ...job,
      status: {
        ...status,
        startTime: status.startTime ?? now(),
        active: active.length,
        ready: active.filter(isReady).length,
        succeeded: doneBy(job, pods),
        failed: pods.filter((pod) => pod.status?.phase === 'Failed').length,
        ...(isComplete ? completed : {}),
        ...(isFailed ? failed : {}),
      },
    });
  }
}

function additions(job: Job, index: string | undefined) {
  const { name, uid = '' } = job.metadata;
  const labels = { 'batch.kubernetes.io/job-name': name, 'batch.kubernetes.io/controller-uid': uid, 'job-name': name };
  if (index === undefined) return { labels };
  const annotations = { [INDEX]: index };
  return { labels: { ...labels, ...annotations }, annotations, spec: { hostname: `${name}-${index}` } };
}

function isDone(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded';
}

function indexOf(pod: Pod): string | undefined {
  return pod.metadata.annotations?.[INDEX];
}

/** Pods that have succeeded; of an Indexed Job, indexes of which one has. */
function doneBy(job: Job, pods: readonly Pod[]): number {
  const done = pods.filter(isDone);
  return job.spec.completionMode === 'Indexed' ? new Set(done.map(indexOf)).size : done.length;
}

/** What a Job without a limit of its own has (pkg/apis/batch/v1/defaults.go). */
const BACKOFF_LIMIT = 6;

/**
 * Too many of its pods have failed, or where they start anew on failure, their programs. It stays failed
 * (pkg/controller/job/job_controller.go, exceedsBackoffLimit and pastBackoffLimitOnFailure).
 */
function hasFailed(job: Job, pods: readonly Pod[]): boolean {
  if (isMarkedFailed(job)) return true;
  const { backoffLimit = BACKOFF_LIMIT, template } = job.spec;
  if (pods.filter((pod) => pod.status?.phase === 'Failed').length > backoffLimit) return true;
  if (template.spec?.restartPolicy !== 'OnFailure') return false;
  const running = pods.filter((pod) => pod.status?.phase === 'Running');
  const restarts = running.reduce((sum, pod) => sum + restartsOf(pod), 0);
  return restarts > 0 && restarts >= backoffLimit;
}

function isMarkedFailed({ status }: Job): boolean {
  return status?.conditions?.some(({ type, status: holds }) => type === 'Failed' && holds === 'True') === true;
}

function restartsOf({ status }: Pod): number {
  return (status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0);
}
