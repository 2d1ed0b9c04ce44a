/** Hops of a simulated cluster that frames can be fed at, and that captures of it show: by the names that users write. */
import { hostAddresses, hostMac } from '../cluster/compile.ts';
import { nearestWord } from '../cluster/nearest-word.ts';
import { type ClusterPlan, podsOf } from '../cluster/plan.ts';
import type { Topology, TopologyNode } from '../cluster/topology.ts';
import { HOST } from '../sim/simulation.ts';
import { Refusal } from '../vessel/refusal.ts';

/** One end of a pod's or host's wire. */
export interface ReplayPlace {
  readonly name: string;
  readonly description: string;
  readonly node: string;
  /** A pod's number, or `HOST`. */
  readonly port: number;
  readonly mac: string;
  readonly nodeMac: string;
  readonly addresses: readonly string[];
  /** IP MTU. */
  readonly mtu: number;
}

export interface ReplayUnderlay {
  readonly name: string;
  readonly description: string;
  readonly node: string;
  readonly nodeMac: string;
}

export interface ReplayHops {
  readonly places: readonly ReplayPlace[];
  readonly underlays: readonly ReplayUnderlay[];
}

/** Every hop of the cluster, node by node. */
export function replayHops(plan: ClusterPlan): ReplayHops {
  const { topology } = plan;
  return {
    places: topology.nodes.flatMap((node) => [...podPlaces(plan, node), hostPlace(topology, node)]),
    underlays: topology.nodes.map(({ name, underlayAddress, mac }) => {
      const description = `underlay of node ${name}, ${underlayAddress}, VXLAN`;
      return { name: `node/${name}:underlay`, description, node: name, nodeMac: mac };
    }),
  };
}

/** The hop of this name. @throws Refusal when there is none. */
export function findHop<T extends { readonly name: string }>(hops: readonly T[], name: string): T {
  const found = hops.find((hop) => hop.name === name);
  if (found !== undefined) return found;
  const names = hops.map((hop) => hop.name);
  const nearest = nearestWord(name, names);
  const shown = names.slice(0, 8).join(', ');
  const there = names.length > 8 ? `${shown}, … (${names.length})` : shown;
  throw new Refusal(`no hop "${name}"; ${nearest === undefined ? `there is ${there}` : `did you mean ${nearest}?`}`);
}

function podPlaces(plan: ClusterPlan, node: TopologyNode): ReplayPlace[] {
  return podsOf(plan, node).map(({ namespace, name, addresses, mac }, port) => {
    const description = `pod ${namespace}/${name} on ${node.name}, ${addresses.join(', ')}`;
    const { podMtu: mtu } = plan.topology;
    return {
      name: `pod/${namespace}/${name}`,
      description,
      node: node.name,
      port,
      mac,
      nodeMac: node.mac,
      addresses,
      mtu,
    };
  });
}

function hostPlace(topology: Topology, node: TopologyNode): ReplayPlace {
  const { name, underlayAddress, mac: nodeMac } = node;
  const description = `network namespace of node ${name}, ${underlayAddress}`;
  const host = { name: `node/${name}:host`, description, node: name, port: HOST };
  return { ...host, mac: hostMac(node), nodeMac, addresses: hostAddresses(node), mtu: topology.podMtu };
}
