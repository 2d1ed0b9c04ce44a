import { describe, expect, test } from 'vitest';
import { readObjects } from '../../../src/cluster/manifests.ts';
import { ManifestError } from '../../../src/cluster/source.ts';
import { PACKETS } from '../../support/packets.ts';
import { withRandom } from '../../support/random.ts';
import { manifestsOf, refusalOf } from '../refusal.ts';
import { randomSpec } from './random-policy-spec.ts';
import { documentText, objectOf, testRefusals } from './refused.ts';
import { serverTakes } from './slow-policy-rules.ts';

const policy = (fields: string) => documentText('networking.k8s.io/v1', 'NetworkPolicy', `spec: {${fields}}`);
const from = (peer: string) => policy(`ingress: [{from: [${peer}]}]`);
const port = (fields: string) => policy(`egress: [{ports: [{${fields}}]}]`);

test('NP-005 NP-016 gets the defaults that policy types hang on', () => {
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
    // The last that passes, at each edge.
    port('port: 1'),
    port('port: 65535'),
    port('port: 65535, endPort: 65535'),
    port('port: a23456789012345'),
    port('port: 8a'),
    port('port: null, protocol: null'),
    policy('policyTypes: [Egress, Ingress]'),
    policy('policyTypes: [Ingress, Ingress]'),
    policy('policyTypes: [Ingress], egress: [{}]'),
    policy('podSelector: {matchLabels: {a: "", "example.com/b": null}}'),
    policy('podSelector: {matchExpressions: [{key: a, operator: NotIn, values: ["", b, b]}]}'),
    policy('podSelector: {matchExpressions: [{key: a, operator: Exists, values: []}]}'),
    from('{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/9, 10.0.0.0/9]}}'),
    from('{ipBlock: {cidr: 10.0.0.7/32}}'),
    from('{ipBlock: {cidr: "FD00:0::/64", except: []}}'),
    from('{ipBlock: {cidr: "::/0", except: ["::/1"]}, podSelector: null}'),
    documentText('networking.k8s.io/v1', 'NetworkPolicy'),
  ];
  for (const text of texts) expect(() => objectOf(text), text).not.toThrow();
});

test('where it stands is told by line and column', () => {
  const text = policy('ingress: [{from: [{}],\n  ports: [{port: 0}]}]');
  expect(refusalOf(() => objectOf(text))).toEqual([
    expect.stringMatching(/^a\.yaml:5:18: spec\.ingress\[0\]\.ports\[0\]\.port: found 0/),
    expect.stringMatching(/^a\.yaml:4:26: spec\.ingress\[0\]\.from\[0\]: found no peer/),
  ]);
});

test('nothing is noted that is enforced', () => {
  expect(manifestsOf(policy('podSelector: {}')).notes).toEqual([]);
});

const ROUNDS = PACKETS / 25;

test('is refused exactly when the API server would', () => {
  withRandom((random) => {
    const counts = { taken: 0, refused: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const spec = randomSpec(random);
      const takes = serverTakes(spec);
      counts[takes ? 'taken' : 'refused']++;
      expect(isTaken(spec), JSON.stringify(spec)).toBe(takes);
    }
    expect(counts).toEqual({
      taken: expect.toSatisfy((n) => n > ROUNDS / 4),
      refused: expect.toSatisfy((n) => n > ROUNDS / 4),
    });
  });
});

function isTaken(spec: unknown): boolean {
  const object = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'a' }, spec };
  try {
    readObjects([object]);
    return true;
  } catch (error) {
    if (error instanceof ManifestError) return false;
    throw error;
  }
}

