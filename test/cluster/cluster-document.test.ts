import { describe, expect, test } from 'vitest';
import { type ClusterSpec, defaultClusterSpec } from '../../src/cluster/cluster-document.ts';
import { formatCidr } from '../../src/cluster/ip-address.ts';
import { clusterText, manifestsOf, refusalOf } from './refusal.ts';

function specOf(...lines: readonly string[]): ClusterSpec {
  return manifestsOf(clusterText(...lines)).cluster!.spec;
}

describe('Cluster', () => {
  test('without fields is the default cluster', () => {
    const { cluster } = manifestsOf(clusterText());
    expect(cluster).toMatchObject({ name: 'podwire', spec: defaultClusterSpec });
    expect(defaultClusterSpec).toMatchObject({ ipFamily: 'dual', mtu: 1500, vni: 1, offload: true });
    expect(defaultClusterSpec.podSubnets.map(formatCidr)).toEqual(['10.244.0.0/16', 'fd00:10:244::/56']);
    expect(defaultClusterSpec.serviceSubnets.map(formatCidr)).toEqual(['10.96.0.0/16', 'fd00:10:96::/112']);
    expect(formatCidr(defaultClusterSpec.underlaySubnet)).toBe('172.18.0.0/16');
    expect(defaultClusterSpec.nodes).toHaveLength(1);
  });

  test('has its name at the top, as kind has it, or under metadata', () => {
    expect(manifestsOf(clusterText('name: shop')).cluster!.name).toBe('shop');
    expect(manifestsOf(clusterText('metadata: {name: shop}')).cluster!.name).toBe('shop');
    expect(manifestsOf(clusterText('name: shop', 'metadata: {name: shop}')).cluster!.name).toBe('shop');
  });

  test('has nodes with names, roles and labels', () => {
    expect(
      specOf('nodes:', '- role: control-plane', '- {name: edge.1, role: worker, labels: {zone: a}}', '- {}').nodes,
    ).toEqual([
      { name: undefined, role: 'control-plane', labels: {} },
      { name: 'edge.1', role: 'worker', labels: { zone: 'a' } },
      { name: undefined, role: undefined, labels: {} },
    ]);
  });

  const switches = [
    ['on', true],
    ['off', false],
    ['"on"', true],
    ["'off'", false],
    ['true', true],
    ['no', false],
  ] as const;
  for (const [written, want] of switches) {
    test(`offload: ${written} is ${want}`, () => expect(specOf(`offload: ${written}`).offload).toBe(want));
  }

  const subnets = [
    { networking: '{ipFamily: ipv4}', want: ['10.244.0.0/16'] },
    { networking: '{ipFamily: ipv6}', want: ['fd00:10:244::/56'] },
    { networking: '{ipFamily: ipv4, podSubnet: 10.1.0.0/16}', want: ['10.1.0.0/16'] },
    { networking: '{ipFamily: ipv6, podSubnet: "FD00:1::/48"}', want: ['fd00:1::/48'] },
    { networking: '{podSubnet: "10.1.0.0/20,fd00:1::/60"}', want: ['10.1.0.0/20', 'fd00:1::/60'] },
    { networking: '{podSubnet: "fd00:1::/60, 10.1.0.0/20"}', want: ['10.1.0.0/20', 'fd00:1::/60'] },
    { networking: '{ipFamily: ipv4, podSubnet: 10.1.5.0/24}', want: ['10.1.5.0/24'] },
  ];
  for (const { networking, want } of subnets) {
    test(`networking: ${networking} has pods in ${want}`, () => {
      expect(specOf(`networking: ${networking}`).podSubnets.map(formatCidr)).toEqual(want);
    });
  }

  test('takes the other networking fields', () => {
    const spec = specOf(
      'networking: {underlaySubnet: 192.168.0.0/24, mtu: 9000, vni: 0xffffff, serviceSubnet: "10.9.0.0/16,fd00:9::/112"}',
    );
    expect(spec).toMatchObject({ mtu: 9000, vni: 16777215 });
    expect(formatCidr(spec.underlaySubnet)).toBe('192.168.0.0/24');
    expect(spec.serviceSubnets.map(formatCidr)).toEqual(['10.9.0.0/16', 'fd00:9::/112']);
  });

  test('takes the smallest and largest MTU', () => {
    expect(specOf('networking: {mtu: 1330}').mtu).toBe(1330);
    expect(specOf('networking: {mtu: 65535}').mtu).toBe(65535);
  });
});

