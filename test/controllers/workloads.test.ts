import { describe, expect, test } from 'vitest';
import { suffix, templateHash } from '../../src/controllers/names.ts';
import type { Deployment, Pod } from '../../src/store/object.ts';
import { kinds } from '../../src/store/resources.ts';
import { deployment, Plane, pod, workload } from './plane.ts';

const readyNames = (plane: Plane) => {
  const ready = ({ status }: Pod) =>
    status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
  return plane
    .pods()
    .filter(ready)
    .map(({ metadata }) => metadata.name);
};
const replicaSets = (plane: Plane) => {
  return plane.store.list(kinds.ReplicaSet).map(({ metadata, spec }) => `${metadata.name} ${spec.replicas}`);
};

describe('names', () => {
  test('follow from the template whatever the order of its fields', () => {
    expect(templateHash({ a: 1, b: { c: [1, 2], d: 'x' } })).toBe(templateHash({ b: { d: 'x', c: [1, 2] }, a: 1 }));
    expect(templateHash({ a: [1, 2] })).not.toBe(templateHash({ a: [2, 1] }));
    expect(templateHash({ a: 1 })).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{7}$/);
  });

  test('2,000 suffixes hardly meet', () => {
    const words = new Set(Array.from({ length: 2000 }, (_, n) => suffix('web', n)));
    expect(words.size).toBeGreaterThan(1995);
    expect(suffix('web', 0)).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });
});

