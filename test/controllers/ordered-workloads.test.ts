import { describe, expect, test } from 'vitest';
import type { Job } from '../../src/store/object.ts';
import { kinds } from '../../src/store/resources.ts';
import { Plane, workload } from './plane.ts';

describe('StatefulSet', () => {
  const set = (replicas: number, spec: object = {}, podSpec: object = {}) => {
    return workload(kinds.StatefulSet, 'db', { replicas, serviceName: 'db', ...spec }, podSpec);
  };
  const names = (plane: Plane) => plane.pods().map(({ metadata }) => metadata.name);

  test('makes its pods one after the other, each when the one before is ready', () => {
    const plane = new Plane();
    plane.apply(set(3));
    expect(names(plane)).toEqual(['db-0']);
    plane.runOnce();
    expect(names(plane)).toEqual(['db-0', 'db-1']);
    plane.run();
    expect(names(plane)).toEqual(['db-0', 'db-1', 'db-2']);
    expect(plane.pod('db-1')).toMatchObject({
      metadata: { labels: { 'statefulset.kubernetes.io/pod-name': 'db-1', 'apps.kubernetes.io/pod-index': '1' } },
      spec: { hostname: 'db-1', subdomain: 'db' },
    });
  });

  test('Parallel: all at once, and gone at once', () => {
    const plane = new Plane();
    plane.apply(set(3, { podManagementPolicy: 'Parallel', ordinals: { start: 5 } }));
    expect(names(plane)).toEqual(['db-5', 'db-6', 'db-7']);
    plane.run();
    plane.apply(set(1, { podManagementPolicy: 'Parallel', ordinals: { start: 5 } }));
    plane.runOnce();
    expect(names(plane)).toEqual(['db-5']);
  });

  test('goes down from the last, one at a time', () => {
    const plane = new Plane();
    plane.apply(set(3));
    plane.run();
    plane.apply(set(1));
    expect(marked(plane)).toEqual(['db-2']);
    plane.runOnce();
    expect(marked(plane)).toEqual(['db-1']);
    plane.run();
    expect(names(plane)).toEqual(['db-0']);
  });

  test('a deleted pod comes back under its name when it has ended', () => {
    const plane = new Plane();
    plane.apply(set(2));
    plane.run();
    const { uid } = plane.pod('db-0').metadata;
    plane.delete(kinds.Pod, 'db-0');
    expect(plane.pod('db-0').metadata.uid).toBe(uid);
    plane.run();
    expect(plane.pod('db-0').metadata.uid).not.toBe(uid);
    expect(names(plane)).toEqual(['db-0', 'db-1']);
  });

  test('is updated from the last to the first, down to its partition', () => {
    const plane = new Plane();
    plane.apply(set(3));
    plane.run();
    const order: string[] = [];
    plane.apply(
      set(
        3,
        { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } },
        { restartPolicy: 'Always' },
      ),
    );
    do order.push(...marked(plane));
    while (plane.runOnce());
    expect(order).toEqual(['db-2', 'db-1']);
    expect(plane.pods().map(({ spec }) => spec.restartPolicy)).toEqual([undefined, 'Always', 'Always']);
  });
});

function marked(plane: Plane): string[] {
  return plane
    .pods()
    .filter(({ metadata }) => metadata.deletionTimestamp)
    .map(({ metadata }) => metadata.name);
}

