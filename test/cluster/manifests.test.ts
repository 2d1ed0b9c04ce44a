import { describe, expect, test } from 'vitest';
import { readManifests, readObjects } from '../../src/cluster/manifests.ts';
import { formatProblem } from '../../src/cluster/source.ts';
import { clusterText, documents, manifestsOf, objectsOf, podText, refusalOf } from './refusal.ts';

function notesOf(text: string): string[] {
  return manifestsOf(text).notes.map(formatProblem);
}

function namesOf(text: string): string[] {
  return objectsOf(text).map(({ object: { kind, metadata } }) => `${kind} ${metadata.namespace}/${metadata.name}`);
}

describe('objects', () => {
  test('come in the order of the input, over all texts', () => {
    const { objects } = readManifests([
      { file: 'a.yaml', text: documents(podText('b'), podText('a')) },
      { file: 'b.yaml', text: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {tier: x}}' },
    ]);
    expect(objects.map(({ object }) => object.metadata.name)).toEqual(['b', 'a', 'shop']);
    expect(objects[2]!.object).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop', labels: { tier: 'x', 'kubernetes.io/metadata.name': 'shop' } },
      spec: {},
    });
    expect(objects[2]!.source.place).toEqual({ file: 'b.yaml', line: 1, column: 1 });
  });

  test('of a List stand for themselves, lists in lists too', () => {
    const pod = (name: string) => `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}}`;
    const inner = `{apiVersion: v1, kind: List, items: [${pod('b')}, ${pod('c')}]}`;
    const text = `apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ""}\nitems: [${pod('a')}, ${inner}]`;
    expect(namesOf(text)).toEqual(['Pod default/a', 'Pod default/b', 'Pod default/c']);
  });

  test('of a typed list may leave out what the list says', () => {
    const text = 'apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: a}}, {metadata: {name: b, namespace: x}}]';
    expect(namesOf(text)).toEqual(['Pod default/a', 'Pod x/b']);
  });

  test('an empty List is nothing', () => {
    expect(namesOf('apiVersion: v1\nkind: List\nitems: []')).toEqual([]);
    expect(namesOf('apiVersion: v1\nkind: List\nitems:')).toEqual([]);
  });
});

describe('other kinds', () => {
  test('are skipped with one note each, which counts them', () => {
    const claim = 'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: "\\e[31m"}';
    const route = 'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}';
    expect(notesOf(documents(claim, route, claim, podText('a'), claim))).toEqual([
      'a.yaml:1:1: skipped 3 objects of kind PersistentVolumeClaim (v1), which podwire does not read',
      'a.yaml:5:1: skipped 1 object of kind Ingress (networking.k8s.io/v1), which podwire does not read',
    ]);
  });

  test('of other groups may have the name of ours', () => {
    expect(notesOf('apiVersion: cluster.x-k8s.io/v1beta1\nkind: Cluster')).toHaveLength(1);
    expect(notesOf('apiVersion: serving.knative.dev/v1\nkind: Service')).toHaveLength(1);
  });

  test('in lists of a kind count one by one', () => {
    expect(notesOf('apiVersion: v1\nkind: EventList\nitems: [{}, {}]')).toEqual([
      expect.stringContaining('skipped 2 objects of kind Event (v1)'),
    ]);
  });

  test('of releases newer than the field tables are not mistakes', () => {
    expect(notesOf('apiVersion: resource.k8s.io/v1beta2\nkind: DeviceClass')).toHaveLength(1);
    expect(notesOf('apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR')).toHaveLength(1);
    expect(notesOf('apiVersion: policy/v1beta1\nkind: PodSecurityPolicy')).toHaveLength(1);
  });

  test('control characters in a kind are escaped', () => {
    expect(notesOf('apiVersion: example.com/v1\nkind: "\\e[31m"')[0]).toContain('\\u{1b}[31m');
  });
});

test('what the YAML reader only warns of is a note', () => {
  expect(notesOf(`%YAML 1.9\n---\n${podText('a')}`)).toEqual(['a.yaml:1:7: Unsupported YAML version 1.9']);
});

