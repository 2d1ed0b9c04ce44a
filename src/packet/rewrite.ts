/**
 * The only file that changes addresses, ports, TTLs, or anything else that a checksum covers; it knows which checksum
 * each change touches in which state (`ChecksumState`).
 */

import { checksumUpdate16, checksumUpdate32, foldSum, pseudoSumIpv4, pseudoSumIpv6 } from '../wire/checksum.ts';
import { crc32c } from '../wire/crc32c.ts';
import { ICMP_CHECKSUM, icmpSetIdentifier } from '../wire/icmp.ts';
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_SOURCE, ipv4SetTtl, ipv4Tos, ipv4Ttl } from '../wire/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_SOURCE,
  ipv6HopLimit,
  ipv6SetHopLimit,
  ipv6SetTrafficClass,
  ipv6TrafficClass,
} from '../wire/ipv6.ts';
import { setBothPorts } from '../wire/ports.ts';
import { Protocol } from '../wire/protocol.ts';
import { SCTP_CHECKSUM } from '../wire/sctp.ts';
import { TCP_CHECKSUM } from '../wire/tcp.ts';
import { UDP_CHECKSUM, udpLength } from '../wire/udp.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, keyIsIcmp } from './flow-key.ts';
import { ChecksumState, type Packet } from './packet.ts';

/** Offset of the checksum field from `l4At`, or -1 for protocols whose checksum is not the Internet checksum. */
function checksumField(pkt: Packet): number {
  switch (pkt.protocol) {
    case Protocol.Tcp:
      return TCP_CHECKSUM;
    case Protocol.Udp:
      return UDP_CHECKSUM;
    case Protocol.Icmp:
      return pkt.version === 4 ? ICMP_CHECKSUM : -1;
    case Protocol.Icmpv6:
      return pkt.version === 6 ? ICMP_CHECKSUM : -1;
    default:
      return -1;
  }
}

/** Sum of the pseudo header that the checksum of `length` upper-layer bytes covers: none for ICMP over IPv4. */
export function pseudoSum(pkt: Packet, length: number): number {
  if (pkt.version === 6) return pseudoSumIpv6(pkt.view, pkt.l3At, pkt.protocol, length);
  return pkt.protocol === Protocol.Icmp ? 0 : pseudoSumIpv4(pkt.view, pkt.l3At, pkt.protocol, length);
}

/**
 * Does a complete checksum fit the bytes? True for protocols that have none, and for UDP's zero: no checksum (RFC 768),
 * over IPv6 too, where tunnels send it (RFC 6935) and the receiver decides; Linux forwards it (`udp_error` in
 * net/netfilter/nf_conntrack_proto_udp.c).
 */
export function verifyChecksum(pkt: Packet): boolean {
  const { view, l4At, protocol } = pkt;
  if (protocol === Protocol.Sctp) return sctpChecksum(pkt) === view.getInt32(l4At + SCTP_CHECKSUM, true);
  const field = checksumField(pkt);
  if (field < 0) return true;
  let length = pkt.l4Len;
  if (protocol === Protocol.Udp) {
    if (view.getUint16(l4At + UDP_CHECKSUM) === 0) return true;
    length = udpLength(view, l4At);
  }
  return foldSum(pkt.arena.sum(l4At, length) + pseudoSum(pkt, length)) === 0xffff;
}

/** Does the TCP or UDP checksum field hold the pseudo header's sum alone, as a kernel leaves it for others to finish? */
export function holdsPseudoSum(pkt: Packet): boolean {
  return pkt.view.getUint16(pkt.l4At + checksumField(pkt)) === foldSum(pseudoSum(pkt, pkt.l4Len));
}

/**
 * Computes the checksum that virtio asked for at `partialStart` + `partialOffset`. False where a kernel never asks for
 * one: it is the packet's own, or one further in, but never a field of the headers that `validate` has read.
 */
export function completeGeneric(pkt: Packet): boolean {
  const start = pkt.at + pkt.partialStart;
  const end = pkt.at + pkt.len;
  const field = start + pkt.partialOffset;
  const own = start === pkt.l4At && pkt.partialOffset === checksumField(pkt);
  if (!(own || start >= pkt.payloadAt) || field + 2 > end) return false;
  pkt.view.setUint16(field, pkt.arena.checksum(start, end - start, 0) || 0xffff);
  return true;
}

