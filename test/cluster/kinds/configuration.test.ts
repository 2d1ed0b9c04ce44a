import { describe, expect, test } from 'vitest';
import { formatProblem } from '../../../src/cluster/source.ts';
import { manifestsOf } from '../refusal.ts';
import { documentText, objectOf, testRefusals } from './refused.ts';

const configMap = (...fields: readonly string[]) => documentText('v1', 'ConfigMap', ...fields);
const secret = (...fields: readonly string[]) => documentText('v1', 'Secret', ...fields);
const node = (fields: string) => documentText('v1', 'Node', `spec: {${fields}}`);

test('a ConfigMap is as written', () => {
  const text = configMap('data: {a.b: "1", _: , __proto__: x}', 'binaryData: {c: AAE=}', 'immutable: true');
  expect(objectOf(text)).toEqual({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } },
    data: Object.fromEntries([
      ['a.b', '1'],
      ['_', ''],
      ['__proto__', 'x'],
    ]),
    ...{ binaryData: { c: 'AAE=' }, immutable: true },
  });
});

test('text of a Secret is encoded and wins over data', () => {
  const text = secret('data: {a: AAE=, b: "Zg==\\n"}', 'stringData: {a: "ü", c: ""}');
  const object = objectOf(text);
  expect(object).toMatchObject({ type: 'Opaque', data: { a: 'w7w=', b: 'Zg==\n', c: '' } });
  expect(object).not.toHaveProperty('stringData');
});

test('a Node is data; the pod network is not its to say', () => {
  const { objects, notes } = manifestsOf(
    node('podCIDR: 10.0.0.0/24, taints: [{key: a.b/c, value: d, effect: NoSchedule}]'),
  );
  expect(objects[0]!.object.metadata).toEqual({ name: 'a' });
  expect(notes.map(formatProblem)).toEqual([expect.stringMatching(/^a\.yaml:4:17: spec\.podCIDR: .* is not obeyed/)]);
});

describe('refused', () => {
  const big = 'x'.repeat(1024 * 1024);
  testRefusals([
    ['a key with a slash', configMap('data: {a/b: c}'), 'data[a/b]: found the key "a/b", expected a key'],
    ['a key that climbs', configMap('data: {..a: b}'), 'data[..a]: found the key "..a", expected a key'],
    ['a number for a text', configMap('data: {a: 1}'), 'data.a: found the number 1, expected a string; quote it: "1"'],
    ['a key in both', configMap('data: {a: b}', 'binaryData: {a: AAE=}'), 'data.a: found "a" in binaryData too'],
    [
      'bytes that are text',
      configMap('binaryData: {a: "ä"}'),
      'binaryData.a: found text that is not base64, expected base64; encode it',
    ],
    [
      'more than 1 MiB',
      configMap(`data: {a: ${big}, b: c}`),
      'data: found values of 1048577 bytes, expected at most 1048576',
    ],
    [
      'a password under data',
      secret('data: {password: hunter2!}'),
      'data.password: found text that is not base64, expected base64; encode it, or write the text under stringData',
    ],
    [
      'a certificate without key',
      secret('type: kubernetes.io/tls', 'stringData: {tls.crt: x}'),
      'data: found no tls.key, expected one in a secret of type kubernetes.io/tls',
    ],
    ['a taint without effect', node('taints: [{key: a}]'), 'spec.taints[0]: found no effect'],
    [
      'a taint with an effect that is none',
      node('taints: [{key: a, effect: noSchedule}]'),
      'spec.taints[0].effect: found "noSchedule"',
    ],
    [
      'a taint twice',
      node('taints: [{key: a, effect: NoExecute, value: x}, {key: a, effect: NoExecute}]'),
      'spec.taints[1]: found a second taint "a:NoExecute"',
    ],
    [
      'a node in a namespace',
      'apiVersion: v1\nkind: Node\nmetadata: {name: a, namespace: b}',
      'metadata.namespace: found a namespace, expected none',
    ],
  ]);
});
