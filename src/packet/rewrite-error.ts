/**
 * An ICMP error about a translated flow, on its way back to who sent the packet that it quotes: outer addresses and the
 * quote are translated back, so that it is about a packet that its receiver knows (RFC 5508 section 4.2, CT-075; Linux's
 * nf_nat_icmp_reply_translation). The quote may be cut short anywhere behind eight bytes of its upper layer.
 */
import { checksumUpdate16, checksumUpdate32 } from '../wire/checksum.ts';
import { ICMP_CHECKSUM, ICMP_HEADER_LEN, icmpSetIdentifier } from '../wire/icmp.ts';
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_SOURCE, ipv4HeaderLen } from '../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_HEADER_LEN, IPV6_SOURCE } from '../wire/ipv6.ts';
import { setBothPorts } from '../wire/ports.ts';
import { Protocol } from '../wire/protocol.ts';
import { TCP_CHECKSUM } from '../wire/tcp.ts';
import { UDP_CHECKSUM } from '../wire/udp.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, keyIsIcmp, keyProtocol } from './flow-key.ts';
import type { Packet } from './packet.ts';
import { completeIcmp, rewriteErrorAddresses } from './rewrite.ts';

/**
 * @param seen key of the flow's packets that travel as the error does, as they come in; `wanted` as they leave. The
 * quote is of one that travels the other way: its source is their destination.
 */
export function rewriteError(pkt: Packet, seen: Int32Array, wanted: Int32Array): void {
  const { view } = pkt;
  const ipAt = pkt.l4At + ICMP_HEADER_LEN;
  const end = pkt.at + pkt.len;
  const ipv6 = pkt.version === 6;
  const l4At = ipAt + (ipv6 ? IPV6_HEADER_LEN : ipv4HeaderLen(view, ipAt));
  const checksumAt = quotedChecksumAt(seen, l4At, end);
  const source = ipv6 ? IPV6_SOURCE : IPV4_SOURCE;
  const destination = ipv6 ? IPV6_DESTINATION : IPV4_DESTINATION;
  rewriteQuotedAddress(pkt, ipAt, source, KEY_DESTINATION, seen, wanted, checksumAt);
  rewriteQuotedAddress(pkt, ipAt, destination, KEY_SOURCE, seen, wanted, checksumAt);
  rewriteQuotedPorts(view, l4At, seen, wanted, checksumAt);
  // Also the sender's, router or not: to its receiver the error comes from where it has sent to.
  rewriteErrorAddresses(pkt, seen, wanted);
  completeIcmp(pkt);
}

/** Where the quoted upper-layer checksum is; 0 when there is none, when it means none, or when it is cut off. */
function quotedChecksumAt(key: Int32Array, l4At: number, end: number): number {
  const protocol = keyProtocol(key, 0);
  let offset = -1;
  if (protocol === Protocol.Tcp) offset = TCP_CHECKSUM;
  else if (protocol === Protocol.Udp) offset = UDP_CHECKSUM;
  else if (keyIsIcmp(key, 0)) offset = ICMP_CHECKSUM;
  return offset >= 0 && l4At + offset + 2 <= end ? l4At + offset : 0;
}

function rewriteQuotedAddress(
  pkt: Packet,
  ipAt: number,
  offset: number,
  keyOffset: number,
  seen: Int32Array,
  wanted: Int32Array,
  checksumAt: number,
): void {
  const { view } = pkt;
  const ipv6 = pkt.version === 6;
  for (let i = ipv6 ? 0 : 3; i < 4; i++) {
    const before = seen[keyOffset + i]!;
    const after = wanted[keyOffset + i]!;
    if (before === after) continue;
    view.setInt32(ipAt + offset + (ipv6 ? i << 2 : 0), after);
    if (!ipv6) patch32(view, ipAt + IPV4_CHECKSUM, before, after);
    const pseudo = ipv6 || keyProtocol(seen, 0) !== Protocol.Icmp;
    if (pseudo) patchQuoted(view, seen, checksumAt, before, after);
  }
}

function rewriteQuotedPorts(
  view: DataView,
  l4At: number,
  seen: Int32Array,
  wanted: Int32Array,
  checksumAt: number,
): void {
  const before = seen[KEY_PORTS]!;
  const after = wanted[KEY_PORTS]!;
  if (before === after) return;
  if (keyIsIcmp(seen, 0)) {
    icmpSetIdentifier(view, l4At, after >>> 16);
    if (checksumAt === 0) return;
    view.setUint16(checksumAt, checksumUpdate16(view.getUint16(checksumAt), before >>> 16, after >>> 16));
    return;
  }
  setBothPorts(view, l4At, (after << 16) | (after >>> 16)); // the quote travels the other way
  patchQuoted(view, seen, checksumAt, before, after);
}

function patchQuoted(view: DataView, key: Int32Array, at: number, before: number, after: number): void {
  if (at === 0) return;
  const udp = keyProtocol(key, 0) === Protocol.Udp;
  if (udp && view.getUint16(at) === 0) return; // no checksum (RFC 768)
  patch32(view, at, before, after);
  if (udp && view.getUint16(at) === 0) view.setUint16(at, 0xffff);
}

function patch32(view: DataView, at: number, before: number, after: number): void {
  view.setUint16(at, checksumUpdate32(view.getUint16(at), before, after));
}
