/**
 * Merging what one receive call brought into superframes. With UDP_GRO the kernel hands over a row of datagrams of
 * equal size, one after the other; where they are consecutive segments of one TCP flow they become one packet again.
 * The conditions are those of Linux's tcp_gro_receive: anything unusual is left alone and passes by itself.
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
import { VXLAN_HEADER_LEN } from '../wire/vxlan.ts';

/** Offsets from the start of a datagram. */
const L3_AT = VXLAN_HEADER_LEN + ETHERNET_HEADER_LEN;
const IP_LEN_MAX = 65_535;
/** VXLAN, Ethernet, IPv6 and the longest TCP header, rounded up to what `Arena.differ` compares at a time. */
const MASK_BYTES = 128;

export class Merger {
  readonly #arena: Arena;
  readonly #view: DataView;
  readonly #maskAt: number;
  /** Layout that the mask is written for: IP version * 256 + header length; 0 for none. */
  #maskLayout = 0;
  #at = 0;
  #end = 0;
  #stride = 0;
  // Layout of the first segment of a run, filled by #readFirst.
  #version = 0;
  #l4Offset = 0;
  #headerLen = 0;
  /** IPv4: id of the first segment, and whether the ones after it count on (RFC 791) or keep it (RFC 6864: with DF). */
  #firstId = 0;
  #idStep = -1;
  /** Pseudo header's sum without the length, which differs in the last segment. */
  #pseudo = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#view = arena.view;
    this.#maskAt = arena.reserve(MASK_BYTES);
  }

  /** @param stride size of every datagram but the last; `len` when there is one. */
  begin(at: number, len: number, stride: number): void {
    this.#at = at;
    this.#end = at + len;
    this.#stride = stride;
  }

  /** Is there a packet left that `next` has not handed out? */
  get pending(): boolean {
    return this.#at < this.#end;
  }

  /**
   * The next packet, still with its VXLAN header: `pkt.at`, `len`, checksum state and segment size. False at the end.
   *
   * @param merge false hands out the datagrams one by one.
   */
  next(pkt: Packet, merge = true): boolean {
    if (this.#at >= this.#end) return false;
    const first = this.#at;
    pkt.at = first;
    pkt.len = Math.min(this.#stride, this.#end - first);
    pkt.checksum = ChecksumState.Unverified;
    pkt.gsoSize = 0;
    this.#at += pkt.len;
    if (merge && this.#at < this.#end && this.#readFirst(first, pkt.len)) this.#extend(pkt);
    return true;
  }

  /** Appends the segments that follow `pkt` and continue it. */
  #extend(pkt: Packet): void {
    const view = this.#view;
    const first = pkt.at;
    const headerLen = this.#headerLen;
    const l4At = first + this.#l4Offset;
    const segmentLen = pkt.len - headerLen;
    const sequence = tcpSequence(view, l4At);
    let flags = tcpFlags(view, l4At);
    let total = segmentLen;
    while (this.#at < this.#end && (flags & TcpFlag.Psh) === 0) {
      const at = this.#at;
      const len = Math.min(this.#stride, this.#end - at);
      const more = len - headerLen;
      // A shorter segment ends the run: segments of a superframe are equal but for the last.
      if (more <= 0 || total % segmentLen !== 0 || headerLen - L3_AT + total + more > IP_LEN_MAX) break;
      if (!this.#continues(first, at, len, (sequence + total) | 0)) break;
      if (this.#version === 4 && !this.#idContinues(at + L3_AT, total / segmentLen)) break;
      flags |= tcpFlags(view, at + this.#l4Offset);
      this.#arena.copy(first + headerLen + total, at + headerLen, more);
      total += more;
      this.#at += len;
    }
    if (total === segmentLen) return;
    tcpSetFlags(view, l4At, flags);
    pkt.len = headerLen + total;
    pkt.gsoSize = segmentLen;
    pkt.checksum = ChecksumState.Partial;
    pkt.partialStart = this.#l4Offset - VXLAN_HEADER_LEN;
    pkt.partialOffset = TCP_CHECKSUM;
    this.#writeHeaders(first, l4At, first + pkt.len);
  }

  #writeHeaders(first: number, l4At: number, end: number): void {
    const view = this.#view;
    const l3At = first + L3_AT;
    const l4Len = end - l4At;
    if (this.#version === 4) {
      ipv4SetTotalLength(view, l3At, end - l3At);
      ipv4SetChecksum(view, l3At, 0);
      ipv4SetChecksum(view, l3At, this.#arena.checksum(l3At, IPV4_HEADER_LEN, 0));
    } else {
      ipv6SetPayloadLength(view, l3At, end - l3At - IPV6_HEADER_LEN);
    }
    view.setUint16(l4At + TCP_CHECKSUM, foldSum(this.#pseudo + l4Len));
  }

  /** Can the datagram begin a run: a whole TCP segment with payload, plain headers, only ACK set, right checksums? */
  #readFirst(at: number, len: number): boolean {
    if (len < L3_AT) return false;
    const type = etherType(this.#view, at + VXLAN_HEADER_LEN);
    const l3Len = len - L3_AT;
    const ipLen =
      type === EtherType.Ipv4 ? this.#readIpv4(at, l3Len) : type === EtherType.Ipv6 ? this.#readIpv6(at, l3Len) : 0;
    if (ipLen === 0) return false;
    const l4At = at + L3_AT + ipLen;
    const l4Len = l3Len - ipLen;
    const tcpLen = tcpCheckedLen(this.#view, l4At, l4Len);
    if (tcpLen === 0 || tcpLen === l4Len) return false;
    if ((tcpFlags(this.#view, l4At) & ~(TcpFlag.Ece | TcpFlag.Psh)) !== TcpFlag.Ack) return false;
    this.#l4Offset = L3_AT + ipLen;
    this.#headerLen = this.#l4Offset + tcpLen;
    if (!this.#checksumFits(at, len)) return false;
    this.#writeMask();
    return true;
  }

  #readIpv4(at: number, l3Len: number): number {
    const view = this.#view;
    const l3At = at + L3_AT;
    if (ipv4CheckedLen(view, l3At, l3Len) !== IPV4_HEADER_LEN) return 0;
    if (ipv4Protocol(view, l3At) !== Protocol.Tcp || ipv4Fragmented(view, l3At) !== 0) return 0;
    if (ipv4TotalLength(view, l3At) !== l3Len || this.#arena.sum(l3At, IPV4_HEADER_LEN) !== 0xffff) return 0;
    this.#version = 4;
    this.#firstId = ipv4Id(view, l3At);
    this.#idStep = -1;
    this.#pseudo = pseudoSumIpv4(view, l3At, Protocol.Tcp, 0);
    return IPV4_HEADER_LEN;
  }

  #readIpv6(at: number, l3Len: number): number {
    const view = this.#view;
    const l3At = at + L3_AT;
    if (ipv6CheckedLen(view, l3At, l3Len) === 0 || ipv6NextHeader(view, l3At) !== Protocol.Tcp) return 0;
    if (ipv6PayloadLength(view, l3At) !== l3Len - IPV6_HEADER_LEN) return 0;
    this.#version = 6;
    this.#pseudo = pseudoSumIpv6(view, l3At, Protocol.Tcp, 0);
    return IPV6_HEADER_LEN;
  }

  /** Is the datagram at `at` the segment that comes next: same headers, this sequence number, sound lengths and sums? */
  #continues(first: number, at: number, len: number, sequence: number): boolean {
    const view = this.#view;
    const compared = (this.#headerLen + 15) & ~15;
    const before = compared - this.#headerLen; // bytes in front of the headers, which the mask leaves out
    if (this.#arena.differ(first - before, at - before, this.#maskAt, compared)) return false;
    if (tcpSequence(view, at + this.#l4Offset) !== sequence) return false;
    const l3At = at + L3_AT;
    if (this.#version === 4) {
      if (ipv4TotalLength(view, l3At) !== len - L3_AT || this.#arena.sum(l3At, IPV4_HEADER_LEN) !== 0xffff)
        return false;
    } else if (ipv6PayloadLength(view, l3At) !== len - L3_AT - IPV6_HEADER_LEN) {
      return false;
    }
    return this.#checksumFits(at, len);
  }

  /** Cutting counts ids up; so a run may be merged when they do so, or when they mean nothing (DF, all the same). */
  #idContinues(l3At: number, segment: number): boolean {
    const difference = (ipv4Id(this.#view, l3At) - this.#firstId) & 0xffff;
    if (this.#idStep < 0) this.#idStep = difference === 0 && ipv4DontFragment(this.#view, l3At) ? 0 : 1;
    return difference === ((segment * this.#idStep) & 0xffff);
  }

  #checksumFits(at: number, len: number): boolean {
    const l4Len = len - this.#l4Offset;
    return foldSum(this.#arena.sum(at + this.#l4Offset, l4Len) + this.#pseudo + l4Len) === 0xffff;
  }

  /**
   * What must be equal: everything but the IP length, id and checksum, the TCP sequence number and checksum, and PSH,
   * which may end a run. The acknowledgment, window, urgent pointer and options are among what must.
   */
  #writeMask(): void {
    const layout = (this.#version << 8) | this.#headerLen;
    if (layout === this.#maskLayout) return;
    this.#maskLayout = layout;
    const { bytes } = this.#arena;
    const before = -this.#headerLen & 15;
    const mask = this.#maskAt + before;
    const tcp = mask + this.#l4Offset;
    bytes.fill(0, this.#maskAt, mask);
    bytes.fill(0xff, mask, mask + this.#headerLen);
    if (this.#version === 4) {
      bytes.fill(0, mask + L3_AT + 2, mask + L3_AT + 6);
      bytes.fill(0, mask + L3_AT + IPV4_CHECKSUM, mask + L3_AT + IPV4_CHECKSUM + 2);
    } else {
      bytes.fill(0, mask + L3_AT + 4, mask + L3_AT + 6);
    }
    bytes.fill(0, tcp + 4, tcp + 8);
    bytes[tcp + 13] = 0xff & ~TcpFlag.Psh;
    bytes.fill(0, tcp + TCP_CHECKSUM, tcp + TCP_CHECKSUM + 2);
  }
}
