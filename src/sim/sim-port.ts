import type { Port } from '../dataplane/dataplane.ts';
import { CONTINUE, type Outcome } from '../packet/outcome.ts';
import { FRAME_HEADROOM, type Packet } from '../packet/packet.ts';
import { readVirtioHeader, writeVirtioHeader } from '../ports/virtio-header.ts';
import { copyBytes } from '../stack/new-bytes.ts';
import { VNET_HEADER_LEN } from '../wire/virtio.ts';

export interface SimPortOptions {
  readonly way: number;
  readonly macHigh: number;
  readonly macLow: number;
  readonly addresses: Int32Array;
  readonly mtu: number;
  /** Takes what the node sends. */
  readonly take: (bytes: Uint8Array) => void;
}

/** A pod's or host's end of a wire, where a script stands in for a kernel. Bytes both ways are those of a TAP. */
export class SimPort implements Port {
  readonly way: number;
  readonly macHigh: number;
  readonly macLow: number;
  readonly addresses: Int32Array;
  readonly mtu: number;
  readonly #take: (bytes: Uint8Array) => void;

  constructor(options: SimPortOptions) {
    this.way = options.way;
    this.macHigh = options.macHigh;
    this.macLow = options.macLow;
    this.addresses = options.addresses;
    this.mtu = options.mtu;
    this.#take = options.take;
  }

  transmit(pkt: Packet): Outcome {
    const start = pkt.at - VNET_HEADER_LEN;
    writeVirtioHeader(pkt, start);
    this.#take(copyBytes(pkt.arena.bytes, start, pkt.at + pkt.len));
    return CONTINUE;
  }
}

/** Puts what a TAP would give, a virtio header and a frame, into a slot with `FRAME_HEADROOM`. */
export function receiveBytes(pkt: Packet, slotAt: number, bytes: Uint8Array): void {
  pkt.at = slotAt + FRAME_HEADROOM;
  pkt.len = bytes.length - VNET_HEADER_LEN;
  pkt.arena.bytes.set(bytes, pkt.at - VNET_HEADER_LEN);
  readVirtioHeader(pkt, pkt.at - VNET_HEADER_LEN);
}
