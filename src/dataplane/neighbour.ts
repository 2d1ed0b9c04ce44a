/**
 * Layer 2 between a pod (or the host) and its node. A pod has one neighbour: the next hop of its default route, a
 * link-local address that is the same on every node (169.254.1.1, fe80::1) and is answered here with the node's MAC.
 * Everything else that a kernel says on a link is absorbed under its own name, or dropped under another.
 */
import { Consumed, Drop, type Outcome } from '../packet/outcome.ts';
import { ChecksumState, type Packet } from '../packet/packet.ts';
import { pseudoSum } from '../packet/rewrite.ts';
import {
  ARP_LEN,
  ArpOperation,
  arpAnswer,
  arpCheckedLen,
  arpOperation,
  arpSenderAddress,
  arpTargetAddress,
} from '../wire/arp.ts';
import { ETHERNET_HEADER_LEN, EtherType } from '../wire/ethernet.ts';
import { ICMP_CHECKSUM, Icmpv6, icmpCode, icmpType } from '../wire/icmp.ts';
import { ipv4Destination, ipv4Multicast } from '../wire/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_LEN,
  IPV6_SOURCE,
  ipv6HopLimit,
  ipv6LinkLocal,
  ipv6MulticastDestination,
  ipv6SetHopLimit,
  ipv6SetPayloadLength,
  ipv6Unspecified,
} from '../wire/ipv6.ts';
import {
  advertisementSolicited,
  hasSourceMacOption,
  isMulticastListener,
  isNeighbourDiscovery,
  NEIGHBOUR_ADVERTISEMENT_LEN,
  NEIGHBOUR_TARGET,
  neighbourCheckedLen,
  writeAdvertisement,
} from '../wire/neighbour.ts';
import { Protocol } from '../wire/protocol.ts';
import type { Dataplane, Port } from './dataplane.ts';
import { linkScope } from './link-scope.ts';
import { toPort } from './transmit.ts';

/** 169.254.1.1 */
const NEXT_HOP_IPV4 = 0xa9fe0101 | 0;
/** fe80::1 */
const NEXT_HOP_IPV6 = Int32Array.of(0xfe800000 | 0, 0, 0, 1);
/** ff02::1, all nodes */
const ALL_NODES = Int32Array.of(0xff020000 | 0, 0, 0, 1);
/** First words of ff02::1:ff00:0/104, the solicited-node groups (RFC 4291 section 2.7.1). */
const SOLICITED_NODE = Int32Array.of(0xff020000 | 0, 0, 1);
const MULTICAST_FIRST_OCTET = 0xff;
const IGMP = 2;

/**
 * Answers or absorbs what concerns only this link, drops what may not leave it, and lets the rest go on. What came to a
 * group of the link may not leave it, whatever its IP address is (RFC 1812 section 5.3.4), and nobody is told.
 *
 * Pre: validated.
 */
export function neighbour(dp: Dataplane, port: Port, pkt: Packet): Outcome {
  if (pkt.etherType === EtherType.Arp) return arp(dp, port, pkt);
  return pkt.version === 6 ? linkIpv6(dp, port, pkt) : linkIpv4(pkt);
}

function arp(dp: Dataplane, port: Port, pkt: Packet): Outcome {
  const { view, l3At } = pkt;
  if (arpCheckedLen(view, l3At, pkt.at + pkt.len - l3At) === 0) return Drop.BadArp;
  const sender = arpSenderAddress(view, l3At);
  const target = arpTargetAddress(view, l3At);
  // An announcement, or a probe whether the address is free (RFC 5227): it is, and nobody answers.
  if (target === sender || isOwnIpv4(port, target)) return Consumed.ArpProbeAbsorbed;
  if (arpOperation(view, l3At) !== ArpOperation.Request) return Drop.BadArp;
  if (target !== NEXT_HOP_IPV4) return Drop.ArpUnknownTarget;
  arpAnswer(view, l3At, dp.node.macHigh, dp.node.macLow);
  pkt.len = ETHERNET_HEADER_LEN + ARP_LEN;
  return answer(dp, port, pkt, Consumed.ArpAnswered);
}

function linkIpv4(pkt: Packet): Outcome {
  const report = pkt.protocol === IGMP && ipv4Multicast(ipv4Destination(pkt.view, pkt.l3At));
  return report ? Consumed.MulticastListenerAbsorbed : linkScope(pkt);
}

function linkIpv6(dp: Dataplane, port: Port, pkt: Packet): Outcome {
  if (pkt.protocol === Protocol.Icmpv6) {
    if (isMulticastListener(pkt.view, pkt.l4At)) return Consumed.MulticastListenerAbsorbed;
    if (isNeighbourDiscovery(pkt.view, pkt.l4At)) return discovery(dp, port, pkt);
  }
  return linkScope(pkt);
}

/** RFC 4861 section 7.1: hop limit 255 proves that the message was made on this link; code 0; sound options. */
function discovery(dp: Dataplane, port: Port, pkt: Packet): Outcome {
  const { view, l3At, l4At } = pkt;
  if (ipv6HopLimit(view, l3At) !== 255 || icmpCode(view, l4At) !== 0) return Drop.BadNeighbourMessage;
  const type = icmpType(view, l4At);
  if (type === Icmpv6.RouterSolicitation) return Consumed.RouterSolicitationAbsorbed;
  if (type === Icmpv6.RouterAdvertisement || type === Icmpv6.Redirect) return Drop.ForbiddenNeighbourMessage;
  if (neighbourCheckedLen(view, l4At, pkt.l4Len) === 0) return Drop.BadNeighbourMessage;
  if (view.getUint8(l4At + NEIGHBOUR_TARGET) === MULTICAST_FIRST_OCTET) return Drop.BadNeighbourMessage;
  return type === Icmpv6.NeighbourAdvertisement ? advertisement(pkt) : solicitation(dp, port, pkt);
}

