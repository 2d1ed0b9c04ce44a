/**
 * Merging what one receive call brought into superframes. With UDP_GRO the kernel hands over a row of datagrams of
 * equal size, one after the other; where they are consecutive segments of one TCP flow they become one packet again.
 * The conditions are those of Linux's tcp_gro_receive: anything unusual is left alone and passes by itself.
 */
import type { Arena } from '../packet/arena.ts';
import { ChecksumState, type Packet } from '../packet/packet.ts';
import { foldSum, pseudoSumIpv4, pseudoSumIpv6 } from '../wire/checksum.ts';
import { ETHERNET_HEADER_LEN, EtherType, etherType } from '../wire/ethernet.ts';
import {
  IPV4_HEADER_LEN,
  ipv4CheckedLen,
  ipv4Fragmented,
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
import {
  TCP_CHECKSUM,
  TCP_HEADER_LEN,
  TcpFlag,
  tcpCheckedLen,
  tcpFlags,
  tcpSequence,
  tcpSetFlags,
} from '../wire/tcp.ts';
import { VXLAN_HEADER_LEN } from '../wire/vxlan.ts';

const L3_AT = VXLAN_HEADER_LEN + ETHERNET_HEADER_LEN;
const IP_LEN_MAX = 65_535;

export class Merger {
  readonly #arena: Arena;
  readonly #view: DataView;
  #at = 0;
  #end = 0;
  #stride = 0;
  // The segment looked at last, filled by #readSegment.
  #version = 0;
  #l4At = 0;
  #payloadAt = 0;
  #payloadLen = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#view = arena.view;
  }

  /** @param stride size of every datagram but the last; `len` when there is one. */
  begin(at: number, len: number, stride: number): void {
    this.#at = at;
    this.#end = at + len;
    this.#stride = stride;
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
    if (merge && this.#at < this.#end && this.#readSegment(first, pkt.len)) this.#extend(pkt);
    return true;
  }

  /** Appends the segments that follow `pkt` and continue it. */
  #extend(pkt: Packet): void {
    const first = pkt.at;
    const version = this.#version;
    const l4At = this.#l4At;
    const payloadAt = this.#payloadAt;
    const segmentLen = this.#payloadLen;
    if ((tcpFlags(this.#view, l4At) & ~TcpFlag.Ece) !== TcpFlag.Ack) return;
    let total = segmentLen;
    let last = false;
    while (!last && this.#at < this.#end) {
      const at = this.#at;
      const len = Math.min(this.#stride, this.#end - at);
      if (!this.#readSegment(at, len) || !this.#continues(first, l4At, payloadAt, at)) break;
      if (tcpSequence(this.#view, this.#l4At) !== ((tcpSequence(this.#view, l4At) + total) | 0)) break;
      const more = this.#payloadLen;
      if (more > segmentLen || payloadAt - first - L3_AT + total + more > IP_LEN_MAX) break;
      const flags = tcpFlags(this.#view, this.#l4At);
      this.#arena.copy(payloadAt + total, this.#payloadAt, more);
      tcpSetFlags(this.#view, l4At, tcpFlags(this.#view, l4At) | flags);
      total += more;
      last = more < segmentLen || (flags & TcpFlag.Psh) !== 0;
      this.#at += len;
    }
    if (total === segmentLen) return;
    pkt.len = payloadAt - first + total;
    pkt.gsoSize = segmentLen;
    pkt.checksum = ChecksumState.Partial;
    pkt.partialStart = l4At - first - VXLAN_HEADER_LEN;
    pkt.partialOffset = TCP_CHECKSUM;
    this.#rewriteHeaders(first, version, l4At, payloadAt + total);
  }

  #rewriteHeaders(first: number, version: number, l4At: number, end: number): void {
    const view = this.#view;
    const l3At = first + L3_AT;
    const l4Len = end - l4At;
    if (version === 4) {
      ipv4SetTotalLength(view, l3At, end - l3At);
      ipv4SetChecksum(view, l3At, 0);
      ipv4SetChecksum(view, l3At, this.#arena.checksum(l3At, IPV4_HEADER_LEN, 0));
      view.setUint16(l4At + TCP_CHECKSUM, pseudoSumIpv4(view, l3At, Protocol.Tcp, l4Len));
    } else {
      ipv6SetPayloadLength(view, l3At, end - l3At - IPV6_HEADER_LEN);
      view.setUint16(l4At + TCP_CHECKSUM, pseudoSumIpv6(view, l3At, Protocol.Tcp, l4Len));
    }
  }

  /** Is this datagram a whole TCP segment with payload, plain headers and right checksums? */
  #readSegment(at: number, len: number): boolean {
    if (len < L3_AT) return false;
    const type = etherType(this.#view, at + VXLAN_HEADER_LEN);
    const l3At = at + L3_AT;
    const available = len - L3_AT;
    if (type === EtherType.Ipv4) return this.#readIpv4(l3At, available);
    return type === EtherType.Ipv6 && this.#readIpv6(l3At, available);
  }

  #readIpv4(l3At: number, available: number): boolean {
    const view = this.#view;
    if (ipv4CheckedLen(view, l3At, available) !== IPV4_HEADER_LEN) return false;
    if (ipv4Protocol(view, l3At) !== Protocol.Tcp || ipv4Fragmented(view, l3At) !== 0) return false;
    if (ipv4TotalLength(view, l3At) !== available || this.#arena.sum(l3At, IPV4_HEADER_LEN) !== 0xffff) return false;
    const l4Len = available - IPV4_HEADER_LEN;
    this.#version = 4;
    return this.#readTcp(l3At + IPV4_HEADER_LEN, l4Len, pseudoSumIpv4(view, l3At, Protocol.Tcp, l4Len));
  }

  #readIpv6(l3At: number, available: number): boolean {
    const view = this.#view;
    if (ipv6CheckedLen(view, l3At, available) === 0 || ipv6NextHeader(view, l3At) !== Protocol.Tcp) return false;
    const l4Len = available - IPV6_HEADER_LEN;
    if (ipv6PayloadLength(view, l3At) !== l4Len) return false;
    this.#version = 6;
    return this.#readTcp(l3At + IPV6_HEADER_LEN, l4Len, pseudoSumIpv6(view, l3At, Protocol.Tcp, l4Len));
  }

  #readTcp(l4At: number, l4Len: number, pseudo: number): boolean {
    const headerLen = tcpCheckedLen(this.#view, l4At, l4Len);
    if (headerLen < TCP_HEADER_LEN || headerLen === l4Len) return false;
    this.#l4At = l4At;
    this.#payloadAt = l4At + headerLen;
    this.#payloadLen = l4Len - headerLen;
    return foldSum(this.#arena.sum(l4At, l4Len) + pseudo) === 0xffff;
  }

  /** Do the headers of the segment at `at` differ from the first one's only where consecutive segments may? */
  #continues(first: number, l4At: number, payloadAt: number, at: number): boolean {
    if (this.#payloadAt - at !== payloadAt - first) return false;
    return (
      this.#same(first, at, L3_AT) && // tunnel header, MACs, type
      (this.#view.getUint8(first + L3_AT) >> 4 === 4
        ? this.#sameIpv4(first, at)
        : this.#same(first + L3_AT, at + L3_AT, 4) && this.#same(first + L3_AT + 6, at + L3_AT + 6, 34)) &&
      this.#sameTcp(l4At, this.#l4At, payloadAt)
    );
  }

  /** All but total length, id and checksum; DF, TTL, TOS and both addresses must agree. */
  #sameIpv4(first: number, at: number): boolean {
    const a = first + L3_AT;
    const b = at + L3_AT;
    return this.#same(a, b, 2) && this.#same(a + 6, b + 6, 4) && this.#same(a + 12, b + 12, 8);
  }

  /** Ports, acknowledgment, data offset, window, urgent pointer and options; flags but for a PSH that ends the run. */
  #sameTcp(a: number, b: number, payloadAt: number): boolean {
    const view = this.#view;
    if (view.getInt32(a) !== view.getInt32(b) || view.getInt32(a + 8) !== view.getInt32(b + 8)) return false;
    if (((view.getInt32(a + 12) ^ view.getInt32(b + 12)) & ~(TcpFlag.Psh << 16)) !== 0) return false;
    return this.#same(a + 18, b + 18, payloadAt - a - 18);
  }

  #same(a: number, b: number, len: number): boolean {
    const view = this.#view;
    let i = 0;
    for (; i + 4 <= len; i += 4) if (view.getInt32(a + i) !== view.getInt32(b + i)) return false;
    for (; i < len; i++) if (view.getUint8(a + i) !== view.getUint8(b + i)) return false;
    return true;
  }
}
