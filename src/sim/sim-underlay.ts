import type { Underlay } from '../dataplane/dataplane.ts';
import { Cutter } from '../encap/cut.ts';
import { outerSourcePort } from '../encap/outer.ts';
import type { Arena } from '../packet/arena.ts';
import { CONTINUE, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { completeChecksum } from '../packet/rewrite.ts';
import { copyBytes } from '../stack/new-bytes.ts';

/** What one send of a UDP socket carries: VXLAN packets of one flow, one behind the other. */
export interface Row {
  readonly bytes: Uint8Array;
  /** Bytes of each but the last. */
  readonly stride: number;
  readonly tos: number;
  /** UDP source port of each. */
  readonly port: number;
}

/** The underlay of `ports/udp-underlay.ts` without sockets: the same rows, handed to whoever plays the network. */
export class SimUnderlay implements Underlay {
  readonly #arena: Arena;
  readonly #cutter: Cutter;
  readonly #offload: boolean;
  readonly #send: (endpoint: number, row: Row) => void;

  constructor(arena: Arena, offload: boolean, send: (endpoint: number, row: Row) => void) {
    this.#arena = arena;
    this.#cutter = new Cutter(arena);
    this.#offload = offload;
    this.#send = send;
  }

  transmit(pkt: Packet, endpoint: number): Outcome {
    const tos = pkt.outerTos;
    const port = this.sourcePort(pkt.hash);
    if (pkt.gsoSize === 0) {
      completeChecksum(pkt);
      this.#send(endpoint, { bytes: this.#copy(pkt.at, pkt.len), stride: pkt.len, tos, port });
      return CONTINUE;
    }
    const cutter = this.#cutter;
    cutter.begin(pkt);
    const stride = cutter.segmentBytes;
    const most = this.#offload ? cutter.segmentsPerSend : 1;
    while (cutter.next(most) > 0) {
      this.#send(endpoint, { bytes: this.#copy(cutter.outAt, cutter.outLen), stride, tos, port });
    }
    return CONTINUE;
  }

  sourcePort(hash: number): number {
    return outerSourcePort(hash);
  }

  #copy(at: number, len: number): Uint8Array {
    return copyBytes(this.#arena.bytes, at, at + len);
  }
}
