/**
 * The first stage of every story: is the frame what it says it is? After `validate` has continued, the packet's
 * offsets are set, its headers may be read without further checks, bytes after the IP packet are cut off, and its
 * checksum is complete or partial, or unverified where that is left to its receiver. Of a fragment (`pkt.fragment` is not
 * 0) only the IP header has been looked at: what it carries is judged once the datagram is together.
 */
import { ETHERNET_HEADER_LEN, EtherType, etherType, sourceMacIsGroup } from '../wire/ethernet.ts';
import { ICMP_HEADER_LEN } from '../wire/icmp.ts';
import {
  IPV4_DESTINATION,
  IPV4_HEADER_LEN,
  IPV4_SOURCE,
  ipv4MartianDestination,
  ipv4MartianSource,
  ipv4OptionsSound,
  ipv4SourceRouted,
} from '../wire/ipv4.ts';
import {
  IPV6_EXTENSIONS_MAX,
  IPV6_FRAGMENT_HEADER_LEN,
  IPV6_HEADER_LEN,
  Ipv6Extension,
  ipv6CheckedLen,
  ipv6MartianDestination,
  ipv6MartianSource,
  ipv6NextHeader,
  ipv6PayloadLength,
} from '../wire/ipv6.ts';
import { bothPorts } from '../wire/ports.ts';
import { Protocol } from '../wire/protocol.ts';
import { SCTP_HEADER_LEN } from '../wire/sctp.ts';
import { TCP_CHECKSUM, TCP_HEADER_LEN, tcpCheckedLen } from '../wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER_LEN, udpCheckedLen, udpLength } from '../wire/udp.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, protocolWord, storeIpv4 } from './flow-key.ts';
import { CONTINUE, Drop, type Outcome } from './outcome.ts';
import { ChecksumState, FRAGMENT_OFFSET_MASK, MORE_FRAGMENTS, type Packet, UNTRACKED } from './packet.ts';
import { completeGeneric, verifyChecksum } from './rewrite.ts';

/** A superframe of more segments than this has a segment size no TCP or UDP sender uses (Linux's smallest MSS is 48). */
const SEGMENTS_MAX = 1366;

/**
 * What every packet meets stands here, and in `validateIpv4` and `validateL4`, in few and small steps: V8 then makes one
 * function of them. All else has functions of its own.
 *
 * @param trusting leaves checksums of TCP and UDP to the receiver's kernel, which looks at them in any case. What others
 * have sent wrong arrives wrong: headers are patched, not computed anew (RFC 1624).
 */
export function validate(pkt: Packet, trusting = false): Outcome {
  const { view, at } = pkt;
  if (pkt.len < ETHERNET_HEADER_LEN) return Drop.FrameTooShort;
  if (sourceMacIsGroup(view, at)) return Drop.BadSourceMac;
  const type = etherType(view, at);
  pkt.etherType = type;
  pkt.l3At = at + ETHERNET_HEADER_LEN;
  pkt.connection = UNTRACKED;
  pkt.protocol = 0;
  pkt.fragment = 0;
  pkt.fragmentMax = 0;
  pkt.keyLoaded = false;
  return type === EtherType.Ipv4 ? validateIpv4(pkt, trusting) : validateOtherType(pkt, trusting);
}

function validateOtherType(pkt: Packet, trusting: boolean): Outcome {
  const type = pkt.etherType;
  if (type === EtherType.Ipv6) return validateIpv6(pkt) || validateUpper(pkt, trusting);
  pkt.version = 0;
  if (type === EtherType.Arp) return validateArp(pkt);
  if (type === EtherType.Vlan || type === EtherType.QinQ) return Drop.VlanTagged;
  return Drop.UnsupportedEtherType;
}

/** ARP has no checksum that virtio could ask for. */
function validateArp(pkt: Packet): Outcome {
  if (pkt.gsoSize !== 0 || pkt.checksum === ChecksumState.Partial) return Drop.BadOffload;
  pkt.checksum = ChecksumState.Complete;
  return CONTINUE;
}

