/**
 * The network between nodes, in the vessel's own namespace, where the node processes are. Two kinds: a wire (a TAP) from
 * each node to the vessel's kernel, which routes between them and hands superframes on whole; or the nodes' addresses on
 * loopback and UDP sockets, which every kernel has.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { SEND_BYTES_MAX } from '../encap/cut.ts';
import type { UnderlayWire } from '../nodes/protocol.ts';
import { close } from '../sys/io.ts';
import { Netlink } from '../sys/netlink.ts';
import { openTap, TUNNEL_OFFLOADS } from '../sys/tap.ts';
import { Refusal } from '../vessel/refusal.ts';
import { ETHERNET_HEADER_LEN } from '../wire/ethernet.ts';
import { VNET_TUNNEL_HEADER_LEN } from '../wire/virtio.ts';
import { VXLAN_HEADER_LEN } from '../wire/vxlan.ts';
import type { Topology, TopologyNode } from './topology.ts';
import { crossesWhole } from './underlay-probe.ts';

/** The largest that a TAP may have: MTUs that users set are judged elsewhere. */
const WIRE_MTU = 65_521;
/** Frames that wait for a node that is busy; a superframe is one, and so is each of its pieces once a wire has cut it. */
const TX_QUEUE_LEN = 2000;
/** Any device's own limit. The allowance for headers that TCP takes off it leaves room for those of the tunnel. */
const GSO_MAX_SIZE = 65_536;
/** What TCP takes off a device's limit for headers before it fills a superframe (MAX_TCP_HEADER in net/tcp.h, + 1). */
const TCP_HEADER_ALLOWANCE = 321;

export interface UnderlayNetwork {
  /** Of each node, by name; empty when nodes use sockets. */
  readonly wires: ReadonlyMap<string, UnderlayWire>;
  /** Longest superframe worth making in a pod. */
  readonly gsoMaxSize: number;
  /** For a person. */
  readonly description: string;
}

/** @throws SystemCallError; Refusal for `--underlay tap` where `auto` would have fallen back to sockets. */
export function createUnderlay(topology: Topology): UnderlayNetwork {
  const { underlay, offload } = topology;
  const netlink = new Netlink();
  try {
    netlink.setLink(netlink.link('lo').index, { up: true });
    if (underlay === 'udp' || (underlay === 'auto' && !offload)) return sockets(netlink, topology, '');
    const obstacle = routedObstacle(netlink);
    if (obstacle === undefined) return routed(netlink, topology);
    if (underlay === 'tap') throw new Refusal(`--underlay tap: ${obstacle}; --underlay udp works everywhere`);
    return sockets(netlink, topology, ` (${obstacle})`);
  } finally {
    netlink.close();
  }
}

function sockets(netlink: Netlink, topology: Topology, why: string): UnderlayNetwork {
  const { index } = netlink.link('lo');
  for (const { underlayAddress } of topology.nodes) {
    netlink.addAddress(index, { address: underlayAddress, prefixLen: underlayAddress.includes(':') ? 128 : 32 });
  }
  const gsoMaxSize = socketGsoMaxSize(topology.podMtu);
  return { wires: new Map(), gsoMaxSize, description: `underlay: UDP sockets${why}` };
}

function routed(netlink: Netlink, topology: Topology): UnderlayNetwork {
  const wires = new Map<string, UnderlayWire>();
  for (const node of topology.nodes) {
    const wire = { interfaceName: `underlay${node.index}`, routerMac: routerMac(node) };
    close(layWire(netlink, wire, node.underlayAddress, node.mac));
    wires.set(node.name, wire);
  }
  return { wires, gsoMaxSize: GSO_MAX_SIZE, description: 'underlay: one TAP a node, superframes whole' };
}

/** The router's end of a node's wire has the node's MAC but for the first byte. */
function routerMac(node: TopologyNode): string {
  return node.mac.replace(/^02/, '0e');
}

/**
 * A TAP that leads to one address, with nobody to ask for its MAC.
 *
 * @returns its descriptor; the TAP is persistent and stays when that is closed.
 */
function layWire(netlink: Netlink, wire: UnderlayWire, address: string, mac: string): number {
  const { interfaceName, routerMac } = wire;
  const fd = openTap(interfaceName, { offload: TUNNEL_OFFLOADS, vnetHeaderLen: VNET_TUNNEL_HEADER_LEN });
  const noIpv6 = `/proc/sys/net/ipv6/conf/${interfaceName}/disable_ipv6`;
  if (existsSync(noIpv6)) writeFileSync(noIpv6, '1');
  const { index } = netlink.link(interfaceName);
  netlink.setLink(index, { mac: routerMac, mtu: WIRE_MTU, txQueueLen: TX_QUEUE_LEN, up: true });
  netlink.addRoute({ destination: address, prefixLen: 32, index, scope: 'link' });
  netlink.addNeighbour(index, { address, mac });
  return fd;
}

/** Why the kernel cannot route superframes between TAPs, found by doing it; undefined when it can. */
function routedObstacle(netlink: Netlink): string | undefined {
  const ends = [
    { interfaceName: 'probe0', routerMac: '0e:70:c0:00:02:01', address: '192.0.2.1', mac: '02:70:c0:00:02:01' },
    { interfaceName: 'probe1', routerMac: '0e:70:c0:00:02:02', address: '192.0.2.2', mac: '02:70:c0:00:02:02' },
  ] as const;
  const fds: number[] = [];
  try {
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
    for (const end of ends) fds.push(layWire(netlink, end, end.address, end.mac));
    if (crossesWhole({ ...ends[0], fd: fds[0]! }, { ...ends[1], fd: fds[1]! })) return undefined;
    return 'this kernel does not pass superframes in tunnels whole';
  } catch (error) {
    const { code, call = '' } = error as { code?: string; call?: string };
    if (code === 'EINVAL' && call.startsWith('ioctl'))
      return 'this kernel has no tunnel offload: Linux 6.17 brought it';
    return error instanceof Error ? error.message : String(error);
  } finally {
    for (const [i, fd] of fds.entries()) {
      close(fd);
      netlink.deleteLink(netlink.link(ends[i]!.interfaceName).index);
    }
  }
}

/**
 * Largest superframe whose segments, each with its tunnel headers, still leave in one send: a superframe that needs
 * two costs nearly twice.
 */
function socketGsoMaxSize(mtu: number): number {
  const datagram = VXLAN_HEADER_LEN + ETHERNET_HEADER_LEN + mtu;
  const segments = Math.max(1, Math.floor(SEND_BYTES_MAX / datagram));
  const mss = mtu - 52; // IPv4, TCP with timestamps: what nearly every segment is
  return Math.min(GSO_MAX_SIZE, segments * mss + TCP_HEADER_ALLOWANCE);
}
