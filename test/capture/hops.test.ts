/** Hops by name: what a cluster has, what a choice means on each node, and what a sighting belongs to. */
import { describe, expect, test } from 'vitest';
import { clusterHops, HopChoice } from '../../src/capture/hops.ts';
import type { CaptureScene } from '../../src/cluster/capture-scene.ts';
import { SightingBit } from '../../src/recording/sighting.ts';
import type { Node, Pod } from '../../src/store/object.ts';
import { Refusal } from '../../src/vessel/refusal.ts';
import { API, HOST, N2, N3, scene, sightingOf, UNDERLAY, WEB } from './sightings.ts';

function node(name: string, address: string): Node {
  return {
    ...{ apiVersion: 'v1', kind: 'Node', spec: { podCIDR: '', podCIDRs: [] } },
    metadata: { name, creationTimestamp: '', resourceVersion: '1' },
    status: {
      addresses: [
        { type: 'Hostname', address: name },
        { type: 'InternalIP', address },
      ],
      conditions: [],
    },
  };
}

function pod(name: string, nodeName: string, ips: string[], hostNetwork = false): Pod {
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name, namespace: 'shop', creationTimestamp: '', resourceVersion: '1' },
    spec: { containers: [], nodeName, hostname: name, ...(hostNetwork ? { hostNetwork: true } : {}) },
    status: { phase: 'Running', hostIP: '', podIP: ips[0]!, podIPs: ips.map((ip) => ({ ip })), conditions: [] },
  };
}

const nodes = [node('n1', '172.18.0.2'), node('n2', '172.18.0.3'), node('n3', '172.18.0.4')];
const pods = [
  pod('web', 'n1', ['10.244.1.2', 'fd00::2']),
  pod('api', 'n1', ['10.244.1.3']),
  pod('proxy', 'n1', ['172.18.0.2'], true),
  pod('db', 'n2', ['10.244.2.7']),
];
const all = clusterHops(nodes, pods);
const others: CaptureScene = {
  node: 'n2',
  hops: [
    { way: WEB, name: 'pod/shop/db', addresses: [] },
    ...['host', 'underlay'].map((what, i) => ({ way: [HOST, UNDERLAY][i]!, name: `node/n2:${what}`, addresses: [] })),
  ],
  endpoints: ['n1', 'n3'],
};

test('a cluster has pods, hosts, underlays and links, each pair once', () => {
  expect(all.map(({ name }) => name)).toEqual([
    ...['pod/shop/web', 'pod/shop/api', 'pod/shop/db'],
    ...['node/n1:host', 'node/n1:underlay', 'node/n2:host', 'node/n2:underlay', 'node/n3:host', 'node/n3:underlay'],
    ...['link/n1-n2', 'link/n1-n3', 'link/n2-n3'],
  ]);
  expect(all[0]!.description).toBe('pod shop/web on n1, 10.244.1.2, fd00::2');
  expect(all[3]!.description).toBe('network namespace of node n1, 172.18.0.2');
  expect(all[4]!.description).toBe('underlay of node n1, 172.18.0.2, VXLAN');
  expect(all.at(-1)!.description).toBe('what n2 and n3 send to each other');
});

test('links are named by the alphabet, however nodes are ordered', () => {
  expect(clusterHops([nodes[1]!, nodes[0]!], []).at(-1)!.name).toBe('link/n1-n2');
});

describe('a choice', () => {
  const names = (...words: string[]) => new HopChoice(all, words).hops.map(({ name }) => name);
  const ways = (at: CaptureScene, ...words: string[]) => new HopChoice(all, words).waysOf(at);

  test('of nothing, of all and of drops is every hop but the links', () => {
    const whole = all.map(({ name }) => name).filter((name) => !name.startsWith('link/'));
    for (const words of [[], ['all'], ['drops'], ['all', 'pod/shop/web']]) expect(names(...words)).toEqual(whole);
    expect(names('all', 'link/n1-n3')).toEqual([...whole, 'link/n1-n3']);
    expect([new HopChoice(all, ['drops']).drops, new HopChoice(all, ['all']).drops]).toEqual([true, false]);
    expect(ways(scene)).toEqual([WEB, API, HOST, UNDERLAY]);
  });

  test('of some is those, in the order of the cluster', () => {
    expect(names('node/n1:host', 'pod/shop/web', 'pod/shop/web')).toEqual(['pod/shop/web', 'node/n1:host']);
    expect(ways(scene, 'node/n1:host', 'pod/shop/web')).toEqual([WEB, HOST]);
    expect(ways(others, 'node/n1:host', 'pod/shop/web')).toEqual([]);
    expect(ways(others, 'pod/shop/db', 'node/n2:underlay')).toEqual([WEB, UNDERLAY]);
  });

  test('of a link is one tunnel on each of its nodes', () => {
    expect(ways(scene, 'link/n1-n3')).toEqual([N3]);
    expect(ways(others, 'link/n1-n2')).toEqual([N2]);
    expect(ways(others, 'link/n1-n3')).toEqual([]);
    expect(ways(scene, 'link/n1-n2', 'link/n1-n3', 'node/n1:underlay')).toEqual([UNDERLAY, N2, N3]);
  });

  test('of what is not there is refused, with the nearest', () => {
    expect(() => names('pod/shop/wep')).toThrow(Refusal);
    expect(() => names('pod/shop/wep')).toThrow(
      'no hop "pod/shop/wep"; did you mean pod/shop/web? (podwire capture -D lists them)',
    );
    expect(() => names('drop')).toThrow('did you mean drops?');
    expect(() => names('all', 'zzzzzzzzzzzz')).toThrow('no hop "zzzzzzzzzzzz" (podwire');
  });
});

describe('a sighting belongs to', () => {
  const { Outgoing } = SightingBit;
  const of = (words: string[], hop: number, bits = 0, at = scene) =>
    new HopChoice(all, words).namesOf(sightingOf({ hop, bits }), at);

  test('its hop, where that is chosen', () => {
    expect(of([], WEB)).toEqual(['pod/shop/web']);
    expect(of([], HOST, Outgoing)).toEqual(['node/n1:host']);
    expect(of(['pod/shop/api'], WEB)).toEqual([]);
    expect(of([], UNDERLAY)).toEqual(['node/n1:underlay']);
  });

  test('the underlay for what is in a tunnel, and to a link for what a node sends there', () => {
    expect(of([], N2)).toEqual(['node/n1:underlay']);
    expect(of([], N3, Outgoing)).toEqual(['node/n1:underlay']);
    expect(of(['link/n1-n3'], N3, Outgoing)).toEqual(['link/n1-n3']);
    expect(of(['link/n1-n3'], N3)).toEqual([]); // the other end tells of it
    expect(of(['link/n1-n3'], N2, Outgoing)).toEqual([]);
    expect(of(['link/n1-n3', 'node/n1:underlay'], N3, Outgoing)).toEqual(['node/n1:underlay', 'link/n1-n3']);
    expect(of(['link/n1-n2'], N2, Outgoing, others)).toEqual(['link/n1-n2']);
  });
});
