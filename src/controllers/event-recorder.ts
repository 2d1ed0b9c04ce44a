/** Events: what controllers did or could not do, as objects of kind Event beside the objects that they are about. */
import type { KubernetesObject } from '../store/object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { kinds } from '../store/resources.ts';
import { keyOf } from './object-key.ts';

/** Older ones go: as many as fit a screen many times over. Kubernetes forgets them after an hour. */
const EVENTS_MAX = 1000;

export class EventRecorder {
  readonly #store: ObjectStore;
  readonly #now: () => string;
  /** What is told → namespace and name of the Event that tells it; oldest first. */
  readonly #told = new Map<string, readonly [namespace: string, name: string]>();
  #sequence = 0;

  constructor(store: ObjectStore, now: () => string) {
    this.#store = store;
    this.#now = now;
  }

  /** Tells something. The same again of the same object is counted. @param component who tells it */
  record(
    about: KubernetesObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    component: string,
  ): void {
    const told = `${about.kind} ${keyOf(about)} ${about.metadata.uid} ${reason} ${message}`;
    const earlier = this.#told.get(told);
    const event = earlier === undefined ? undefined : this.#store.get(kinds.Event, ...earlier);
    const now = this.#now();
    if (event !== undefined) {
      this.#store.update({ ...event, count: (event.count ?? 1) + 1, lastTimestamp: now });
      return;
    }
    const { namespace = 'default', name, uid = '' } = about.metadata;
    const own = about.metadata.namespace === undefined ? {} : { namespace };
    const eventName = this.#freshName(namespace, name);
    this.#store.create({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: eventName, namespace },
      involvedObject: { apiVersion: about.apiVersion, kind: about.kind, name, uid, ...own },
      ...{ type, reason, message, count: 1, firstTimestamp: now, lastTimestamp: now },
      ...{ source: { component }, reportingComponent: component, reportingInstance: '' },
    } as KubernetesObject);
    this.#told.delete(told);
    this.#told.set(told, [namespace, eventName]);
    this.#forget();
  }

  /** `web.00000000000000f3`; Kubernetes has the nanoseconds of its clock there. */
  #freshName(namespace: string, name: string): string {
    for (;;) {
      const fresh = `${name.slice(0, 236)}.${(++this.#sequence).toString(16).padStart(16, '0')}`;
      if (this.#store.get(kinds.Event, namespace, fresh) === undefined) return fresh;
    }
  }

  #forget(): void {
    for (const [told, [namespace, name]] of this.#told) {
      if (this.#told.size <= EVENTS_MAX) return;
      this.#told.delete(told);
      this.#store.remove(kinds.Event, namespace, name);
    }
  }
}
