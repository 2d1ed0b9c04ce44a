import { describe, expect, test } from 'vitest';
import { planTopology, type TopologyOptions } from '../../src/cluster/topology.ts';
import { clusterText, documents, objectsOf, podText, refusalOf, topologyOf } from './refusal.ts';

const threeNodes = clusterText('nodes: [{}, {}, {}]');

describe('nodes', () => {
  test('no document at all is one node and no pods', () => {
    expect(planTopology([])).toEqual({
      name: 'podwire',
      ipFamily: 'dual',
      underlayMtu: 1500,
      podMtu: 1450,
      vni: 1,
      offload: true,
      podSubnets: ['10.244.0.0/16', 'fd00:10:244::/56'],
      nodes: [
        {
          name: 'n1',
          index: 0,
          labels: { 'kubernetes.io/hostname': 'n1' },
          underlayAddress: '172.18.0.2',
          mac: '02:70:ac:12:00:02',
          podCidrs: ['10.244.0.0/24', 'fd00:10:244::/64'],
          gatewayAddresses: ['10.244.0.1', 'fd00:10:244::1'],
        },
      ],
      pods: [],
      underlay: 'auto',
      tunnelEndpoints: [],
    });
  });

  test('share out the underlay and the pod network by index', () => {
    const { nodes } = planTopology([], { nodes: 256 });
    expect(nodes[2]).toMatchObject({
      name: 'n3',
      index: 2,
      underlayAddress: '172.18.0.4',
      mac: '02:70:ac:12:00:04',
      podCidrs: ['10.244.2.0/24', 'fd00:10:244:2::/64'],
      gatewayAddresses: ['10.244.2.1', 'fd00:10:244:2::1'],
    });
    expect(nodes[255]).toMatchObject({
      name: 'n256',
      underlayAddress: '172.18.1.1',
      mac: '02:70:ac:12:01:01',
      podCidrs: ['10.244.255.0/24', 'fd00:10:244:ff::/64'],
    });
  });

  test('have the names and labels of the document, the hostname label and that of their role', () => {
    const text = clusterText(
      'nodes: [{role: control-plane}, {name: edge, labels: {zone: a, kubernetes.io/hostname: x}}]',
    );
    expect(topologyOf(text).nodes.map(({ name, labels }) => ({ name, labels }))).toEqual([
      { name: 'n1', labels: { 'kubernetes.io/hostname': 'n1', 'node-role.kubernetes.io/control-plane': '' } },
      { name: 'edge', labels: { 'kubernetes.io/hostname': 'x', zone: 'a' } },
    ]);
  });

  test('the document decides the rest', () => {
    const text = clusterText(
      'name: shop',
      'networking: {ipFamily: ipv6, underlaySubnet: 192.168.7.0/24, mtu: 1400, vni: 77}',
      'offload: off',
    );
    expect(topologyOf(text)).toMatchObject({
      name: 'shop',
      ipFamily: 'ipv6',
      underlayMtu: 1400,
      podMtu: 1350,
      vni: 77,
      offload: false,
      podSubnets: ['fd00:10:244::/56'],
      nodes: [{ underlayAddress: '192.168.7.2', podCidrs: ['fd00:10:244::/64'], gatewayAddresses: ['fd00:10:244::1'] }],
    });
  });

  test('options win over the document', () => {
    const text = clusterText('name: shop', 'nodes: [{name: a}, {name: b}]', 'networking: {mtu: 1400}', 'offload: off');
    const options: TopologyOptions = { name: 'other', nodes: 3, mtu: 9000, offload: 'on' };
    const topology = topologyOf(text, options);
    expect(topology).toMatchObject({ name: 'other', underlayMtu: 9000, podMtu: 8950, offload: true });
    expect(topology.nodes.map((node) => node.name)).toEqual(['a', 'b', 'n3']);
    expect(topologyOf(text, { nodes: 1 }).nodes.map((node) => node.name)).toEqual(['a']);
    expect(topologyOf('', { offload: 'off' }).offload).toBe(false);
    expect(topologyOf(text, { name: undefined, nodes: undefined, mtu: undefined, offload: undefined }).name).toBe(
      'shop',
    );
  });

  const refused = [
    {
      name: 'a name out of rule',
      options: { name: '../x' },
      want: 'command line: --name: found "../x", expected a DNS label',
    },
    { name: 'no nodes', options: { nodes: 0 }, want: 'command line: --nodes: found 0, expected a whole number from 1' },
    { name: 'half a node', options: { nodes: 1.5 }, want: '--nodes: found 1.5' },
    { name: 'no number', options: { nodes: Number.NaN }, want: '--nodes: found NaN' },
    {
      name: 'an MTU too small',
      options: { mtu: 1329 },
      want: 'command line: --mtu: found 1329, expected a whole number from 1330 to 65535',
    },
    {
      name: 'an offload that is neither',
      options: { offload: 'auto' as 'on' },
      want: '--offload: found "auto", expected on or off',
    },
    {
      name: 'a name that the document took',
      text: clusterText('nodes: [{name: n2}]'),
      options: { nodes: 2 },
      want: '--nodes: found node 2 unnamed and "n2" at nodes[0]',
    },
    {
      name: 'more nodes than the underlay',
      text: clusterText('networking: {underlaySubnet: 172.18.0.0/30}'),
      options: { nodes: 2 },
      want: 'found 2 nodes, expected at most the 1 that underlaySubnet 172.18.0.0/30 has room for',
    },
  ];
  for (const { name, options, want, text } of refused) {
    test(`refused: ${name}`, () =>
      expect(refusalOf(() => topologyOf(text ?? '', options))).toEqual([expect.stringContaining(want)]));
  }

  test('refused: more nodes than the pod network, however many', () => {
    for (const nodes of [257, 1e12]) {
      const lines = refusalOf(() => planTopology([], { nodes }));
      expect(lines[0]).toBe(
        `command line: --nodes: found ${nodes} nodes, expected at most the 256 that podSubnet 10.244.0.0/16 has room for, a /24 each; take a shorter prefix`,
      );
      expect(lines[1]).toContain('podSubnet fd00:10:244::/56');
    }
    const text = clusterText('nodes: [{}, {}]', 'networking: {ipFamily: ipv4, podSubnet: 10.1.1.0/24}');
    expect(refusalOf(() => topologyOf(text))).toEqual([
      expect.stringContaining('a.yaml:3:1: nodes: found 2 nodes, expected at most the 1'),
    ]);
  });

  test('an underlay has room for all but three of its addresses', () => {
    const text = clusterText('networking: {underlaySubnet: 172.18.0.0/29}');
    expect(topologyOf(text, { nodes: 5 }).nodes.at(-1)!.underlayAddress).toBe('172.18.0.6');
    expect(() => topologyOf(text, { nodes: 6 })).toThrow(/at most the 5/);
  });
});

