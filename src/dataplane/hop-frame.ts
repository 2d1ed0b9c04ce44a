/** A frame as it is on a hop: where in the arena, and how much of it a capture keeps. One object, filled for each. */
import { ChecksumState, type Packet } from '../packet/packet.ts';
import { KEPT_ALL } from '../recording/sighting.ts';
import { ETHERNET_HEADER_LEN, EtherType, etherType } from '../wire/ethernet.ts';
import { IPV4_HEADER_LEN, ipv4HeaderLen, ipv4Protocol } from '../wire/ipv4.ts';
import { IPV6_HEADER_LEN, ipv6NextHeader } from '../wire/ipv6.ts';
import { Protocol } from '../wire/protocol.ts';
import { tcpHeaderLen } from '../wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER_LEN } from '../wire/udp.ts';

export class HopFrame {
  at = 0;
  len = 0;
  /** Where in it the inner frame begins; 0 when it has no outer headers. */
  innerOffset = 0;
  gsoSize = 0;
  /** Its checksum is to be completed by whoever receives it. */
  partial = false;
  /** Bytes of it that are in the arena. */
  available = 0;
  // Set by `cut`.
  /** Bytes that are kept. */
  captured = 0;
  /** Payload bytes that are kept of each segment; `KEPT_ALL` when what is kept is one piece. */
  kept = KEPT_ALL;
  /** First payload byte of a superframe of which only a part of each segment is kept. */
  payloadAt = 0;

  /** The packet as it is now, with `ahead` bytes of headers in front. */
  set(pkt: Packet, ahead: number, innerOffset: number): void {
    this.setPiece(pkt.at - ahead, pkt.len + ahead, innerOffset);
    this.gsoSize = pkt.gsoSize;
    this.partial = pkt.checksum === ChecksumState.Partial;
  }

  /** A finished packet. */
  setPiece(at: number, len: number, innerOffset: number): void {
    this.at = at;
    this.len = len;
    this.available = len;
    this.innerOffset = innerOffset;
    this.gsoSize = 0;
    this.partial = false;
  }

  /**
   * Decides what is kept. TCP's superframe stays whole on a pod's hop, but on a wire it becomes wire packets, and UDP's
   * is several datagrams everywhere. `snapLen` is then the length of each: the headers are kept once, and of every
   * segment the part that fits behind them.
   */
  cut(pkt: Packet, snapLen: number): void {
    this.captured = Math.min(this.available, snapLen);
    this.kept = KEPT_ALL;
    if (this.gsoSize === 0 || (this.innerOffset === 0 && pkt.partialOffset !== UDP_CHECKSUM)) return;
    const headerLen = this.innerOffset + superframeHeaderLen(pkt.view, this.at + this.innerOffset);
    const kept = this.available < this.len ? 0 : Math.max(0, snapLen - headerLen);
    if (headerLen === this.innerOffset || kept >= this.gsoSize || headerLen >= this.available) {
      this.captured = this.available;
      return;
    }
    const payloadLen = this.len - headerLen;
    const whole = Math.floor(payloadLen / this.gsoSize);
    this.kept = kept;
    this.payloadAt = this.at + headerLen;
    this.captured = headerLen + whole * kept + Math.min(kept, payloadLen - whole * this.gsoSize);
  }
}

/** Bytes in front of the payload of a TCP or UDP superframe that begins at `at`; 0 for what is none. */
function superframeHeaderLen(view: DataView, at: number): number {
  const l3At = at + ETHERNET_HEADER_LEN;
  const type = etherType(view, at);
  if (type !== EtherType.Ipv4 && type !== EtherType.Ipv6) return 0;
  const ipLen = type === EtherType.Ipv4 ? Math.max(IPV4_HEADER_LEN, ipv4HeaderLen(view, l3At)) : IPV6_HEADER_LEN;
  const protocol = type === EtherType.Ipv4 ? ipv4Protocol(view, l3At) : ipv6NextHeader(view, l3At);
  if (protocol === Protocol.Udp) return ETHERNET_HEADER_LEN + ipLen + UDP_HEADER_LEN;
  return protocol === Protocol.Tcp ? ETHERNET_HEADER_LEN + ipLen + tcpHeaderLen(view, l3At + ipLen) : 0;
}