/** The header's five words (RFC 791 section 3.1) are read once: what they hold, what they sum up to, and the key's addresses. */
function validateIpv4(pkt: Packet, trusting: boolean): Outcome {
  const { view, l3At, key } = pkt;
  const available = pkt.len - ETHERNET_HEADER_LEN;
  if (available < IPV4_HEADER_LEN) return Drop.BadIpHeader;
  const first = view.getInt32(l3At); // version, header length, TOS, total length
  const second = view.getInt32(l3At + 4); // id, flags, fragment offset
  const third = view.getInt32(l3At + 8); // TTL, protocol, checksum
  const source = view.getInt32(l3At + IPV4_SOURCE);
  const destination = view.getInt32(l3At + IPV4_DESTINATION);
  const headerLen = (first >>> 22) & 0x3c;
  const totalLength = first & 0xffff;
  if (first >>> 28 !== 4 || headerLen < IPV4_HEADER_LEN) return Drop.BadIpHeader;
  if (totalLength < headerLen || totalLength > available) return Drop.BadIpHeader;
  if (headerLen === IPV4_HEADER_LEN) {
    const sum = halves(first) + halves(second) + halves(third) + halves(source) + halves(destination);
    if ((sum & 0xffff) + (sum >>> 16) !== 0xffff) return Drop.BadIpChecksum; // ten halves fold at once
  } else {
    const outcome = validateOptions(pkt, headerLen);
    if (outcome !== CONTINUE) return outcome;
  }
  if (ipv4MartianSource(source) || ipv4MartianDestination(destination)) return Drop.MartianAddress;
  pkt.fragment = second & 0x3fff;
  pkt.fragmentId = second >>> 16;
  pkt.version = 4;
  pkt.len = ETHERNET_HEADER_LEN + totalLength; // Ethernet pads short frames
  pkt.protocol = (third >>> 16) & 0xff;
  pkt.l4At = l3At + headerLen;
  pkt.l4Len = totalLength - headerLen;
  storeIpv4(source, key, KEY_SOURCE);
  storeIpv4(destination, key, KEY_DESTINATION);
  return validateUpper(pkt, trusting);
}

function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}

function validateOptions(pkt: Packet, headerLen: number): Outcome {
  const { view, l3At } = pkt;
  if (pkt.arena.sum(l3At, headerLen) !== 0xffff) return Drop.BadIpChecksum;
  if (ipv4SourceRouted(view, l3At)) return Drop.SourceRouted;
  return ipv4OptionsSound(view, l3At) ? CONTINUE : Drop.BadIpHeader; // Linux's ip_options_compile
}

function validateIpv6(pkt: Packet): Outcome {
  const { view, l3At } = pkt;
  const available = pkt.at + pkt.len - l3At;
  if (ipv6CheckedLen(view, l3At, available) === 0) return Drop.BadIpHeader;
  const payloadLen = ipv6PayloadLength(view, l3At);
  if (payloadLen > available - IPV6_HEADER_LEN) return Drop.BadIpHeader;
  if (ipv6MartianSource(view, l3At) || ipv6MartianDestination(view, l3At)) return Drop.MartianAddress;
  pkt.version = 6;
  pkt.len = l3At - pkt.at + IPV6_HEADER_LEN + payloadLen;
  return walkExtensions(pkt);
}