describe('refused', () => {
  const cases = [
    {
      name: 'a scalar document',
      text: 'hello',
      want: 'a.yaml:1:1: found no object, expected one with apiVersion and kind',
    },
    { name: 'a list document', text: '- a\n- b', want: 'a.yaml:1:1: found no object' },
    { name: 'no type', text: 'metadata: {}', want: 'a.yaml:1:1: found no apiVersion and no kind, expected both' },
    { name: 'no kind', text: 'apiVersion: v1', want: 'a.yaml:1:1: found no kind, expected both' },
    {
      name: 'a kind that is no string',
      text: 'apiVersion: v1\nkind: 1',
      want: 'a.yaml:2:7: kind: found the number 1, expected a string; quote it: "1"',
    },
    { name: 'an empty kind', text: 'apiVersion: v1\nkind: ""', want: 'a.yaml:2:1: kind: found nothing' },
    {
      name: 'a misspelt core kind',
      text: 'apiVersion: v1\nkind: Pods',
      want: 'a.yaml:1:1: found no kind "Pods" in v1; did you mean "Pod"?',
    },
    { name: 'a kind in lower case', text: 'apiVersion: v1\nkind: pod', want: 'did you mean "Pod"?' },
    {
      name: 'our kind in another built-in group',
      text: 'apiVersion: apps/v1\nkind: Pod',
      want: 'found no kind Pod in "apps/v1", expected apiVersion v1',
    },
    {
      name: 'a kind in a group that it has left',
      text: 'apiVersion: extensions/v1beta1\nkind: Deployment',
      want: 'a.yaml:1:1: found no kind Deployment in "extensions/v1beta1", expected apiVersion apps/v1',
    },
    {
      name: 'a list of a kind in a group that it has left',
      text: 'apiVersion: apps/v1beta2\nkind: DaemonSetList',
      want: 'found no kind DaemonSetList in "apps/v1beta2", expected apiVersion apps/v1',
    },
    {
      name: 'a version that is gone, of a kind that is not read',
      text: 'apiVersion: policy/v1beta1\nkind: PodDisruptionBudget',
      want: 'found no kind PodDisruptionBudget in "policy/v1beta1", expected apiVersion policy/v1',
    },
    {
      name: 'a version that never was',
      text: 'apiVersion: autoscaling/v2beta2\nkind: HorizontalPodAutoscaler',
      want: 'expected apiVersion autoscaling/v2',
    },
    {
      name: 'a version that is gone, of a kind that another group has too',
      text: 'apiVersion: events.k8s.io/v1beta1\nkind: Event',
      want: 'found no kind Event in "events.k8s.io/v1beta1", expected apiVersion events.k8s.io/v1',
    },
    {
      name: 'a misspelt kind of a group with a version',
      text: 'apiVersion: apps/v1\nkind: Deploymnt',
      want: 'found no kind "Deploymnt" in apps/v1; did you mean "Deployment"?',
    },
    {
      name: 'another kind in our group',
      text: 'apiVersion: podwire.dev/v1\nkind: Cluster',
      want: 'expected Cluster in podwire.dev/v1alpha1',
    },
    {
      name: 'a List whose items are no list',
      text: 'apiVersion: v1\nkind: List\nitems: {}',
      want: 'a.yaml:3:1: items: found a map, expected a list',
    },
    {
      name: 'a List item that is no object',
      text: 'apiVersion: v1\nkind: List\nitems: [1]',
      want: 'a.yaml:3:9: found no object',
    },
    {
      name: 'an unknown field of a List',
      text: 'apiVersion: v1\nkind: List\nitem: []',
      want: 'a.yaml:3:1: item: unknown field "item"; did you mean "items"?',
    },
    {
      name: 'a Namespace in a namespace',
      text: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}',
      want: 'a.yaml:3:32: metadata.namespace: found a namespace, expected none',
    },
    {
      name: 'a Namespace with dots',
      text: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a.b}',
      want: 'a.yaml:3:18: metadata.name: found "a.b", expected a DNS label',
    },
  ];
  for (const { name, text, want } of cases) {
    test(name, () => expect(refusalOf(() => objectsOf(text))).toEqual([expect.stringContaining(want)]));
  }

  test('a text past a limit for that alone, the other texts for all', () => {
    const texts = [
      { file: 'a.yaml', text: '1\n...\n'.repeat(10_001) },
      { file: 'b.yaml', text: '1' },
    ];
    expect(refusalOf(() => readManifests(texts))).toEqual([
      expect.stringMatching(/^a\.yaml:\d+:1: found more than 10000 documents/),
      'b.yaml:1:1: found no object, expected one with apiVersion and kind',
    ]);
  });

  test('all problems of all texts at once', () => {
    const texts = [
      {
        file: 'a.yaml',
        text: documents(podText('A'), 'k: [', podText('ok', 'spec: {nodename: n1, hostNetwork: "true"}')),
      },
      { file: 'b.yaml', text: 'apiVersion: v1\nkind: Pot' },
    ];
    const lines = refusalOf(() => readManifests(texts));
    expect(lines.map((line) => line.split(': ')[0])).toEqual([
      'a.yaml:6:1', // YAML first: it is found when the document is read, and the others are judged after
      'a.yaml:3:18',
      'a.yaml:10:8',
      'a.yaml:10:35',
      'b.yaml:1:1',
    ]);
  });
});

