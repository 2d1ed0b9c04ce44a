/**
 * Segments of one TCP flow, or packets of one UDP flow, put together again into the superframe that they could have
 * been. The conditions are those of Linux's tcp_gro_receive and udp_gro_receive: anything unusual is left alone, so
 * cutting the superframe gives back what came, but for the ids of IPv4 packets that nobody may fragment (RFC 6864).
 *
 * A segment whose headers equal the first one's, but for the fields that `writeMask` leaves out, needs no parsing of
 * its own: one masked comparison per segment instead (half the cost, bench/dataplane.ts).
 */
import type { Arena } from '../packet/arena.ts';
import { ChecksumState, type Packet } from '../packet/packet.ts';
import { foldSum, pseudoSumIpv4, pseudoSumIpv6 } from '../wire/checksum.ts';
import { ETHERNET_HEADER_LEN, EtherType, etherType } from '../wire/ethernet.ts';
import {
  IPV4_CHECKSUM,
  IPV4_HEADER_LEN,
  ipv4CheckedLen,
  ipv4DontFragment,
  ipv4Fragmented,
  ipv4Id,
  ipv4Protocol,
  ipv4SetChecksum,
  ipv4SetTotalLength,
  ipv4TotalLength,
} from '../wire/ipv4.ts';
import {
  IPV6_HEADER_LEN,
  ipv6CheckedLen,
  ipv6NextHeader,
  ipv6PayloadLength,
  ipv6SetPayloadLength,
} from '../wire/ipv6.ts';
import { Protocol } from '../wire/protocol.ts';
import { TCP_CHECKSUM, TcpFlag, tcpCheckedLen, tcpFlags, tcpSequence, tcpSetFlags } from '../wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER_LEN, udpCheckedLen, udpLength, udpSetLength } from '../wire/udp.ts';

/** The kernel takes no UDP superframe of more (UDP_MAX_SEGMENTS until Linux 6.9). */
const UDP_SEGMENTS_MAX = 64;
const IP_LEN_MAX = 65_535;
/** VXLAN, Ethernet, IPv6 and the longest TCP header, rounded up to what `Arena.differ` compares at a time. */
const MASK_BYTES = 128;

export class SegmentRun {
  /** False leaves UDP packets alone. */
  udp = true;
  readonly #arena: Arena;
  readonly #view: DataView;
  readonly #maskAt: number;
  /** Bytes in front of the Ethernet header that are part of a segment. */
  readonly #prefixLen: number;
  readonly #ipLenMax: number;
  /** Layout that the mask is written for; 0 for none. */
  #maskLayout = 0;
  // The run: its first segment's layout, filled by `begin`, and what has come since.
  #first = 0;
  #version = 0;
  #protocol = 0;
  #l4Offset = 0;
  #headerLen = 0;
  #segmentLen = 0;
  #total = 0;
  #segments = 0;
  /** A segment came that must be the last. */
  #closed = false;
  #checksum = 0;
  #sequence = 0;
  #flags = 0;
  /** IPv4: id of the first segment, and whether the ones after it count on (RFC 791) or keep it (RFC 6864: with DF). */
  #firstId = 0;
  #idStep = -1;
  /** IPv4: what total length, id and checksum of every segment add up to, all else being equal. */
  #ipSum = 0;
  /** Pseudo header's sum without the length, which differs in the last segment. */
  #pseudo = 0;

  /**
   * @param prefixLen of a segment in front of its Ethernet header: VXLAN's length, or 0.
   * @param ipLenMax of the superframe.
   */
  constructor(arena: Arena, prefixLen: number, ipLenMax = IP_LEN_MAX) {
    this.#arena = arena;
    this.#view = arena.view;
    this.#prefixLen = prefixLen;
    this.#ipLenMax = ipLenMax;
    this.#maskAt = arena.reserve(MASK_BYTES);
  }

