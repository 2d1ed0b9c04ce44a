/**
 * Kind Cluster (podwire.dev/v1alpha1): the cluster's shape, in the words of kind's configuration file where the meaning
 * is the same. All its fields are known here; everything has a default, so no document is a cluster too.
 *
 *     apiVersion: podwire.dev/v1alpha1
 *     kind: Cluster
 *     name: shop
 *     nodes: [{role: control-plane}, {name: edge, labels: {zone: a}}]
 *     networking: {ipFamily: dual, podSubnet: "10.244.0.0/16,fd00:10:244::/56", mtu: 1500}
 *     offload: off
 *     tunnelEndpoints: [{name: gateway, address: 172.18.0.100, mac: 02:00:00:00:00:64, routes: [10.250.0.0/24]}]
 */
import { VXLAN_OVERHEAD_IPV4 } from '../wire/vxlan.ts';
import { type Field, type Fields, shown } from './field.ts';
import { type Cidr, cidrFault, cidrsOverlap, formatCidr, type IpFamily, parseCidr } from './ip-address.ts';
import { metadataFields } from './kinds/api-type.ts';
import { readLabels } from './manifest-object.ts';
import type { SourceNode } from './source-tree.ts';
import { dnsLabel, nodeName } from './text-rule.ts';
import { type ExternalEndpoint, readTunnelEndpoints } from './tunnel-endpoint.ts';

export type IpFamilies = 'ipv4' | 'ipv6' | 'dual';

export interface ClusterNode {
  /** undefined: n1 … nN by position. */
  readonly name: string | undefined;
  readonly role: 'control-plane' | 'worker' | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ClusterSpec {
  readonly nodes: readonly ClusterNode[];
  readonly ipFamily: IpFamilies;
  /** One block a family, IPv4 first. */
  readonly podSubnets: readonly Cidr[];
  readonly serviceSubnets: readonly Cidr[];
  readonly underlaySubnet: Cidr;
  /** IP MTU of the underlay. */
  readonly mtu: number;
  readonly vni: number;
  readonly offload: boolean;
  /** Tunnel ends that are no nodes. */
  readonly tunnelEndpoints: readonly ExternalEndpoint[];
}

/** The cluster as its document describes it: podwire's own, or kind's. */
export interface ClusterObject {
  readonly name: string;
  readonly spec: ClusterSpec;
  /** The document as written; `sourceOf(cluster, 'networking.mtu')` is a field's place. */
  readonly source: SourceNode;
}

export const DEFAULT_CLUSTER_NAME = 'podwire';

/** Pods keep the 1280 bytes that IPv6 asks of every link (RFC 8200 section 5). */
export const MTU_MIN = 1280 + VXLAN_OVERHEAD_IPV4;
export const MTU_MAX = 65535;
/** A VNI has 24 bits; 0 is left out, as it commonly means "none". */
const VNI_MAX = 0xffffff;

/** A node's share of the pod network, as kube-controller-manager's node-cidr-mask-size defaults have it. */
export const nodePrefixLength: Readonly<Record<IpFamily, number>> = { ipv4: 24, ipv6: 64 };

const familiesOf: Readonly<Record<IpFamilies, readonly IpFamily[]>> = {
  ipv4: ['ipv4'],
  ipv6: ['ipv6'],
  dual: ['ipv4', 'ipv6'],
};

const DEFAULT_POD_SUBNETS: Readonly<Record<IpFamily, Cidr>> = {
  ipv4: parseCidr('10.244.0.0/16')!,
  ipv6: parseCidr('fd00:10:244::/56')!,
};
const DEFAULT_SERVICE_SUBNETS: Readonly<Record<IpFamily, Cidr>> = {
  ipv4: parseCidr('10.96.0.0/16')!,
  ipv6: parseCidr('fd00:10:96::/112')!,
};

/** Blocks that no kernel forwards as ordinary unicast (IANA special-purpose registries). */
const UNUSABLE = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/127', 'fe80::/10', 'ff00::/8'].map(
  (text) => parseCidr(text)!,
);

/** The cluster nobody described: one node. */
export const defaultClusterSpec: ClusterSpec = {
  nodes: [{ name: undefined, role: undefined, labels: {} }],
  ipFamily: 'dual',
  podSubnets: familiesOf.dual.map((family) => DEFAULT_POD_SUBNETS[family]),
  serviceSubnets: familiesOf.dual.map((family) => DEFAULT_SERVICE_SUBNETS[family]),
  underlaySubnet: parseCidr('172.18.0.0/16')!,
  mtu: 1500,
  vni: 1,
  offload: true,
  tunnelEndpoints: [],
};

