/**
 * Cutting a superframe into wire packets, where it leaves through a port that needs that. Segments are laid out one
 * behind the other in a region of their own, as one `sendmsg` with UDP_SEGMENT takes them: payload is copied while it
 * is summed, which costs little more than summing, and far less than the kernel needs to gather 88 pieces (measured:
 * 0.4 µs against 2.7 µs a superframe). What changes per segment, and how, is what Linux's tcp_gso_segment and
 * __udp_gso_segment do.
 */
import type { Arena } from '../packet/arena.ts';
import type { Packet } from '../packet/packet.ts';
import { pseudoSum } from '../packet/rewrite.ts';
import { foldSum } from '../wire/checksum.ts';
import { ipv4HeaderLen, ipv4Id, ipv4SetChecksum, ipv4SetId, ipv4SetTotalLength } from '../wire/ipv4.ts';
import { IPV6_HEADER_LEN, ipv6SetPayloadLength } from '../wire/ipv6.ts';
import { Protocol } from '../wire/protocol.ts';
import { TCP_CHECKSUM, TcpFlag, tcpFlags, tcpSequence, tcpSetFlags, tcpSetSequence } from '../wire/tcp.ts';
import { UDP_CHECKSUM, udpSetLength } from '../wire/udp.ts';

/** Segments of one send: the kernel's UDP_MAX_SEGMENTS was 64 until Linux 6.9, and 64 fill 64 KiB at any real MTU. */
export const CUT_SEGMENTS_MAX = 64;

/** Beyond this many bytes the kernel cuts a message itself, packet by packet (measured on loopback and veth). */
export const SEND_BYTES_MAX = 65_493;
/** Room for what one send may carry, and for a single segment of any length. */
const OUT_BYTES = 66_048;

/** Cuts one superframe at a time: `begin`, then `next` until it says 0; each call replaces what the one before laid out. */
export class Cutter {
  /** First byte of the first segment. */
  readonly outAt: number;
  /** Bytes laid out by the last `next`. */
  outLen = 0;
  readonly #arena: Arena;
  #pkt: Packet | undefined;
  #offset = 0;
  #segment = 0;
  // What does not change from segment to segment.
  #headerLen = 0;
  #payloadLen = 0;
  #ipSum = 0;
  #ipId = 0;
  #l4Sum = 0;
  #sequence = 0;
  #flags = 0;
  #kept = 0;

  /** @param headroom bytes to keep free in front of the first segment. */
  constructor(arena: Arena, headroom = 0) {
    this.#arena = arena;
    this.outAt = arena.reserve(headroom + OUT_BYTES) + headroom;
  }

  /**
   * The packet's headers serve as scratch afterwards, but for TCP's flags; its payload stays as it is.
   *
   * @param kept payload bytes that are there of each segment, one segment's behind the other's, in place of all; the
   * segments are as short, what their headers say is not, and their checksums are zero.
   */
  begin(pkt: Packet, kept = pkt.gsoSize): void {
    this.#pkt = pkt;
    this.#kept = kept;
    this.#offset = 0;
    this.#segment = 0;
    this.#headerLen = pkt.payloadAt - pkt.at;
    this.#payloadLen = pkt.at + pkt.len - pkt.payloadAt;
    this.#prepareIp(pkt);
    this.#prepareL4(pkt);
  }

  /** Bytes of every segment but the last, which may be shorter. */
  get segmentBytes(): number {
    return this.#headerLen + Math.min(this.#pkt!.gsoSize, this.#payloadLen);
  }

  /** Segments that one `sendmsg` with UDP_SEGMENT takes. */
  get segmentsPerSend(): number {
    return Math.max(1, Math.min(CUT_SEGMENTS_MAX, Math.floor(SEND_BYTES_MAX / this.segmentBytes)));
  }

  /** Lays out up to `segmentsMax` segments, or as many as there is room for; returns how many, 0 when nothing is left. */
  next(segmentsMax: number): number {
    const pkt = this.#pkt!;
    const most = Math.min(segmentsMax, Math.floor(OUT_BYTES / this.segmentBytes));
    let to = this.outAt;
    let count = 0;
    while (count < most && this.#offset < this.#payloadLen) {
      const len = Math.min(pkt.gsoSize, this.#payloadLen - this.#offset);
      this.#arena.copy(to, pkt.at, this.#headerLen);
      to += this.#kept < pkt.gsoSize ? this.#writeSnapped(pkt, to, len) : this.#writeWhole(pkt, to, len);
      this.#offset += len;
      this.#segment++;
      count++;
    }
    this.outLen = to - this.outAt;
    return count;
  }

  #prepareIp(pkt: Packet): void {
    if (pkt.version !== 4) return;
    this.#ipId = ipv4Id(pkt.view, pkt.l3At);
    const { view, l3At } = pkt;
    ipv4SetTotalLength(view, l3At, 0);
    ipv4SetId(view, l3At, 0);
    ipv4SetChecksum(view, l3At, 0);
    this.#ipSum = this.#arena.sum(l3At, ipv4HeaderLen(view, l3At));
  }