describe('DaemonSet', () => {
  const daemon = (podSpec: object = {}, spec: object = {}) => workload(kinds.DaemonSet, 'agent', spec, podSpec);
  const taint = (plane: Plane, name: string, taints: object[]) => {
    const node = plane.store.get(kinds.Node, '', name)!;
    plane.store.update({ ...node, spec: { ...node.spec, taints: taints as [] } });
    plane.controllers.reconcile();
  };

  test('one pod a node, named after it; also when a node comes or goes', () => {
    const plane = new Plane({ nodes: 2 });
    plane.apply(daemon());
    expect(plane.places()).toEqual(['agent-n1 n1', 'agent-n2 n2']);
    plane.run();
    const node = plane.store.get(kinds.Node, '', 'n2')!;
    plane.delete(kinds.Node, 'n2');
    plane.run();
    expect(plane.places()).toEqual(['agent-n1 n1']);
    const { uid: _, resourceVersion: __, ...metadata } = node.metadata;
    plane.store.create({ ...node, metadata });
    plane.run();
    expect(plane.places()).toEqual(['agent-n1 n1', 'agent-n2 n2']);
  });

  test('only on nodes that its nodeSelector and tolerations allow', () => {
    const plane = new Plane();
    taint(plane, 'n3', [{ key: 'only', value: 'db', effect: 'NoSchedule' }]);
    plane.apply(daemon({ nodeSelector: { 'topology.kubernetes.io/zone': 'z1' } }));
    expect(plane.places()).toEqual(['agent-n1 n1']);
    plane.apply(daemon({ tolerations: [{ key: 'only', operator: 'Exists' }] }));
    plane.run();
    expect(plane.places()).toEqual(['agent-n1 n1', 'agent-n2 n2', 'agent-n3 n3']);
    plane.apply(daemon());
    plane.run();
    expect(plane.places()).toEqual(['agent-n1 n1', 'agent-n2 n2']);
  });

  test('runs on cordoned nodes', () => {
    const plane = new Plane({ nodes: 1 });
    const node = plane.store.get(kinds.Node, '', 'n1')!;
    plane.store.update({ ...node, spec: { ...node.spec, unschedulable: true } });
    plane.apply(daemon());
    expect(plane.places()).toEqual(['agent-n1 n1']);
  });

  test('is updated one node at a time', () => {
    const plane = new Plane();
    plane.apply(daemon());
    plane.run();
    plane.apply(daemon({ restartPolicy: 'Always' }));
    let most = 0;
    do most = Math.max(most, marked(plane).length);
    while (plane.runOnce());
    expect(most).toBe(1);
    expect(plane.pods().map(({ spec }) => spec.restartPolicy)).toEqual(['Always', 'Always', 'Always']);
  });
});

describe('Job', () => {
  const job = (spec: object) => workload(kinds.Job, 'task', spec, { restartPolicy: 'Never' });
  const stored = (plane: Plane): Job => plane.store.get(kinds.Job, 'default', 'task')!;
  const active = (plane: Plane) => plane.pods().filter(({ status }) => status?.phase !== 'Succeeded').length;

  test('as many at a time as its parallelism, until its completions have succeeded', () => {
    const plane = new Plane();
    plane.apply(job({ completions: 5, parallelism: 2 }));
    let most = 0;
    do most = Math.max(most, active(plane));
    while (plane.runOnce());
    expect(most).toBe(2);
    expect(stored(plane).status).toMatchObject({
      succeeded: 5,
      active: 0,
      conditions: [{ type: 'Complete', status: 'True' }],
    });
    expect(plane.pods()).toHaveLength(5);
  });

  test('Indexed: each index once', () => {
    const plane = new Plane();
    plane.apply(job({ completions: 3, parallelism: 3, completionMode: 'Indexed' }));
    plane.run();
    const key = 'batch.kubernetes.io/job-completion-index';
    expect(
      plane
        .pods()
        .map(({ metadata }) => metadata.annotations![key])
        .sort(),
    ).toEqual(['0', '1', '2']);
    expect(plane.pods()[0]!.metadata.name).toMatch(/^task-0-[a-z0-9]{5}$/);
  });

  test('suspended: no pods', () => {
    const plane = new Plane();
    plane.apply(job({ completions: 1, suspend: true }));
    plane.run();
    expect(plane.pods()).toEqual([]);
  });

  test('without completions one success is enough', () => {
    const plane = new Plane();
    plane.apply(job({ parallelism: 2 }));
    plane.run();
    expect(stored(plane).status).toMatchObject({ succeeded: 2, conditions: [{ type: 'Complete' }] });
  });

  test('a pod with a program of its own says itself when it is done', () => {
    const plane = new Plane();
    plane.apply(workload(kinds.Job, 'task', { completions: 1 }, {}, { 'podwire.dev/run': 'true' }));
    plane.run();
    expect(plane.pods()[0]!.status?.phase).toBe('Running');
    plane.controllers.podStatus(plane.pods()[0]!, { phase: 'Succeeded', ready: false });
    plane.run();
    expect(stored(plane).status).toMatchObject({ succeeded: 1 });
  });

  test('the address of a pod that has succeeded is free again', () => {
    const plane = new Plane({ nodes: 1 });
    plane.apply(job({ completions: 300, parallelism: 100 }));
    plane.run();
    expect(stored(plane).status).toMatchObject({ succeeded: 300 });
  });
});