export function readCluster(document: Field): ClusterObject {
  const fields = document.object([
    ...['apiVersion', 'kind', 'name', 'metadata', 'nodes', 'networking', 'offload', 'tunnelEndpoints'],
  ]);
  const name = readClusterName(fields);
  const nodes = fields.get('nodes');
  const networking = readNetworking(
    fields.get('networking')?.object(['ipFamily', 'podSubnet', 'serviceSubnet', 'underlaySubnet', 'mtu', 'vni']),
    defaultClusterSpec.ipFamily,
  );
  return {
    name,
    source: document.node,
    spec: {
      ...networking,
      nodes: nodes === undefined ? defaultClusterSpec.nodes : readNodes(nodes),
      offload: readSwitch(fields.get('offload')) ?? defaultClusterSpec.offload,
      tunnelEndpoints: readTunnelEndpoints(fields.get('tunnelEndpoints'), networking.underlaySubnet, {
        podSubnet: networking.podSubnets,
        serviceSubnet: networking.serviceSubnets,
        underlaySubnet: [networking.underlaySubnet],
      }),
    },
  };
}

/** kind writes `name:` at the top, Kubernetes under metadata; both are understood. */
function readClusterName(fields: Fields): string {
  const top = fields.get('name');
  const inner = fields.get('metadata')?.object(metadataFields).get('name');
  const topName = top?.text(dnsLabel);
  const innerName = inner?.text(dnsLabel);
  if (topName !== undefined && innerName !== undefined && topName !== innerName) {
    inner?.refuse(`found ${shown(innerName)} here and ${shown(topName)} in name, expected one name; remove one`);
  }
  return topName ?? innerName ?? DEFAULT_CLUSTER_NAME;
}

function readNodes(field: Field): ClusterNode[] {
  const items = field.items();
  if (items.length === 0 && field.node.type === 'list') {
    field.refuse('found an empty list, expected at least one node; write "nodes: [{}]" or leave nodes out');
  }
  const nodes = items.map((item) => {
    const node = item.object(['role', 'name', 'labels']);
    return {
      name: node.get('name')?.text(nodeName),
      role: node.get('role')?.choice(['control-plane', 'worker']),
      labels: readLabels(node.get('labels')),
    };
  });
  refuseSameNames(items, nodes);
  return nodes;
}

function refuseSameNames(items: readonly Field[], nodes: readonly ClusterNode[]): void {
  const positions = new Map<string, number>();
  for (const [index, { name }] of nodes.entries()) {
    const effective = name ?? `n${index + 1}`;
    const first = positions.get(effective);
    if (first === undefined) positions.set(effective, index);
    else {
      const origin = name === undefined ? ', the name of an unnamed node here,' : '';
      items[index]?.refuse(
        `found ${shown(effective)}${origin} at nodes[${first}] too, expected each name once; rename one`,
      );
    }
  }
}

/** `offload: on` unquoted is a boolean to YAML 1.1, and quoted a string: both mean it. */
function readSwitch(field: Field | undefined): boolean | undefined {
  if (field === undefined) return undefined;
  if (field.node.type === 'scalar' && typeof field.node.value === 'boolean') return field.node.value;
  const word = field.choice(['on', 'off']);
  return word === undefined ? undefined : word === 'on';
}

/** @param fields of `networking`; those left out, also whole, have defaults */
export function readNetworking(
  fields: Fields | undefined,
  defaultFamily: IpFamilies,
): Omit<ClusterSpec, 'nodes' | 'offload' | 'tunnelEndpoints'> {
  const ipFamily = fields?.get('ipFamily')?.choice(['ipv4', 'ipv6', 'dual']) ?? defaultFamily;
  const podField = fields?.get('podSubnet');
  const podSubnets = readSubnets(podField, ipFamily, DEFAULT_POD_SUBNETS);
  const serviceSubnets = readSubnets(fields?.get('serviceSubnet'), ipFamily, DEFAULT_SERVICE_SUBNETS);
  const underlaySubnet = readUnderlaySubnet(fields?.get('underlaySubnet'));
  for (const { family, prefixLength } of podSubnets) {
    const share = nodePrefixLength[family];
    if (prefixLength <= share) continue;
    podField?.refuse(`found /${prefixLength}, expected /${share} or shorter: each node takes a /${share}`);
  }
  if (fields !== undefined) {
    refuseOverlaps(fields, { podSubnet: podSubnets, serviceSubnet: serviceSubnets, underlaySubnet });
  }
  return {
    ipFamily,
    podSubnets,
    serviceSubnets,
    underlaySubnet: underlaySubnet[0] ?? defaultClusterSpec.underlaySubnet,
    mtu: fields?.get('mtu')?.integer(MTU_MIN, MTU_MAX) ?? defaultClusterSpec.mtu,
    vni: fields?.get('vni')?.integer(1, VNI_MAX) ?? defaultClusterSpec.vni,
  };
}

