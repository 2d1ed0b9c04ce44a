/**
 * What the sender of a dropped packet is told (RFC 792, RFC 4443): some drops are answered with an ICMP error that
 * quotes the packet as it came in. It comes from the node's first pod-CIDR address. Linux's icmp_send and icmp6_send.
 */
import { isIcmpError } from '../conntrack/related.ts';
import { KEY_SOURCE, KEY_WORDS } from '../packet/flow-key.ts';
import { Drop, type DropName, dropReasons, type Outcome } from '../packet/outcome.ts';
import { ChecksumState, type Packet, UNTRACKED } from '../packet/packet.ts';
import { completeChecksum, incrementTtl, pseudoSum, rewriteFlow, verifyChecksum } from '../packet/rewrite.ts';
import { Way, wayKind } from '../packet/way.ts';
import { loadIpv4, loadIpv6 } from '../wire/address.ts';
import { ETHERNET_HEADER_LEN, EtherType, writeEtherType } from '../wire/ethernet.ts';
import { ICMP_CHECKSUM, ICMP_HEADER_LEN, Icmp, Icmpv6, icmpWrite } from '../wire/icmp.ts';
import { IPV4_HEADER_LEN, IPV4_SOURCE, ipv4Tos, ipv4Write } from '../wire/ipv4.ts';
import { IPV6_HEADER_LEN, IPV6_SOURCE, ipv6Write } from '../wire/ipv6.ts';
import { Protocol } from '../wire/protocol.ts';
import type { Dataplane } from './dataplane.ts';
import { mtuOf, transmitCounted } from './transmit.ts';

/** Type and code, IPv4 then IPv6. Drops that are not here are silent. */
const told: Partial<Record<DropName, readonly [number, number, number, number]>> = {
  TtlExceeded: [Icmp.TimeExceeded, 0, Icmpv6.TimeExceeded, 0],
  MtuExceeded: [Icmp.Unreachable, 4, Icmpv6.PacketTooBig, 0],
  NoRoute: [Icmp.Unreachable, 0, Icmpv6.Unreachable, 0],
  NoSuchPod: [Icmp.Unreachable, 1, Icmpv6.Unreachable, 3],
  FragmentTimeout: [Icmp.TimeExceeded, 1, Icmpv6.TimeExceeded, 1],
  // Port unreachable to TCP too: that is what nftables' `reject` sends, and connect(2) then says "refused".
  NoEndpoints: [Icmp.Unreachable, 3, Icmpv6.Unreachable, 4],
  NoServicePort: [Icmp.Unreachable, 3, Icmpv6.Unreachable, 4],
};
const byIndex = dropReasons.map(({ name }) => told[name as DropName]);

/** The whole error, so that it crosses any link unfragmented (RFC 1812 section 4.3.2.3; RFC 4443 section 2.4 c). */
const ERROR_LEN_MAX_IPV4 = 576;
const ERROR_LEN_MAX_IPV6 = 1280;
const TTL = 64;
/** Errors are network control (RFC 1812 section 4.3.2.5). */
const TOS_CONTROL = 0xc0;
const TOS_MASK = 0x1e;

/** Linux's icmp_msgs_per_sec and icmp_msgs_burst as they were until 6.10: one node's errors must not flood. */
const ERRORS_PER_MS = 1;
const ERRORS_BURST = 50;

/** How many errors may be sent now. */
export class ErrorBudget {
  #tokens = ERRORS_BURST;
  #filledMs = 0;