/** Turns a partial checksum into a complete one. Not for superframes: each of their segments has its own. */
export function completeChecksum(pkt: Packet): void {
  if (pkt.checksum !== ChecksumState.Partial || pkt.gsoSize !== 0) return;
  const field = pkt.l4At + checksumField(pkt);
  const checksum = pkt.arena.checksum(pkt.l4At, pkt.l4Len, 0); // the field holds the pseudo header's sum
  pkt.view.setUint16(field, checksum === 0 && pkt.protocol === Protocol.Udp ? 0xffff : checksum);
  pkt.checksum = ChecksumState.Complete;
}

/** One off the TTL or hop limit; false, and nothing changed, when it would reach zero. */
export function decrementTtl(pkt: Packet): boolean {
  const { view, l3At } = pkt;
  if (pkt.version === 6) {
    const hops = ipv6HopLimit(view, l3At);
    if (hops <= 1) return false;
    ipv6SetHopLimit(view, l3At, hops - 1);
    return true;
  }
  const ttl = ipv4Ttl(view, l3At);
  if (ttl <= 1) return false;
  const before = view.getUint16(l3At + 8); // TTL shares a checksummed word with the protocol
  ipv4SetTtl(view, l3At, ttl - 1);
  patchIpv4Checksum(pkt, before, before - 0x100);
  return true;
}

/** Takes `decrementTtl` back. */
export function incrementTtl(pkt: Packet): void {
  const { view, l3At } = pkt;
  if (pkt.version === 6) {
    ipv6SetHopLimit(view, l3At, ipv6HopLimit(view, l3At) + 1);
    return;
  }
  const before = view.getUint16(l3At + 8);
  ipv4SetTtl(view, l3At, ipv4Ttl(view, l3At) + 1);
  patchIpv4Checksum(pkt, before, before + 0x100);
}

/** Sets the two ECN bits of the IP header (RFC 3168). */
export function setEcn(pkt: Packet, ecn: number): void {
  const { view, l3At } = pkt;
  if (pkt.version === 6) {
    ipv6SetTrafficClass(view, l3At, (ipv6TrafficClass(view, l3At) & 0xfc) | ecn);
    return;
  }
  const before = view.getUint16(l3At);
  view.setUint8(l3At + 1, (ipv4Tos(view, l3At) & 0xfc) | ecn);
  patchIpv4Checksum(pkt, before, view.getUint16(l3At));
}

/**
 * Gives the packet the addresses and ports (or ICMP identifier) of the key at `keys[index …]`, its own key included.
 * Version and protocol must be the packet's own.
 */
export function rewriteFlow(pkt: Packet, keys: Int32Array, index: number): void {
  rewriteAddress(pkt, pkt.version === 6 ? IPV6_SOURCE : IPV4_SOURCE, KEY_SOURCE, keys, index);
  rewriteAddress(pkt, pkt.version === 6 ? IPV6_DESTINATION : IPV4_DESTINATION, KEY_DESTINATION, keys, index);
  rewritePorts(pkt, keys[index + KEY_PORTS]!);
}

/**
 * Gives an ICMP error the addresses of `wanted` where they differ from `seen`: what is translated of its flow. Its
 * checksum is to be completed afterwards.
 */
export function rewriteErrorAddresses(pkt: Packet, seen: Int32Array, wanted: Int32Array): void {
  const ipv6 = pkt.version === 6;
  if (addressesDiffer(seen, wanted, KEY_SOURCE)) {
    rewriteAddress(pkt, ipv6 ? IPV6_SOURCE : IPV4_SOURCE, KEY_SOURCE, wanted, 0);
  }
  rewriteAddress(pkt, ipv6 ? IPV6_DESTINATION : IPV4_DESTINATION, KEY_DESTINATION, wanted, 0);
}

/** Computes an ICMP or ICMPv6 checksum anew. */
export function completeIcmp(pkt: Packet): void {
  const { view, l4At, l4Len } = pkt;
  view.setUint16(l4At + ICMP_CHECKSUM, 0);
  view.setUint16(l4At + ICMP_CHECKSUM, pkt.arena.checksum(l4At, l4Len, pseudoSum(pkt, l4Len)));
  pkt.checksum = ChecksumState.Complete;
}