  /** Can the packet begin a run? Then it is the run's first segment, and there is room behind it for the others. */
  begin(pkt: Packet): boolean {
    const { at, len } = pkt;
    const l3Offset = this.#prefixLen + ETHERNET_HEADER_LEN;
    const l3Len = len - l3Offset;
    if (l3Len <= 0 || pkt.gsoSize !== 0) return false;
    const ipLen = this.#readIp(at + l3Offset, l3Len, etherType(this.#view, at + this.#prefixLen));
    if (ipLen === 0) return false;
    this.#l4Offset = l3Offset + ipLen;
    const l4Len = l3Len - ipLen;
    const l4HeaderLen = this.#protocol === Protocol.Tcp ? this.#readTcp(at, l4Len) : this.#readUdp(at, l4Len);
    if (l4HeaderLen === 0 || l4HeaderLen === l4Len) return false;
    this.#headerLen = this.#l4Offset + l4HeaderLen;
    this.#checksum = pkt.checksum;
    if (!this.#checksumFits(pkt)) return false;
    this.#first = at;
    this.#segmentLen = len - this.#headerLen;
    this.#total = this.#segmentLen;
    this.#segments = 1;
    this.#closed = (this.#flags & TcpFlag.Psh) !== 0;
    this.#idStep = -1;
    this.#writeMask();
    return true;
  }

  /** Does the segment continue the run? Then its payload has been appended. */
  append(segment: Packet): boolean {
    if (segment.gsoSize !== 0) return false; // it is more than one already
    const more = segment.len - this.#headerLen;
    if (this.#closed || more <= 0 || more > this.#segmentLen || !this.#hasRoom(more)) return false;
    if (!this.#continues(segment)) return false;
    const { at } = segment;
    if (this.#protocol === Protocol.Tcp) {
      const flags = tcpFlags(this.#view, at + this.#l4Offset);
      this.#closed = (flags & TcpFlag.Psh) !== 0;
      this.#flags |= flags;
    }
    // Segments of a superframe are equal but for the last.
    if (more < this.#segmentLen) this.#closed = true;
    this.#arena.copy(this.#first + this.#headerLen + this.#total, at + this.#headerLen, more);
    this.#total += more;
    this.#segments++;
    return true;
  }

  /** Makes the run one superframe; false when it has only one segment. @param pkt what `begin` was given. */
  finish(pkt: Packet): boolean {
    if (this.#segments === 1) return false;
    const view = this.#view;
    const l3At = pkt.at + this.#prefixLen + ETHERNET_HEADER_LEN;
    const l4At = pkt.at + this.#l4Offset;
    const tcp = this.#protocol === Protocol.Tcp;
    pkt.len = this.#headerLen + this.#total;
    pkt.gsoSize = this.#segmentLen;
    pkt.checksum = ChecksumState.Partial;
    pkt.partialStart = this.#l4Offset - this.#prefixLen;
    pkt.partialOffset = tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
    const end = pkt.at + pkt.len;
    if (this.#version === 4) {
      ipv4SetTotalLength(view, l3At, end - l3At);
      ipv4SetChecksum(view, l3At, 0);
      ipv4SetChecksum(view, l3At, this.#arena.checksum(l3At, IPV4_HEADER_LEN, 0));
    } else {
      ipv6SetPayloadLength(view, l3At, end - l3At - IPV6_HEADER_LEN);
    }
    if (tcp) tcpSetFlags(view, l4At, this.#flags);
    else udpSetLength(view, l4At, end - l4At);
    view.setUint16(l4At + pkt.partialOffset, foldSum(this.#pseudo + end - l4At));
    return true;
  }

  #hasRoom(more: number): boolean {
    const ipLen = this.#headerLen - this.#prefixLen - ETHERNET_HEADER_LEN + this.#total + more;
    if (ipLen > this.#ipLenMax) return false;
    return this.#protocol === Protocol.Tcp || this.#segments < UDP_SEGMENTS_MAX;
  }

  /** Length of a plain IP header that fills the frame; 0 for anything else. */
  #readIp(l3At: number, l3Len: number, type: number): number {
    if (type === EtherType.Ipv4) return this.#readIpv4(l3At, l3Len);
    return type === EtherType.Ipv6 ? this.#readIpv6(l3At, l3Len) : 0;
  }

  #readIpv4(l3At: number, l3Len: number): number {
    const view = this.#view;
    if (ipv4CheckedLen(view, l3At, l3Len) !== IPV4_HEADER_LEN) return 0;
    if (!this.#mergeable(ipv4Protocol(view, l3At)) || ipv4Fragmented(view, l3At) !== 0) return 0;
    if (ipv4TotalLength(view, l3At) !== l3Len || this.#arena.sum(l3At, IPV4_HEADER_LEN) !== 0xffff) return 0;
    this.#version = 4;
    this.#firstId = ipv4Id(view, l3At);
    this.#ipSum = this.#changingSum(l3At);
    this.#pseudo = pseudoSumIpv4(view, l3At, this.#protocol, 0);
    return IPV4_HEADER_LEN;
  }

  #readIpv6(l3At: number, l3Len: number): number {
    const view = this.#view;
    if (ipv6CheckedLen(view, l3At, l3Len) === 0 || !this.#mergeable(ipv6NextHeader(view, l3At))) return 0;
    if (ipv6PayloadLength(view, l3At) !== l3Len - IPV6_HEADER_LEN) return 0;
    this.#version = 6;
    this.#pseudo = pseudoSumIpv6(view, l3At, this.#protocol, 0);
    return IPV6_HEADER_LEN;
  }

  #mergeable(protocol: number): boolean {
    this.#protocol = protocol;
    return protocol === Protocol.Tcp || (protocol === Protocol.Udp && this.udp);
  }

  /** Length of the header of a TCP segment with only ACK set, and perhaps PSH or ECE; else 0. */
  #readTcp(at: number, l4Len: number): number {
    const l4At = at + this.#l4Offset;
    const headerLen = tcpCheckedLen(this.#view, l4At, l4Len);
    if (headerLen === 0) return 0;
    this.#flags = tcpFlags(this.#view, l4At);
    this.#sequence = tcpSequence(this.#view, l4At);
    return (this.#flags & ~(TcpFlag.Ece | TcpFlag.Psh)) === TcpFlag.Ack ? headerLen : 0;
  }

  /** The same of a UDP packet. */
  #readUdp(at: number, l4Len: number): number {
    const l4At = at + this.#l4Offset;
    this.#flags = 0;
    return udpCheckedLen(this.#view, l4At, l4Len) === l4Len ? UDP_HEADER_LEN : 0;
  }

  /** Is it the segment that comes next: same headers, this sequence number, sound lengths and sums? */
  #continues(segment: Packet): boolean {
    const view = this.#view;
    const { at } = segment;
    const compared = (this.#headerLen + 15) & ~15;
    const before = compared - this.#headerLen; // bytes in front of the headers, which the mask leaves out
    if (this.#arena.differ(this.#first - before, at - before, this.#maskAt, compared)) return false;
    const l4At = at + this.#l4Offset;
    if (this.#protocol === Protocol.Tcp) {
      if (tcpSequence(view, l4At) !== ((this.#sequence + this.#total) | 0)) return false;
    } else if (udpLength(view, l4At) !== segment.len - this.#l4Offset) {
      return false;
    }
    return this.#ipContinues(at, segment.len) && segment.checksum === this.#checksum && this.#checksumFits(segment);
  }

  #ipContinues(at: number, len: number): boolean {
    const view = this.#view;
    const l3At = at + this.#prefixLen + ETHERNET_HEADER_LEN;
    const l3Len = at + len - l3At;
    if (this.#version === 6) return ipv6PayloadLength(view, l3At) === l3Len - IPV6_HEADER_LEN;
    if (ipv4TotalLength(view, l3At) !== l3Len || this.#changingSum(l3At) !== this.#ipSum) return false;
    // Cutting counts ids up; so a run may be merged when they do so, or when they mean nothing (DF, all the same).
    const difference = (ipv4Id(view, l3At) - this.#firstId) & 0xffff;
    if (this.#idStep < 0) this.#idStep = difference === 0 && ipv4DontFragment(view, l3At) ? 0 : 1;
    return difference === ((this.#segments * this.#idStep) & 0xffff);
  }

  /** Of the words of an IPv4 header that may change within a run; 0 and 0xffff are one number in this arithmetic. */
  #changingSum(l3At: number): number {
    const view = this.#view;
    return (ipv4TotalLength(view, l3At) + ipv4Id(view, l3At) + view.getUint16(l3At + IPV4_CHECKSUM)) % 0xffff;
  }

  /** A partial checksum is the kernel's word, when it is the one of this header; any other must be right. */
  #checksumFits(pkt: Packet): boolean {
    if (pkt.checksum === ChecksumState.Partial) {
      const field = this.#protocol === Protocol.Tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
      return pkt.partialStart === this.#l4Offset - this.#prefixLen && pkt.partialOffset === field;
    }
    const l4Len = pkt.len - this.#l4Offset;
    if (this.#protocol === Protocol.Udp && this.#view.getUint16(pkt.at + this.#l4Offset + UDP_CHECKSUM) === 0) {
      return false; // it has none, and a superframe cannot do without: zeros may add up to the right sum yet
    }
    return foldSum(this.#arena.sum(pkt.at + this.#l4Offset, l4Len) + this.#pseudo + l4Len) === 0xffff;
  }

  /**
   * What must be equal: everything but the IP length, id and checksum, the TCP sequence number and checksum and PSH,
   * which may end a run, the UDP length and checksum. TCP's acknowledgment, window and options are among what must.
   */
  #writeMask(): void {
    const layout = (this.#protocol << 16) | (this.#version << 8) | this.#headerLen;
    if (layout === this.#maskLayout) return;
    this.#maskLayout = layout;
    const { bytes } = this.#arena;
    const mask = this.#maskAt + (-this.#headerLen & 15);
    const l3 = mask + this.#prefixLen + ETHERNET_HEADER_LEN;
    const l4 = mask + this.#l4Offset;
    bytes.fill(0, this.#maskAt, mask);
    bytes.fill(0xff, mask, mask + this.#headerLen);
    if (this.#version === 4) {
      bytes.fill(0, l3 + 2, l3 + 6);
      bytes.fill(0, l3 + IPV4_CHECKSUM, l3 + IPV4_CHECKSUM + 2);
    } else {
      bytes.fill(0, l3 + 4, l3 + 6);
    }
    if (this.#protocol === Protocol.Tcp) {
      bytes.fill(0, l4 + 4, l4 + 8);
      bytes[l4 + 13] = 0xff & ~TcpFlag.Psh;
      bytes.fill(0, l4 + TCP_CHECKSUM, l4 + TCP_CHECKSUM + 2);
    } else {
      bytes.fill(0, l4 + 4, l4 + 8);
    }
  }
}
