/**
 * ICMP errors belong to the flow whose packet they quote (CT-045): the quoted header, inverted, must be the key of a
 * known connection, and the error must go to the side that sent the quoted packet. They never change the flow (CT-046).
 */
import {
  invertKey,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  KEY_WORDS,
  protocolWord,
} from '../packet/flow-key.ts';
import type { Packet } from '../packet/packet.ts';
import { loadIpv4, loadIpv6 } from '../wire/address.ts';
import { ICMP_HEADER_LEN, Icmp, icmpCode, icmpIdentifier, icmpIsError, icmpType, icmpv6IsError } from '../wire/icmp.ts';
import { IPV4_DESTINATION, IPV4_SOURCE, ipv4CheckedLen, ipv4Fragmented, ipv4Protocol } from '../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_HEADER_LEN, IPV6_SOURCE, ipv6CheckedLen, ipv6NextHeader } from '../wire/ipv6.ts';
import { bothPorts } from '../wire/ports.ts';
import { Protocol } from '../wire/protocol.ts';
import type { Connections } from './connections.ts';

/** Every upper layer that we read ports of has them, or ICMP's identifier, in its first eight bytes. */
const QUOTED_L4_LEN = 8;

const quoted = new Int32Array(KEY_WORDS);
const answering = new Int32Array(KEY_WORDS);

export function isIcmpError(pkt: Packet): boolean {
  if (pkt.protocol === Protocol.Icmp) return pkt.version === 4 && icmpIsError(icmpType(pkt.view, pkt.l4At));
  return pkt.protocol === Protocol.Icmpv6 && pkt.version === 6 && icmpv6IsError(icmpType(pkt.view, pkt.l4At));
}

/** A redirect tells of routes, and those of a translated packet are not its sender's. */
export function isRedirect(pkt: Packet): boolean {
  return pkt.version === 4 && icmpType(pkt.view, pkt.l4At) === Icmp.Redirect;
}

/**
 * The half of a known connection that the error belongs to (the direction the error itself travels in), or -1.
 *
 * Pre: `isIcmpError(pkt)`, `pkt.key` is loaded.
 */
export function relatedHalf(connections: Connections, pkt: Packet): number {
  const at = pkt.l4At + ICMP_HEADER_LEN;
  const l4Len = pkt.version === 6 ? loadQuotedIpv6(pkt, at) : loadQuotedIpv4(pkt, at);
  if (l4Len < 0) return -1;
  invertKey(quoted, 0, answering, 0);
  for (let i = 0; i < 4; i++) if (answering[KEY_DESTINATION + i] !== pkt.key[KEY_DESTINATION + i]) return -1;
  return connections.find(answering, 0, connections.hash(answering, 0));
}

function loadQuotedIpv4(pkt: Packet, at: number): number {
  const { view } = pkt;
  const available = pkt.l4At + pkt.l4Len - at;
  const headerLen = ipv4CheckedLen(view, at, available);
  if (headerLen === 0 || available - headerLen < QUOTED_L4_LEN || (ipv4Fragmented(view, at) & 0x1fff) !== 0) return -1;
  loadIpv4(view, at + IPV4_SOURCE, quoted, KEY_SOURCE);
  loadIpv4(view, at + IPV4_DESTINATION, quoted, KEY_DESTINATION);
  return loadQuotedPorts(pkt, ipv4Protocol(view, at), at + headerLen);
}

function loadQuotedIpv6(pkt: Packet, at: number): number {
  const { view } = pkt;
  const available = pkt.l4At + pkt.l4Len - at;
  if (ipv6CheckedLen(view, at, available) === 0 || available - IPV6_HEADER_LEN < QUOTED_L4_LEN) return -1;
  loadIpv6(view, at + IPV6_SOURCE, quoted, KEY_SOURCE);
  loadIpv6(view, at + IPV6_DESTINATION, quoted, KEY_DESTINATION);
  return loadQuotedPorts(pkt, ipv6NextHeader(view, at), at + IPV6_HEADER_LEN);
}

function loadQuotedPorts(pkt: Packet, protocol: number, at: number): number {
  const { view, version } = pkt;
  quoted[KEY_PROTOCOL] = protocolWord(version, protocol);
  if (protocol === Protocol.Tcp || protocol === Protocol.Udp || protocol === Protocol.Sctp) {
    quoted[KEY_PORTS] = bothPorts(view, at);
  } else if (protocol === (version === 6 ? Protocol.Icmpv6 : Protocol.Icmp)) {
    quoted[KEY_PORTS] = (icmpIdentifier(view, at) << 16) | (icmpType(view, at) << 8) | icmpCode(view, at);
  } else {
    quoted[KEY_PORTS] = 0;
  }
  return QUOTED_L4_LEN;
}
