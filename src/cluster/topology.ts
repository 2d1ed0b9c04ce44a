/** Documents and options → the frame of the cluster as plain data: what nodes there are, with which addresses. */
import type { Taint } from 'kubernetes-types/core/v1.d.ts';
import type { Technique } from '../nodes/techniques.ts';
import type { Node } from '../store/object.ts';
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
import type { ManifestObject } from './manifest-object.ts';
import type { Manifests } from './manifests.ts';
import { nearestWord } from './nearest-word.ts';
import { type Place, ProblemLog } from './source.ts';
import { sourceOf } from './source-tree.ts';
import { dnsLabel } from './text-rule.ts';
import { planEndpoint, type TopologyEndpoint } from './tunnel-endpoint.ts';

/** How packets get from node to node: by a TAP each, by UDP sockets, or whatever is faster here. */
export const underlayKinds = ['auto', 'tap', 'udp'] as const;
export type UnderlayKind = (typeof underlayKinds)[number];

/** A cluster without its objects, ready to be built. Survives structured cloning. */
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
  /** What nodes do without, to be measured. */
  without: Technique[];
  /** Whether nodes verify what pods' kernels verify anyway. */
  strictChecksums: boolean;
  /** May pods start programs of this machine? No document can say so: manifests come from elsewhere. */
  allowRun: boolean;
  /** The pod network's blocks, IPv4 first. */
  podSubnets: string[];
  /** Where Services' cluster IPs come from, IPv4 first. */
  serviceSubnets: string[];
  nodes: TopologyNode[];
  /** Tunnel ends that are no nodes. */
  tunnelEndpoints: TopologyEndpoint[];
}

export interface TopologyNode {
  name: string;
  /** From 0, in the order of `Topology.nodes`. */
  index: number;
  /** As written, and kubernetes.io/hostname and the role's label as kubelet and kubeadm set them. */
  labels: Record<string, string>;
  annotations: Record<string, string>;
  taints: Taint[];
  underlayAddress: string;
  mac: string;
  /** The node's share of each pod subnet, in the same order. */
  podCidrs: string[];
  /** The first address of each pod CIDR, which is the node's own. */
  gatewayAddresses: string[];
}

/** What the command line may say; it wins over the document. */
export interface TopologyOptions {
  readonly name?: string | undefined;
  /** How many nodes: the document's first ones, and unnamed ones after them. */
  readonly nodes?: number | undefined;
  readonly mtu?: number | undefined;
  readonly offload?: 'on' | 'off' | undefined;
  readonly underlay?: UnderlayKind | undefined;
  readonly without?: readonly Technique[] | undefined;
  readonly strictChecksums?: boolean | undefined;
  readonly allowRun?: boolean | undefined;
}

/** The outside router has the first address of the underlay, nodes the following. */
const FIRST_NODE_ADDRESS = 2;

const CONTROL_PLANE = 'node-role.kubernetes.io/control-plane';

/** That nodes are Linux machines is what node selectors of real manifests ask for most. */
const SYSTEM_LABELS = { 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': architecture() };

const COMMAND_LINE: Place = { file: 'command line', line: 0, column: 0 };

/**
 * Plans the cluster. The same documents and options give the same topology.
 *
 * @param cluster what describes the cluster; without it Node objects say which nodes there are, or nothing does.
 * @param objects those of kind Node are read; the nodes that they name get their labels, annotations and taints.
 * @throws ManifestError with every problem, those of the options first.
 */
export function planTopology(
  { cluster, objects }: Pick<Manifests, 'cluster' | 'objects'>,
  options: TopologyOptions = {},
): Topology {
  const log = new ProblemLog();
  refuseOptions(options, log);
  const nodeObjects = objects.filter(({ object }) => object.kind === 'Node');
  const spec = cluster?.spec ?? { ...defaultClusterSpec, nodes: nodesOf(nodeObjects) ?? defaultClusterSpec.nodes };
  refuseTooManyNodes(spec, cluster, options, log);
  log.throwIfErrors(); // before anything is made in the number asked for

  const nodes = planNodes(spec, options.nodes ?? spec.nodes.length);
  refuseSameNames(nodes, log);
  refuseTakenAddresses(spec, cluster, nodes, log);
  for (const nodeObject of nodeObjects) adoptNode(nodeObject, nodes, log);
  log.throwIfErrors();
  const underlayMtu = options.mtu ?? spec.mtu;
  return {
    name: options.name ?? cluster?.name ?? DEFAULT_CLUSTER_NAME,
    ipFamily: spec.ipFamily,
    underlayMtu,
    podMtu: underlayMtu - VXLAN_OVERHEAD_IPV4,
    vni: spec.vni,
    offload: options.offload === undefined ? spec.offload : options.offload === 'on',
    underlay: options.underlay ?? 'auto',
    without: [...(options.without ?? [])],
    strictChecksums: options.strictChecksums === true,
    allowRun: options.allowRun === true,
    podSubnets: spec.podSubnets.map(formatCidr),
    serviceSubnets: spec.serviceSubnets.map(formatCidr),
    nodes,
    tunnelEndpoints: spec.tunnelEndpoints.map(planEndpoint),
  };
}

function nodesOf(nodeObjects: readonly ManifestObject[]): ClusterNode[] | undefined {
  if (nodeObjects.length === 0) return undefined;
  return nodeObjects.map(({ object }) => ({ name: object.metadata.name, role: undefined, labels: {} }));
}

/** What a Node object says about a node that there is. */
function adoptNode(manifest: ManifestObject, nodes: readonly TopologyNode[], log: ProblemLog): void {
  const { metadata, spec } = manifest.object as Node;
  const node = nodes.find(({ name }) => name === metadata.name);
  if (node === undefined) {
    const names = nodes.map(({ name }) => name);
    const nearest = nearestWord(metadata.name, names);
    const remedy = nearest === undefined ? 'add it to nodes of the Cluster document' : `did you mean "${nearest}"?`;
    const path = 'metadata.name';
    log.error(sourceOf(manifest, path), path, `the cluster has no node ${shown(metadata.name)}; ${remedy}`);
    return;
  }
  Object.assign(node.labels, metadata.labels);
  Object.assign(node.annotations, metadata.annotations);
  node.taints.push(...(spec?.taints ?? []));
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

/** As Go names it. */
function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

function planNodes(spec: ClusterSpec, count: number): TopologyNode[] {
  const unnamed: ClusterNode = { name: undefined, role: undefined, labels: {} };
  const nodes = Array.from({ length: count }, (_, index) => planNode(spec.nodes[index] ?? unnamed, index, spec));
  // As kubeadm and kind have it: where others can do the work, the control plane's nodes are kept free of it.
  if (nodes.every(({ labels }) => CONTROL_PLANE in labels)) for (const node of nodes) node.taints = [];
  return nodes;
}

function planNode(node: ClusterNode, index: number, spec: ClusterSpec): TopologyNode {
  const name = node.name ?? `n${index + 1}`;
  const underlay = nthAddress(spec.underlaySubnet, FIRST_NODE_ADDRESS + index)!;
  const podCidrs = spec.podSubnets.map((subnet) => nthSubnet(subnet, nodePrefixLength[subnet.family], index)!);
  const roleLabel = node.role === undefined ? {} : { [`node-role.kubernetes.io/${node.role}`]: '' };
  return {
    name,
    index,
    labels: { ...SYSTEM_LABELS, 'kubernetes.io/hostname': name, ...roleLabel, ...node.labels },
    annotations: {},
    taints: node.role === 'control-plane' ? [{ key: CONTROL_PLANE, effect: 'NoSchedule' }] : [],
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
