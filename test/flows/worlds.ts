/** The clusters that scenarios name, and where their places are. */
import { hostMac } from '../../src/cluster/compile.ts';
import { readManifests } from '../../src/cluster/manifests.ts';
import { planTopology, type Topology } from '../../src/cluster/topology.ts';
import { HOST, podsOf, type SimPlace } from '../../src/sim/simulation.ts';
import { clusterManifest, twoNodes } from '../system/worlds.ts';
import type { Ends } from './frame-words.ts';

/** `pod-NAME`, or `host-NODE` for a node's own network. */
export interface Place extends SimPlace {
  readonly name: string;
  /** Who sends into the wire, and to whom. */
  readonly ends: Ends;
}

export interface NamedCluster {
  readonly topology: Topology;
  readonly places: ReadonlyMap<string, Place>;
}

const manifests: Readonly<Record<string, () => string>> = {
  /** a 10.244.0.2 and c 10.244.0.3 on n1 (172.18.0.2), b 10.244.1.2 on n2 (172.18.0.3). */
  'two-nodes': twoNodes,
  /** a on n1, b on n2, d on n3. */
  'three-nodes': () =>
    clusterManifest(3, [
      { name: 'a', node: 'n1' },
      { name: 'b', node: 'n2' },
      { name: 'd', node: 'n3' },
    ]),
};

export function namedCluster(name: string): NamedCluster | undefined {
  const manifest = manifests[name];
  if (manifest === undefined) return undefined;
  const topology = planTopology(readManifests([{ file: name, text: manifest() }]).objects, { underlay: 'udp' });
  const places = new Map<string, Place>();
  for (const node of topology.nodes) {
    const add = (placeName: string, port: number, mac: string) => {
      const ends = { sourceMac: mac, destinationMac: node.mac };
      places.set(placeName, { name: placeName, node: node.name, port, ends });
    };
    add(`host-${node.name}`, HOST, hostMac(node));
    for (const [port, pod] of podsOf(topology, node).entries()) add(`pod-${pod.name}`, port, pod.mac);
  }
  return { topology, places };
}
