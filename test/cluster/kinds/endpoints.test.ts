import { describe, expect, test } from 'vitest';
import type { EndpointSlice, Endpoints } from '../../../src/store/object.ts';
import { documentText, objectOf, testRefusals } from './refused.ts';

const endpoints = (subset: string) => documentText('v1', 'Endpoints', `subsets: [{${subset}}]`);
const slice = (...fields: readonly string[]) => documentText('discovery.k8s.io/v1', 'EndpointSlice', ...fields);
const ipv4 = 'addressType: IPv4';

test('Endpoints get their protocol', () => {
  expect(objectOf<Endpoints>(endpoints('addresses: [{ip: 192.0.2.1}], ports: [{port: 80}]')).subsets).toEqual([
    { addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80, protocol: 'TCP' }] },
  ]);
});

test('an EndpointSlice gets protocols and names, and lists', () => {
  const text = slice(ipv4, 'endpoints: [{addresses: [192.0.2.1]}]', 'ports: [{port: 80}, {name: "", protocol: UDP}]');
  expect(() => objectOf(text)).toThrow('ports[1].name: found a second port without a name');
  expect(objectOf<EndpointSlice>(slice(ipv4, 'ports: [{port: 80}]'))).toMatchObject({
    endpoints: [],
    ports: [{ name: '', protocol: 'TCP', port: 80 }],
  });
});

test('what the API server takes', () => {
  const texts = [
    endpoints(
      'notReadyAddresses: [{ip: "2001:db8::1", hostname: a, nodeName: n.1}], ports: [{name: a, port: 1}, {name: b, port: 2}]',
    ),
    documentText('v1', 'Endpoints'),
    slice('addressType: IPv6', 'endpoints: [{addresses: ["2001:db8::1"], conditions: {ready: false}, zone: a}]'),
    slice('addressType: FQDN', 'endpoints: [{addresses: [db.example.com]}]'),
  ];
  for (const text of texts) expect(() => objectOf(text), text).not.toThrow();
});

describe('Endpoints refused', () => {
  testRefusals([
    ['no addresses', endpoints('ports: [{port: 80}]'), 'subsets[0]: found no addresses, expected at least one'],
    ['no address', endpoints('addresses: [{hostname: a}]'), 'subsets[0].addresses[0]: found no ip, expected one'],
    [
      'an address of its own node',
      endpoints('addresses: [{ip: 127.0.0.1}]'),
      'addresses[0].ip: found "127.0.0.1", which is in 127.0.0.0/8, expected an ordinary unicast address',
    ],
    [
      'a name for an address',
      endpoints('notReadyAddresses: [{ip: db.example.com}]'),
      'notReadyAddresses[0].ip: found "db.example.com", expected an IPv4 or IPv6 address',
    ],
    [
      'two ports without names',
      endpoints('addresses: [{ip: 192.0.2.1}], ports: [{port: 80}, {port: 81}]'),
      'ports[0]: found no name',
      'ports[1]: found no name',
    ],
    ['port 0', endpoints('addresses: [{ip: 192.0.2.1}], ports: [{port: 0}]'), 'ports[0].port: found 0'],
    ['no port', endpoints('addresses: [{ip: 192.0.2.1}], ports: [{name: a}]'), 'ports[0]: found no port'],
    ['subsets under spec', documentText('v1', 'Endpoints', 'spec: {}'), 'spec: unknown field "spec"'],
  ]);
});

describe('EndpointSlices refused', () => {
  testRefusals([
    ['no type', slice('endpoints: []'), 'a.yaml:1:1: found no addressType, expected one; add "addressType: IPv4"'],
    [
      'a type that is none',
      slice('addressType: ipv4'),
      'addressType: found "ipv4", expected IPv4 or IPv6 or FQDN; did you mean "IPv4"?',
    ],
    ['an endpoint without addresses', slice(ipv4, 'endpoints: [{zone: a}]'), 'endpoints[0]: found no addresses'],
    [
      'an address of the other family',
      slice(ipv4, 'endpoints: [{addresses: ["2001:db8::1"]}]'),
      `addresses[0]: found "2001:db8::1", expected an address of the slice's addressType, IPv4`,
    ],
    [
      'a link-local address',
      slice('addressType: IPv6', 'endpoints: [{addresses: ["fe80::1"]}]'),
      'addresses[0]: found "fe80::1", which is in fe80::/10',
    ],
    [
      'an address for a name',
      slice('addressType: FQDN', 'endpoints: [{addresses: ["a b"]}]'),
      'addresses[0]: found "a b", expected a DNS subdomain',
    ],
    [
      '101 addresses',
      slice(ipv4, `endpoints: [{addresses: [${Array(101).fill('192.0.2.1').join(', ')}]}]`),
      'endpoints[0].addresses: found 101 entries, expected at most 100',
    ],
    [
      '1001 endpoints',
      slice(ipv4, `endpoints: [${Array(1001).fill('{addresses: [192.0.2.1]}').join(', ')}]`),
      'endpoints: found 1001 entries, expected at most 1000',
    ],
    [
      'port names twice',
      slice(ipv4, 'ports: [{name: a, port: 1}, {name: a, port: 2}]'),
      'ports[1].name: found a second port "a"',
    ],
    ['port 65536', slice(ipv4, 'ports: [{port: 65536}]'), 'ports[0].port: found 65536'],
    ['a field of Endpoints', slice(ipv4, 'subsets: []'), 'subsets: unknown field "subsets"'],
  ]);
});