function addressesDiffer(a: Int32Array, b: Int32Array, keyOffset: number): boolean {
  for (let i = keyOffset; i < keyOffset + 4; i++) if (a[i] !== b[i]) return true;
  return false;
}

function rewriteAddress(pkt: Packet, offset: number, keyOffset: number, keys: Int32Array, index: number): void {
  const { view, key } = pkt;
  for (let i = pkt.version === 6 ? 0 : 3; i < 4; i++) {
    const before = key[keyOffset + i]!;
    const after = keys[index + keyOffset + i]!;
    if (before === after) continue;
    const at = pkt.l3At + offset + (pkt.version === 6 ? i << 2 : 0);
    view.setInt32(at, after);
    key[keyOffset + i] = after;
    if (pkt.version === 4) {
      patchIpv4Checksum(pkt, before >>> 16, after >>> 16);
      patchIpv4Checksum(pkt, before & 0xffff, after & 0xffff);
    }
    patchForAddress(pkt, before, after);
  }
}

function rewritePorts(pkt: Packet, after: number): void {
  const before = pkt.key[KEY_PORTS]!;
  if (before === after) return;
  pkt.key[KEY_PORTS] = after;
  if (keyIsIcmp(pkt.key, 0)) {
    icmpSetIdentifier(pkt.view, pkt.l4At, after >>> 16);
    patchChecksum16(pkt, before >>> 16, after >>> 16);
    return;
  }
  setBothPorts(pkt.view, pkt.l4At, after);
  if (pkt.protocol === Protocol.Sctp) {
    writeSctpChecksum(pkt);
    return;
  }
  if (pkt.checksum === ChecksumState.Partial) return; // ports are not in the pseudo header
  patchChecksum16(pkt, before >>> 16, after >>> 16);
  patchChecksum16(pkt, before & 0xffff, after & 0xffff);
}

/** An address is in the pseudo header of everything but ICMP over IPv4 and SCTP. */
function patchForAddress(pkt: Packet, before: number, after: number): void {
  const { view, protocol } = pkt;
  const field = checksumField(pkt);
  if (field < 0 || protocol === Protocol.Icmp) return;
  const at = pkt.l4At + field;
  if (pkt.checksum === ChecksumState.Partial) {
    // The field is a sum, not its complement: patch the complement, and complement back.
    view.setUint16(at, ~checksumUpdate32(~view.getUint16(at) & 0xffff, before, after) & 0xffff);
    return;
  }
  const checksum = view.getUint16(at);
  if (protocol === Protocol.Udp) {
    if (checksum !== 0) view.setUint16(at, checksumUpdate32(checksum, before, after) || 0xffff);
  } else {
    view.setUint16(at, checksumUpdate32(checksum, before, after));
  }
}

/** Patches a complete checksum for a changed word of the upper-layer header. */
function patchChecksum16(pkt: Packet, before: number, after: number): void {
  const at = pkt.l4At + checksumField(pkt);
  const checksum = pkt.view.getUint16(at);
  if (pkt.protocol === Protocol.Udp) {
    // Zero means none and stays none (CT-078); a computed zero is sent as all ones (RFC 768).
    if (checksum !== 0) pkt.view.setUint16(at, checksumUpdate16(checksum, before, after) || 0xffff);
  } else {
    pkt.view.setUint16(at, checksumUpdate16(checksum, before, after));
  }
}

function patchIpv4Checksum(pkt: Packet, before: number, after: number): void {
  const at = pkt.l3At + IPV4_CHECKSUM;
  pkt.view.setUint16(at, checksumUpdate16(pkt.view.getUint16(at), before, after));
}

/** SCTP's CRC32c covers the ports and cannot be patched cheaply; addresses are not in it (RFC 9260 section 6.8). */
function writeSctpChecksum(pkt: Packet): void {
  pkt.view.setInt32(pkt.l4At + SCTP_CHECKSUM, sctpChecksum(pkt), true);
}

/** Over the packet with a zero checksum field; leaves the field as it was. */
function sctpChecksum(pkt: Packet): number {
  const at = pkt.l4At + SCTP_CHECKSUM;
  const before = pkt.view.getInt32(at);
  pkt.view.setInt32(at, 0);
  const checksum = crc32c(pkt.arena.bytes, pkt.l4At, pkt.l4Len);
  pkt.view.setInt32(at, before);
  return checksum;
}
