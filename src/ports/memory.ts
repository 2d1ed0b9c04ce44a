/**
 * Ports that live in memory: the program around them puts frames in and takes frames out. What virtio would tell about a
 * frame goes with it, so superframes and unfinished checksums pass as they do through a TAP.
 */
import type { Port, Underlay } from '../dataplane/dataplane.ts';
import { outerSourcePort } from '../encap/outer.ts';
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import { ChecksumState, type Packet } from '../packet/packet.ts';

/** Frames that a port keeps until it says that it is busy: as many as a TAP (linux/if_tun.h, TUN_READQ_SIZE). */
const CAPACITY = 500;

/** A frame outside an arena; the fields are those of `Packet`. */
export interface MemoryFrame {
  readonly bytes: Uint8Array;
  readonly checksum: number;
  readonly partialStart: number;
  readonly partialOffset: number;
  readonly gsoSize: number;
}

/** What the underlay took: `bytes` begin with the VXLAN header. */
interface MemoryDatagram extends MemoryFrame {
  /** Index in the node's endpoints. */
  readonly endpoint: number;
  readonly outerTos: number;
}

export interface MemoryPortOptions {
  readonly way: number;
  readonly macHigh: number;
  readonly macLow: number;
  readonly addresses: Int32Array;
  readonly mtu: number;
  /** Frames in each direction. */
  readonly capacity?: number;
}

/** A frame that a wire brings: nothing is known about it. */
export function wireFrame(bytes: Uint8Array): MemoryFrame {
  return { bytes, checksum: ChecksumState.Unverified, partialStart: 0, partialOffset: 0, gsoSize: 0 };
}

/** What both kinds of port have on the side where frames leave the node. */
class Outlet<Sent extends MemoryFrame> {
  /** What `transmit` answers; with anything but 0 it takes no frame. */
  says: Outcome = CONTINUE;
  /** False where frames are only counted. */
  keeps = true;
  /** Frames taken since the beginning. */
  count = 0;
  /** Frames taken and kept, oldest first. Whoever takes them out makes room: `sent.splice(0)`. */
  readonly sent: Sent[] = [];
  protected readonly capacity: number;

  constructor(capacity = CAPACITY) {
    this.capacity = capacity;
  }

  /** Room for one more? What to say when there is none. */
  protected admit(full: Outcome): Outcome {
    if (this.says !== CONTINUE) return this.says;
    if (this.keeps && this.sent.length >= this.capacity) return full;
    this.count++;
    return CONTINUE;
  }
}

export class MemoryPort extends Outlet<MemoryFrame> implements Port {
  readonly way: number;
  macHigh: number;
  macLow: number;
  addresses: Int32Array;
  mtu: number;
  readonly #waiting: MemoryFrame[] = [];

  constructor(options: MemoryPortOptions) {
    super(options.capacity);
    this.way = options.way;
    this.macHigh = options.macHigh;
    this.macLow = options.macLow;
    this.addresses = options.addresses;
    this.mtu = options.mtu;
  }

  /** Puts a frame in; false when as many wait as the port holds. */
  push(frame: MemoryFrame): boolean {
    if (this.#waiting.length >= this.capacity) return false;
    this.#waiting.push(frame);
    return true;
  }

  /**
   * The next frame that was put in, at `at` in the packet's arena: 1; 0 when there is none. As for every port, there
   * must be `FRAME_HEADROOM` in front of it, and room for the longest frame behind.
   */
  receive(pkt: Packet, at: number): number {
    const frame = this.#waiting.shift();
    if (frame === undefined) return 0;
    pkt.arena.bytes.set(frame.bytes, at);
    pkt.at = at;
    pkt.len = frame.bytes.length;
    pkt.checksum = frame.checksum;
    pkt.partialStart = frame.partialStart;
    pkt.partialOffset = frame.partialOffset;
    pkt.gsoSize = frame.gsoSize;
    return 1;
  }

  transmit(pkt: Packet): Outcome {
    const refused = this.admit(Drop.PortBusy);
    if (refused === CONTINUE && this.keeps) this.sent.push(stored(pkt));
    return refused;
  }
}

export class MemoryUnderlay extends Outlet<MemoryDatagram> implements Underlay {
  transmit(pkt: Packet, endpoint: number): Outcome {
    const refused = this.admit(Drop.UnderlayBusy);
    if (refused === CONTINUE && this.keeps) this.sent.push({ ...stored(pkt), endpoint, outerTos: pkt.outerTos });
    return refused;
  }

  sourcePort(hash: number): number {
    return outerSourcePort(hash);
  }
}

function stored(pkt: Packet): MemoryFrame {
  const { checksum, partialStart, partialOffset, gsoSize } = pkt;
  return { bytes: pkt.arena.bytes.slice(pkt.at, pkt.at + pkt.len), checksum, partialStart, partialOffset, gsoSize };
}