describe('tunnelEndpoints', () => {
  const endpoint = (fields: string) => `tunnelEndpoints: [{${fields}}]`;
  const good = 'name: gw, address: 172.18.0.100, mac: 02:00:00:00:00:64, routes: [10.250.0.0/24, fd00:250::/64]';

  test('are taken with address, MAC and routes', () => {
    const [gw] = specOf(endpoint(good)).tunnelEndpoints;
    expect(gw).toMatchObject({ name: 'gw', mac: '02:00:00:00:00:64' });
    expect(gw!.routes.map(formatCidr)).toEqual(['10.250.0.0/24', 'fd00:250::/64']);
  });
});

describe('refused', () => {
  const net = (fields: string) => [`networking: {${fields}}`];
  const cases = [
    {
      name: 'an unknown field',
      lines: ['node: []'],
      want: 'a.yaml:3:1: node: unknown field "node"; did you mean "nodes"?',
    },
    {
      name: 'an unknown field of networking',
      lines: net('podSubent: x'),
      want: 'networking.podSubent: unknown field "podSubent"; did you mean "podSubnet"?',
    },
    {
      name: "a field of kind's that means nothing here",
      lines: ['nodes: [{image: x}]'],
      want: 'nodes[0].image: unknown field "image"; expected one of role, name, labels',
    },
    {
      name: 'a tunnel endpoint without a MAC',
      lines: ['tunnelEndpoints: [{name: a, address: 172.18.0.9, routes: []}]'],
      want: 'tunnelEndpoints[0]: found no mac, expected one',
    },
    {
      name: 'a tunnel endpoint outside the underlay',
      lines: ['tunnelEndpoints: [{name: a, address: 10.0.0.9, mac: "02:00:00:00:00:01", routes: []}]'],
      want: 'tunnelEndpoints[0].address: found "10.0.0.9", expected an address of underlaySubnet 172.18.0.0/16',
    },
    {
      name: 'a multicast MAC of a tunnel endpoint',
      lines: ['tunnelEndpoints: [{name: a, address: 172.18.0.9, mac: "01:00:00:00:00:01", routes: []}]'],
      want: 'tunnelEndpoints[0].mac: found "01:00:00:00:00:01", expected a unicast MAC address',
    },
    {
      name: "a tunnel endpoint that claims pods' addresses",
      lines: ['tunnelEndpoints: [{name: a, address: 172.18.0.9, mac: "02:00:00:00:00:01", routes: [10.244.9.0/24]}]'],
      want: 'tunnelEndpoints[0].routes[0]: found 10.244.9.0/24, which overlaps podSubnet 10.244.0.0/16',
    },
    { name: 'a name with dots', lines: ['name: a.b'], want: 'a.yaml:3:7: name: found "a.b", expected a DNS label' },
    { name: 'a name that climbs', lines: ['name: ../x'], want: 'name: found "../x"' },
    {
      name: 'two names',
      lines: ['name: a', 'metadata: {name: b}'],
      want: 'metadata.name: found "b" here and "a" in name',
    },
    {
      name: 'a word for a role',
      lines: ['nodes: [{role: master}]'],
      want: 'nodes[0].role: found "master", expected control-plane or worker',
    },
    { name: 'no nodes', lines: ['nodes: []'], want: 'nodes: found an empty list, expected at least one node' },
    { name: 'a number of nodes', lines: ['nodes: 3'], want: 'nodes: found the number 3, expected a list' },
    {
      name: 'two nodes of a name',
      lines: ['nodes: [{name: a}, {name: a}]'],
      want: 'a.yaml:3:20: nodes[1]: found "a" at nodes[0] too',
    },
    {
      name: 'an unnamed node whose name is taken',
      lines: ['nodes: [{name: n2}, {}]'],
      want: 'nodes[1]: found "n2", the name of an unnamed node here, at nodes[0] too',
    },
    {
      name: 'a node name out of rule',
      lines: ['nodes: [{name: N1}]'],
      want: 'nodes[0].name: found "N1", expected a node name',
    },
    {
      name: 'a node label out of rule',
      lines: ['nodes: [{labels: {a: on}}]'],
      want: 'nodes[0].labels.a: found the boolean on',
    },
    { name: 'an offload that is neither', lines: ['offload: auto'], want: 'offload: found "auto", expected on or off' },
    {
      name: 'an ipFamily in capitals',
      lines: net('ipFamily: IPv4'),
      want: 'networking.ipFamily: found "IPv4", expected ipv4 or ipv6 or dual; did you mean "ipv4"?',
    },
    {
      name: 'an MTU too small for IPv6 in VXLAN',
      lines: net('mtu: 1329'),
      want: 'networking.mtu: found 1329, expected a whole number from 1330 to 65535',
    },
    { name: 'an MTU past the length field', lines: net('mtu: 65536'), want: 'found 65536' },
    {
      name: 'an MTU in quotes',
      lines: net('mtu: "1500"'),
      want: 'found the string "1500", expected a whole number from 1330 to 65535; remove the quotes',
    },
    {
      name: 'VNI 0',
      lines: net('vni: 0'),
      want: 'networking.vni: found 0, expected a whole number from 1 to 16777215',
    },
    { name: 'a VNI of 25 bits', lines: net('vni: 16777216'), want: 'found 16777216' },
    {
      name: 'one subnet of a dual cluster',
      lines: net('podSubnet: 10.1.0.0/16'),
      want: 'networking.podSubnet: found "10.1.0.0/16", expected an IPv4 and an IPv6 block as ipFamily is dual',
    },
    {
      name: 'two subnets of a family',
      lines: net('podSubnet: "10.1.0.0/16,10.2.0.0/16"'),
      want: 'expected an IPv4 and an IPv6 block',
    },
    {
      name: 'three subnets',
      lines: net('podSubnet: "10.1.0.0/16,fd00:1::/56,fd00:2::/56"'),
      want: 'expected an IPv4 and an IPv6 block',
    },
    {
      name: 'a pair for one family',
      lines: net('ipFamily: ipv4, podSubnet: "10.1.0.0/16,fd00:1::/56"'),
      want: 'expected one IPv4 block as ipFamily is ipv4',
    },
    {
      name: 'the wrong family',
      lines: net('ipFamily: ipv6, serviceSubnet: 10.1.0.0/16'),
      want: 'networking.serviceSubnet: found "10.1.0.0/16", expected one IPv6 block',
    },
    {
      name: 'host bits',
      lines: net('ipFamily: ipv4, podSubnet: 10.1.2.3/16'),
      want: 'found "10.1.2.3/16", expected no bits set after the prefix; write 10.1.0.0/16',
    },
    { name: 'an empty part', lines: net('podSubnet: "10.1.0.0/16,"'), want: 'found "", expected a CIDR block' },
    {
      name: 'a pod subnet smaller than a node takes',
      lines: net('ipFamily: ipv4, podSubnet: 10.1.0.0/25'),
      want: 'networking.podSubnet: found /25, expected /24 or shorter',
    },
    {
      name: 'an IPv6 pod subnet smaller than a node takes',
      lines: net('ipFamily: ipv6, podSubnet: "fd00::/65"'),
      want: 'found /65, expected /64 or shorter',
    },
    {
      name: 'loopback',
      lines: net('ipFamily: ipv4, podSubnet: 127.0.0.0/8'),
      want: 'found "127.0.0.0/8", which overlaps 127.0.0.0/8, expected ordinary unicast',
    },
    { name: 'all addresses', lines: net('ipFamily: ipv6, podSubnet: "::/0"'), want: 'which overlaps ::/127' },
    {
      name: 'an IPv6 underlay',
      lines: net('underlaySubnet: "fd00:18::/64"'),
      want: 'networking.underlaySubnet: found "fd00:18::/64", expected an IPv4 block of /30 or shorter',
    },
    {
      name: 'an underlay without room',
      lines: net('underlaySubnet: 172.18.0.0/31'),
      want: 'expected an IPv4 block of /30 or shorter',
    },
    {
      name: 'an underlay inside the default pod network',
      lines: net('underlaySubnet: 10.244.7.0/24'),
      want: 'networking.underlaySubnet: found 10.244.7.0/24, which overlaps podSubnet 10.244.0.0/16',
    },
    {
      name: 'a pod network over the default services',
      lines: net('ipFamily: ipv4, podSubnet: 10.0.0.0/8'),
      want: 'networking.podSubnet: found 10.0.0.0/8, which overlaps serviceSubnet 10.96.0.0/16',
    },
    {
      name: 'services over pods',
      lines: net('ipFamily: ipv6, podSubnet: "fd00:1::/56", serviceSubnet: "fd00:1::/112"'),
      want: 'networking.serviceSubnet: found fd00:1::/112, which overlaps podSubnet fd00:1::/56',
    },
  ];
  for (const { name, lines, want } of cases) {
    test(name, () =>
      expect(refusalOf(() => manifestsOf(clusterText(...lines)))).toEqual([expect.stringContaining(want)]),
    );
  }
});
