/** What changed in the store, oldest first, as far back as it is remembered. */
import type { KubernetesObject } from './object.ts';
import { StoreError } from './store-error.ts';

export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** As it is now; of one that was deleted, as it was last, with the resourceVersion of its deletion. */
  readonly object: KubernetesObject;
  /** As it was before; undefined for a new one. */
  readonly previous: KubernetesObject | undefined;
}

/** A bounded memory of events. Every resourceVersion is one event. */
export class WatchHistory {
  readonly #capacity: number;
  /** A ring: the event of resourceVersion v is at v modulo capacity. */
  readonly #events: StoreEvent[] = [];
  #last = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** @param version one more than the last */
  push(version: number, event: StoreEvent): void {
    this.#events[version % this.#capacity] = event;
    this.#last = version;
  }

  /**
   * What happened after a resourceVersion, oldest first.
   *
   * @throws StoreError Expired, where that is no longer known (as etcd3 watches answer: 410 Gone)
   */
  since(version: number): StoreEvent[] {
    const oldest = Math.max(1, this.#last - this.#capacity + 1);
    if (version + 1 < oldest) {
      throw new StoreError('Expired', `too old resource version: ${version} (${oldest - 1})`);
    }
    const events: StoreEvent[] = [];
    for (let at = version + 1; at <= this.#last; at++) events.push(this.#events[at % this.#capacity]!);
    return events;
  }
}
