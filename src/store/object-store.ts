/**
 * The objects of a cluster, as an API server keeps them: one growing resourceVersion for all, optimistic updates,
 * owners that take what they own along, and watches. Objects that go in or come out are never changed.
 *
 * No clock and no randomness of its own. Listeners are called in the middle of a change: they may read, and note down
 * what to do later, but not write.
 */
import { carryOver } from './carry-over.ts';
import type { KubernetesObject, Metadata, Pod } from './object.ts';
import { ObjectTable } from './object-table.ts';
import { kinds, type Resource, resourceOf, resources } from './resources.ts';
import { sameJson } from './same-json.ts';
import { type FieldRequirements, matches, matchesFields, type Requirements } from './selector.ts';
import { described, StoreError } from './store-error.ts';
import { type StoreEvent, WatchHistory } from './watch-history.ts';

export interface StoreOptions {
  /** RFC 3339, UTC. */
  now(): string;
  /** A name that no object had or will have. */
  uid(): string;
  /** How many changes a late watcher may have missed. */
  readonly historyMax?: number;
}

/** Twice the objects of a large cluster, so that a watcher survives one `apply` of everything. */
const HISTORY_MAX = 32_768;

/** What `kubectl delete` gives a pod to end in; podwire's pods end as soon as they can. */
const GRACE_PERIOD_SECONDS = 30;

export interface ListOptions {
  /** undefined: all. */
  readonly namespace?: string | undefined;
  readonly labels?: Requirements | undefined;
  readonly fields?: FieldRequirements | undefined;
}

export interface Applied {
  readonly result: 'created' | 'configured' | 'unchanged';
  readonly object: KubernetesObject;
}

type Listener = (event: StoreEvent) => void;

type AnyObject = KubernetesObject & { readonly spec?: unknown; readonly status?: unknown };

