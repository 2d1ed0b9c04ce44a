/** From the cluster's plan to what one node must know: the compiler. Pure: same plan, same configuration. */
import type { EndpointSpec, NodeSettings, PodSpec, RouteSpec, UnderlayWire } from '../nodes/protocol.ts';
import { Way, way } from '../packet/way.ts';
import { cidrContains, parseAddress, parseCidr } from './ip-address.ts';
import type { PlacedPod } from './placed-pod.ts';
import type { Topology, TopologyNode } from './topology.ts';

/** Connections a node can have at once; a full table refuses new ones. */
export const CONNECTIONS_MAX = 65_536;

export function compileSettings(
  topology: Topology,
  node: TopologyNode,
  underlayWire: UnderlayWire | undefined,
): NodeSettings {
  return {
    name: node.name,
    underlayAddress: node.underlayAddress,
    mac: node.mac,
    gatewayAddresses: node.gatewayAddresses,
    vni: topology.vni,
    podMtu: topology.podMtu,
    offload: topology.offload,
    without: topology.without,
    strictChecksums: topology.strictChecksums,
    connectionsMax: CONNECTIONS_MAX,
    underlayWire,
  };
}

/** Every other node, then what is no node: the order that routes count them in. */
export function compileEndpoints(topology: Topology, node: TopologyNode): EndpointSpec[] {
  const nodes = topology.nodes.filter((other) => other !== node).map((other) => ({ ...other, kernelLocal: false }));
  return [...nodes, ...topology.tunnelEndpoints].map(({ name, underlayAddress, mac, kernelLocal }) => {
    return { name, underlayAddress, mac, kernelLocal };
  });
}

/**
 * What is where, as seen from one node: its own pods by address, the rest of its pod CIDR nowhere, its own addresses
 * at the host, every other node's CIDRs and addresses through the tunnel, and what external endpoints stand for; pods
 * outside their node's CIDR by address.
 *
 * @param own port numbers of this node's pods. @param strays pods anywhere whose addresses are of no CIDR of their node.
 */
export function compileRoutes(
  topology: Topology,
  node: TopologyNode,
  own: ReadonlyMap<PlacedPod, number>,
  strays: Iterable<PlacedPod>,
): RouteSpec[] {
  const routes: RouteSpec[] = [];
  const add = (prefix: string, to: number) => routes.push({ prefix, way: to });
  for (const cidr of node.podCidrs) add(cidr, way(Way.Blackhole, 0));
  for (const address of [...node.gatewayAddresses, node.underlayAddress]) add(whole(address), way(Way.Host, 0));
  const others = topology.nodes.filter((other) => other !== node);
  for (const [endpoint, other] of others.entries()) {
    for (const cidr of other.podCidrs) add(cidr, way(Way.Tunnel, endpoint));
    add(whole(other.underlayAddress), way(Way.Tunnel, endpoint));
  }
  for (const [i, external] of topology.tunnelEndpoints.entries()) {
    for (const prefix of external.routes) add(prefix, way(Way.Tunnel, others.length + i));
  }
  for (const [pod, index] of own) {
    for (const address of pod.addresses) add(whole(address), way(Way.Pod, index));
  }
  const endpointOf = new Map(others.map((other, endpoint) => [other.name, endpoint]));
  for (const pod of strays) {
    const endpoint = endpointOf.get(pod.node);
    if (endpoint === undefined) continue;
    for (const address of pod.addresses) add(whole(address), way(Way.Tunnel, endpoint));
  }
  return routes;
}

/** Has the pod an address outside its node's CIDRs, so that other nodes need a route of its own for it? */
export function isStray({ addresses, hostNetwork }: PlacedPod, node: TopologyNode): boolean {
  if (hostNetwork) return false;
  const cidrs = node.podCidrs.map((text) => parseCidr(text)!);
  return !addresses.every((address) => cidrs.some((cidr) => cidrContains(cidr, parseAddress(address)!)));
}

export function compilePod(pod: PlacedPod, index: number, namespacePath: string, interfaceName: string): PodSpec {
  return { index, namespacePath, interfaceName, mac: pod.mac, addresses: pod.addresses };
}

/** The host's end of its wire has the MAC of the node with the local bit's neighbour set: two ends, two addresses. */
export function hostMac(node: TopologyNode): string {
  return node.mac.replace(/^02/, '06');
}

/** The node's IP, then the first address of each of its pod CIDRs. */
export function hostAddresses(node: TopologyNode): string[] {
  return [node.underlayAddress, ...node.gatewayAddresses];
}

function whole(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}