describe('duplicates', () => {
  test('name both places', () => {
    const texts = [
      { file: 'a.yaml', text: podText('web') },
      {
        file: 'b.yaml',
        text: documents(podText('db'), 'apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: default}'),
      },
    ];
    expect(refusalOf(() => readManifests(texts))).toEqual([
      'b.yaml:7:18: metadata.name: found Pod default/web twice, first at a.yaml:3:18; expected each object once: remove or rename one',
    ]);
  });

  test('are of the same kind and namespace', () => {
    const elsewhere = 'apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}';
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: web}';
    expect(objectsOf(documents(podText('web'), elsewhere, namespace))).toHaveLength(3);
  });

  test('a second Cluster document is one whatever its name', () => {
    const text = documents(clusterText('name: a'), clusterText('name: b'));
    expect(refusalOf(() => objectsOf(text))).toEqual([
      'a.yaml:5:1: found a second Cluster document, the first is at a.yaml:1:1; expected at most one: remove one',
    ]);
  });

  test('nameless objects are told once, for having no name', () => {
    const nameless = 'apiVersion: v1\nkind: Pod\nmetadata: {labels: {}}';
    expect(refusalOf(() => objectsOf(documents(nameless, nameless)))).toEqual([
      expect.stringContaining('found no name'),
      expect.stringContaining('found no name'),
    ]);
  });
});

describe('objects of a program', () => {
  const pod = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name, uid: undefined } });

  test('are read as documents are', () => {
    const list = { apiVersion: 'v1', kind: 'List', items: [pod('b')] };
    const { objects } = readObjects([pod('a'), list], 'shop');
    expect(objects.map(({ object }) => object.metadata)).toEqual([
      { name: 'a', namespace: 'shop' },
      { name: 'b', namespace: 'shop' },
    ]);
    expect(objects[0]!.object).toEqual(
      readManifests([{ file: 'a', text: JSON.stringify(pod('a')) }], 'shop').objects[0]!.object,
    );
  });

  test('have their number as place', () => {
    const wrong = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: [{ port: 70000 }] } };
    expect(refusalOf(() => readObjects([pod('a'), wrong, 7, { ...wrong, spec: { ports: [{ port: '80' }] } }]))).toEqual(
      [
        'object 2: spec.ports[0].port: found 70000, expected a whole number from 1 to 65535',
        'object 3: found no object, expected one with apiVersion and kind',
        'object 4: spec.ports[0].port: found the string "80", expected a whole number; remove the quotes',
        'object 4: metadata.name: found Service default/a twice, first at object 2; expected each object once: remove or rename one',
      ],
    );
  });

  test('have holes of lists as null, as JSON.stringify', () => {
    const wrong = { ...pod('a'), spec: { containers: new Array(1) } };
    expect(refusalOf(() => readObjects([wrong]))).toEqual([
      'object 1: spec.containers[0]: found nothing, expected a map: key: value',
    ]);
  });

  test('are JSON, and no deeper than documents', () => {
    const loop: unknown[] = [];
    loop.push(loop);
    const spec = (value: unknown) => ({ ...pod('a'), spec: value });
    expect(refusalOf(() => readObjects([spec({ nodeName: () => 1 }), spec(Number.NaN), spec(loop), null]))).toEqual([
      'object 1: spec.nodeName: found a function, expected a JSON value',
      'object 2: spec: found a number, expected a JSON value',
      expect.stringMatching(/^object 3: spec(\[0\])+: found values nested more than 100 deep/),
      'object 4: found no object, expected one with apiVersion and kind',
    ]);
  });
});

test('a namespace is given to objects that name none and live in one', () => {
  const text = documents(podText('a'), 'apiVersion: v1\nkind: Node\nmetadata: {name: n1}');
  const { objects } = readManifests([{ file: 'a.yaml', text }], 'shop');
  expect(objects.map(({ object }) => object.metadata.namespace)).toEqual(['shop', undefined]);
});
