/** Pods as a plan has them: where they run, and with which addresses. */
import { describe, expect, test } from 'vitest';
import { type ClusterPlan, planCluster } from '../../src/cluster/plan.ts';
import type { TopologyOptions } from '../../src/cluster/topology.ts';
import { clusterText, documents, manifestsOf, podText, refusalOf } from './refusal.ts';

const threeNodes = clusterText('nodes: [{}, {}, {}]');

function planOf(text: string, options: TopologyOptions = {}): ClusterPlan {
  return planCluster(manifestsOf(text), options);
}

describe('pods', () => {
  const pods = (text: string) => planOf(text).pods;

  test('get a node, addresses and a MAC', () => {
    const text = documents(
      threeNodes,
      podText('a'),
      podText('b'),
      'apiVersion: v1\nkind: Pod\nmetadata: {name: c, namespace: shop, labels: {app: c}, annotations: {note: x}}',
      podText('d'),
    );
    expect(pods(text)[0]).toEqual({
      key: 'default/a',
      uid: expect.any(String),
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
  const addresses = (text: string) => Object.fromEntries(planOf(text).pods.map((pod) => [pod.name, pod.addresses]));

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
      want: 'a.yaml:8:42: status.podIPs[1].ip: found "10.244.0.6", expected one address a family; remove one',
    },
    {
      name: 'the underlay of another node with hostNetwork',
      lines: ['spec: {hostNetwork: true, nodeName: n2}', 'status: {podIP: 172.18.0.2}'],
      want: 'expected 172.18.0.3: the pod has hostNetwork, and that is the address of its node n2',
    },
  ];
  for (const { name, lines, want } of refused) {
    test(`refused: ${name}`, () => {
      expect(refusalOf(() => planOf(documents(threeNodes, podText('a', ...lines))))).toEqual([
        expect.stringContaining(want),
      ]);
    });
  }

  test('refused: the same twice, naming the other pod', () => {
    const text = documents(podText('a', 'status: {podIP: 10.244.0.5}'), podText('b', 'status: {podIP: 10.244.0.5}'));
    expect(refusalOf(() => planOf(text))).toEqual([
      'a.yaml:9:17: status.podIP: found 10.244.0.5, which pod default/a has; change or remove it',
    ]);
  });

  test('refused: IPv6 in an IPv4 cluster', () => {
    const text = documents(
      clusterText('networking: {ipFamily: ipv4}'),
      podText('a', 'status: {podIP: "fd00:10:244::9"}'),
    );
    expect(refusalOf(() => planOf(text))).toEqual([
      expect.stringContaining('expected an address of the pod network, 10.244.0.0/16'),
    ]);
  });
});

describe('refused', () => {
  const pods = (text: string) => planOf(text).pods;

  test('a node that is not there, with those that are', () => {
    const text = documents(
      threeNodes,
      podText('a', 'spec: {nodeName: n7}'),
      podText('b', 'spec: {nodeName: elsewhere}'),
    );
    expect(refusalOf(() => planOf(text))).toEqual([
      'a.yaml:8:18: spec.nodeName: no node "n7"; nodes are n1, n2, n3; did you mean "n1"?',
      'a.yaml:13:18: spec.nodeName: no node "elsewhere"; nodes are n1, n2, n3; name one of them, or add the node',
    ]);
  });

  test('a long list of nodes is cut', () => {
    const [line] = refusalOf(() => planOf(podText('a', 'spec: {nodeName: elsewhere}'), { nodes: 100 }));
    expect(line).toMatch(/n25, n26 and 80 more; /);
  });

  test('nothing: more pods than a node has addresses wait for one, and an event says so', () => {
    const texts = Array.from({ length: 255 }, (_, index) => podText(`p${index}`, 'spec: {nodeName: n1}'));
    expect(pods(documents(threeNodes, ...texts))).toHaveLength(253);
  });

  test('all problems of pods at once', () => {
    const text = documents(
      podText('a', 'spec: {nodeName: n7}'),
      podText('b', 'status: {podIP: 1.1.1.1}'),
      podText('c', 'status: {podIP: 10.244.0.1}'),
    );
    expect(refusalOf(() => planOf(text))).toHaveLength(3);
  });
});