describe('Deployment', () => {
  test('has a ReplicaSet, that has pods, that are owned and labelled', () => {
    const plane = new Plane();
    plane.apply(deployment('web', 3));
    const [set] = plane.store.list(kinds.ReplicaSet);
    const hash = set!.metadata.labels!['pod-template-hash']!;
    expect(set).toMatchObject({
      metadata: {
        name: `web-${hash}`,
        annotations: { 'deployment.kubernetes.io/revision': '1' },
        ownerReferences: [{ kind: 'Deployment', name: 'web', controller: true }],
      },
      spec: { replicas: 3, selector: { matchLabels: { app: 'web', 'pod-template-hash': hash } } },
      status: { replicas: 3, readyReplicas: 0 },
    });
    const names = plane.pods().map(({ metadata }) => metadata.name);
    expect(names).toHaveLength(3);
    for (const name of names) expect(name).toMatch(new RegExp(`^web-${hash}-[bcdfghjklmnpqrstvwxz2456789]{5}$`));
    expect(plane.pods()[0]!.metadata).toMatchObject({
      labels: { app: 'web', 'pod-template-hash': hash },
      ownerReferences: [{ kind: 'ReplicaSet', name: `web-${hash}` }],
    });
    plane.run();
    expect(plane.store.get(kinds.Deployment, 'default', 'web')!.status).toMatchObject({
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      unavailableReplicas: 0,
      conditions: [{ type: 'Available', status: 'True' }],
    });
  });

  test('the same YAML gives the same names, whatever else was there', () => {
    const [a, b] = [new Plane(), new Plane()];
    a.apply(deployment('web', 4));
    b.apply(deployment('other', 2), pod('x'));
    b.apply(deployment('web', 4));
    const web = (plane: Plane) =>
      plane
        .pods()
        .map(({ metadata }) => metadata.name)
        .filter((name) => name.startsWith('web-'));
    expect(web(a)).toEqual(web(b));
  });

  test('rolls: never more than maxSurge too many nor more than maxUnavailable too few', () => {
    const plane = new Plane();
    const rollingUpdate = { maxSurge: 1, maxUnavailable: '25%' };
    const strategy = { type: 'RollingUpdate', rollingUpdate };
    plane.apply(deployment('web', 4, {}, { strategy }));
    plane.run();
    const old = new Set(readyNames(plane));
    plane.apply(deployment('web', 4, { restartPolicy: 'Always' }, { strategy }));
    const counts: [number, number][] = [];
    do counts.push([plane.pods().filter(({ metadata }) => !metadata.deletionTimestamp).length, activeReady(plane)]);
    while (plane.runOnce());
    expect(Math.max(...counts.map(([all]) => all))).toBe(5);
    expect(Math.min(...counts.map(([, ready]) => ready))).toBe(3);
    expect(readyNames(plane)).toHaveLength(4);
    expect(readyNames(plane).filter((name) => old.has(name))).toEqual([]);
    const revisions = plane.store.list(kinds.ReplicaSet).map(({ metadata, spec }) => {
      return `${metadata.annotations!['deployment.kubernetes.io/revision']}: ${spec.replicas}`;
    });
    expect(revisions.sort()).toEqual(['1: 0', '2: 4']);
  });

  test('rolls not on while the new pods are not ready', () => {
    const plane = new Plane();
    plane.apply(deployment('web', 4));
    plane.run();
    plane.apply(workload(kinds.Deployment, 'web', { replicas: 4 }, {}, { 'podwire.dev/ready': 'false' }));
    plane.run();
    expect(readyNames(plane)).toHaveLength(3);
    expect(plane.pods()).toHaveLength(5);
    plane.apply(deployment('web', 4)); // back to what it was: the old ReplicaSet is the newest again
    plane.run();
    expect(readyNames(plane)).toHaveLength(4);
    expect(
      plane.store
        .list(kinds.ReplicaSet)
        .map(({ spec }) => spec.replicas)
        .sort(),
    ).toEqual([0, 4]);
  });

  test('neither surge nor unavailable: one may be missing', () => {
    const plane = new Plane();
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } };
    plane.apply(deployment('web', 2, {}, { strategy }));
    plane.run();
    plane.apply(deployment('web', 2, { restartPolicy: 'Always' }, { strategy }));
    plane.run();
    expect(
      replicaSets(plane)
        .map((text) => text.split(' ')[1])
        .sort(),
    ).toEqual(['0', '2']);
  });

  test('Recreate: no new pod while an old one is there', () => {
    const plane = new Plane();
    const strategy = { type: 'Recreate' };
    plane.apply(deployment('web', 2, {}, { strategy }));
    plane.run();
    const old = readyNames(plane);
    plane.apply(deployment('web', 2, { restartPolicy: 'Always' }, { strategy }));
    expect(plane.pods().map(({ metadata }) => metadata.name)).toEqual(old);
    expect(plane.pods().every(({ metadata }) => metadata.deletionTimestamp !== undefined)).toBe(true);
    plane.run();
    expect(readyNames(plane)).toHaveLength(2);
    expect(readyNames(plane).filter((name) => old.includes(name))).toEqual([]);
  });

  test('paused: scales, but keeps its template', () => {
    const plane = new Plane();
    plane.apply(deployment('web', 2));
    plane.run();
    const [before] = replicaSets(plane);
    plane.apply(deployment('web', 3, { restartPolicy: 'Always' }, { paused: true }));
    plane.run();
    expect(replicaSets(plane)).toEqual([before!.replace(' 2', ' 3')]);
    plane.apply(deployment('web', 3, { restartPolicy: 'Always' }));
    plane.run();
    expect(replicaSets(plane)).toHaveLength(2);
  });

  test('forgets ReplicaSets beyond its history', () => {
    const plane = new Plane();
    for (let n = 0; n < 5; n++) {
      plane.apply(deployment('web', 1, { terminationGracePeriodSeconds: n }, { revisionHistoryLimit: 2 }));
      plane.run();
    }
    const revisions = plane.store.list(kinds.ReplicaSet).map(({ metadata }) => {
      return metadata.annotations!['deployment.kubernetes.io/revision'];
    });
    expect(revisions.sort()).toEqual(['3', '4', '5']);
  });

  test('takes all along when it is deleted, its pods marked in the same moment', () => {
    const plane = new Plane();
    plane.apply(deployment('web', 3));
    plane.run();
    plane.delete(kinds.Deployment, 'web');
    expect(plane.pods()).toHaveLength(3);
    expect(plane.pods().every(({ metadata }) => metadata.deletionTimestamp !== undefined)).toBe(true);
    plane.run();
    expect([plane.pods().length, plane.store.count(kinds.ReplicaSet)]).toEqual([0, 0]);
  });
});

