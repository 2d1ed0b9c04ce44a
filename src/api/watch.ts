/**
 * Watches, as Kubernetes has them: a list's resourceVersion, and from there every change as a line of JSON.
 *
 * A watcher is a place in the store's history and reads on from there when its reader is ready, so one that is slow
 * costs no queue of its own. One that is so slow that the history has gone past it is told so, and ended.
 */
import type { KubernetesObject } from '../store/object.ts';
import type { ListOptions, ObjectStore } from '../store/object-store.ts';
import type { Resource } from '../store/resources.ts';
import { matches, matchesFields } from '../store/selector.ts';
import { StoreError } from '../store/store-error.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import { ApiError, failureStatus } from './api-error.ts';
import type { Reply } from './reply.ts';

/** Some objects of one kind. */
export interface Selection extends ListOptions {
  readonly resource: Resource;
}

/** Changes between two looks at the event loop. */
const AT_ONCE = 500;

/**
 * Checks that a watch can begin at a resourceVersion.
 *
 * @throws StoreError Expired, BadRequest; ApiError for a version that is still to come
 */
export function refuseVersion(store: ObjectStore, version: string): void {
  store.since(version);
  if (Number(version) <= Number(store.resourceVersion)) return;
  // k8s.io/apiserver/pkg/storage/errors.go, NewTooLargeResourceVersionError
  throw new ApiError(504, 'Timeout', `Too large resource version: ${version}, current: ${store.resourceVersion}`);
}

/**
 * Writes changes until the reader goes, or `timeoutMs` is over.
 *
 * @param from the resourceVersion that the reader knows; undefined: it knows nothing, and all there is counts as added
 */
export async function watch(
  store: ObjectStore,
  selection: Selection,
  from: string | undefined,
  reply: Reply,
  timeoutMs: number | undefined,
): Promise<void> {
  const alarm = new Alarm();
  const unsubscribe = store.subscribe(() => alarm.ring());
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => alarm.end(), timeoutMs);
  void reply.closed().then(() => alarm.end());
  try {
    let version = from ?? store.resourceVersion;
    const known = from === undefined ? store.list(selection.resource, selection) : [];
    for (const object of known) await reply.write(line('ADDED', object));
    while (!alarm.ended) {
      await reply.flush();
      const events = store.since(version);
      if (events.length === 0) await alarm.rung();
      for (const [i, event] of events.entries()) {
        version = event.object.metadata.resourceVersion!;
        const seen = asSeen(event, selection);
        if (seen !== undefined) await reply.write(seen);
        if (i % AT_ONCE === AT_ONCE - 1) await new Promise(setImmediate);
      }
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    await reply.write(line('ERROR', failureStatus(error)));
  } finally {
    unsubscribe();
    clearTimeout(timer);
  }
  await reply.end();
}

/** What an event is to whoever sees only some objects: one that begins or ceases to be selected comes or goes. */
function asSeen({ type, object, previous }: StoreEvent, selection: Selection): string | undefined {
  if (object.kind !== selection.resource.kind || object.apiVersion !== selection.resource.apiVersion) return undefined;
  const isSelected = type !== 'DELETED' && selects(selection, object);
  const wasSelected = previous !== undefined && selects(selection, previous);
  if (isSelected) return line(wasSelected ? 'MODIFIED' : 'ADDED', object);
  return wasSelected ? line('DELETED', object) : undefined;
}

function selects({ namespace, labels, fields }: Selection, object: KubernetesObject): boolean {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  if (labels !== undefined && !matches(labels, object.metadata.labels)) return false;
  return fields === undefined || matchesFields(fields, object);
}

function line(type: string, object: object): string {
  return `${JSON.stringify({ type, object })}\n`;
}

/** Wakes one sleeper; what rings while it is awake is not lost. */
class Alarm {
  #rang = false;
  #ended = false;
  #wake: (() => void) | undefined;

  get ended(): boolean {
    return this.#ended;
  }

  ring(): void {
    this.#rang = true;
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.ring();
  }

  async rung(): Promise<void> {
    if (!this.#rang) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#rang = false;
  }
}
