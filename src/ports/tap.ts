/**
 * `ports/`: where frames come in and go out. A TAP is the wire between a network namespace of the kernel and its
 * node: what the kernel sends arrives here, what is written here the kernel receives. With a virtio header in front
 * of each frame, superframes and unfinished checksums pass both ways (linux/virtio_net.h).
 */
import type { Port } from '../dataplane/dataplane.ts';
import type { Arena } from '../packet/arena.ts';
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { Errno, read, write } from '../sys/io.ts';
import { VNET_HEADER_LEN } from '../wire/virtio.ts';
import { Activity, type ActivityWord } from './activity.ts';
import type { FrameSource, MergingReader } from './merging-reader.ts';
import { readVirtioHeader, writeVirtioHeader } from './virtio-header.ts';
import type { WireCounters } from './wire-counters.ts';

const READ_MAX = 65_536 + 64;

export interface TapPortOptions {
  readonly arena: Arena;
  /** Shared by all TAPs of a node: packets of one are done before another is read. */
  readonly reader: MergingReader;
  readonly activity: ActivityWord;
  readonly fd: number;
  readonly way: number;
  readonly macHigh: number;
  readonly macLow: number;
  readonly addresses: Int32Array;
  readonly mtu: number;
  readonly counters: WireCounters;
}

export class TapPort implements Port, FrameSource {
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
  readonly #reader: MergingReader;
  readonly #activity: ActivityWord;

  constructor(options: TapPortOptions) {
    this.way = options.way;
    this.macHigh = options.macHigh;
    this.macLow = options.macLow;
    this.addresses = options.addresses;
    this.mtu = options.mtu;
    this.fd = options.fd;
    this.counters = options.counters;
    this.#arena = options.arena;
    this.#reader = options.reader;
    this.#activity = options.activity;
  }

  /** Is there a packet, or the end of them, that `receive` must be asked for before another port is? */
  get pending(): boolean {
    return this.#reader.pending;
  }

  /**
   * The next packet, a frame or a run of them: 1; 0 when there is none; or the negative errno.
   *
   * @param mayLook false leaves nothing pending.
   */
  receive(pkt: Packet, mayLook: boolean): number {
    return this.#reader.receive(this, pkt, mayLook);
  }

  readFrame(pkt: Packet, at: number): number {
    const start = at - VNET_HEADER_LEN;
    this.#activity[0] = Activity.ReadPod;
    const n = read(this.fd, this.#arena.base + start, READ_MAX);
    this.#activity[0] = Activity.Stories;
    if (n <= 0) return n === -Errno.EAGAIN ? 0 : n;
    pkt.at = at;
    pkt.len = n - VNET_HEADER_LEN;
    readVirtioHeader(pkt, start);
    this.counters.countReceived(pkt.len);
    return 1;
  }

  mayFollow(): boolean {
    return true;
  }

  transmit(pkt: Packet): Outcome {
    const start = pkt.at - VNET_HEADER_LEN;
    writeVirtioHeader(pkt, start);
    const len = pkt.len + VNET_HEADER_LEN;
    this.#activity[0] = Activity.WritePod;
    const n = write(this.fd, this.#arena.base + start, len);
    this.#activity[0] = Activity.Stories;
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
