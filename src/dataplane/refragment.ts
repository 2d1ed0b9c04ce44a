/**
 * A packet that leaves in fragments: because it came so, and then none is longer than the longest that it came in; or
 * because it is too long for its way out and its sender allows it. As Linux's ip_do_fragment and ip6_fragment do it.
 */
import { type Outcome, Place } from '../packet/outcome.ts';
import { ChecksumState, MORE_FRAGMENTS, type Packet } from '../packet/packet.ts';
import { completeChecksum } from '../packet/rewrite.ts';
import { sumBytes } from '../wire/checksum.ts';
import { ETHERNET_HEADER_LEN } from '../wire/ethernet.ts';
import {
  ipv4BlankUncopiedOptions,
  ipv4DontFragment,
  ipv4HeaderLen,
  ipv4SetChecksum,
  ipv4SetFragment,
  ipv4SetTotalLength,
} from '../wire/ipv4.ts';
import {
  IPV6_FRAGMENT_HEADER_LEN,
  IPV6_HEADER_LEN,
  Ipv6Extension,
  ipv6LastNextHeaderAt,
  ipv6SetPayloadLength,
  ipv6UnfragmentableLen,
} from '../wire/ipv6.ts';
import type { Dataplane } from './dataplane.ts';
import { transmitCounted } from './transmit.ts';

/**
 * Length of the fragments that the packet must leave in; 0 when it leaves whole, -1 when it may not leave at all. IPv6
 * fragments nothing on the way (RFC 8200 section 5) but puts back what it has put together.
 */
export function fragmentLen(pkt: Packet, mtu: number): number {
  const { fragmentMax } = pkt;
  if (fragmentMax === 0 && pkt.largestIpLen <= mtu) return 0;
  if (pkt.version === 6) return fragmentMax > 0 && fragmentMax <= mtu ? fragmentMax : -1;
  if (fragmentMax > 0 && fragmentMax <= mtu) return fragmentMax;
  return ipv4DontFragment(pkt.view, pkt.l3At) ? -1 : mtu;
}

/** Sends the packet in fragments of at most `pkt.fragmentTo` bytes. Each is counted here, delivered or dropped. */
export function outputFragments(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  if (pkt.gsoSize === 0) {
    completeChecksum(pkt);
    fragment(dp, pkt, pkt.fragmentTo, nowMs);
    return Place.Delivered;
  }
  const { cutter, segment } = dp;
  let segments = 0;
  cutter.begin(pkt);
  while (cutter.next(1) > 0) {
    describePiece(segment, pkt, cutter.outAt, cutter.outLen);
    fragment(dp, segment, pkt.fragmentTo, nowMs);
    segments++;
  }
  dp.counters.countSplit(segments);
  return Place.Delivered;
}

function fragment(dp: Dataplane, pkt: Packet, limit: number, nowMs: number): void {
  const ipv6 = pkt.version === 6;
  const headerLen = ipv6 ? ipv6UnfragmentableLen(pkt.view, pkt.l3At) : ipv4HeaderLen(pkt.view, pkt.l3At);
  const extra = ipv6 ? IPV6_FRAGMENT_HEADER_LEN : 0;
  const room = Math.max(8, (limit - headerLen - extra) & ~7);
  const dataAt = pkt.l3At + headerLen;
  const dataLen = pkt.at + pkt.len - dataAt;
  const piece = dp.scratch;
  let pieces = 0;
  for (let offset = 0; offset < dataLen; offset += room) {
    const len = Math.min(room, dataLen - offset);
    const at = dp.scratchAt;
    describePiece(piece, pkt, at, ETHERNET_HEADER_LEN + headerLen + extra + len);
    dp.arena.copy(at, pkt.at, ETHERNET_HEADER_LEN + headerLen);
    dp.arena.copy(at + ETHERNET_HEADER_LEN + headerLen + extra, dataAt + offset, len);
    const more = offset + len < dataLen ? MORE_FRAGMENTS : 0;
    if (ipv6) writeIpv6(piece, headerLen, more | (offset >> 3), pkt.fragmentId, len);
    else writeIpv4(piece, headerLen, more | (offset >> 3));
    transmitCounted(dp, piece, nowMs);
    pieces++;
  }
  dp.counters.countSplit(pieces);
}

/** What a port needs to know of a piece at `at`: it is finished, and goes where the packet goes. */
function describePiece(piece: Packet, pkt: Packet, at: number, len: number): void {
  piece.at = at;
  piece.len = len;
  piece.l3At = at + ETHERNET_HEADER_LEN;
  piece.l4At = at + (pkt.l4At - pkt.at);
  piece.payloadAt = at + (pkt.payloadAt - pkt.at);
  piece.l4Len = Math.max(0, at + len - piece.l4At);
  piece.version = pkt.version;
  piece.protocol = pkt.protocol;
  piece.checksum = ChecksumState.Complete;
  piece.gsoSize = 0;
  piece.ingress = pkt.ingress;
  piece.egress = pkt.egress;
  piece.hash = pkt.hash;
}

function writeIpv4(piece: Packet, headerLen: number, fragmentWord: number): void {
  const { view, l3At } = piece;
  if ((fragmentWord & ~MORE_FRAGMENTS) !== 0) ipv4BlankUncopiedOptions(view, l3At);
  ipv4SetTotalLength(view, l3At, piece.len - ETHERNET_HEADER_LEN);
  ipv4SetFragment(view, l3At, fragmentWord, ipv4DontFragment(view, l3At));
  ipv4SetChecksum(view, l3At, 0);
  ipv4SetChecksum(view, l3At, ~sumBytes(view, l3At, headerLen) & 0xffff);
}

function writeIpv6(piece: Packet, headerLen: number, fragmentWord: number, id: number, len: number): void {
  const { view, l3At } = piece;
  const nextAt = ipv6LastNextHeaderAt(view, l3At, headerLen);
  const at = l3At + headerLen;
  view.setUint8(at, view.getUint8(nextAt));
  view.setUint8(at + 1, 0);
  view.setUint16(at + 2, ((fragmentWord & ~MORE_FRAGMENTS) << 3) | (fragmentWord & MORE_FRAGMENTS ? 1 : 0));
  view.setInt32(at + 4, id);
  view.setUint8(nextAt, Ipv6Extension.Fragment);
  ipv6SetPayloadLength(view, l3At, headerLen - IPV6_HEADER_LEN + IPV6_FRAGMENT_HEADER_LEN + len);
}
