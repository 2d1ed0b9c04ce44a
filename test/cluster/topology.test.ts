import { describe, expect, test } from 'vitest';
import { planTopology, type TopologyOptions } from '../../src/cluster/topology.ts';
import { clusterText, documents, manifestsOf, refusalOf, topologyOf } from './refusal.ts';

const NOTHING = { cluster: undefined, objects: [] };

const SYSTEM = {
  'kubernetes.io/os': 'linux',
  'kubernetes.io/arch': process.arch === 'x64' ? 'amd64' : process.arch,
};

const threeNodes = clusterText('nodes: [{}, {}, {}]');

describe('nodes', () => {
  test('no document at all is one node', () => {
    expect(planTopology(NOTHING)).toEqual({
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
          labels: { ...SYSTEM, 'kubernetes.io/hostname': 'n1' },
          annotations: {},
          taints: [],
          underlayAddress: '172.18.0.2',
          mac: '02:70:ac:12:00:02',
          podCidrs: ['10.244.0.0/24', 'fd00:10:244::/64'],
          gatewayAddresses: ['10.244.0.1', 'fd00:10:244::1'],
        },
      ],
      serviceSubnets: ['10.96.0.0/16', 'fd00:10:96::/112'],
      underlay: 'auto',
      without: [],
      strictChecksums: false,
      allowRun: false,
      tunnelEndpoints: [],
    });
  });

  test('share out the underlay and the pod network by index', () => {
    const { nodes } = planTopology(NOTHING, { nodes: 256 });
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
      {
        name: 'n1',
        labels: { ...SYSTEM, 'kubernetes.io/hostname': 'n1', 'node-role.kubernetes.io/control-plane': '' },
      },
      { name: 'edge', labels: { ...SYSTEM, 'kubernetes.io/hostname': 'x', zone: 'a' } },
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
      const lines = refusalOf(() => planTopology(NOTHING, { nodes }));
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

describe('Node objects', () => {
  const nodeText = (name: string, ...lines: readonly string[]) =>
    ['apiVersion: v1', 'kind: Node', `metadata: {name: ${name}, labels: {zone: ${name}z}}`, ...lines].join('\n');

  test('say which nodes there are where nothing else does', () => {
    const { nodes } = topologyOf(documents(nodeText('left'), nodeText('right')));
    expect(nodes.map(({ name, labels }) => [name, labels['zone']])).toEqual([
      ['left', 'leftz'],
      ['right', 'rightz'],
    ]);
  });

  test('give nodes of the Cluster document labels and taints', () => {
    const taint = 'spec: {taints: [{key: gpu, effect: NoSchedule}]}';
    const { nodes } = topologyOf(documents(threeNodes, nodeText('n2', taint)));
    expect(nodes.map(({ labels, taints }) => [labels['zone'], taints.length])).toEqual([
      [undefined, 0],
      ['n2z', 1],
      [undefined, 0],
    ]);
  });

  test('refused: of a node that the cluster does not have', () => {
    expect(refusalOf(() => topologyOf(documents(threeNodes, nodeText('n7'))))).toEqual([
      'a.yaml:7:18: metadata.name: the cluster has no node "n7"; did you mean "n1"?',
    ]);
  });
});

test('the control plane is tainted where there are workers, as kubeadm has it', () => {
  const taints = (text: string) => topologyOf(clusterText(text)).nodes.map((node) => node.taints.length);
  expect(taints('nodes: [{role: control-plane}, {role: worker}]')).toEqual([1, 0]);
  expect(taints('nodes: [{role: control-plane}]')).toEqual([0]);
  expect(taints('nodes: [{role: control-plane}, {role: control-plane}]')).toEqual([0, 0]);
});

test('a topology is plain data, the same for the same input, and shares nothing with it', () => {
  const manifests = manifestsOf(clusterText('nodes: [{labels: {a: b}}]'));
  const topology = planTopology(manifests);
  expect(structuredClone(topology)).toEqual(topology);
  expect(planTopology(manifests)).toEqual(topology);
  topology.nodes[0]!.labels['a'] = 'changed';
  expect(planTopology(manifests).nodes[0]!.labels).toMatchObject({ a: 'b' });
});
