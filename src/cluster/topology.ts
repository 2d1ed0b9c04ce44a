/** Objects and options → the cluster as plain data: what nodes there are, what pods, with which addresses. */
import { VXLAN_OVERHEAD_IPV4 } from '../wire/vxlan.ts';
import {
  type ClusterNode,
  type ClusterObject,
  type ClusterSpec,
  DEFAULT_CLUSTER_NAME,
  defaultClusterSpec,
  type IpFamilies,
  MTU_MAX,
  MTU_MIN,
  nodePrefixLength,
} from './cluster-document.ts';
import { shown } from './field.ts';
import { cidrSize, formatAddress, formatCidr, nthAddress, nthSubnet } from './ip-address.ts';
import { nodeMac } from './mac-address.ts';
import { type ManifestObject, refuseDuplicateObjects } from './manifests.ts';
import { planPods } from './pod-plan.ts';
import { type Place, ProblemLog } from './source.ts';
import { sourceOf } from './source-tree.ts';
import { dnsLabel } from './text-rule.ts';
import { planEndpoint, type TopologyEndpoint } from './tunnel-endpoint.ts';

/** How packets get from node to node: by a TAP each, by UDP sockets, or whatever is faster here. */
export const underlayKinds = ['auto', 'tap', 'udp'] as const;
export type UnderlayKind = (typeof underlayKinds)[number];

/** A cluster, ready to be built. Survives structured cloning. */
export interface Topology {
  name: string;
  ipFamily: IpFamilies;
  /** IP MTU of the underlay. */
  underlayMtu: number;
  /** IP MTU of pods: the underlay's less what VXLAN adds. */
  podMtu: number;
  vni: number;
  offload: boolean;
  underlay: UnderlayKind;
  /** The pod network's blocks, IPv4 first. */
  podSubnets: string[];
  nodes: TopologyNode[];
  /** Tunnel ends that are no nodes. */
  tunnelEndpoints: TopologyEndpoint[];
  pods: TopologyPod[];
}

export interface TopologyNode {
  name: string;
  /** From 0, in the order of `Topology.nodes`. */
  index: number;
  /** As written, and kubernetes.io/hostname and the role's label as kubelet and kubeadm set them. */
  labels: Record<string, string>;
  underlayAddress: string;
  mac: string;
  /** The node's share of each pod subnet, in the same order. */
  podCidrs: string[];
  /** The first address of each pod CIDR, which is the node's own. */
  gatewayAddresses: string[];
}

