/**
 * Outer headers of VXLAN where no socket of the kernel makes them: Ethernet, IPv4, UDP (RFC 7348 section 5). The UDP
 * checksum is zero, as the RFC recommends.
 */
import type { Packet } from '../packet/packet.ts';
import { ADDRESS_WORDS, loadIpv4 } from '../wire/address.ts';
import { pseudoSumIpv4 } from '../wire/checksum.ts';
import { ETHERNET_HEADER_LEN, EtherType, etherType, writeEtherType, writeMacs } from '../wire/ethernet.ts';
import {
  IPV4_HEADER_LEN,
  IPV4_SOURCE,
  ipv4CheckedLen,
  ipv4Fragmented,
  ipv4Protocol,
  ipv4Tos,
  ipv4TotalLength,
  ipv4Write,
} from '../wire/ipv4.ts';
import { Protocol } from '../wire/protocol.ts';
import {
  UDP_CHECKSUM,
  UDP_HEADER_LEN,
  udpCheckedLen,
  udpDestinationPort,
  udpSourcePort,
  udpWrite,
} from '../wire/udp.ts';
import { VXLAN_PORT } from '../wire/vxlan.ts';

/** Where UDP is in an outer frame, and where VXLAN is: there are no options in what we send. */
export const OUTER_L4_OFFSET = ETHERNET_HEADER_LEN + IPV4_HEADER_LEN;
export const OUTER_LEN = OUTER_L4_OFFSET + UDP_HEADER_LEN;
/** The longest VXLAN packet that an outer IPv4 packet holds. */
export const OUTER_PAYLOAD_MAX = 65_535 - IPV4_HEADER_LEN - UDP_HEADER_LEN;

/** First of the 2^14 ports that RFC 7348 recommends for sources, and what is between those in use. */
const SOURCE_PORT_FIRST = 49_152;
const SOURCE_PORT_STEP = 2048;
/** Few, so that packets of different flows can share a send (`ports/datagram-rows.ts`). */
export const SOURCES = 8;
const TTL = 64;

/** A node's end of its underlay wire, and the router at the other. */
export interface OuterWire {
  readonly address: number;
  readonly macHigh: number;
  readonly macLow: number;
  readonly routerMacHigh: number;
  readonly routerMacLow: number;
}

/** Which of the `SOURCES` a flow leaves from. @param hash of the inner flow. */
export function sourceOf(hash: number): number {
  return (hash >>> 8) % SOURCES;
}

/** A flow keeps one outer source port, and flows spread (RFC 7348 section 5). @param source as `sourceOf` says. */
export function outerPortOf(source: number): number {
  return SOURCE_PORT_FIRST + source * SOURCE_PORT_STEP;
}

export function outerSourcePort(hash: number): number {
  return outerPortOf(sourceOf(hash));
}

/** Writes outer headers at `at`, in front of `payloadLen` bytes that begin with VXLAN's. */
export function writeOuter(
  view: DataView,
  at: number,
  wire: OuterWire,
  destination: number,
  payloadLen: number,
  tos: number,
  sourcePort: number,
): void {
  const ipAt = at + ETHERNET_HEADER_LEN;
  const udpLen = UDP_HEADER_LEN + payloadLen;
  writeMacs(view, at, wire.routerMacHigh, wire.routerMacLow, wire.macHigh, wire.macLow);
  writeEtherType(view, at, EtherType.Ipv4);
  ipv4Write(view, ipAt, wire.address, destination, Protocol.Udp, tos, TTL, IPV4_HEADER_LEN + udpLen);
  udpWrite(view, at + OUTER_L4_OFFSET, sourcePort, VXLAN_PORT, udpLen);
}

/** Puts the pseudo header's sum in place of the checksum, for the kernel to complete. @param at of the outer frame. */
export function leaveOuterChecksum(view: DataView, at: number, payloadLen: number): void {
  const sum = pseudoSumIpv4(view, at + ETHERNET_HEADER_LEN, Protocol.Udp, UDP_HEADER_LEN + payloadLen);
  view.setUint16(at + OUTER_L4_OFFSET + UDP_CHECKSUM, sum);
}

/**
 * Takes outer headers off: `pkt.at` is the VXLAN header afterwards, the `pkt.outer…` fields are set. What is
 * no datagram for VXLAN's port keeps nothing (`pkt.len` 0), and what is not even IPv4 has no source (all zero): the
 * stages then drop it by name. Fragments are among it (RFC 7348 section 4.3 lets the receiver discard them).
 */
export function readOuter(pkt: Packet): void {
  const { view } = pkt;
  const ipAt = pkt.at + ETHERNET_HEADER_LEN;
  const available = pkt.len - ETHERNET_HEADER_LEN;
  for (let i = 0; i < ADDRESS_WORDS; i++) pkt.outerSource[i] = 0;
  pkt.outerTos = 0;
  pkt.outerAt = pkt.at;
  pkt.outerLen = pkt.len;
  pkt.len = 0;
  if (available <= 0 || etherType(view, pkt.at) !== EtherType.Ipv4) return;
  const ipLen = ipv4CheckedLen(view, ipAt, available);
  if (ipLen === 0) return;
  loadIpv4(view, ipAt + IPV4_SOURCE, pkt.outerSource, 0);
  pkt.outerTos = ipv4Tos(view, ipAt);
  const udpAt = ipAt + ipLen;
  const room = Math.min(available, ipv4TotalLength(view, ipAt)) - ipLen;
  if (ipv4Protocol(view, ipAt) !== Protocol.Udp || ipv4Fragmented(view, ipAt) !== 0) return;
  const udpLen = udpCheckedLen(view, udpAt, room);
  if (udpLen === 0 || udpDestinationPort(view, udpAt) !== VXLAN_PORT) return;
  pkt.outerPort = udpSourcePort(view, udpAt);
  pkt.at = udpAt + UDP_HEADER_LEN;
  pkt.len = udpLen - UDP_HEADER_LEN;
}