/** Finds the upper-layer header behind the extension headers (RFC 8200 section 4), in bounded work. */
function walkExtensions(pkt: Packet): Outcome {
  const { view, l3At } = pkt;
  const end = pkt.at + pkt.len;
  let next = ipv6NextHeader(view, l3At);
  let at = l3At + IPV6_HEADER_LEN;
  for (let i = 0; i <= IPV6_EXTENSIONS_MAX; i++) {
    const length = extensionLen(view, next, at, end);
    if (length === 0 || pkt.fragment !== 0) {
      pkt.protocol = next;
      pkt.l4At = at;
      pkt.l4Len = end - at;
      return CONTINUE;
    }
    if (length < 0 || at + length > end) return Drop.BadIpHeader;
    if (next === Ipv6Extension.HopByHop && i > 0) return Drop.BadIpHeader; // only ever first (RFC 8200 section 4.1)
    if (next === Ipv6Extension.Routing && view.getUint8(at + 3) !== 0) return Drop.SourceRouted;
    if (next === Ipv6Extension.Fragment) readFragmentHeader(pkt, at); // "atomic" ones are whole packets (RFC 6946)
    next = view.getUint8(at);
    at += length;
  }
  return Drop.BadIpHeader;
}

/** Length of the extension header at `at`; 0 when it is none, -1 when it is cut short. */
function extensionLen(view: DataView, type: number, at: number, end: number): number {
  switch (type) {
    case Ipv6Extension.Fragment:
      return IPV6_FRAGMENT_HEADER_LEN;
    case Ipv6Extension.HopByHop:
    case Ipv6Extension.Routing:
    case Ipv6Extension.Destination:
      return at + 8 <= end ? (view.getUint8(at + 1) + 1) << 3 : -1;
    default:
      return 0;
  }
}

function readFragmentHeader(pkt: Packet, at: number): void {
  const word = pkt.view.getUint16(at + 2);
  pkt.fragment = ((word & 1) === 0 ? 0 : MORE_FRAGMENTS) | (word >>> 3);
  pkt.fragmentId = pkt.view.getInt32(at + 4);
}

function validateUpper(pkt: Packet, trusting: boolean): Outcome {
  return pkt.fragment === 0 ? validateL4(pkt, trusting) : validateFragment(pkt);
}

function validateFragment(pkt: Packet): Outcome {
  pkt.payloadAt = pkt.l4At;
  if (pkt.gsoSize !== 0 || pkt.checksum === ChecksumState.Partial) return Drop.BadOffload;
  const first = (pkt.fragment & FRAGMENT_OFFSET_MASK) === 0;
  return pkt.version === 6 && first && !holdsUpperHeader(pkt) ? Drop.BadFragment : CONTINUE;
}

/**
 * A first fragment must hold all headers, the upper layer's included (RFC 8200 section 4.5, RFC 7112): also those that
 * only look at fragments then see what they let through. Linux's ipv6frag_thdr_truncated.
 */
function holdsUpperHeader(pkt: Packet): boolean {
  const { view } = pkt;
  const end = pkt.at + pkt.len;
  let next = pkt.protocol;
  let at = pkt.l4At;
  for (let i = 0; i <= IPV6_EXTENSIONS_MAX; i++) {
    const length = extensionLen(view, next, at, end);
    if (length === 0) return at + upperHeaderLenMin(next) <= end;
    if (length < 0 || at + length > end) return false;
    next = view.getUint8(at);
    at += length;
  }
  return false;
}

function upperHeaderLenMin(protocol: number): number {
  if (protocol === Protocol.Tcp) return TCP_HEADER_LEN;
  if (protocol === Protocol.Udp) return UDP_HEADER_LEN;
  return protocol === Protocol.Icmpv6 ? ICMP_HEADER_LEN : 1;
}

function validateL4(pkt: Packet, trusting: boolean): Outcome {
  const { view, l4At, l4Len, protocol, key } = pkt;
  let headerLen = UDP_HEADER_LEN;
  if (protocol === Protocol.Tcp) {
    headerLen = tcpCheckedLen(view, l4At, l4Len);
    if (headerLen === 0) return Drop.BadL4Header;
  } else if (protocol !== Protocol.Udp) {
    return validateOtherL4(pkt, trusting);
  } else if (udpCheckedLen(view, l4At, l4Len) === 0) {
    return Drop.BadL4Header;
  }
  pkt.payloadAt = l4At + headerLen;
  key[KEY_PORTS] = bothPorts(view, l4At);
  key[KEY_PROTOCOL] = protocolWord(pkt.version, protocol);
  pkt.keyLoaded = pkt.version === 4;
  if (pkt.gsoSize !== 0) return validateSuperframe(pkt);
  return pkt.checksum === ChecksumState.Partial ? validatePartial(pkt) : validateChecksum(pkt, trusting);
}