export class ObjectStore {
  readonly #options: StoreOptions;
  readonly #tables = new Map<Resource, ObjectTable>(resources.map((resource) => [resource, new ObjectTable()]));
  /** By the owner's uid: what it owns, oldest first. */
  readonly #owned = new Map<string, Map<string, KubernetesObject>>();
  readonly #history: WatchHistory;
  readonly #listeners = new Set<Listener>();
  #version = 0;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#history = new WatchHistory(options.historyMax ?? HISTORY_MAX);
  }

  /** Of the latest change. */
  get resourceVersion(): string {
    return String(this.#version);
  }

  /** @param namespace '' for kinds that have none */
  get<T extends KubernetesObject>(resource: Resource<T>, namespace: string, name: string): T | undefined {
    return this.#table(resource).get(namespace, name) as T | undefined;
  }

  count(resource: Resource): number {
    return this.#table(resource).size;
  }

  /** In the order of namespaces and names. */
  list<T extends KubernetesObject>(resource: Resource<T>, options: ListOptions = {}): readonly T[] {
    const { namespace, labels, fields } = options;
    let objects = this.#table(resource).list(namespace);
    if (labels !== undefined) objects = objects.filter((object) => matches(labels, object.metadata.labels));
    if (fields !== undefined) objects = objects.filter((object) => matchesFields(fields, object));
    return objects as unknown as readonly T[];
  }

  /** Everything, oldest first. */
  inOrderOfCreation(): KubernetesObject[] {
    const objects = [...this.#tables.values()].flatMap((table) => table.list(undefined));
    const sequence = (object: KubernetesObject) => this.#table(knownResource(object)).sequenceOf(object);
    return objects.sort((a, b) => sequence(a) - sequence(b));
  }

  /** What an object owns, oldest first. */
  ownedBy<T extends KubernetesObject>(resource: Resource<T>, uid: string | undefined): T[] {
    const owned: T[] = [];
    for (const object of this.#owned.get(uid ?? '')?.values() ?? []) {
      if (object.kind === resource.kind && object.apiVersion === resource.apiVersion) owned.push(object as T);
    }
    return owned;
  }

  /** What was handed over beside the object when it was applied: where its fields were written. */
  sourceOf(object: KubernetesObject): unknown {
    return this.#table(knownResource(object)).sourceOf(object.metadata.namespace ?? '', object.metadata.name);
  }

  /**
   * Adds an object as it stands, its status too.
   *
   * @throws StoreError AlreadyExists
   */
  create<T extends KubernetesObject>(object: T, source?: unknown): T {
    const resource = knownResource(object);
    const { namespace = '', name, labels } = object.metadata;
    if (this.#table(resource).get(namespace, name) !== undefined) {
      throw new StoreError('AlreadyExists', `${described(resource, name)} already exists`);
    }
    const metadata: Metadata = {
      ...object.metadata,
      ...(resource === kinds.Namespace ? { labels: { ...labels, 'kubernetes.io/metadata.name': name } } : {}),
      uid: this.#options.uid(),
      creationTimestamp: this.#options.now(),
      generation: 1,
    };
    return this.#write({ ...object, metadata }, undefined, source);
  }

  /**
   * Replaces an object but for its status. The same again is no change.
   *
   * @throws StoreError NotFound; Conflict, when the object has a uid or resourceVersion that is not the stored one's
   */
  update<T extends KubernetesObject>(object: T, source?: unknown): T {
    const stored = this.#current(object) as T & AnyObject;
    const { status } = stored;
    const wanted: AnyObject = { ...object, ...(status === undefined ? {} : { status }) };
    if (status === undefined) delete (wanted as { status?: unknown }).status;
    const { creationTimestamp, deletionTimestamp, uid } = stored.metadata;
    const kept = { uid, creationTimestamp, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) };
    const generation = (stored.metadata.generation ?? 1) + (sameJson(stored.spec, wanted.spec) ? 0 : 1);
    const metadata = { ...object.metadata, ...kept, generation, resourceVersion: stored.metadata.resourceVersion };
    const next = { ...wanted, metadata } as unknown as T;
    if (sameJson(next, stored)) {
      if (source !== undefined) this.#table(knownResource(object)).put(stored, source);
      return stored;
    }
    const result = this.#write(next, stored, source);
    const isLetGo = deletionTimestamp !== undefined && !isHeld(result) && result.kind !== 'Namespace';
    if (isLetGo) this.#remove(result);
    return result;
  }

  /**
   * Replaces an object's status and nothing else. The same again is no change.
   *
   * @throws StoreError as update
   */
  updateStatus<T extends KubernetesObject>(object: T): T {
    const stored = this.#current(object) as T & AnyObject;
    const { status } = object as AnyObject;
    if (sameJson(stored.status, status)) return stored;
    return this.#write({ ...stored, status }, stored, undefined);
  }

  /**
   * Makes an object be as it is written: creates it, or replaces all but its status and what the cluster chose for it
   * (addresses, ports, its node).
   */
  apply(object: KubernetesObject, source?: unknown): Applied {
    const resource = knownResource(object);
    const stored = this.#table(resource).get(object.metadata.namespace ?? '', object.metadata.name);
    if (stored === undefined) return { result: 'created', object: this.create(object, source) };
    const { resourceVersion: _, uid: __, ...metadata } = object.metadata;
    const updated = this.update(carryOver({ ...object, metadata }, stored), source);
    return { result: updated === stored ? 'unchanged' : 'configured', object: updated };
  }

  /**
   * Deletes an object, and in the same moment what it owns. What somebody holds (a finalizer, a pod that runs) gets a
   * deletionTimestamp and goes when it is let go: `remove`, or an update that takes the last finalizer off. A namespace
   * takes along all that is in it and goes last.
   *
   * @throws StoreError NotFound
   */
  delete(
    resource: Resource,
    namespace: string,
    name: string,
    dependents: 'Background' | 'Orphan' = 'Background',
  ): void {
    const object = this.#table(resource).get(namespace, name);
    if (object === undefined) throw new StoreError('NotFound', `${described(resource, name)} not found`);
    if (dependents === 'Orphan') this.#orphan(object);
    this.#delete(resource, object);
  }

  /** Ends an object that is being deleted; one that is not there is no mistake. */
  remove(resource: Resource, namespace: string, name: string): void {
    const object = this.#table(resource).get(namespace, name);
    if (object !== undefined) this.#remove(object);
  }

  /** Calls back at every change from now on. @returns stops it */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * What happened after a resourceVersion, oldest first.
   *
   * @throws StoreError Expired (410 Gone), when that is longer ago than the store remembers; BadRequest
   */
  since(resourceVersion: string): StoreEvent[] {
    if (!/^[0-9]+$/.test(resourceVersion)) {
      throw new StoreError('BadRequest', `invalid resource version ${JSON.stringify(resourceVersion)}`);
    }
    return this.#history.since(Number(resourceVersion));
  }

  #table(resource: Resource): ObjectTable {
    return this.#tables.get(resource)!;
  }

  #current(object: KubernetesObject): KubernetesObject {
    const resource = knownResource(object);
    const { namespace = '', name, uid, resourceVersion } = object.metadata;
    const stored = this.#table(resource).get(namespace, name);
    if (stored === undefined) throw new StoreError('NotFound', `${described(resource, name)} not found`);
    const isOther = uid !== undefined && uid !== stored.metadata.uid;
    if (isOther || (resourceVersion !== undefined && resourceVersion !== stored.metadata.resourceVersion)) {
      const remedy = 'the object has been modified; please apply your changes to the latest version and try again';
      throw new StoreError('Conflict', `Operation cannot be fulfilled on ${described(resource, name)}: ${remedy}`);
    }
    return stored;
  }

  #write<T extends KubernetesObject>(object: T, previous: KubernetesObject | undefined, source: unknown): T {
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    this.#table(knownResource(next)).put(next, source);
    if (previous !== undefined) this.#disown(previous, next);
    for (const { uid } of next.metadata.ownerReferences ?? []) this.#own(uid, next);
    this.#tell({ type: previous === undefined ? 'ADDED' : 'MODIFIED', object: next, previous });
    return next;
  }

  #tell(event: StoreEvent): void {
    this.#history.push(this.#version, event);
    for (const listener of this.#listeners) listener(event);
  }

  #own(owner: string, object: KubernetesObject): void {
    let owned = this.#owned.get(owner);
    if (owned === undefined) {
      owned = new Map();
      this.#owned.set(owner, owned);
    }
    owned.set(object.metadata.uid!, object);
  }

  #disown(previous: KubernetesObject, next: KubernetesObject | undefined): void {
    const owners = next?.metadata.ownerReferences ?? [];
    for (const { uid } of previous.metadata.ownerReferences ?? []) {
      if (owners.some((owner) => owner.uid === uid)) continue;
      const owned = this.#owned.get(uid);
      owned?.delete(previous.metadata.uid!);
      if (owned?.size === 0) this.#owned.delete(uid);
    }
  }

  #delete(resource: Resource, object: KubernetesObject): void {
    const { deletionTimestamp, namespace = '', name } = object.metadata;
    const isNamespace = resource === kinds.Namespace;
    if (isHeld(object) || isNamespace) {
      if (deletionTimestamp === undefined) this.#write(marked(object, this.#options.now()), object, undefined);
    } else this.#remove(object);
    for (const dependent of [...(this.#owned.get(object.metadata.uid!)?.values() ?? [])])
      this.#release(dependent, object);
    if (!isNamespace) return;
    for (const [inner, table] of this.#tables) for (const item of table.list(name)) this.#deleteStill(inner, item);
    const left = this.#table(resource).get(namespace, name);
    if (left !== undefined) this.#endNamespace(name);
  }

  /** Owners may have taken it along meanwhile. */
  #deleteStill(resource: Resource, object: KubernetesObject): void {
    const still = this.#table(resource).get(object.metadata.namespace ?? '', object.metadata.name);
    if (still !== undefined) this.#delete(resource, still);
  }

  /** One owner of an object is gone: it goes too, unless another is left. */
  #release(object: KubernetesObject, owner: KubernetesObject): void {
    const owners = object.metadata.ownerReferences ?? [];
    const others = owners.filter(({ uid }) => uid !== owner.metadata.uid);
    const hasOther = others.some(({ apiVersion, kind, name, uid }) => {
      const resource = resourceOf({ apiVersion, kind });
      if (resource === undefined) return false;
      const namespace = resource.namespaced ? (object.metadata.namespace ?? '') : '';
      return this.#table(resource).get(namespace, name)?.metadata.uid === uid;
    });
    if (!hasOther) this.#deleteStill(knownResource(object), object);
    else this.#write({ ...object, metadata: { ...object.metadata, ownerReferences: others } }, object, undefined);
  }

  #orphan(owner: KubernetesObject): void {
    for (const object of [...(this.#owned.get(owner.metadata.uid!)?.values() ?? [])]) {
      const { ownerReferences, ...metadata } = object.metadata;
      const others = (ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid);
      const owners = others.length === 0 ? {} : { ownerReferences: others };
      this.#write({ ...object, metadata: { ...metadata, ...owners } }, object, undefined);
    }
  }

  #remove(object: KubernetesObject): void {
    const { namespace = '', name } = object.metadata;
    this.#table(knownResource(object)).remove(namespace, name);
    this.#disown(object, undefined);
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    this.#tell({ type: 'DELETED', object: { ...object, metadata }, previous: object });
    if (namespace !== '') this.#endNamespace(namespace);
  }

  /** A namespace that is being deleted goes with the last object in it. */
  #endNamespace(name: string): void {
    const namespace = this.#table(kinds.Namespace).get('', name);
    if (namespace?.metadata.deletionTimestamp === undefined) return;
    for (const table of this.#tables.values()) if (table.hasAnyIn(name)) return;
    this.#remove(namespace);
  }
}

/** @throws StoreError NotFound for a kind that the store does not hold */
function knownResource(object: KubernetesObject): Resource {
  const resource = resourceOf(object);
  if (resource !== undefined) return resource;
  throw new StoreError('NotFound', `no kind ${object.kind} in ${object.apiVersion}`);
}

/** Must an object wait, deleted, for somebody to let go of it? A pod with a host address is on its node, and runs. */
function isHeld(object: KubernetesObject): boolean {
  if ((object.metadata.finalizers ?? []).length > 0) return true;
  return object.kind === 'Pod' && (object as Pod).status?.hostIP !== undefined;
}

function marked(object: KubernetesObject, now: string): KubernetesObject {
  const isPod = object.kind === 'Pod';
  const grace = isPod ? { deletionGracePeriodSeconds: GRACE_PERIOD_SECONDS } : {};
  const status = object.kind === 'Namespace' ? { status: { phase: 'Terminating' } } : {};
  return { ...object, ...status, metadata: { ...object.metadata, deletionTimestamp: now, ...grace } };
}