  take(nowMs: number): boolean {
    this.#tokens = Math.min(ERRORS_BURST, this.#tokens + (nowMs - this.#filledMs) * ERRORS_PER_MS);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

const original = new Int32Array(KEY_WORDS);
const ends = { source: new Int32Array(4), destination: new Int32Array(4) };

/** Tells the sender why its packet was dropped, where that is told. The packet's bytes may change. */
export function answerDrop(dp: Dataplane, pkt: Packet, outcome: Outcome, nowMs: number): void {
  const answer = byIndex[-1 - outcome];
  if (answer === undefined || isIcmpError(pkt)) return;
  if (pkt.checksum === ChecksumState.Unverified && !verifyChecksum(pkt)) return; // nobody may have sent this
  if (!dp.errorBudget.take(nowMs)) return;
  loadOriginal(dp, pkt);
  if (outcome === Drop.MtuExceeded && wasHop(pkt)) incrementTtl(pkt); // told as it came in
  const { quoted } = dp;
  quoteWhole(dp, pkt, quoted);
  rewriteFlow(quoted, original, 0);
  const mtu = outcome === Drop.MtuExceeded ? mtuOf(dp, pkt.egress) : 0;
  for (let i = 0; i < 4; i++) ends.destination[i] = original[KEY_SOURCE + i]!;
  sendError(dp, quoted, answer, mtu, nowMs);
}

/** @param pkt the first fragment, as it came in. */
export function answerFragmentTimeout(dp: Dataplane, pkt: Packet, nowMs: number): void {
  if (!dp.errorBudget.take(nowMs)) return;
  if (pkt.version === 4) loadIpv4(pkt.view, pkt.l3At + IPV4_SOURCE, ends.destination, 0);
  else loadIpv6(pkt.view, pkt.l3At + IPV6_SOURCE, ends.destination, 0);
  const { quoted } = dp;
  quoteWhole(dp, pkt, quoted);
  sendError(dp, quoted, told.FragmentTimeout!, 0, nowMs);
}

/** The key that the packet had when it came in. */
function loadOriginal(dp: Dataplane, pkt: Packet): void {
  if (pkt.connection === UNTRACKED) {
    original.set(dp.originalKey);
    return;
  }
  dp.connections.key(pkt.connection * 2 + pkt.direction, original);
}

/** Has `hopLimit` taken one off? */
function wasHop(pkt: Packet): boolean {
  return wayKind(pkt.ingress) !== Way.Host && wayKind(pkt.egress) !== Way.Host;
}

/** Copies the IP packet behind where the error's own headers will be; of a superframe, the first segment as if cut. */
function quoteWhole(dp: Dataplane, pkt: Packet, quoted: Packet): void {
  let { at, len } = pkt;
  if (pkt.gsoSize === 0) {
    completeChecksum(pkt);
  } else {
    dp.cutter.begin(pkt);
    dp.cutter.next(1);
    at = dp.cutter.outAt;
    len = dp.cutter.outLen;
  }
  const quoteAt = dp.scratchAt + ETHERNET_HEADER_LEN + IPV6_HEADER_LEN + ICMP_HEADER_LEN;
  quoted.at = quoteAt - ETHERNET_HEADER_LEN;
  quoted.len = len;
  quoted.l3At = quoteAt;
  quoted.l4At = quoteAt + (pkt.l4At - pkt.l3At);
  quoted.l4Len = len - (pkt.l4At - pkt.at);
  quoted.payloadAt = quoteAt + (pkt.payloadAt - pkt.l3At);
  quoted.version = pkt.version;
  quoted.protocol = pkt.protocol;
  quoted.checksum = ChecksumState.Complete;
  quoted.gsoSize = 0;
  quoted.hash = pkt.hash;
  quoted.key.set(pkt.key);
  dp.arena.copy(quoteAt, at + ETHERNET_HEADER_LEN, len - ETHERNET_HEADER_LEN);
}

/** Puts headers in front of the quote and sends it to `ends.destination`, if there is a way. */
function sendError(dp: Dataplane, quoted: Packet, answer: readonly number[], mtu: number, nowMs: number): void {
  const way = dp.routes.find(ends.destination, 0);
  const kind = wayKind(way);
  if (way < 0 || kind === Way.Blackhole) return;
  const ipv6 = quoted.version === 6;
  const quoteLen = Math.min(quoted.len - ETHERNET_HEADER_LEN, quoteLenMax(ipv6));
  const error = dp.scratch;
  error.l4At = quoted.l3At - ICMP_HEADER_LEN;
  error.l4Len = ICMP_HEADER_LEN + quoteLen;
  error.version = quoted.version;
  error.protocol = ipv6 ? Protocol.Icmpv6 : Protocol.Icmp;
  error.l3At = error.l4At - (ipv6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN);
  error.at = error.l3At - ETHERNET_HEADER_LEN;
  error.len = error.l4At + error.l4Len - error.at;
  error.payloadAt = error.l4At;
  error.checksum = ChecksumState.Complete;
  error.gsoSize = 0;
  error.hash = quoted.hash;
  error.ingress = 0;
  error.egress = way;
  writeError(dp, error, quoted, answer[ipv6 ? 2 : 0]!, answer[ipv6 ? 3 : 1]!, mtu);
  dp.counters.countOriginated();
  transmitCounted(dp, error, nowMs);
}

function quoteLenMax(ipv6: boolean): number {
  return ipv6
    ? ERROR_LEN_MAX_IPV6 - IPV6_HEADER_LEN - ICMP_HEADER_LEN
    : ERROR_LEN_MAX_IPV4 - IPV4_HEADER_LEN - ICMP_HEADER_LEN;
}

function writeError(dp: Dataplane, error: Packet, quoted: Packet, type: number, code: number, mtu: number): void {
  const { view, l3At, l4At, l4Len } = error;
  const { icmpSources } = dp.node;
  if (error.version === 6) {
    for (let i = 0; i < 4; i++) ends.source[i] = icmpSources[4 + i]!;
    writeEtherType(view, error.at, EtherType.Ipv6);
    ipv6Write(view, l3At, ends, Protocol.Icmpv6, TTL, l4Len);
  } else {
    const tos = TOS_CONTROL | (ipv4Tos(view, quoted.l3At) & TOS_MASK);
    writeEtherType(view, error.at, EtherType.Ipv4);
    ipv4Write(view, l3At, icmpSources[3]!, ends.destination[3]!, Protocol.Icmp, tos, TTL, IPV4_HEADER_LEN + l4Len);
  }
  icmpWrite(view, l4At, type, code, mtu);
  view.setUint16(l4At + ICMP_CHECKSUM, dp.arena.checksum(l4At, l4Len, pseudoSum(error, l4Len)));
}