function validateOtherL4(pkt: Packet, trusting: boolean): Outcome {
  const headerLen = otherHeaderLen(pkt);
  if (headerLen < 0) return Drop.BadL4Header;
  pkt.payloadAt = pkt.l4At + headerLen;
  if (pkt.gsoSize !== 0) return Drop.BadOffload; // superframes are of TCP or UDP
  return pkt.checksum === ChecksumState.Partial ? validatePartial(pkt) : validateChecksum(pkt, trusting);
}

function validateChecksum(pkt: Packet, trusting: boolean): Outcome {
  if (pkt.checksum === ChecksumState.Unverified) {
    const receiverVerifies = pkt.protocol === Protocol.Tcp || pkt.protocol === Protocol.Udp;
    if (trusting && receiverVerifies) return CONTINUE;
    if (!verifyChecksum(pkt)) return Drop.BadL4Checksum;
  }
  pkt.checksum = ChecksumState.Complete;
  return CONTINUE;
}

/** Bytes of an upper-layer header but TCP's and UDP's; 0 for protocols without one that we know; -1 when it lies. */
function otherHeaderLen(pkt: Packet): number {
  switch (pkt.protocol) {
    case Protocol.Sctp:
      return pkt.l4Len < SCTP_HEADER_LEN ? -1 : SCTP_HEADER_LEN;
    case Protocol.Icmp:
      return pkt.version === 4 && pkt.l4Len < ICMP_HEADER_LEN ? -1 : 0;
    case Protocol.Icmpv6:
      return pkt.version === 6 && pkt.l4Len < ICMP_HEADER_LEN ? -1 : 0;
    default:
      return 0;
  }
}

/** Is the partial checksum the one of this packet's own TCP or UDP header? */
function partialIsOwn(pkt: Packet): boolean {
  const field = pkt.protocol === Protocol.Tcp ? TCP_CHECKSUM : pkt.protocol === Protocol.Udp ? UDP_CHECKSUM : -1;
  return pkt.partialStart === pkt.l4At - pkt.at && pkt.partialOffset === field;
}

function validateSuperframe(pkt: Packet): Outcome {
  const payloadLen = pkt.at + pkt.len - pkt.payloadAt;
  const sane =
    pkt.checksum === ChecksumState.Partial &&
    partialIsOwn(pkt) &&
    (pkt.protocol !== Protocol.Udp || udpLength(pkt.view, pkt.l4At) === pkt.l4Len) &&
    payloadLen > 0 &&
    payloadLen <= pkt.gsoSize * SEGMENTS_MAX &&
    pkt.payloadAt - pkt.l3At + pkt.gsoSize <= 0xffff;
  return sane ? CONTINUE : Drop.BadOffload;
}

/**
 * The kernel may leave any checksum to us, also one further in (a tunnel that a pod runs itself). What is not the
 * packet's own TCP or UDP checksum is completed here, so that no later stage meets it.
 */
function validatePartial(pkt: Packet): Outcome {
  const own = partialIsOwn(pkt) && (pkt.protocol !== Protocol.Udp || udpLength(pkt.view, pkt.l4At) === pkt.l4Len);
  if (own) return CONTINUE;
  if (!completeGeneric(pkt)) return Drop.BadOffload;
  if (!verifyChecksum(pkt)) return Drop.BadL4Checksum;
  pkt.checksum = ChecksumState.Complete;
  return CONTINUE;
}
