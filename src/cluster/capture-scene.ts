/** What the numbers in a node's sightings mean: names of its hops and of what is behind its tunnels. */
import { Way, way } from '../packet/way.ts';
import { compileEndpoints, hostAddresses } from './compile.ts';
import type { PlacedPod } from './placed-pod.ts';
import type { Topology, TopologyNode } from './topology.ts';

export interface CaptureScene {
  readonly node: string;
  readonly hops: readonly SceneHop[];
  /** Names of the other nodes and tunnel ends, by endpoint number. */
  readonly endpoints: readonly string[];
}

interface SceneHop {
  /** As in sightings; `Way.None` is the underlay. */
  readonly way: number;
  /** As users name it: `pod/shop/web`, `node/n1:host`. */
  readonly name: string;
  readonly addresses: readonly string[];
}

/** @param indexes port numbers of this node's pods. */
export function captureScene(
  topology: Topology,
  node: TopologyNode,
  indexes: ReadonlyMap<PlacedPod, number>,
): CaptureScene {
  const pods = [...indexes].map(([{ namespace, name, addresses }, index]) => {
    return { way: way(Way.Pod, index), name: `pod/${namespace}/${name}`, addresses };
  });
  return {
    node: node.name,
    hops: [
      ...pods,
      { way: way(Way.Host, 0), name: `node/${node.name}:host`, addresses: hostAddresses(node) },
      { way: way(Way.None, 0), name: `node/${node.name}:underlay`, addresses: [node.underlayAddress] },
    ],
    endpoints: compileEndpoints(topology, node).map(({ name }) => name),
  };
}
