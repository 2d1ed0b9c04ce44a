/**
 * `ports/`: where frames come in and go out. A TAP is the wire between a network namespace of the kernel and its
 * node: what the kernel sends arrives here, what is written here the kernel receives. With a virtio header in front
 * of each frame, superframes and unfinished checksums pass both ways (linux/virtio_net.h).
 */
import type { Port } from '../dataplane/dataplane.ts';
import type { Arena } from '../packet/arena.ts';
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import { ChecksumState, type Packet } from '../packet/packet.ts';
import { Errno, read, write } from '../sys/io.ts';
import { VNET_HEADER_LEN } from '../sys/tap.ts';
import { Protocol } from '../wire/protocol.ts';
import { TcpFlag, tcpFlags } from '../wire/tcp.ts';
import type { WireCounters } from './wire-counters.ts';

/** struct virtio_net_hdr_v1, little-endian; offsets count from the first byte of the frame. */
const FLAGS = 0;
const GSO_TYPE = 1;
const HEADER_LEN = 2;
const GSO_SIZE = 4;
const CHECKSUM_START = 6;
const CHECKSUM_OFFSET = 8;
const BUFFERS = 10;

const FLAG_NEEDS_CHECKSUM = 1;
const GSO_NONE = 0;
const GSO_TCP_IPV4 = 1;
const GSO_TCP_IPV6 = 4;
const GSO_UDP_L4 = 5;
const GSO_ECN = 0x80;

/** Room for one frame, shared by all TAPs of a node: a packet is done before the next is read. */
export const TAP_SLOT_BYTES = 66_048;
/** Frame position in the slot: room for virtio and VXLAN headers, and the IP header on a word boundary. */
const FRAME_OFFSET = 66;
const READ_MAX = 65_536 + 64;

export interface TapPortOptions {
  readonly arena: Arena;
  /** Position of the shared slot. */
  readonly slotAt: number;
  readonly fd: number;
  readonly way: number;
  readonly macHigh: number;
  readonly macLow: number;
  readonly addresses: Int32Array;
  readonly mtu: number;
  readonly counters: WireCounters;
}

export class TapPort implements Port {
  readonly way: number;
  readonly macHigh: number;
  readonly macLow: number;
  readonly addresses: Int32Array;
  readonly mtu: number;
  readonly fd: number;
  readonly counters: WireCounters;
  /** errno of the last refused write, for the log; 0 for none. */
  lastErrno = 0;
  readonly #arena: Arena;
  readonly #frameAt: number;

  constructor(options: TapPortOptions) {
    this.way = options.way;
    this.macHigh = options.macHigh;
    this.macLow = options.macLow;
    this.addresses = options.addresses;
    this.mtu = options.mtu;
    this.fd = options.fd;
    this.counters = options.counters;
    this.#arena = options.arena;
    this.#frameAt = options.slotAt + FRAME_OFFSET;
  }

  /** Reads one frame into `pkt`: 1; 0 when there is none; or the negative errno. */
  receive(pkt: Packet): number {
    const start = this.#frameAt - VNET_HEADER_LEN;
    const n = read(this.fd, this.#arena.base + start, READ_MAX);
    if (n <= 0) return n === -Errno.EAGAIN ? 0 : n;
    pkt.at = this.#frameAt;
    pkt.len = n - VNET_HEADER_LEN;
    this.#readVirtioHeader(pkt, start);
    this.counters.countReceived(pkt.len);
    return 1;
  }

  transmit(pkt: Packet): Outcome {
    const start = pkt.at - VNET_HEADER_LEN;
    this.#writeVirtioHeader(pkt, start);
    const len = pkt.len + VNET_HEADER_LEN;
    const n = write(this.fd, this.#arena.base + start, len);
    if (n === len) {
      this.counters.countSent(pkt.segments, pkt.len);
      return CONTINUE;
    }
    this.counters.countSendFailure();
    return this.#refused(n);
  }

  #refused(result: number): Outcome {
    switch (-result) {
      case Errno.EAGAIN:
      case Errno.ENOBUFS:
        return Drop.PortBusy;
      case Errno.EIO: // the interface is down
      case Errno.EBADFD: // it is gone
        return Drop.PortDown;
      default:
        this.lastErrno = -result;
        return Drop.PortError;
    }
  }

  #readVirtioHeader(pkt: Packet, at: number): void {
    const { view } = pkt;
    const partial = (view.getUint8(at + FLAGS) & FLAG_NEEDS_CHECKSUM) !== 0;
    pkt.checksum = partial ? ChecksumState.Partial : ChecksumState.Unverified;
    pkt.partialStart = view.getUint16(at + CHECKSUM_START, true);
    pkt.partialOffset = view.getUint16(at + CHECKSUM_OFFSET, true);
    pkt.gsoSize = view.getUint8(at + GSO_TYPE) === GSO_NONE ? 0 : view.getUint16(at + GSO_SIZE, true);
  }

  /** The header is written whole: the bytes before a frame are those of an earlier one. */
  #writeVirtioHeader(pkt: Packet, at: number): void {
    const { view } = pkt;
    const partial = pkt.checksum === ChecksumState.Partial;
    view.setUint8(at + FLAGS, partial ? FLAG_NEEDS_CHECKSUM : 0);
    view.setUint8(at + GSO_TYPE, pkt.gsoSize === 0 ? GSO_NONE : gsoType(pkt));
    view.setUint16(at + HEADER_LEN, pkt.gsoSize === 0 ? 0 : pkt.payloadAt - pkt.at, true);
    view.setUint16(at + GSO_SIZE, pkt.gsoSize, true);
    view.setUint16(at + CHECKSUM_START, partial ? pkt.l4At - pkt.at : 0, true);
    view.setUint16(at + CHECKSUM_OFFSET, partial ? pkt.partialOffset : 0, true);
    view.setUint16(at + BUFFERS, 0, true);
  }
}

function gsoType(pkt: Packet): number {
  if (pkt.protocol === Protocol.Udp) return GSO_UDP_L4;
  const type = pkt.version === 6 ? GSO_TCP_IPV6 : GSO_TCP_IPV4;
  return (tcpFlags(pkt.view, pkt.l4At) & TcpFlag.Cwr) !== 0 ? type | GSO_ECN : type;
}
