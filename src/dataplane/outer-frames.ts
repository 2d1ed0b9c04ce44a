/**
 * Outer headers of tunnel packets, for captures: as they came, or written anew where a socket of the kernel has taken
 * them off or is going to put them on.
 */
import { OUTER_LEN, type OuterWire, writeOuter } from '../encap/outer.ts';
import type { Packet } from '../packet/packet.ts';
import { Way, way } from '../packet/way.ts';
import { ADDRESS_WORDS } from '../wire/address.ts';
import { VXLAN_HEADER_LEN } from '../wire/vxlan.ts';
import type { Dataplane } from './dataplane.ts';
import type { HopFrame } from './hop-frame.ts';

/** Where the inner frame begins, behind headers that are written here. */
const INNER_OFFSET = OUTER_LEN + VXLAN_HEADER_LEN;
const LAST_WORD = ADDRESS_WORDS - 1;

/** The node's end of the underlay. */
export interface UnderlayScene {
  /** Its IPv4 address. */
  readonly address: number;
  /** MAC of the router that joins the nodes; undefined where each node is the other's neighbour. */
  readonly routerMac: readonly [high: number, low: number] | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class OuterFrames {
  readonly #dp: Dataplane;
  readonly #scene: UnderlayScene;
  readonly #sent: Mutable<OuterWire>;
  readonly #received: Mutable<OuterWire>;

  constructor(dp: Dataplane, scene: UnderlayScene) {
    this.#dp = dp;
    this.#scene = scene;
    const { macHigh, macLow } = dp.node;
    const [high, low] = scene.routerMac ?? [0, 0];
    this.#sent = { address: scene.address, macHigh, macLow, routerMacHigh: high, routerMacLow: low };
    this.#received = { address: 0, macHigh: high, macLow: low, routerMacHigh: macHigh, routerMacLow: macLow };
  }

  /** The frame that the underlay has brought; returns its hop. @param pkt at its VXLAN header, with headroom. */
  received(pkt: Packet, frame: HopFrame): number {
    const endpoint = this.#dp.endpoints.find(pkt.outerSource);
    const inner = pkt.len > 0;
    if (pkt.outerLen > 0) {
      frame.set(pkt, 0, inner ? pkt.at + VXLAN_HEADER_LEN - pkt.outerAt : 0);
      frame.at = pkt.outerAt;
      frame.len = pkt.outerLen;
      frame.available = pkt.outerLen;
    } else {
      const wire = this.#received;
      wire.address = pkt.outerSource[LAST_WORD]!;
      if (this.#scene.routerMac === undefined) {
        const from = this.#dp.endpoints.list[endpoint];
        wire.macHigh = from?.macHigh ?? 0;
        wire.macLow = from?.macLow ?? 0;
      }
      writeOuter(pkt.view, pkt.at - OUTER_LEN, wire, this.#scene.address, pkt.len, pkt.outerTos, pkt.outerPort);
      frame.set(pkt, OUTER_LEN, inner ? INNER_OFFSET : 0);
    }
    return endpoint < 0 ? way(Way.None, 0) : way(Way.Tunnel, endpoint);
  }

  /** The packet as it is about to leave; returns its hop. @param pkt at its VXLAN header, with headroom. */
  sent(pkt: Packet, endpoint: number, frame: HopFrame): number {
    this.#write(pkt, endpoint, pkt.at, pkt.len);
    frame.set(pkt, OUTER_LEN, INNER_OFFSET);
    return way(Way.Tunnel, endpoint);
  }

  /** The same of a finished wire packet at `at`, a piece of `pkt` perhaps. */
  sentPiece(pkt: Packet, endpoint: number, at: number, len: number, frame: HopFrame): number {
    this.#write(pkt, endpoint, at, len);
    frame.setPiece(at - OUTER_LEN, OUTER_LEN + len, INNER_OFFSET);
    return way(Way.Tunnel, endpoint);
  }

  #write(pkt: Packet, endpoint: number, at: number, len: number): void {
    const { endpoints, underlay } = this.#dp;
    const wire = this.#sent;
    const to = endpoints.list[endpoint];
    if (to === undefined || underlay === undefined) return;
    if (this.#scene.routerMac === undefined) {
      wire.routerMacHigh = to.macHigh;
      wire.routerMacLow = to.macLow;
    }
    const address = to.address[LAST_WORD]!;
    writeOuter(pkt.view, at - OUTER_LEN, wire, address, len, pkt.outerTos, underlay.sourcePort(pkt.hash));
  }
}
