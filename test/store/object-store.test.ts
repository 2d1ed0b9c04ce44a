import { describe, expect, test } from 'vitest';
import type { KubernetesObject, Pod } from '../../src/store/object.ts';
import { ObjectStore } from '../../src/store/object-store.ts';
import { kinds } from '../../src/store/resources.ts';
import { parseFieldSelector, parseLabelSelector } from '../../src/store/selector.ts';
import { StoreError } from '../../src/store/store-error.ts';

function newStore(historyMax?: number): ObjectStore {
  let uids = 0;
  let seconds = 0;
  return new ObjectStore({
    now: () => `2024-01-01T00:00:${String(seconds++ % 60).padStart(2, '0')}Z`,
    uid: () => `uid-${++uids}`,
    ...(historyMax === undefined ? {} : { historyMax }),
  });
}

function config(name: string, data: object = {}, metadata: object = {}): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default', ...metadata },
    data,
  } as KubernetesObject;
}

function pod(name: string, spec: object = {}, status?: object, metadata: object = {}): Pod {
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', ...metadata } };
  return { ...object, spec: { containers: [], ...spec }, ...(status === undefined ? {} : { status }) } as Pod;
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof StoreError) return `${error.code} ${error.reason}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const ownedBy = (owner: KubernetesObject, ...others: KubernetesObject[]) => ({
  ownerReferences: [owner, ...others].map(({ apiVersion, kind, metadata }) => {
    return { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true };
  }),
});

describe('writing', () => {
  test('a new object gets uid, creationTimestamp, generation 1 and the next resourceVersion', () => {
    const store = newStore();
    store.create(config('a'));
    const made = store.create(config('b'));
    expect(made.metadata).toEqual({
      name: 'b',
      namespace: 'default',
      uid: 'uid-2',
      creationTimestamp: '2024-01-01T00:00:01Z',
      generation: 1,
      resourceVersion: '2',
    });
    expect(store.get(kinds.ConfigMap, 'default', 'b')).toBe(made);
    expect(store.resourceVersion).toBe('2');
  });

  test('the objects that go in are not changed', () => {
    const store = newStore();
    const given = Object.freeze({ ...config('a'), metadata: Object.freeze({ name: 'a', namespace: 'default' }) });
    store.create(given);
    store.apply(given);
    expect(given.metadata).toEqual({ name: 'a', namespace: 'default' });
  });

  test('refusals are in the API server’s words', () => {
    const store = newStore();
    const made = store.create(config('a'));
    expect(refusal(() => store.create(config('a')))).toBe('409 AlreadyExists: configmaps "a" already exists');
    expect(refusal(() => store.update(config('b')))).toBe('404 NotFound: configmaps "b" not found');
    expect(refusal(() => store.delete(kinds.Deployment, 'x', 'web'))).toBe(
      '404 NotFound: deployments.apps "web" not found',
    );
    store.update(config('a', { k: '1' }));
    const conflict =
      '409 Conflict: Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again';
    expect(refusal(() => store.update(made))).toBe(conflict);
    expect(refusal(() => store.update(config('a', {}, { uid: 'other' })))).toBe(conflict);
    expect(refusal(() => store.create({ ...config('a'), kind: 'Widget' }))).toBe('404 NotFound: no kind Widget in v1');
  });

  test('update keeps status, uid and creation; generation counts changes of spec', () => {
    const store = newStore();
    store.create(pod('a', {}, { phase: 'Running' }));
    const updated = store.update(pod('a', { nodeName: 'n1' }, { phase: 'Failed' }));
    expect(updated.status).toEqual({ phase: 'Running' });
    expect(updated.metadata).toMatchObject({ uid: 'uid-1', generation: 2, creationTimestamp: '2024-01-01T00:00:00Z' });
    const labelled = store.update(pod('a', { nodeName: 'n1' }, undefined, { labels: { a: 'b' } }));
    expect(labelled.metadata).toMatchObject({ generation: 2, labels: { a: 'b' }, resourceVersion: '3' });
  });

  test('updateStatus changes the status and nothing else', () => {
    const store = newStore();
    store.create(pod('a', { nodeName: 'n1' }));
    const updated = store.updateStatus(pod('a', { nodeName: 'n2' }, { phase: 'Running' }));
    expect([updated.spec.nodeName, updated.status?.phase, updated.metadata.generation]).toEqual(['n1', 'Running', 1]);
  });

  test('the same again is no change', () => {
    const store = newStore();
    const made = store.create(pod('a', { b: { c: 1 }, a: undefined }, { phase: 'Running' }));
    expect(store.update(pod('a', { b: { c: 1 } }))).toBe(made);
    expect(store.updateStatus(pod('a', {}, { phase: 'Running' }))).toBe(made);
    expect(store.apply(pod('a', { b: { c: 1 } }))).toEqual({ result: 'unchanged', object: made });
    expect(store.resourceVersion).toBe('1');
  });

  test('apply creates, configures, and keeps status and identity', () => {
    const store = newStore();
    expect(store.apply(pod('a')).result).toBe('created');
    store.updateStatus(pod('a', {}, { phase: 'Running' }));
    const { result, object } = store.apply(pod('a', { restartPolicy: 'Never' }, undefined, { resourceVersion: '1' }));
    expect(result).toBe('configured');
    expect(object).toMatchObject({
      metadata: { uid: 'uid-1' },
      spec: { restartPolicy: 'Never' },
      status: { phase: 'Running' },
    });
  });

  test('a source stays beside its object until another comes', () => {
    const store = newStore();
    const made = store.apply(config('a'), { file: 'a.yaml' }).object;
    store.update(config('a', { k: '1' }));
    expect(store.sourceOf(made)).toEqual({ file: 'a.yaml' });
    store.apply(config('a', { k: '1' }), { file: 'b.yaml' });
    expect(store.sourceOf(made)).toEqual({ file: 'b.yaml' });
  });
});

describe('applying without what the cluster chose', () => {
  const service = (spec: object) => {
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's', namespace: 'default' },
      spec,
    } as KubernetesObject;
  };
  const specAfter = (stored: object, wanted: object) => {
    const store = newStore();
    store.create(service(stored));
    return (store.apply(service(wanted)).object as KubernetesObject & { spec: object }).spec;
  };
  const chosen = {
    clusterIP: '10.96.1.0',
    clusterIPs: ['10.96.1.0'],
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
  };

  test('addresses and families stay', () => {
    expect(specAfter({ type: 'ClusterIP', ...chosen }, { type: 'ClusterIP' })).toEqual({
      type: 'ClusterIP',
      ...chosen,
    });
  });

  test('the first address stays when the Service becomes dual-stack', () => {
    const spec = specAfter({ type: 'ClusterIP', ...chosen }, { type: 'ClusterIP', ipFamilyPolicy: 'PreferDualStack' });
    expect(spec).toEqual({ type: 'ClusterIP', clusterIP: '10.96.1.0', ipFamilyPolicy: 'PreferDualStack' });
  });

  test('a Service that becomes an ExternalName keeps none', () => {
    expect(specAfter({ type: 'ClusterIP', ...chosen }, { type: 'ExternalName' })).toEqual({ type: 'ExternalName' });
  });

  test('node ports stay with their ports, unless the number is given to another', () => {
    const stored = {
      type: 'NodePort',
      ports: [
        { port: 80, nodePort: 30086 },
        { port: 81, nodePort: 30087 },
      ],
    };
    const wanted = { type: 'NodePort', ports: [{ port: 82, nodePort: 30087 }, { port: 81 }, { port: 80 }] };
    expect(specAfter(stored, wanted)).toEqual({
      type: 'NodePort',
      ports: [{ port: 82, nodePort: 30087 }, { port: 81 }, { port: 80, nodePort: 30086 }],
    });
    expect(specAfter(stored, { type: 'ClusterIP', ports: [{ port: 80 }] })).toEqual({
      type: 'ClusterIP',
      ports: [{ port: 80 }],
    });
  });

  test('a pod stays on its node', () => {
    const store = newStore();
    store.create(pod('a', { nodeName: 'n2' }));
    expect(store.apply(pod('a')).result).toBe('unchanged');
  });
});

describe('lists', () => {
  test('are in the order of namespace and name, and of one namespace where asked', () => {
    const store = newStore();
    const names = ['b/x', 'a-b/x', 'a/y', 'a/x', 'a0/x', 'a/x-1'];
    for (const name of names) store.create(config(name.split('/')[1]!, {}, { namespace: name.split('/')[0] }));
    const list = (namespace?: string) => {
      return store.list(kinds.ConfigMap, { namespace }).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    };
    expect(list()).toEqual(['a-b/x', 'a/x', 'a/x-1', 'a/y', 'a0/x', 'b/x']);
    expect(list('a')).toEqual(['a/x', 'a/x-1', 'a/y']);
    store.delete(kinds.ConfigMap, 'a', 'x-1');
    expect(list('a')).toEqual(['a/x', 'a/y']);
  });

  test('by labels and fields', () => {
    const store = newStore();
    store.create(pod('a', { nodeName: 'n1' }, { phase: 'Running' }, { labels: { app: 'web' } }));
    store.create(pod('b', { nodeName: 'n2' }, { phase: 'Running' }, { labels: { app: 'web' } }));
    store.create(pod('c', { nodeName: 'n1' }));
    const names = (labels: string, fields: string) => {
      const options = { labels: parseLabelSelector(labels), fields: parseFieldSelector(fields, 'Pod') };
      return store.list(kinds.Pod, options).map(({ metadata }) => metadata.name);
    };
    expect(names('', 'spec.nodeName=n1')).toEqual(['a', 'c']);
    expect(names('app=web', 'spec.nodeName=n1')).toEqual(['a']);
    expect(names('', 'status.phase!=Running,metadata.namespace==default')).toEqual(['c']);
  });
});

describe('deleting', () => {
  test('takes along what is owned, and what that owns', () => {
    const store = newStore();
    const a = store.create(config('a'));
    const b = store.create(config('b', {}, ownedBy(a)));
    store.create(config('c', {}, ownedBy(b)));
    store.create(config('d'));
    store.delete(kinds.ConfigMap, 'default', 'a');
    expect(store.list(kinds.ConfigMap).map(({ metadata }) => metadata.name)).toEqual(['d']);
    expect(store.ownedBy(kinds.ConfigMap, a.metadata.uid)).toEqual([]);
  });

  test('leaves what another owner has still', () => {
    const store = newStore();
    const a = store.create(config('a'));
    const b = store.create(config('b'));
    store.create(config('c', {}, ownedBy(a, b)));
    store.delete(kinds.ConfigMap, 'default', 'a');
    expect(store.get(kinds.ConfigMap, 'default', 'c')?.metadata.ownerReferences).toHaveLength(1);
    store.delete(kinds.ConfigMap, 'default', 'b');
    expect(store.get(kinds.ConfigMap, 'default', 'c')).toBeUndefined();
  });

  test('orphans on request', () => {
    const store = newStore();
    const a = store.create(config('a'));
    store.create(config('b', {}, ownedBy(a)));
    store.delete(kinds.ConfigMap, 'default', 'a', 'Orphan');
    expect(store.get(kinds.ConfigMap, 'default', 'b')?.metadata).not.toHaveProperty('ownerReferences');
  });

  test('only marks a pod that runs, until it is removed', () => {
    const store = newStore();
    store.create(pod('runs', { nodeName: 'n1' }, { hostIP: '172.18.0.2' }));
    store.create(pod('waits', { nodeName: 'n1' }));
    store.delete(kinds.Pod, 'default', 'runs');
    store.delete(kinds.Pod, 'default', 'waits');
    expect(store.list(kinds.Pod).map(({ metadata }) => metadata.name)).toEqual(['runs']);
    const { deletionTimestamp } = store.get(kinds.Pod, 'default', 'runs')!.metadata;
    expect(deletionTimestamp).toMatch(/^2024/);
    store.delete(kinds.Pod, 'default', 'runs');
    expect(store.get(kinds.Pod, 'default', 'runs')!.metadata.deletionTimestamp).toBe(deletionTimestamp);
    store.remove(kinds.Pod, 'default', 'runs');
    expect(store.count(kinds.Pod)).toBe(0);
  });

  test('waits for finalizers', () => {
    const store = newStore();
    store.create(config('a', {}, { finalizers: ['x/y'] }));
    store.delete(kinds.ConfigMap, 'default', 'a');
    expect(store.get(kinds.ConfigMap, 'default', 'a')).toBeDefined();
    store.update(config('a', {}, { finalizers: [] }));
    expect(store.get(kinds.ConfigMap, 'default', 'a')).toBeUndefined();
  });

  test('a namespace takes along all that is in it, and goes last', () => {
    const store = newStore();
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
    store.create(namespace);
    expect(store.get(kinds.Namespace, '', 'shop')?.metadata.labels).toEqual({ 'kubernetes.io/metadata.name': 'shop' });
    expect(store.apply(namespace).result).toBe('unchanged');
    store.create(config('a', {}, { namespace: 'shop' }));
    store.create(pod('p', { nodeName: 'n1' }, { hostIP: '172.18.0.2' }, { namespace: 'shop' }));
    store.create(config('other'));
    store.delete(kinds.Namespace, '', 'shop');
    expect(store.count(kinds.ConfigMap)).toBe(1);
    expect(store.get(kinds.Namespace, '', 'shop')).toMatchObject({ status: { phase: 'Terminating' } });
    store.remove(kinds.Pod, 'shop', 'p');
    expect(store.get(kinds.Namespace, '', 'shop')).toBeUndefined();
    expect(store.count(kinds.ConfigMap)).toBe(1);
  });
});

describe('watching', () => {
  test('every change is one event, in order, with what was before', () => {
    const store = newStore();
    const heard: string[] = [];
    const stop = store.subscribe(({ type, object, previous }) => {
      heard.push(
        `${type} ${object.metadata.name} ${previous?.metadata.resourceVersion}>${object.metadata.resourceVersion}`,
      );
    });
    store.create(config('a'));
    store.update(config('a', { k: '1' }));
    store.delete(kinds.ConfigMap, 'default', 'a');
    stop();
    store.create(config('b'));
    expect(heard).toEqual(['ADDED a undefined>1', 'MODIFIED a 1>2', 'DELETED a 2>3']);
    expect(store.since('1').map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual([
      'MODIFIED a',
      'DELETED a',
      'ADDED b',
    ]);
    expect(store.since('4')).toEqual([]);
    expect(refusal(() => store.since('x'))).toBe('400 BadRequest: invalid resource version "x"');
  });

  test('what is too long ago is gone', () => {
    const store = newStore(4);
    for (let n = 0; n < 10; n++) store.create(config(`c${n}`));
    expect(store.since('6').map(({ object }) => object.metadata.name)).toEqual(['c6', 'c7', 'c8', 'c9']);
    expect(refusal(() => store.since('5'))).toBe('410 Expired: too old resource version: 5 (6)');
  });
});

test('10,000 objects are applied in a second and listed in 50 ms', () => {
  const store = newStore();
  const start = process.cpuUsage();
  for (let n = 0; n < 10_000; n++) store.apply(config(`c${(n * 7919) % 10_000}`, { n: String(n) }));
  const applied = process.cpuUsage(start);
  expect((applied.user + applied.system) / 1000).toBeLessThan(1000);
  const before = process.cpuUsage();
  expect(store.list(kinds.ConfigMap, { namespace: 'default' })).toHaveLength(10_000);
  const listed = process.cpuUsage(before);
  expect((listed.user + listed.system) / 1000).toBeLessThan(50);
});
