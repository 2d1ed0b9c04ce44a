/** Pods → nodes, addresses and MACs. */

import { nodePrefixLength } from './cluster-document.ts';
import { shown } from './field.ts';
import {
  type Cidr,
  cidrContains,
  enclosingCidr,
  formatAddress,
  formatCidr,
  type IpAddress,
  lastAddress,
  parseAddress,
  parseCidr,
} from './ip-address.ts';
import { AddressPool } from './ipam.ts';
import { podMac } from './mac-address.ts';
import { qualifiedName } from './manifest-object.ts';
import { nearestWord } from './nearest-word.ts';
import type { GivenAddress, PodObject } from './pod.ts';
import { assignNodes } from './scheduler.ts';
import { formatPlace, type ProblemLog } from './source.ts';
import { sourceOf } from './source-tree.ts';
import type { TopologyNode, TopologyPod } from './topology.ts';

/** Longer lists of nodes are cut in messages. */
const NODES_SHOWN_MAX = 20;

/** A Linux host name's limit, to which kubelet cuts pod names (pkg/kubelet/util/util.go). */
const HOSTNAME_LENGTH_MAX = 63;

/**
 * Places the pods and gives them addresses: given ones first, whoever has them, then the least recently used of the
 * node's blocks, in the order of the pods. What cannot be is told to the log, and such pods are left out.
 */
export function planPods(
  pods: readonly PodObject[],
  nodes: readonly TopologyNode[],
  podSubnets: readonly Cidr[],
  log: ProblemLog,
): TopologyPod[] {
  const assigned = assignNodes(
    pods.map((pod) => pod.nodeName),
    nodes.map((node) => node.name),
  );
  const placed = pods.flatMap((pod, index) => {
    const node = nodes[assigned[index] ?? -1];
    if (node !== undefined) return [{ pod, node }];
    refuseNode(pod, nodes, log);
    return [];
  });
  const addresses = new PodAddresses(nodes, podSubnets, log);
  for (const { pod, node } of placed) addresses.reserveGiven(pod, node);
  const macs = new Set<string>();
  return placed.flatMap(({ pod, node }) => {
    const own = pod.hostNetwork ? [node.underlayAddress] : addresses.complete(pod, node);
    if (own === undefined) return [];
    return [describePod(pod, node, own, macs)];
  });
}

function refuseNode(pod: PodObject, nodes: readonly TopologyNode[], log: ProblemLog): void {
  const names = nodes.map((node) => node.name);
  const shownNames = names.slice(0, NODES_SHOWN_MAX).join(', ');
  const more = names.length > NODES_SHOWN_MAX ? ` and ${names.length - NODES_SHOWN_MAX} more` : '';
  const nearest = nearestWord(pod.nodeName ?? '', names);
  const remedy = nearest === undefined ? 'name one of them, or add the node' : `did you mean "${nearest}"?`;
  const list = names.length === 1 ? `the only node is ${shownNames}` : `nodes are ${shownNames}${more}`;
  log.error(
    sourceOf(pod, 'spec.nodeName'),
    'spec.nodeName',
    `no node ${shown(pod.nodeName ?? '')}; ${list}; ${remedy}`,
  );
}

function describePod(pod: PodObject, node: TopologyNode, addresses: string[], macs: Set<string>): TopologyPod {
  return {
    namespace: pod.namespace,
    name: pod.name,
    node: node.name,
    hostNetwork: pod.hostNetwork,
    hostname: pod.hostNetwork ? node.name : (pod.hostname ?? hostnameOf(pod.name)),
    addresses,
    mac: pod.hostNetwork ? node.mac : podMac(addresses.map(parsed), macs),
    labels: { ...pod.labels },
    annotations: { ...pod.annotations },
  };
}

function hostnameOf(podName: string): string {
  return podName.slice(0, HOSTNAME_LENGTH_MAX).replace(/[-.]+$/, '');
}

/** Text that was made by formatAddress. */
function parsed(address: string): IpAddress {
  return parseAddress(address)!;
}

interface NodePool {
  readonly pool: AddressPool;
  readonly node: string;
}

