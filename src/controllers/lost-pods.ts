/** Pods that cannot stay: their node is gone, or has a taint that drives them out. */
import type { Node, Pod } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import type { Context } from './context.ts';
import { keyOf, splitKey } from './object-key.ts';
import { isTerminating } from './pod-state.ts';
import type { Controller } from './reconciler.ts';
import { taintsOf, untolerated } from './taints.ts';

export class LostPods implements Controller {
  readonly name = 'taint-eviction-controller';
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  notice({ type, object, previous }: StoreEvent, dirty: (key: string) => void): void {
    const isNodeNews = object.kind === 'Node' && (object as Node).spec !== (previous as Node | undefined)?.spec;
    if (object.kind === 'Node' && (isNodeNews || type === 'DELETED')) {
      for (const pod of this.#context.index.podsOn(object.metadata.name)) dirty(keyOf(pod));
    }
    const isPodNews = object.kind === 'Pod' && (object as Pod).spec !== (previous as Pod | undefined)?.spec;
    if (isPodNews && type !== 'DELETED' && (object as Pod).spec.nodeName !== undefined) dirty(keyOf(object));
  }

  sync(key: string): void {
    const { store, index, events } = this.#context;
    const pod = store.get(kinds.Pod, ...splitKey(key));
    if (pod?.spec.nodeName === undefined || isTerminating(pod)) return;
    const node = index.nodes.get(pod.spec.nodeName);
    // A toleration for some seconds counts as one for ever: no time passes here by itself.
    const taint = node === undefined ? undefined : untolerated(taintsOf(node), pod.spec.tolerations, ['NoExecute']);
    if (node !== undefined && taint === undefined) return;
    store.delete(kinds.Pod, pod.metadata.namespace ?? '', pod.metadata.name);
    const why = node === undefined ? `node ${pod.spec.nodeName} is gone` : `taint ${taint!.key} of its node`;
    events.record(pod, 'Normal', 'TaintManagerEviction', `Deleting pod ${key}: ${why}`, this.name);
  }
}
