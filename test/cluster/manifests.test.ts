import { describe, expect, test } from 'vitest';
import { readManifests } from '../../src/cluster/manifests.ts';
import { formatProblem } from '../../src/cluster/source.ts';
import { clusterText, documents, objectsOf, podText, refusalOf } from './refusal.ts';

function notesOf(text: string): string[] {
  return readManifests([{ file: 'a.yaml', text }]).notes.map(formatProblem);
}

function namesOf(text: string): string[] {
  return objectsOf(text).map((object) => `${object.kind} ${object.namespace}/${object.name}`);
}

describe('objects', () => {
  test('come in the order of the input, over all texts', () => {
    const { objects } = readManifests([
      { file: 'a.yaml', text: documents(podText('b'), podText('a')) },
      { file: 'b.yaml', text: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {tier: x}}' },
    ]);
    expect(objects.map((object) => object.name)).toEqual(['b', 'a', 'shop']);
    expect(objects[2]).toMatchObject({ kind: 'Namespace', namespace: '', labels: { tier: 'x' } });
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
    const service = 'apiVersion: v1\nkind: Service\nmetadata: {name: "\\e[31m"}';
    const policy = 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}';
    expect(notesOf(documents(service, policy, service, podText('a'), service))).toEqual([
      'a.yaml:1:1: skipped 3 objects of kind Service (v1), which podwire does not read',
      'a.yaml:5:1: skipped 1 object of kind NetworkPolicy (networking.k8s.io/v1), which podwire does not read',
    ]);
  });

  test('of other groups may have the name of ours', () => {
    expect(notesOf('apiVersion: cluster.x-k8s.io/v1beta1\nkind: Cluster')).toHaveLength(1);
  });

  test('lists of them are skipped whole', () => {
    expect(notesOf('apiVersion: v1\nkind: ServiceList\nitems: [{}]')).toEqual([
      expect.stringContaining('ServiceList (v1)'),
    ]);
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
