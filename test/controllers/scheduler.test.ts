import { describe, expect, test } from 'vitest';
import type { Node } from '../../src/store/object.ts';
import { kinds } from '../../src/store/resources.ts';
import { deployment, object, Plane, pod } from './plane.ts';

function change(plane: Plane, name: string, spec: object, labels?: Record<string, string>, status?: object): void {
  const node = plane.store.get(kinds.Node, '', name)!;
  const metadata = { ...node.metadata, labels: { ...node.metadata.labels, ...labels } };
  const changed = plane.store.update({ ...node, metadata, spec: { ...node.spec, ...spec } } as Node);
  if (status !== undefined) plane.store.updateStatus({ ...changed, status: { ...changed.status, ...status } } as Node);
  plane.controllers.reconcile();
}

const places = (plane: Plane) =>
  Object.fromEntries(plane.pods().map(({ metadata, spec }) => [metadata.name, spec.nodeName]));
const nodeAffinity = (...matchExpressions: object[]) => ({
  affinity: {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } },
  },
});
const selector = (app: string) => ({ labelSelector: { matchLabels: { app } } });
const neighbours = (kind: 'podAffinity' | 'podAntiAffinity', app: string, topologyKey: string) => ({
  affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [{ ...selector(app), topologyKey }] } },
});
const HOST = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
const app = (name: string) => ({ labels: { app: name } });