describe('pods', () => {
  const pods = (text: string, options?: TopologyOptions) => topologyOf(text, options).pods;

  test('get a node, addresses and a MAC', () => {
    const text = documents(
      threeNodes,
      podText('a'),
      podText('b'),
      'apiVersion: v1\nkind: Pod\nmetadata: {name: c, namespace: shop, labels: {app: c}, annotations: {note: x}}',
      podText('d'),
    );
    expect(pods(text)[0]).toEqual({
      namespace: 'default',
      name: 'a',
      node: 'n1',
      hostNetwork: false,
      hostname: 'a',
      addresses: ['10.244.0.2', 'fd00:10:244::2'],
      mac: '0a:58:0a:f4:00:02',
      labels: {},
      annotations: {},
    });
    expect(pods(text).map(({ name, node, addresses }) => [name, node, addresses[0]])).toEqual([
      ['a', 'n1', '10.244.0.2'],
      ['b', 'n2', '10.244.1.2'],
      ['c', 'n3', '10.244.2.2'],
      ['d', 'n1', '10.244.0.3'],
    ]);
    expect(pods(text)[2]).toMatchObject({ namespace: 'shop', labels: { app: 'c' }, annotations: { note: 'x' } });
  });

  test('run on the node they name', () => {
    const text = documents(threeNodes, podText('a', 'spec: {nodeName: n3}'), podText('b', 'spec: {nodeName: n3}'));
    expect(pods(text).map((pod) => pod.node)).toEqual(['n3', 'n3']);
    expect(pods(text)[1]!.addresses).toEqual(['10.244.2.3', 'fd00:10:244:2::3']);
  });

  test('with hostNetwork have the addresses and name of their node', () => {
    const text = documents(
      threeNodes,
      podText('a', 'spec: {hostNetwork: true, nodeName: n2, hostname: x}'),
      podText('b', 'spec: {nodeName: n2}'),
    );
    expect(pods(text)[0]).toMatchObject({
      hostNetwork: true,
      hostname: 'n2',
      addresses: ['172.18.0.3'],
      mac: '02:70:ac:12:00:03',
    });
    expect(pods(text)[1]!.addresses[0]).toBe('10.244.1.2');
  });

  const hostnames = [
    { name: 'spec.hostname', text: podText('a', 'spec: {hostname: www}'), want: 'www' },
    { name: "the pod's name", text: podText('a.b'), want: 'a.b' },
    { name: 'its first 63 characters', text: podText(`${'a'.repeat(62)}.b`), want: 'a'.repeat(62) },
  ];
  for (const { name, text, want } of hostnames) {
    test(`are called by ${name}`, () => expect(pods(text)[0]!.hostname).toBe(want));
  }

  test('of one family have one address', () => {
    const v4 = documents(clusterText('networking: {ipFamily: ipv4}'), podText('a'));
    expect(pods(v4)[0]).toMatchObject({ addresses: ['10.244.0.2'], mac: '0a:58:0a:f4:00:02' });
    const v6 = documents(clusterText('networking: {ipFamily: ipv6}'), podText('a'));
    expect(pods(v6)[0]).toMatchObject({ addresses: ['fd00:10:244::2'], mac: '0a:58:00:00:00:02' });
  });

  test('of IPv6 alone have different MACs, always the same ones', () => {
    const names = Array.from({ length: 60 }, (_, index) => podText(`p${index}`));
    const text = documents(clusterText('nodes: [{}, {}, {}]', 'networking: {ipFamily: ipv6}'), ...names);
    const macs = pods(text).map((pod) => pod.mac);
    expect(macs[0]).toBe('0a:58:00:00:00:02');
    expect(new Set(macs).size).toBe(60);
    expect(macs.every((mac) => /^0a:58(:[0-9a-f]{2}){4}$/.test(mac))).toBe(true);
    expect(pods(text).map((pod) => pod.mac)).toEqual(macs);
  });
});

