/**
 * `encap/`: tunnels between nodes, as bytes. No sockets here: an underlay port hands datagrams in and takes them away.
 *
 * VXLAN (RFC 7348): the inner frame's MACs are the two nodes', as a routed overlay has them; the table of endpoints
 * comes from the control plane, nothing is learnt (TN-009).
 */
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { Way, way } from '../packet/way.ts';
import { PrefixTable } from '../tables/prefix-table.ts';
import { ADDRESS_WORDS } from '../wire/address.ts';
import {
  destinationMacIs,
  ETHERNET_HEADER_LEN,
  EtherType,
  etherType,
  sourceMacIs,
  writeMacs,
} from '../wire/ethernet.ts';
import { ipv4TotalLength } from '../wire/ipv4.ts';
import { IPV6_HEADER_LEN, ipv6PayloadLength } from '../wire/ipv6.ts';
import { VXLAN_HEADER_LEN, vxlanValid, vxlanVni, vxlanWrite } from '../wire/vxlan.ts';
import { innerEcn } from './ecn.ts';

/** Another node, as this one reaches it. */
export interface TunnelEndpoint {
  readonly name: string;
  /** Underlay address, four words. */
  readonly address: Int32Array;
  readonly macHigh: number;
  readonly macLow: number;
  /** It is a vxlan device of this machine's kernel: it may leave inner checksums and cutting to us. */
  readonly kernelLocal: boolean;
}

/** The other end of every tunnel of a node. Built whole, read only. */
export class TunnelEndpoints {
  readonly list: readonly TunnelEndpoint[];
  readonly #byAddress: PrefixTable;

  constructor(list: readonly TunnelEndpoint[]) {
    this.list = list;
    this.#byAddress = PrefixTable.build(
      list.map((endpoint, value) => ({ address: endpoint.address, length: ADDRESS_WORDS * 32, value })),
    );
  }

  /** Index of the endpoint with this underlay address, or -1. */
  find(words: Int32Array): number {
    return this.#byAddress.find(words, 0);
  }
}

/** Datagrams are taken only from nodes of this cluster: unlike VXLAN itself, we know who they are (RFC 7348 section 7). */
export function knownEndpoint(endpoints: TunnelEndpoints, pkt: Packet): Outcome {
  const endpoint = endpoints.find(pkt.outerSource);
  if (endpoint < 0) return Drop.UnknownEndpoint;
  pkt.ingress = way(Way.Tunnel, endpoint);
  return CONTINUE;
}

/** Takes the VXLAN header off; `pkt.at` is the inner frame afterwards. */
export function vxlanDecapsulate(pkt: Packet, vni: number): Outcome {
  if (pkt.len < VXLAN_HEADER_LEN || !vxlanValid(pkt.view, pkt.at)) return Drop.BadVxlan;
  if (vxlanVni(pkt.view, pkt.at) !== vni) return Drop.UnknownVni;
  pkt.at += VXLAN_HEADER_LEN;
  pkt.len -= VXLAN_HEADER_LEN;
  return CONTINUE;
}

/** Is the inner frame addressed to this node, and did it not come from it, in a loop (TN-014)? */
export function innerMacIsOurs(pkt: Packet, macHigh: number, macLow: number): Outcome {
  const looped = sourceMacIs(pkt.view, pkt.at, macHigh, macLow);
  return destinationMacIs(pkt.view, pkt.at, macHigh, macLow) && !looped ? CONTINUE : Drop.WrongTunnelMac;
}

/** Does the VXLAN packet at `at` fill all `len` bytes, by its inner IP header's word? */
export function vxlanHoldsOne(view: DataView, at: number, len: number): boolean {
  const ipAt = at + VXLAN_HEADER_LEN + ETHERNET_HEADER_LEN;
  if (at + len < ipAt + IPV6_HEADER_LEN) return false;
  const ipv6 = etherType(view, at + VXLAN_HEADER_LEN) === EtherType.Ipv6;
  const ipLen = ipv6 ? IPV6_HEADER_LEN + ipv6PayloadLength(view, ipAt) : ipv4TotalLength(view, ipAt);
  return ipAt + ipLen === at + len;
}

/** Puts the VXLAN header in front of the frame, whose MACs become the two nodes'. Needs 8 bytes of headroom. */
export function vxlanEncapsulate(pkt: Packet, to: TunnelEndpoint, macHigh: number, macLow: number, vni: number): void {
  writeMacs(pkt.view, pkt.at, to.macHigh, to.macLow, macHigh, macLow);
  pkt.at -= VXLAN_HEADER_LEN;
  pkt.len += VXLAN_HEADER_LEN;
  vxlanWrite(pkt.view, pkt.at, vni);
  pkt.outerTos = innerEcn(pkt); // RFC 6040 section 4.1, normal mode; DSCP stays the underlay's own
}
