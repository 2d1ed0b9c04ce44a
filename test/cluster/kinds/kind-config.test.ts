import { describe, expect, test } from 'vitest';
import { defaultClusterSpec } from '../../../src/cluster/cluster-document.ts';
import { formatCidr } from '../../../src/cluster/ip-address.ts';
import { formatProblem } from '../../../src/cluster/source.ts';
import { clusterText, documents, manifestsOf } from '../refusal.ts';
import { testRefusals } from './refused.ts';

const config = (...lines: readonly string[]) =>
  ['apiVersion: kind.x-k8s.io/v1alpha4', 'kind: Cluster', ...lines].join('\n');

test("without fields is kind's cluster: one control plane, IPv4", () => {
  const { cluster, notes } = manifestsOf(config());
  expect(cluster).toMatchObject({ name: 'kind', spec: { ipFamily: 'ipv4', mtu: defaultClusterSpec.mtu } });
  expect(cluster!.spec.nodes).toEqual([{ name: 'kind-control-plane', role: 'control-plane', labels: {} }]);
  expect(cluster!.spec.podSubnets.map(formatCidr)).toEqual(['10.244.0.0/16']);
  expect(cluster!.spec.serviceSubnets.map(formatCidr)).toEqual(['10.96.0.0/16']);
  expect(notes).toEqual([]);
});

test('nodes have the names that kind gives them', () => {
  const nodes = 'nodes: [{role: worker}, {}, {role: worker, labels: {zone: a}}, {role: control-plane}]';
  expect(manifestsOf(config('name: shop', nodes)).cluster!.spec.nodes).toEqual([
    { name: 'shop-worker', role: 'worker', labels: {} },
    { name: 'shop-control-plane', role: 'control-plane', labels: {} },
    { name: 'shop-worker2', role: 'worker', labels: { zone: 'a' } },
    { name: 'shop-control-plane2', role: 'control-plane', labels: {} },
  ]);
});

test('networks are obeyed', () => {
  const networking =
    'networking: {ipFamily: dual, podSubnet: "10.1.0.0/16,fd00:1::/56", serviceSubnet: "10.2.0.0/16,fd00:2::/112"}';
  const { spec } = manifestsOf(config(networking)).cluster!;
  expect([...spec.podSubnets, ...spec.serviceSubnets].map(formatCidr)).toEqual([
    ...['10.1.0.0/16', 'fd00:1::/56', '10.2.0.0/16', 'fd00:2::/112'],
  ]);
});

test('the rest is named, once each, and skipped', () => {
  const lines = [
    'nodes:',
    '- {role: control-plane, image: "kindest/node:v1.35", extraPortMappings: [{containerPort: 80, hostPort: 80}]}',
    '- {role: worker, image: x, extraMounts: [], kubeadmConfigPatches: [x]}',
    'networking: {apiServerPort: 6443, apiServerAddress: 127.0.0.1, disableDefaultCNI: true, kubeProxyMode: none}',
    'featureGates: {A: true}',
    'runtimeConfig: {api/alpha: "false"}',
    'containerdConfigPatches: ["x"]',
    'kubeadmConfigPatches: [x]',
  ];
  const { notes } = manifestsOf(config(...lines));
  expect(notes.map(formatProblem).map((line) => /: (\w+) of kind's configuration is skipped/.exec(line)?.[1])).toEqual([
    ...['featureGates', 'runtimeConfig', 'kubeadmConfigPatches', 'containerdConfigPatches'],
    ...['apiServerPort', 'apiServerAddress', 'disableDefaultCNI', 'kubeProxyMode'],
    ...['image', 'extraPortMappings', 'extraMounts'],
  ]);
});

describe('refused', () => {
  testRefusals([
    [
      'an older version',
      'apiVersion: kind.sigs.k8s.io/v1alpha3\nkind: Cluster'.replace(
        'kind.sigs.k8s.io/v1alpha3',
        'kind.x-k8s.io/v1alpha3',
      ),
      'found no kind "Cluster" in "kind.x-k8s.io/v1alpha3", expected Cluster in kind.x-k8s.io/v1alpha4',
    ],
    ['an unknown field', config('networkin: {}'), 'networkin: unknown field "networkin"; did you mean "networking"?'],
    [
      'an unknown field of a node',
      config('nodes: [{rol: worker}]'),
      'nodes[0].rol: unknown field "rol"; did you mean "role"?',
    ],
    [
      'a role that is none',
      config('nodes: [{role: controlplane}]'),
      'nodes[0].role: found "controlplane", expected control-plane or worker',
    ],
    ['workers alone', config('nodes: [{role: worker}]'), 'nodes: found no control plane'],
    [
      'a subnet of another family',
      config('networking: {podSubnet: "fd00:1::/56"}'),
      'networking.podSubnet: found "fd00:1::/56", expected one IPv4 block',
    ],
    [
      "a document of podwire's too",
      documents(clusterText(), config()),
      'a.yaml:4:1: found a second Cluster document, the first is at a.yaml:1:1',
    ],
  ]);
});