describe('given addresses', () => {
  const addresses = (text: string) => Object.fromEntries(topologyOf(text).pods.map((pod) => [pod.name, pod.addresses]));

  test('are honoured in any block of the pod network, on any node', () => {
    const text = documents(
      threeNodes,
      podText('own', 'spec: {nodeName: n1}', 'status: {podIPs: [{ip: 10.244.0.9}, {ip: "fd00:10:244::9"}]}'),
      podText('other', 'spec: {nodeName: n1}', 'status: {podIP: 10.244.2.2}'),
      podText('nobody', 'spec: {nodeName: n1}', 'status: {podIP: "fd00:10:244:77:8::1"}'),
      podText('nobody4', 'spec: {nodeName: n2}', 'status: {podIP: 10.244.200.255}'),
    );
    expect(addresses(text)).toEqual({
      own: ['10.244.0.9', 'fd00:10:244::9'],
      other: ['10.244.2.2', 'fd00:10:244::2'],
      nobody: ['10.244.0.2', 'fd00:10:244:77:8::1'],
      nobody4: ['10.244.200.255', 'fd00:10:244:1::2'],
    });
  });

  test('are kept free for their pod, wherever it stands in the input and runs', () => {
    const text = documents(
      clusterText('nodes: [{}, {}]', 'networking: {ipFamily: ipv4}'),
      podText('first', 'spec: {nodeName: n1}'),
      podText('second', 'spec: {nodeName: n1}'),
      podText('given', 'spec: {nodeName: n2}', 'status: {podIP: 10.244.0.2}'),
    );
    expect(addresses(text)).toEqual({ first: ['10.244.0.3'], second: ['10.244.0.4'], given: ['10.244.0.2'] });
  });

  test("of a hostNetwork pod may be its node's", () => {
    const text = podText('a', 'spec: {hostNetwork: true}', 'status: {podIP: 172.18.0.2}');
    expect(addresses(text)).toEqual({ a: ['172.18.0.2'] });
  });

  const refused = [
    {
      name: 'outside the pod network',
      lines: ['status: {podIP: 10.245.0.2}'],
      want: 'a.yaml:8:17: status.podIP: found 10.245.0.2, expected an address of the pod network, 10.244.0.0/16 or fd00:10:244::/56',
    },
    {
      name: "a node's gateway",
      lines: ['status: {podIP: 10.244.1.1}'],
      want: "found 10.244.1.1, which is the gateway address of n2's pod CIDR 10.244.1.0/24",
    },
    {
      name: "a node's IPv6 gateway",
      lines: ['status: {podIP: "fd00:10:244::1"}'],
      want: "which is the gateway address of n1's pod CIDR fd00:10:244::/64",
    },
    {
      name: "a node's network address",
      lines: ['status: {podIP: 10.244.2.0}'],
      want: "which is the network address of n3's pod CIDR",
    },
    {
      name: "a node's broadcast address",
      lines: ['status: {podIP: 10.244.0.255}'],
      want: "which is the broadcast address of n1's pod CIDR",
    },
    {
      name: "the pod network's broadcast address",
      lines: ['status: {podIP: 10.244.255.255}'],
      want: 'which is the broadcast address of the pod network 10.244.0.0/16',
    },
    {
      name: 'two of a family',
      lines: ['status: {podIPs: [{ip: 10.244.0.5}, {ip: 10.244.0.6}]}'],
      want: 'a.yaml:8:42: status.podIPs[1].ip: found 10.244.0.6, expected one address a family, has 10.244.0.5 already',
    },
    {
      name: 'the underlay of another node with hostNetwork',
      lines: ['spec: {hostNetwork: true, nodeName: n2}', 'status: {podIP: 172.18.0.2}'],
      want: 'expected 172.18.0.3: the pod has hostNetwork, and that is the address of its node n2',
    },
  ];
  for (const { name, lines, want } of refused) {
    test(`refused: ${name}`, () => {
      expect(refusalOf(() => topologyOf(documents(threeNodes, podText('a', ...lines))))).toEqual([
        expect.stringContaining(want),
      ]);
    });
  }

  test('refused: the same twice, naming the other pod', () => {
    const text = documents(podText('a', 'status: {podIP: 10.244.0.5}'), podText('b', 'status: {podIP: 10.244.0.5}'));
    expect(refusalOf(() => topologyOf(text))).toEqual([
      'a.yaml:9:17: status.podIP: found 10.244.0.5, which pod default/a has (a.yaml:4:17); change or remove it',
    ]);
  });

  test('refused: IPv6 in an IPv4 cluster', () => {
    const text = documents(
      clusterText('networking: {ipFamily: ipv4}'),
      podText('a', 'status: {podIP: "fd00:10:244::9"}'),
    );
    expect(refusalOf(() => topologyOf(text))).toEqual([
      expect.stringContaining('expected an address of the pod network, 10.244.0.0/16'),
    ]);
  });
});