describe('where nothing is asked', () => {
  test('pods go to the node with the fewest, ties to the first', () => {
    const plane = new Plane();
    plane.apply(...['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => pod(name)));
    expect(places(plane)).toEqual({ a: 'n1', b: 'n2', c: 'n3', d: 'n1', e: 'n2', f: 'n3', g: 'n1' });
  });

  test('pods that name a node are counted first, wherever they stand', () => {
    const plane = new Plane();
    plane.apply(pod('a'), pod('b'), pod('c', { nodeName: 'n1' }), pod('d', { nodeName: 'n1' }));
    expect(places(plane)).toEqual({ a: 'n2', b: 'n3', c: 'n1', d: 'n1' });
  });

  test('pods that have ended do not count', () => {
    const plane = new Plane({ nodes: 2 });
    plane.apply(pod('a'), pod('b', { nodeName: 'n2' }), pod('c', { nodeName: 'n1' }));
    expect(places(plane)['a']).toBe('n1');
    plane.controllers.podStatus(plane.pod('a'), { phase: 'Succeeded', ready: false });
    plane.controllers.podStatus(plane.pod('c'), { phase: 'Failed', ready: false });
    plane.apply(pod('d'));
    expect(places(plane)['d']).toBe('n1');
  });
});

describe('what keeps a pod off nodes', () => {
  const refused = (plane: Plane, name: string) => {
    const condition = plane.pod(name).status?.conditions?.find(({ type }) => type === 'PodScheduled');
    return condition?.status === 'False' ? condition.message : undefined;
  };

  test('is told in the scheduler’s words, by event and condition; and the pod gets its node when it can', () => {
    const plane = new Plane();
    change(plane, 'n1', { taints: [{ key: 'only', value: 'db', effect: 'NoSchedule' }] });
    change(plane, 'n2', { unschedulable: true });
    plane.apply(pod('a', { nodeSelector: { disk: 'ssd' } }));
    const message =
      "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {only: db}, 1 node(s) were unschedulable.";
    expect(refused(plane, 'a')).toBe(message);
    expect(plane.events()).toEqual([`FailedScheduling: ${message}`]);
    change(plane, 'n3', {}, { disk: 'ssd' });
    expect(places(plane)).toEqual({ a: 'n3' });
    expect(plane.events()).toContain('Scheduled: Successfully assigned default/a to n3');
  });

  test('no nodes at all', () => {
    const plane = new Plane({ nodes: 0 });
    plane.apply(pod('a'));
    expect(plane.events()).toEqual(['FailedScheduling: no nodes available to schedule pods']);
  });

  test('the same refusal again is counted, not repeated', () => {
    const plane = new Plane();
    plane.apply(pod('a', { nodeSelector: { disk: 'ssd' } }));
    change(plane, 'n1', {}, { rack: '7' });
    const [event, ...others] = plane.store.list(kinds.Event);
    expect([event?.count, others.length]).toEqual([2, 0]);
  });

  const operators: readonly (readonly [expression: object, nodes: string])[] = [
    [{ key: 'size', operator: 'In', values: ['2', '3'] }, 'n2 n3'],
    [{ key: 'size', operator: 'NotIn', values: ['2', '3'] }, 'n1 n4'],
    [{ key: 'size', operator: 'Exists' }, 'n1 n2 n3'],
    [{ key: 'size', operator: 'DoesNotExist' }, 'n4'],
    [{ key: 'size', operator: 'Gt', values: ['1'] }, 'n2 n3'],
    [{ key: 'size', operator: 'Lt', values: ['3'] }, 'n1 n2'],
  ];
  for (const [expression, nodes] of operators) {
    test(`required node affinity ${JSON.stringify(expression)}`, () => {
      const plane = new Plane({ nodes: 4 });
      for (const size of ['1', '2', '3']) change(plane, `n${size}`, {}, { size });
      plane.apply(deployment('web', 8, nodeAffinity(expression)));
      expect([...new Set(plane.pods().map(({ spec }) => spec.nodeName))].sort().join(' ')).toBe(nodes);
    });
  }

  const tolerations: readonly (readonly [toleration: object, tolerated: boolean])[] = [
    [{ key: 'a', value: 'x', effect: 'NoSchedule' }, true],
    [{ key: 'a', operator: 'Equal', value: 'x' }, true],
    [{ key: 'a', value: 'y' }, false],
    [{ key: 'a', operator: 'Exists' }, true],
    [{ key: 'b', operator: 'Exists' }, false],
    [{ operator: 'Exists' }, true],
    [{ key: 'a', operator: 'Exists', effect: 'NoExecute' }, false],
  ];
  for (const [toleration, tolerated] of tolerations) {
    test(`a taint a=x:NoSchedule and the toleration ${JSON.stringify(toleration)}`, () => {
      const plane = new Plane({ nodes: 1 });
      change(plane, 'n1', { taints: [{ key: 'a', value: 'x', effect: 'NoSchedule' }] });
      plane.apply(pod('p', { tolerations: [toleration] }));
      expect(places(plane)['p']).toBe(tolerated ? 'n1' : undefined);
    });
  }

  test('host ports', () => {
    const plane = new Plane({ nodes: 2 });
    const ports = (hostIP?: string) => ({
      containers: [
        { name: 'c', ports: [{ containerPort: 80, hostPort: 8080, ...(hostIP === undefined ? {} : { hostIP }) }] },
      ],
    });
    plane.apply(pod('a', ports()), pod('b', ports('172.18.0.9')), pod('c', ports()));
    expect(places(plane)).toEqual({ a: 'n1', b: 'n2', c: undefined });
    expect(refused(plane, 'c')).toContain("2 node(s) didn't have free ports for the requested pod ports");
    plane.delete(kinds.Pod, 'a');
    plane.run();
    expect(places(plane)['c']).toBe('n1');
  });

  test('anti-affinity by host, and by zone', () => {
    const plane = new Plane();
    plane.apply(deployment('web', 4, neighbours('podAntiAffinity', 'web', HOST)));
    expect(
      plane
        .pods()
        .map(({ spec }) => spec.nodeName ?? '-')
        .sort(),
    ).toEqual(['-', 'n1', 'n2', 'n3']);
    expect(plane.events().find((text) => text.startsWith('Failed'))).toContain(
      "3 node(s) didn't match pod anti-affinity rules",
    );
    const zones = new Plane();
    zones.apply(deployment('web', 3, neighbours('podAntiAffinity', 'web', ZONE)));
    expect(
      zones
        .pods()
        .map(({ spec }) => spec.nodeName ?? '-')
        .sort(),
    ).toEqual(['-', 'n1', 'n2']);
  });

  test('the anti-affinity of pods that are there', () => {
    const plane = new Plane({ nodes: 1 });
    plane.apply(pod('shy', neighbours('podAntiAffinity', 'web', HOST)), pod('w', {}, app('web')));
    expect(refused(plane, 'w')).toContain("1 node(s) didn't satisfy existing pods anti-affinity rules");
    plane.delete(kinds.Pod, 'shy');
    plane.run();
    expect(places(plane)).toEqual({ w: 'n1' });
  });

  test('affinity: where the others are; the first of a group anywhere', () => {
    const plane = new Plane();
    plane.apply(pod('lone', neighbours('podAffinity', 'db', HOST)));
    expect(refused(plane, 'lone')).toContain("3 node(s) didn't match pod affinity rules");
    plane.apply(pod('db', { nodeName: 'n2' }, app('db')));
    expect(places(plane)['lone']).toBe('n2');
    plane.apply(deployment('web', 3, neighbours('podAffinity', 'web', HOST)));
    const nodes = plane
      .pods()
      .filter(({ metadata }) => metadata.name.startsWith('web'))
      .map(({ spec }) => spec.nodeName);
    expect(new Set(nodes).size).toBe(1);
    expect(nodes[0]).toBeDefined();
  });

  test('affinity across namespaces, named and selected', () => {
    const plane = new Plane();
    const elsewhere = { ...app('db'), namespace: 'data' };
    plane.apply(
      object(kinds.Namespace, 'data', {}, { labels: { team: 'x' } }),
      pod('db', { nodeName: 'n3' }, elsewhere),
    );
    const term = (extra: object) => ({
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ ...selector('db'), topologyKey: HOST, ...extra }],
        },
      },
    });
    plane.apply(pod('own', term({})), pod('named', term({ namespaces: ['data'] })));
    plane.apply(pod('chosen', term({ namespaceSelector: { matchLabels: { team: 'x' } } })));
    plane.apply(pod('not', term({ namespaceSelector: { matchLabels: { team: 'y' } } })));
    expect(places(plane)).toEqual({ own: undefined, named: 'n3', chosen: 'n3', not: undefined });
  });

  test('topology spread: no zone more than maxSkew ahead', () => {
    const plane = new Plane({ nodes: 3 }); // z1: n1, n3; z2: n2
    const constraint = { maxSkew: 1, topologyKey: ZONE, whenUnsatisfiable: 'DoNotSchedule', ...selector('web') };
    plane.apply(deployment('web', 6, { topologySpreadConstraints: [constraint] }));
    const zoneOf = (name: string | undefined) => (name === 'n2' ? 'z2' : 'z1');
    const zones = plane.pods().map(({ spec }) => zoneOf(spec.nodeName));
    expect(zones.filter((zone) => zone === 'z2')).toHaveLength(3);
    change(plane, 'n2', { unschedulable: true });
    plane.apply(deployment('web', 9, { topologySpreadConstraints: [constraint] }));
    const waiting = plane.pods().filter(({ spec }) => spec.nodeName === undefined);
    expect(waiting).toHaveLength(2); // 4 and 3; the next would be 5 and 3
    expect(refused(plane, waiting[0]!.metadata.name)).toContain(
      "2 node(s) didn't match pod topology spread constraints",
    );
  });

  test('scheduling gates', () => {
    const plane = new Plane();
    plane.apply(pod('a', { schedulingGates: [{ name: 'x' }] }));
    expect(places(plane)).toEqual({ a: undefined });
  });

  test('a node that was ready and is not; one that never was is expected to be', () => {
    const plane = new Plane({ nodes: 2 });
    change(plane, 'n1', {}, {}, { conditions: [{ type: 'Ready', status: 'False' }] });
    plane.apply(pod('a'), pod('b'));
    expect(places(plane)).toEqual({ a: 'n2', b: 'n2' });
    const conditions = [{ type: 'Ready', status: 'False' }];
    plane.apply({ ...object(kinds.Node, 'n3', {}), status: { conditions } } as Node, pod('c'));
    expect(places(plane)['c']).toBe('n3');
  });
});