export interface TopologyPod {
  namespace: string;
  name: string;
  /** The node's name. */
  node: string;
  hostNetwork: boolean;
  hostname: string;
  /** One a family, IPv4 first; with hostNetwork, the node's underlay address. */
  addresses: string[];
  mac: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** What the command line may say; it wins over the document. */
export interface TopologyOptions {
  readonly name?: string | undefined;
  /** How many nodes: the document's first ones, and unnamed ones after them. */
  readonly nodes?: number | undefined;
  readonly mtu?: number | undefined;
  readonly offload?: 'on' | 'off' | undefined;
  readonly underlay?: UnderlayKind | undefined;
}

/** The outside router has the first address of the underlay, nodes the following. */
const FIRST_NODE_ADDRESS = 2;

const COMMAND_LINE: Place = { file: 'command line', line: 0, column: 0 };

/**
 * Plans the cluster. The same objects and options give the same topology.
 *
 * @throws ManifestError with every problem, those of the options first.
 */
export function planTopology(objects: readonly ManifestObject[], options: TopologyOptions = {}): Topology {
  const log = new ProblemLog();
  refuseOptions(options, log);
  refuseDuplicateObjects(objects, log);
  const cluster = objects.find((object) => object.kind === 'Cluster');
  const spec = cluster?.spec ?? defaultClusterSpec;
  refuseTooManyNodes(spec, cluster, options, log);
  log.throwIfErrors(); // before anything is made in the number asked for

  const nodes = planNodes(spec, options.nodes ?? spec.nodes.length);
  refuseSameNames(nodes, log);
  refuseTakenAddresses(spec, cluster, nodes, log);
  const pods = objects.filter((object) => object.kind === 'Pod');
  const underlayMtu = options.mtu ?? spec.mtu;
  const topology: Topology = {
    name: options.name ?? cluster?.name ?? DEFAULT_CLUSTER_NAME,
    ipFamily: spec.ipFamily,
    underlayMtu,
    podMtu: underlayMtu - VXLAN_OVERHEAD_IPV4,
    vni: spec.vni,
    offload: options.offload === undefined ? spec.offload : options.offload === 'on',
    underlay: options.underlay ?? 'auto',
    podSubnets: spec.podSubnets.map(formatCidr),
    nodes,
    tunnelEndpoints: spec.tunnelEndpoints.map(planEndpoint),
    pods: planPods(pods, nodes, spec.podSubnets, log),
  };
  log.throwIfErrors();
  return topology;
}

function refuseOptions(options: TopologyOptions, log: ProblemLog): void {
  const { name, nodes, mtu, offload } = options;
  if (name !== undefined && !dnsLabel.holds(name)) {
    log.error(COMMAND_LINE, '--name', `found ${shown(name)}, expected ${dnsLabel.expected}`);
  }
  if (nodes !== undefined && !(Number.isInteger(nodes) && nodes >= 1)) {
    log.error(COMMAND_LINE, '--nodes', `found ${nodes}, expected a whole number from 1`);
  }
  if (mtu !== undefined && !(Number.isInteger(mtu) && mtu >= MTU_MIN && mtu <= MTU_MAX)) {
    log.error(COMMAND_LINE, '--mtu', `found ${mtu}, expected a whole number from ${MTU_MIN} to ${MTU_MAX}`);
  }
  if (offload !== undefined && offload !== 'on' && offload !== 'off') {
    log.error(COMMAND_LINE, '--offload', `found ${shown(String(offload))}, expected on or off`);
  }
}

/** The underlay keeps its first and last address and the router's; a pod subnet is shared out in equal blocks. */
function refuseTooManyNodes(
  spec: ClusterSpec,
  cluster: ClusterObject | undefined,
  options: TopologyOptions,
  log: ProblemLog,
): void {
  const count = options.nodes ?? spec.nodes.length;
  const rooms = spec.podSubnets.map((subnet) => {
    const share = nodePrefixLength[subnet.family];
    const what = `podSubnet ${formatCidr(subnet)} has room for, a /${share} each`;
    return { what, nodes: 2 ** (share - subnet.prefixLength) };
  });
  const what = `underlaySubnet ${formatCidr(spec.underlaySubnet)} has room for`;
  rooms.push({ what, nodes: cidrSize(spec.underlaySubnet) - FIRST_NODE_ADDRESS - 1 });
  const fromDocument = options.nodes === undefined && cluster !== undefined;
  const place = fromDocument ? sourceOf(cluster, 'nodes') : COMMAND_LINE;
  for (const room of rooms) {
    const message = `found ${count} nodes, expected at most the ${room.nodes} that ${room.what}; take a shorter prefix`;
    if (count > room.nodes) log.error(place, fromDocument ? 'nodes' : '--nodes', message);
  }
}

/** A node has its address because of its number: an external endpoint may not have the same. */
function refuseTakenAddresses(
  spec: ClusterSpec,
  cluster: ClusterObject | undefined,
  nodes: readonly TopologyNode[],
  log: ProblemLog,
): void {
  for (const [i, endpoint] of spec.tunnelEndpoints.entries()) {
    const address = formatAddress(endpoint.address);
    const node = nodes.find(({ underlayAddress }) => underlayAddress === address);
    if (node === undefined || cluster === undefined) continue;
    const path = `tunnelEndpoints[${i}].address`;
    log.error(sourceOf(cluster, path), path, `found ${address}, the address of node ${node.name}; choose another`);
  }
}

function planNodes(spec: ClusterSpec, count: number): TopologyNode[] {
  const unnamed: ClusterNode = { name: undefined, role: undefined, labels: {} };
  return Array.from({ length: count }, (_, index) => planNode(spec.nodes[index] ?? unnamed, index, spec));
}

function planNode(node: ClusterNode, index: number, spec: ClusterSpec): TopologyNode {
  const name = node.name ?? `n${index + 1}`;
  const underlay = nthAddress(spec.underlaySubnet, FIRST_NODE_ADDRESS + index)!;
  const podCidrs = spec.podSubnets.map((subnet) => nthSubnet(subnet, nodePrefixLength[subnet.family], index)!);
  const roleLabel = node.role === undefined ? {} : { [`node-role.kubernetes.io/${node.role}`]: '' };
  return {
    name,
    index,
    labels: { 'kubernetes.io/hostname': name, ...roleLabel, ...node.labels },
    underlayAddress: formatAddress(underlay),
    mac: nodeMac(underlay),
    podCidrs: podCidrs.map(formatCidr),
    gatewayAddresses: podCidrs.map((cidr) => formatAddress(nthAddress(cidr, 1)!)),
  };
}

/** The document's names differ (it was checked), but --nodes may have added one that it has taken: n2 as the first. */
function refuseSameNames(nodes: readonly TopologyNode[], log: ProblemLog): void {
  const first = new Map<string, number>();
  for (const { name, index } of nodes) {
    const other = first.get(name);
    if (other === undefined) first.set(name, index);
    else {
      const message = `found node ${index + 1} unnamed and ${shown(name)} at nodes[${other}], expected each name once`;
      log.error(COMMAND_LINE, '--nodes', `${message}; name node ${index + 1} in the Cluster document`);
    }
  }
}
