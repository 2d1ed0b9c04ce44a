/**
 * A network namespace for a pod, or for a node's own programs: one interface, `eth0`, a persistent TAP whose other end
 * the node process holds. The namespace has no name; it lives as long as its descriptor.
 *
 * The default route leads to a link-local next hop that the node answers for (`dataplane/neighbour.ts`), so a pod's
 * addresses are whole (/32, /128) and every packet passes the node, also to a pod beside it.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { close } from '../sys/io.ts';
import { createNamespace } from '../sys/namespace.ts';
import { Netlink } from '../sys/netlink.ts';
import { openTap } from '../sys/tap.ts';

export const POD_INTERFACE = 'eth0';
const NEXT_HOP_IPV4 = '169.254.1.1';
const NEXT_HOP_IPV6 = 'fe80::1';
/** Frames that wait for a node which is busy with other ports; a superframe is one. */
const TX_QUEUE_LEN = 1000;

export interface NetworkOptions {
  readonly mac: string;
  /** Whole addresses, without prefix length. */
  readonly addresses: readonly string[];
  readonly mtu: number;
  /** Longest superframe that its kernel may make. */
  readonly gsoMaxSize: number;
}

/** @returns the namespace's descriptor. @throws SystemCallError, with nothing left behind. */
export function createPodNetwork(options: NetworkOptions): number {
  return createNamespace('net', () => populate(options));
}

function populate(options: NetworkOptions): void {
  quietIpv6('default');
  const tap = openTap(POD_INTERFACE, { offload: 0 });
  const netlink = new Netlink();
  try {
    const ipv6 = quietIpv6(POD_INTERFACE);
    netlink.setLink(netlink.link('lo').index, { up: true });
    const { index } = netlink.link(POD_INTERFACE);
    const { mac, mtu, gsoMaxSize } = options;
    netlink.setLink(index, { mac, mtu, txQueueLen: TX_QUEUE_LEN, gsoMaxSize, up: true });
    for (const address of options.addresses) {
      if (!address.includes(':')) addIpv4(netlink, index, address);
      else if (ipv6) addIpv6(netlink, index, address);
    }
  } finally {
    netlink.close();
    close(tap); // the TAP is persistent: the node process attaches to it by name
  }
}

function addIpv4(netlink: Netlink, index: number, address: string): void {
  netlink.addAddress(index, { address, prefixLen: 32 });
  addDefault(netlink, index, NEXT_HOP_IPV4, 32, '0.0.0.0');
}

function addIpv6(netlink: Netlink, index: number, address: string): void {
  netlink.addAddress(index, { address, prefixLen: 128, noDad: true });
  addDefault(netlink, index, NEXT_HOP_IPV6, 128, '::');
}

/** The routes of a second address of a family are there already. */
function addDefault(netlink: Netlink, index: number, gateway: string, whole: number, any: string): void {
  try {
    netlink.addRoute({ destination: gateway, prefixLen: whole, index, scope: 'link' });
    netlink.addRoute({ destination: any, prefixLen: 0, index, gateway, onlink: true });
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error;
  }
}

/**
 * No duplicate-address detection (addresses come from one place), no router discovery. False when the kernel has no
 * IPv6.
 */
function quietIpv6(device: string): boolean {
  const directory = `/proc/sys/net/ipv6/conf/${device}`;
  if (!existsSync(directory)) return false;
  for (const [name, value] of [
    ['accept_dad', '0'],
    ['dad_transmits', '0'],
    ['accept_ra', '0'],
    ['router_solicitations', '0'],
  ]) {
    writeFileSync(`${directory}/${name}`, value!);
  }
  return true;
}