describe('what makes a node better than another', () => {
  test('preferred node affinity', () => {
    const plane = new Plane();
    change(plane, 'n3', {}, { disk: 'ssd' });
    const preference = { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] };
    const nodeAffinityOf = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference }] };
    plane.apply(pod('x', { nodeName: 'n3' }), pod('a', { affinity: { nodeAffinity: nodeAffinityOf } }));
    expect(places(plane)['a']).toBe('n3');
  });

  test('preferred neighbours, and preferred solitude', () => {
    const plane = new Plane();
    const prefer = (kind: string) => {
      const preferred = [{ weight: 100, podAffinityTerm: { ...selector('db'), topologyKey: HOST } }];
      return { affinity: { [kind]: { preferredDuringSchedulingIgnoredDuringExecution: preferred } } };
    };
    plane.apply(pod('db', { nodeName: 'n1' }, app('db')), pod('x', { nodeName: 'n2' }), pod('y', { nodeName: 'n3' }));
    plane.apply(pod('near', prefer('podAffinity')), pod('far', prefer('podAntiAffinity')));
    expect(places(plane)).toMatchObject({ near: 'n1', far: 'n2' });
  });

  test('taints with PreferNoSchedule', () => {
    const plane = new Plane({ nodes: 2 });
    change(plane, 'n1', { taints: [{ key: 'a', effect: 'PreferNoSchedule' }] });
    plane.apply(pod('a'), pod('b'), pod('c', { tolerations: [{ key: 'a', operator: 'Exists' }] }));
    expect(places(plane)).toEqual({ a: 'n2', b: 'n2', c: 'n1' });
  });

  test('topology spread that is only a wish', () => {
    const plane = new Plane({ nodes: 3 });
    const constraint = { maxSkew: 1, topologyKey: ZONE, whenUnsatisfiable: 'ScheduleAnyway', ...selector('web') };
    plane.apply(deployment('web', 4, { topologySpreadConstraints: [constraint] }));
    expect(plane.pods().filter(({ spec }) => spec.nodeName === 'n2')).toHaveLength(2);
  });
});

test('taints with NoExecute drive pods out that do not tolerate them', () => {
  const plane = new Plane({ nodes: 2 });
  plane.apply(deployment('web', 2), pod('stays', { nodeName: 'n1', tolerations: [{ operator: 'Exists' }] }));
  plane.run();
  change(plane, 'n1', { taints: [{ key: 'bad', effect: 'NoExecute' }] });
  plane.run();
  expect(
    plane
      .pods()
      .map(({ spec }) => spec.nodeName)
      .sort(),
  ).toEqual(['n1', 'n2', 'n2']);
});