describe('refused', () => {
  testRefusals([
    ['a misspelt direction', policy('ingres: []'), 'spec.ingres: unknown field "ingres"; did you mean "ingress"?'],
    ['a peer of nothing', from('{}'), 'spec.ingress[0].from[0]: found no peer, expected podSelector'],
    [
      'NP-014 a block beside a selector',
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
      'NP-015 an exception outside',
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
    [
      'an address as a block',
      from('{ipBlock: {cidr: 10.0.0.5}}'),
      'cidr: found "10.0.0.5", expected a CIDR block; for this address alone, write 10.0.0.5/32',
    ],
    [
      'an IPv6 address as a block',
      from('{ipBlock: {cidr: "fd00::5"}}'),
      'found "fd00::5", expected a CIDR block; for this address alone, write fd00::5/128',
    ],
    ['a block of text', from('{ipBlock: {cidr: all}}'), 'cidr: found "all", expected a CIDR block, such as'],
    ['an empty block', from('{ipBlock: {cidr: ""}}'), 'from[0].ipBlock: found an empty cidr, expected one'],
    ['a zero before a number', from('{ipBlock: {cidr: 010.0.0.0/8}}'), 'expected no leading zeros; write 10.0.0.0'],
    ['a prefix with a zero', from('{ipBlock: {cidr: 10.0.0.0/08}}'), 'expected no leading zeros; write 10.0.0.0/8'],
    [
      'an IPv4 block as IPv6',
      from('{ipBlock: {cidr: "::ffff:10.0.0.0/104"}}'),
      'expected no IPv4-mapped IPv6 address; write the IPv4 address',
    ],
    [
      'an empty exception',
      from('{ipBlock: {cidr: 10.0.0.0/8, except: [""]}}'),
      'except[0]: found "", expected a CIDR block',
    ],
    [
      'bits after the prefix of an exception',
      from('{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.2.3/16]}}'),
      'except[0]: found "10.1.2.3/16", expected no bits set after the prefix; write 10.1.0.0/16',
    ],
    [
      'an exception larger than the block',
      from('{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/7]}}'),
      'except[0]: found "10.0.0.0/7", expected a part of cidr, "10.0.0.0/8", smaller than it',
    ],
    [
      'an exception beside a bad block',
      from('{ipBlock: {cidr: 10.0.0.0/33, except: [11.0.0.0/8]}}'),
      'ipBlock.cidr: found "10.0.0.0/33"',
    ],
    [
      'a block beside a selector of namespaces',
      from('{ipBlock: {cidr: 10.0.0.0/8}, namespaceSelector: {}}'),
      'from[0]: found ipBlock beside a selector, expected one of them; make two entries',
    ],
    ['a peer that is nothing', from('null'), 'from[0]: found nothing, expected a map'],
    [
      'a misspelt peer',
      from('{podselector: {}}'),
      'from[0].podselector: unknown field "podselector"; did you mean "podSelector"?',
    ],
    [
      'labels without matchLabels',
      from('{podSelector: {app: web}}'),
      'podSelector.app: unknown field "app"; expected one of matchExpressions, matchLabels',
    ],
    [
      'the direction of the other side',
      policy('ingress: [{to: []}]'),
      'spec.ingress[0].to: unknown field "to"; expected one of from, ports',
    ],
    [
      'a label key out of rule',
      policy('podSelector: {matchLabels: {"a b": c}}'),
      'spec.podSelector.matchLabels[a b]: found the key "a b", expected a label key',
    ],
    [
      'a label value out of rule',
      policy('podSelector: {matchLabels: {a: "-b"}}'),
      'spec.podSelector.matchLabels.a: found "-b", expected a label value',
    ],
    [
      'a label that is a number',
      policy('podSelector: {matchLabels: {a: 1}}'),
      'spec.podSelector.matchLabels.a: found the number 1, expected a string; quote it: "1"',
    ],
    [
      'an operator that is left out',
      policy('podSelector: {matchExpressions: [{key: a}]}'),
      'spec.podSelector.matchExpressions[0]: found no operator',
    ],
    [
      'DoesNotExist with values',
      policy('podSelector: {matchExpressions: [{key: a, operator: DoesNotExist, values: [b]}]}'),
      'values: found values, expected none as operator is DoesNotExist',
    ],
    [
      'NotIn without values',
      policy('podSelector: {matchExpressions: [{key: a, operator: NotIn, values: []}]}'),
      'matchExpressions[0]: found no values, expected at least one as operator is NotIn',
    ],
    ['port 0', port('port: 0'), 'spec.egress[0].ports[0].port: found 0, expected a whole number from 1 to 65535'],
    [
      'a port name of 16',
      port('port: a234567890123456'),
      'ports[0].port: found "a234567890123456", expected a port name',
    ],
    ['port 65536', port('port: 65536'), 'port: found 65536, expected a whole number from 1 to 65535'],
    ['a port and a half', port('port: 80.5'), 'port: found the number 80.5, expected a whole number or a string'],
    [
      'a number as a string',
      port('port: "80"'),
      'port: found "80", expected a port name: at most 15 lower-case letters, digits and single \'-\' inside, with at least one letter, such as http; for the port of that number, remove the quotes',
    ],
    ['an empty port, which is not all', port('port: ""'), 'ports[0].port: found "", expected a number from 1 to 65535'],
    ['a port name in capitals', port('port: HTTP'), 'ports[0].port: found "HTTP", expected a port name'],
    ['a port name with --', port('port: a--b'), 'ports[0].port: found "a--b", expected a port name'],
    ['a port name that ends in -', port('port: a-'), 'ports[0].port: found "a-", expected a port name'],
    ['an empty protocol', port('protocol: ""'), 'ports[0].protocol: found "", expected TCP or UDP or SCTP'],
    [
      'a protocol in lower case',
      port('protocol: tcp'),
      'found "tcp", expected TCP or UDP or SCTP; did you mean "TCP"?',
    ],
    ['ICMP, which no policy covers', port('protocol: ICMP'), 'ports[0].protocol: found "ICMP", expected TCP or UDP'],
    [
      'an end as a string',
      port('port: 80, endPort: "90"'),
      'ports[0].endPort: found the string "90", expected a whole number; remove the quotes',
    ],
    [
      'an end of 0',
      port('port: 80, endPort: 0'),
      'endPort: found 0, expected a whole number from 1 to 65535',
      'endPort: found 0, expected port, 80, or more',
    ],
    ['a protocol that is none', port('protocol: ANY'), 'ports[0].protocol: found "ANY"'],
    [
      'NP-020 NP-094 an end below the port',
      port('port: 90, endPort: 80'),
      'endPort: found 80, expected port, 90, or more',
    ],
    [
      'NP-020 NP-094 an end after a name',
      port('port: http, endPort: 80'),
      'endPort: found a port by name beside endPort',
    ],
    ['NP-020 NP-094 an end alone', port('endPort: 80'), 'endPort: found no port beside endPort'],
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