/** Nobody here learns from advertisements; an answer to a group is malformed all the same (RFC 4861 section 7.1.2). */
function advertisement(pkt: Packet): Outcome {
  const toGroup = ipv6MulticastDestination(pkt.view, pkt.l3At);
  return toGroup && advertisementSolicited(pkt.view, pkt.l4At) ? Drop.BadNeighbourMessage : Consumed.NeighbourAbsorbed;
}

/** From `::` it is a probe: to the target's solicited-node group, without a source MAC (RFC 4861 section 7.1.1). */
function probeIsMalformed(pkt: Packet): boolean {
  const { view, l3At, l4At } = pkt;
  for (let i = 0; i < 3; i++) {
    if (view.getInt32(l3At + IPV6_DESTINATION + i * 4) !== SOLICITED_NODE[i]) return true;
  }
  return view.getUint8(l3At + IPV6_DESTINATION + 12) !== 0xff || hasSourceMacOption(view, l4At, pkt.l4Len);
}

function solicitation(dp: Dataplane, port: Port, pkt: Packet): Outcome {
  const { view, l3At, l4At } = pkt;
  if (ipv6Unspecified(view, l3At + IPV6_SOURCE) && probeIsMalformed(pkt)) return Drop.BadNeighbourMessage;
  const target = l4At + NEIGHBOUR_TARGET;
  if (!wordsAt(pkt, target, NEXT_HOP_IPV6)) {
    const probe =
      ipv6Unspecified(view, l3At + IPV6_SOURCE) || ipv6LinkLocal(view, target) || isOwnIpv6(port, pkt, target);
    return probe ? Consumed.NeighbourAbsorbed : Drop.NeighbourUnknownTarget;
  }
  const toAll = ipv6Unspecified(view, l3At + IPV6_SOURCE);
  for (let i = 0; i < 4; i++) {
    const to = toAll ? ALL_NODES[i]! : view.getInt32(l3At + IPV6_SOURCE + i * 4);
    view.setInt32(l3At + IPV6_DESTINATION + i * 4, to);
    view.setInt32(l3At + IPV6_SOURCE + i * 4, NEXT_HOP_IPV6[i]!);
  }
  // The packet had no extension headers worth keeping: the advertisement follows the fixed header.
  const icmpAt = l3At + IPV6_HEADER_LEN;
  for (let i = 0; i < 4; i++) view.setInt32(icmpAt + NEIGHBOUR_TARGET + i * 4, NEXT_HOP_IPV6[i]!);
  writeAdvertisement(view, icmpAt, dp.node.macHigh, dp.node.macLow, toAll);
  view.setUint8(l3At + 6, Protocol.Icmpv6);
  ipv6SetHopLimit(view, l3At, 255);
  ipv6SetPayloadLength(view, l3At, NEIGHBOUR_ADVERTISEMENT_LEN);
  pkt.l4At = icmpAt;
  pkt.l4Len = NEIGHBOUR_ADVERTISEMENT_LEN;
  pkt.len = icmpAt + NEIGHBOUR_ADVERTISEMENT_LEN - pkt.at;
  const checksum = dp.arena.checksum(icmpAt, NEIGHBOUR_ADVERTISEMENT_LEN, pseudoSum(pkt, NEIGHBOUR_ADVERTISEMENT_LEN));
  view.setUint16(icmpAt + ICMP_CHECKSUM, checksum);
  return answer(dp, port, pkt, Consumed.NeighbourAnswered);
}

/** Sends what the request has become back to where it came from: a packet of our own. */
function answer(dp: Dataplane, port: Port, pkt: Packet, consumed: Outcome): Outcome {
  pkt.checksum = ChecksumState.Complete;
  pkt.gsoSize = 0;
  pkt.egress = port.way;
  pkt.ingress = 0; // it begins here
  dp.counters.countOriginated();
  const sent = toPort(dp, pkt);
  if (sent < 0) dp.counters.countDropped(-1 - sent);
  else dp.counters.countDelivered();
  pkt.ingress = port.way;
  pkt.egress = 0;
  return consumed;
}

function isOwnIpv4(port: Port, address: number): boolean {
  const { addresses } = port;
  for (let i = 0; i < addresses.length; i += 4) {
    if (addresses[i + 3] === address && addresses[i + 2] === 0xffff && addresses[i] === 0) return true;
  }
  return false;
}

function isOwnIpv6(port: Port, pkt: Packet, at: number): boolean {
  for (let i = 0; i < port.addresses.length; i += 4) {
    let same = true;
    for (let word = 0; word < 4; word++) {
      same &&= pkt.view.getInt32(at + word * 4) === port.addresses[i + word];
    }
    if (same) return true;
  }
  return false;
}

function wordsAt(pkt: Packet, at: number, words: Int32Array): boolean {
  for (let i = 0; i < 4; i++) if (pkt.view.getInt32(at + i * 4) !== words[i]) return false;
  return true;
}
