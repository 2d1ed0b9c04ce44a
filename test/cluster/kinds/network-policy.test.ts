import { describe, expect, test } from 'vitest';
import { documentText, objectOf, testRefusals } from './refused.ts';

const policy = (fields: string) => documentText('networking.k8s.io/v1', 'NetworkPolicy', `spec: {${fields}}`);
const from = (peer: string) => policy(`ingress: [{from: [${peer}]}]`);
const port = (fields: string) => policy(`egress: [{ports: [{${fields}}]}]`);

test('gets the defaults that policy types hang on', () => {
  expect(objectOf(policy(''))).toMatchObject({ spec: { podSelector: {}, policyTypes: ['Ingress'] } });
  expect(objectOf(policy('egress: []'))).toMatchObject({ spec: { policyTypes: ['Ingress'] } });
  expect(objectOf(policy('egress: [{}], policyTypes: []'))).toMatchObject({
    spec: { egress: [{}], policyTypes: ['Ingress', 'Egress'] },
  });
  expect(objectOf(policy('egress: [{}], policyTypes: [Egress]'))).toMatchObject({ spec: { policyTypes: ['Egress'] } });
  expect(objectOf(port('port: 53'))).toMatchObject({ spec: { egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }] } });
});

test('what the API server takes', () => {
  const texts = [
    from('{podSelector: {}}, {namespaceSelector: {matchExpressions: [{key: a, operator: Exists}]}, podSelector: {}}'),
    from('{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 192.168.0.0/16]}}'),
    from('{ipBlock: {cidr: "fd00::/8", except: ["fd00:1::/32"]}}'),
    port('port: 80, endPort: 90'),
    port('port: http, protocol: SCTP'),
    port('protocol: UDP'),
    policy('ingress: [{from: [], ports: []}], egress: []'),
  ];
  for (const text of texts) expect(() => objectOf(text), text).not.toThrow();
});

describe('refused', () => {
  testRefusals([
    ['a misspelt direction', policy('ingres: []'), 'spec.ingres: unknown field "ingres"; did you mean "ingress"?'],
    ['a peer of nothing', from('{}'), 'spec.ingress[0].from[0]: found no peer, expected podSelector'],
    [
      'a block beside a selector',
      from('{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}'),
      'from[0]: found ipBlock beside a selector',
    ],
    ['a block without cidr', from('{ipBlock: {}}'), 'from[0].ipBlock: found no cidr, expected one'],
    [
      'a prefix of 33',
      from('{ipBlock: {cidr: 10.0.0.0/33}}'),
      'cidr: found "10.0.0.0/33", expected a prefix length from 0 to 32',
    ],
    [
      'bits after the prefix',
      from('{ipBlock: {cidr: 10.0.0.5/8}}'),
      'cidr: found "10.0.0.5/8", expected no bits set after the prefix; write 10.0.0.0/8',
    ],
    [
      'an exception outside',
      from('{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}'),
      'except[0]: found "11.0.0.0/16", expected a part of cidr',
    ],
    [
      'an exception of all',
      from('{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}'),
      'except[0]: found "10.0.0.0/8", expected a part of cidr',
    ],
    [
      'an exception of the other family',
      from('{ipBlock: {cidr: 0.0.0.0/0, except: ["fd00::/8"]}}'),
      'except[0]: found "fd00::/8", expected a part of cidr',
    ],
    [
      'an operator that is none',
      from('{podSelector: {matchExpressions: [{key: a, operator: Is, values: [b]}]}}'),
      'operator: found "Is", expected In or NotIn or Exists or DoesNotExist',
    ],
    [
      'In without values',
      from('{podSelector: {matchExpressions: [{key: a, operator: In}]}}'),
      'matchExpressions[0]: found no values',
    ],
    [
      'Exists with values',
      from('{podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}'),
      'matchExpressions[0].values: found values, expected none',
    ],
    [
      'an expression without key',
      from('{podSelector: {matchExpressions: [{operator: Exists}]}}'),
      'matchExpressions[0]: found no key',
    ],
    [
      'a value out of rule',
      from('{namespaceSelector: {matchExpressions: [{key: a, operator: In, values: ["b c"]}]}}'),
      'values[0]: found "b c", expected a label value',
    ],
    ['port 0', port('port: 0'), 'spec.egress[0].ports[0].port: found 0, expected a whole number from 1 to 65535'],
    [
      'a port name of 16',
      port('port: a234567890123456'),
      'ports[0].port: found "a234567890123456", expected a port name',
    ],
    ['a protocol that is none', port('protocol: ANY'), 'ports[0].protocol: found "ANY"'],
    ['an end below the port', port('port: 90, endPort: 80'), 'endPort: found 80, expected port, 90, or more'],
    ['an end after a name', port('port: http, endPort: 80'), 'endPort: found a port by name beside endPort'],
    ['an end alone', port('endPort: 80'), 'endPort: found no port beside endPort'],
    [
      'an end past all ports',
      port('port: 80, endPort: 65536'),
      'endPort: found 65536, expected a whole number from 1 to 65535',
    ],
    [
      'a type in lower case',
      policy('policyTypes: [ingress]'),
      'spec.policyTypes[0]: found "ingress", expected Ingress or Egress; did you mean "Ingress"?',
    ],
    ['three types', policy('policyTypes: [Ingress, Egress, Ingress]'), 'spec.policyTypes: found 3 types'],
    [
      'a peer as one map',
      policy('ingress: [{from: {podSelector: {}}}]'),
      'spec.ingress[0].from: found a map, expected a list; start each entry with "- "',
    ],
  ]);
});