describe('refused', () => {
  test('a node that is not there, with those that are', () => {
    const text = documents(
      threeNodes,
      podText('a', 'spec: {nodeName: n7}'),
      podText('b', 'spec: {nodeName: elsewhere}'),
    );
    expect(refusalOf(() => topologyOf(text))).toEqual([
      'a.yaml:8:18: spec.nodeName: no node "n7"; nodes are n1, n2, n3; did you mean "n1"?',
      'a.yaml:13:18: spec.nodeName: no node "elsewhere"; nodes are n1, n2, n3; name one of them, or add the node',
    ]);
  });

  test('a long list of nodes is cut', () => {
    const [line] = refusalOf(() => topologyOf(podText('a', 'spec: {nodeName: elsewhere}'), { nodes: 100 }));
    expect(line).toMatch(/n19, n20 and 80 more; /);
  });

  test('more pods than a node has addresses', () => {
    const texts = Array.from({ length: 255 }, (_, index) => podText(`p${index}`, 'spec: {nodeName: n1}'));
    const lines = refusalOf(() => topologyOf(documents(threeNodes, ...texts)));
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain(": spec.nodeName: node n1's pod CIDR 10.244.0.0/24 has no free address: 253 in use");
    expect(() => topologyOf(documents(threeNodes, ...texts.slice(0, 253)))).not.toThrow();
  });

  test('a second Cluster document, and duplicates, of separate readings', () => {
    const objects = [
      ...objectsOf(documents(clusterText(), podText('a'))),
      ...objectsOf(documents(clusterText(), podText('a'))),
    ];
    expect(refusalOf(() => planTopology(objects))).toEqual([
      expect.stringContaining('found a second Cluster document'),
      expect.stringContaining('found Pod default/a twice'),
    ]);
  });

  test('all problems of pods at once', () => {
    const text = documents(
      podText('a', 'spec: {nodeName: n7}'),
      podText('b', 'status: {podIP: 1.1.1.1}'),
      podText('c', 'status: {podIP: 10.244.0.1}'),
    );
    expect(refusalOf(() => topologyOf(text))).toHaveLength(3);
  });
});

test('a topology is plain data, the same for the same input, and shares nothing with it', () => {
  const text = documents(threeNodes, 'apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {a: b}}', podText('b'));
  const objects = objectsOf(text);
  const topology = planTopology(objects);
  expect(structuredClone(topology)).toEqual(topology);
  expect(JSON.stringify(topologyOf(text))).toBe(JSON.stringify(topology));
  topology.pods[0]!.labels['a'] = 'changed';
  topology.nodes[0]!.labels['x'] = 'changed';
  expect(planTopology(objects).pods[0]!.labels).toEqual({ a: 'b' });
});