function activeReady(plane: Plane): number {
  const names = new Set(readyNames(plane));
  return plane.pods().filter(({ metadata }) => names.has(metadata.name) && !metadata.deletionTimestamp).length;
}

describe('ReplicaSet', () => {
  const set = (replicas: number) => workload(kinds.ReplicaSet, 'rs', { replicas });

  test('replaces what is deleted, under another name while that ends', () => {
    const plane = new Plane();
    plane.apply(set(2));
    plane.run();
    const [first] = readyNames(plane);
    plane.delete(kinds.Pod, first!);
    expect(plane.pods()).toHaveLength(3);
    plane.run();
    expect(readyNames(plane)).toHaveLength(2);
    expect(readyNames(plane)).not.toContain(first);
  });

  test('scaled down, the unready goes first, then the one with most company, then the newest', () => {
    const plane = new Plane({ nodes: 2 });
    const cordon = (unschedulable: boolean) => {
      const node = plane.store.get(kinds.Node, '', 'n2')!;
      plane.store.update({ ...node, spec: { ...node.spec, unschedulable } });
    };
    cordon(true);
    plane.apply(set(2));
    plane.run();
    const old = readyNames(plane);
    cordon(false);
    plane.apply(set(3));
    plane.run(); // n1, n1, and the newest on n2
    const newest = plane.pods().find(({ spec }) => spec.nodeName === 'n2')!;
    plane.apply(set(2));
    plane.run();
    expect(
      plane
        .pods()
        .map(({ spec }) => spec.nodeName)
        .sort(),
    ).toEqual(['n1', 'n2']);
    const left = plane.pods().find(({ metadata }) => old.includes(metadata.name))!;
    plane.controllers.podStatus(left, { phase: 'Running', ready: false });
    plane.apply(set(1));
    expect(plane.pod(left.metadata.name).metadata.deletionTimestamp).toBeDefined();
    plane.run();
    plane.apply(set(2));
    plane.run(); // one a node, both ready: now the newest goes
    plane.apply(set(1));
    plane.run();
    expect(readyNames(plane)).toEqual([newest.metadata.name]);
  });

  test('takes pods that nobody owns and it selects, and lets go of those it selects no more', () => {
    const plane = new Plane();
    plane.apply(pod('lone', {}, { labels: { app: 'rs' } }), set(2));
    expect(plane.pods()).toHaveLength(2);
    expect(plane.pod('lone').metadata.ownerReferences).toMatchObject([{ name: 'rs' }]);
    plane.apply(pod('lone', {}, { labels: { app: 'free' } }));
    expect(plane.pods()).toHaveLength(3);
    expect(plane.pod('lone').metadata.ownerReferences).toBeUndefined();
    plane.delete(kinds.ReplicaSet, 'rs');
    plane.run();
    expect(plane.pods().map(({ metadata }) => metadata.name)).toEqual(['lone']);
  });

  test('ReplicationControllers are the same with labels for a selector', () => {
    const plane = new Plane();
    plane.apply(workload(kinds.ReplicationController, 'rc', { replicas: 2, selector: { app: 'rc' } }));
    plane.run();
    expect(readyNames(plane)).toHaveLength(2);
    expect(plane.store.get(kinds.ReplicationController, 'default', 'rc')!.status).toMatchObject({ readyReplicas: 2 });
  });
});

test('the status of a Deployment that is applied again stays', () => {
  const plane = new Plane();
  plane.apply(deployment('web', 1));
  plane.run();
  const before = plane.store.resourceVersion;
  plane.apply(deployment('web', 1));
  expect(plane.store.resourceVersion).toBe(before);
  expect((plane.store.get(kinds.Deployment, 'default', 'web') as Deployment).status?.readyReplicas).toBe(1);
});
