/** Whether pods are Ready: what runs in them, what they say of themselves, and the node under them. */
import type { ContainerStatus, PodCondition } from 'kubernetes-types/core/v1.d.ts';
import type { Pod } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import type { Context } from './context.ts';
import { keyOf, splitKey } from './object-key.ts';
import { declaresReady, hasCondition, isTerminal, withCondition } from './pod-state.ts';
import type { Controller } from './reconciler.ts';
import { isReadyNode } from './scheduler.ts';

/** What whoever runs a pod knows of it. */
export interface PodReport {
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
  /** Does everything in it answer? */
  readonly ready: boolean;
  /** Of pods that run a program. */
  readonly containerStatuses?: ContainerStatus[];
}

export class PodReadiness implements Controller {
  readonly name = 'pod-readiness';
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  notice({ type, object, previous }: StoreEvent, dirty: (key: string) => void): void {
    if (type === 'DELETED') return;
    const isPodNews = object.metadata.annotations !== previous?.metadata.annotations || previous === undefined;
    if (object.kind === 'Pod' && isPodNews) dirty(keyOf(object));
    if (object.kind !== 'Node') return;
    for (const pod of this.#context.index.podsOn(object.metadata.name)) dirty(keyOf(pod));
  }

  sync(key: string): void {
    const pod = this.#context.store.get(kinds.Pod, ...splitKey(key));
    if (pod === undefined || isTerminal(pod) || !hasCondition(pod, 'ContainersReady')) return;
    this.#write(pod, { phase: 'Running', ready: true });
  }

  /** Puts a report into the pod's status. */
  report(key: string, report: PodReport): void {
    const pod = this.#context.store.get(kinds.Pod, ...splitKey(key));
    if (pod !== undefined && !isTerminal(pod)) this.#write(pod, report);
  }

  #write(pod: Pod, { phase, ready, ...statuses }: PodReport): void {
    const { store, index, now } = this.#context;
    const node = index.nodes.get(pod.spec.nodeName ?? '');
    const isOver = phase === 'Succeeded' || phase === 'Failed';
    const isWilling = declaresReady(pod);
    const isNodeReady = node !== undefined && isReadyNode(node);
    const states: readonly (readonly [type: string, holds: boolean])[] = [
      ['Initialized', phase !== 'Pending'],
      ['ContainersReady', ready && !isOver],
      ['Ready', ready && !isOver && isWilling && isNodeReady],
    ];
    let conditions: PodCondition[] | undefined = pod.status?.conditions;
    const time = now();
    for (const [type, holds] of states) {
      conditions = withCondition(conditions, { type, status: holds ? 'True' : 'False' }, time);
    }
    const startTime = pod.status?.startTime ?? (phase === 'Pending' ? undefined : time);
    const started = startTime === undefined ? {} : { startTime };
    store.updateStatus({ ...pod, status: { ...pod.status, phase, conditions: conditions!, ...started, ...statuses } });
  }
}