/** Who has which address of the pod network. */
class PodAddresses {
  readonly #podSubnets: readonly Cidr[];
  readonly #log: ProblemLog;
  /** Per node, one pool a family, in the order of podSubnets. */
  readonly #pools: readonly (readonly AddressPool[])[];
  readonly #poolByCidr = new Map<string, NodePool>();
  readonly #given = new Map<string, { pod: PodObject; path: string }>();
  /** Each pod's given addresses that were granted. */
  readonly #granted = new Map<PodObject, IpAddress[]>();

  constructor(nodes: readonly TopologyNode[], podSubnets: readonly Cidr[], log: ProblemLog) {
    this.#podSubnets = podSubnets;
    this.#log = log;
    this.#pools = nodes.map((node) => node.podCidrs.map((cidr) => new AddressPool(parseCidr(cidr)!)));
    for (const [index, pools] of this.#pools.entries()) {
      for (const pool of pools) this.#poolByCidr.set(formatCidr(pool.cidr), { pool, node: nodes[index]!.name });
    }
  }

  /** Grants status.podIP and podIPs, or refuses them with the reason. */
  reserveGiven(pod: PodObject, node: TopologyNode): void {
    const granted: IpAddress[] = [];
    for (const given of pod.givenAddresses) {
      const address = parsed(given.address);
      const twin = granted.find(({ family }) => family === address.family);
      const reason =
        twin === undefined
          ? this.#objection(pod, node, given, address)
          : `expected one address a family, has ${formatAddress(twin)} already`;
      if (reason === undefined) granted.push(address);
      else
        this.#log.error(
          sourceOf(pod, given.path),
          given.path,
          `found ${given.address}, ${reason}; change or remove it`,
        );
    }
    this.#granted.set(pod, granted);
  }

  /** Why the pod may not have the address, in words; undefined when it now has it. */
  #objection(pod: PodObject, node: TopologyNode, given: GivenAddress, address: IpAddress): string | undefined {
    const { address: text, path } = given;
    if (pod.hostNetwork) {
      if (text === node.underlayAddress) return undefined;
      return `expected ${node.underlayAddress}: the pod has hostNetwork, and that is the address of its node ${node.name}`;
    }
    const subnet = this.#podSubnets.find((candidate) => cidrContains(candidate, address));
    if (subnet === undefined)
      return `expected an address of the pod network, ${this.#podSubnets.map(formatCidr).join(' or ')}`;
    const isLast = subnet.family === 'ipv4' && text === formatAddress(lastAddress(subnet));
    if (isLast) return `which is the broadcast address of the pod network ${formatCidr(subnet)}`;
    const home = this.#poolOf(address);
    const owner = home?.pool.ownerOf(text);
    if (home !== undefined && owner !== undefined) {
      return `which is the ${owner} address of ${home.node}'s pod CIDR ${formatCidr(home.pool.cidr)}`;
    }
    const other = this.#given.get(text);
    if (other !== undefined) {
      const place = formatPlace(sourceOf(other.pod, other.path));
      return `which pod ${qualifiedName(other.pod)} has (${place})`;
    }
    this.#given.set(text, { pod, path });
    home?.pool.reserve(text);
    return undefined;
  }

  /** The node's block that holds the address; none where no node has got that part of the pod network. */
  #poolOf(address: IpAddress): NodePool | undefined {
    return this.#poolByCidr.get(formatCidr(enclosingCidr(address, nodePrefixLength[address.family])));
  }

  /** The pod's granted addresses, and one from the node for each family left; undefined when the node has no more. */
  complete(pod: PodObject, node: TopologyNode): string[] | undefined {
    const granted = this.#granted.get(pod) ?? [];
    const addresses = this.#pools[node.index]!.map((pool) => {
      const given = granted.find(({ family }) => family === pool.cidr.family);
      return given === undefined ? this.#take(pool, pod, node) : formatAddress(given);
    });
    const found = addresses.filter((address) => address !== undefined);
    return found.length === addresses.length ? found : undefined;
  }

  #take(pool: AddressPool, pod: PodObject, node: TopologyNode): string | undefined {
    const address = pool.take();
    if (address === undefined) {
      const path = pod.nodeName === undefined ? 'metadata.name' : 'spec.nodeName';
      const cidr = formatCidr(pool.cidr);
      const message = `node ${node.name}'s pod CIDR ${cidr} has no free address: ${pool.inUse} in use; add nodes, or place pods elsewhere`;
      this.#log.error(sourceOf(pod, path), path, message);
    }
    return address;
  }
}
