/**
 * `ports/`: where frames come in and go out. A TAP is the wire between a network namespace of the kernel and its
 * node: what the kernel sends arrives here, what is written here the kernel receives. With a virtio header in front
 * of each frame, superframes and unfinished checksums pass both ways (linux/virtio_net.h).
 */
import type { Port } from '../dataplane/dataplane.ts';
import type { Arena } from '../packet/arena.ts';
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import { FRAME_HEADROOM, type Packet } from '../packet/packet.ts';
import { Errno, read, write } from '../sys/io.ts';
import { VNET_HEADER_LEN } from '../wire/virtio.ts';
import { readVirtioHeader, writeVirtioHeader } from './virtio-header.ts';
import type { WireCounters } from './wire-counters.ts';

/** Room for one frame, shared by all TAPs of a node: a packet is done before the next is read. */
export const TAP_SLOT_BYTES = 66_048;
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
    this.#frameAt = options.slotAt + FRAME_HEADROOM;
  }

  /** Reads one frame into `pkt`: 1; 0 when there is none; or the negative errno. */
  receive(pkt: Packet): number {
    const start = this.#frameAt - VNET_HEADER_LEN;
    const n = read(this.fd, this.#arena.base + start, READ_MAX);
    if (n <= 0) return n === -Errno.EAGAIN ? 0 : n;
    pkt.at = this.#frameAt;
    pkt.len = n - VNET_HEADER_LEN;
    readVirtioHeader(pkt, start);
    this.counters.countReceived(pkt.len);
    return 1;
  }

  transmit(pkt: Packet): Outcome {
    const start = pkt.at - VNET_HEADER_LEN;
    writeVirtioHeader(pkt, start);
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
}