/** One block a family, comma separated, in either order; IPv4 first in the result, which is empty after a refusal. */
function readSubnets(
  field: Field | undefined,
  ipFamily: IpFamilies,
  defaults: Readonly<Record<IpFamily, Cidr>>,
): readonly Cidr[] {
  const families = familiesOf[ipFamily];
  const text = field?.textOrEmpty();
  const byDefault = families.map((family) => defaults[family]);
  if (field === undefined || text === undefined) return byDefault;
  const parts = text.split(',');
  const cidrs = parts.flatMap((part) => readCidr(field, part.trim()));
  if (cidrs.length < parts.length) return [];
  const inOrder = families.flatMap((family) => cidrs.filter((cidr) => cidr.family === family));
  if (inOrder.length === families.length && cidrs.length === families.length && isOneEach(inOrder)) return inOrder;
  const example = byDefault.map(formatCidr).join(',');
  const remedy = `such as "${example}"; or change networking.ipFamily`;
  field.refuse(`found ${shown(text)}, expected ${describedFamilies[ipFamily]}, ${remedy}`);
  return [];
}

function isOneEach(cidrs: readonly Cidr[]): boolean {
  return new Set(cidrs.map((cidr) => cidr.family)).size === cidrs.length;
}

const describedFamilies: Readonly<Record<IpFamilies, string>> = {
  ipv4: 'one IPv4 block as ipFamily is ipv4',
  ipv6: 'one IPv6 block as ipFamily is ipv6',
  dual: 'an IPv4 and an IPv6 block as ipFamily is dual',
};

/** The block, or none after a refusal; in a list, as the other networks are. */
function readUnderlaySubnet(field: Field | undefined): readonly Cidr[] {
  const text = field?.textOrEmpty();
  if (field === undefined || text === undefined) return [defaultClusterSpec.underlaySubnet];
  const cidrs = readCidr(field, text);
  if (cidrs.every(({ family, prefixLength }) => family === 'ipv4' && prefixLength <= 30)) return cidrs;
  // .1 is the outside router, and the first and last address are the network's own.
  field.refuse(`found ${shown(text)}, expected an IPv4 block of /30 or shorter, such as 172.18.0.0/16`);
  return [];
}

function readCidr(field: Field, text: string): readonly Cidr[] {
  const cidr = parseCidr(text);
  if (cidr === undefined) {
    field.refuse(`found ${shown(text)}, expected ${cidrFault(text)}`);
    return [];
  }
  const unusable = UNUSABLE.find((block) => cidrsOverlap(block, cidr));
  if (unusable === undefined) return [cidr];
  const overlap = `which overlaps ${formatCidr(unusable)}`;
  field.refuse(`found ${shown(text)}, ${overlap}, expected ordinary unicast addresses; use a private block`);
  return [];
}

/** An address must say which network it belongs to. Told at a field that the document has, the last of the two. */
function refuseOverlaps(fields: Fields, networks: Readonly<Record<string, readonly Cidr[]>>): void {
  const named = Object.entries(networks).flatMap(([name, cidrs]) => cidrs.map((cidr) => ({ name, cidr })));
  for (const [index, a] of named.entries()) {
    for (const b of named.slice(index + 1)) {
      if (!cidrsOverlap(a.cidr, b.cidr)) continue;
      const [found, other] = fields.get(b.name) === undefined ? [a, b] : [b, a];
      const overlap = `which overlaps ${other.name} ${formatCidr(other.cidr)}`;
      fields.get(found.name)?.refuse(`found ${formatCidr(found.cidr)}, ${overlap}, expected separate blocks; move one`);
    }
  }
}