  /** Leaves the L4 header's changing fields zero in the packet, but for TCP's flags, and keeps the sum of the rest. */
  #prepareL4(pkt: Packet): void {
    const { view, l4At } = pkt;
    if (pkt.protocol === Protocol.Tcp) {
      this.#sequence = tcpSequence(view, l4At);
      this.#flags = tcpFlags(view, l4At);
      tcpSetSequence(view, l4At, 0);
      tcpSetFlags(view, l4At, 0);
      view.setUint16(l4At + TCP_CHECKSUM, 0);
    } else {
      udpSetLength(view, l4At, 0);
      view.setUint16(l4At + UDP_CHECKSUM, 0);
    }
    this.#l4Sum = foldSum(this.#arena.sum(l4At, pkt.payloadAt - l4At) + pseudoSum(pkt, 0));
    if (pkt.protocol === Protocol.Tcp) tcpSetFlags(view, l4At, this.#flags); // who records the packet asks for them yet
  }

  #writeWhole(pkt: Packet, to: number, len: number): number {
    const sum = this.#arena.copySum(to + this.#headerLen, pkt.payloadAt + this.#offset, len);
    this.#writeIp(pkt, to, len);
    this.#writeL4(pkt, to, len, sum);
    return this.#headerLen + len;
  }

  #writeSnapped(pkt: Packet, to: number, len: number): number {
    const kept = Math.min(len, this.#kept);
    this.#arena.copy(to + this.#headerLen, pkt.payloadAt + this.#segment * this.#kept, kept);
    this.#writeIp(pkt, to, len);
    this.#writeL4(pkt, to, len, 0);
    pkt.view.setUint16(to + (pkt.l4At - pkt.at) + (pkt.protocol === Protocol.Tcp ? TCP_CHECKSUM : UDP_CHECKSUM), 0);
    return this.#headerLen + kept;
  }

  #writeIp(pkt: Packet, header: number, len: number): void {
    const { view } = pkt;
    const ip = header + (pkt.l3At - pkt.at);
    const ipLen = pkt.payloadAt - pkt.l3At + len;
    if (pkt.version === 6) {
      ipv6SetPayloadLength(view, ip, ipLen - IPV6_HEADER_LEN);
      return;
    }
    const id = (this.#ipId + this.#segment) & 0xffff;
    ipv4SetTotalLength(view, ip, ipLen);
    ipv4SetId(view, ip, id);
    ipv4SetChecksum(view, ip, ~foldSum(this.#ipSum + ipLen + id) & 0xffff);
  }

  #writeL4(pkt: Packet, header: number, len: number, payloadSum: number): void {
    const { view } = pkt;
    const l4 = header + (pkt.l4At - pkt.at);
    const l4Len = pkt.payloadAt - pkt.l4At + len;
    let sum = this.#l4Sum + l4Len + payloadSum;
    if (pkt.protocol === Protocol.Tcp) {
      const sequence = (this.#sequence + this.#offset) | 0;
      const flags = this.#segmentFlags(len);
      tcpSetSequence(view, l4, sequence);
      tcpSetFlags(view, l4, flags);
      sum += (sequence >>> 16) + (sequence & 0xffff) + flags;
      view.setUint16(l4 + TCP_CHECKSUM, ~foldSum(sum) & 0xffff);
    } else {
      udpSetLength(view, l4, l4Len);
      view.setUint16(l4 + UDP_CHECKSUM, ~foldSum(sum + l4Len) & 0xffff || 0xffff);
    }
  }

  /** FIN and PSH belong to the last segment, CWR to the first (RFC 3168 section 6.1.2). */
  #segmentFlags(len: number): number {
    let flags = this.#flags;
    if (this.#offset + len < this.#payloadLen) flags &= ~(TcpFlag.Fin | TcpFlag.Psh);
    if (this.#segment > 0) flags &= ~TcpFlag.Cwr;
    return flags;
  }
}
