import { Cutter } from '../encap/cut.ts';
import { OUTER_LEN } from '../encap/outer.ts';
import { Link, type LinkSettings } from '../links/link.ts';
import { NO_SLOT, WaitingFrames } from '../links/waiting-frames.ts';
import type { Arena } from '../packet/arena.ts';
import { CONTINUE, Drop, type Outcome, Place } from '../packet/outcome.ts';
import { ChecksumState, FRAME_HEADROOM, Packet } from '../packet/packet.ts';
import { completeChecksum } from '../packet/rewrite.ts';
import type { Counters } from './counters.ts';
import type { Underlay } from './dataplane.ts';

/** VXLAN and inner Ethernet headers, which an MTU does not count. */
const FRAME_OVERHEAD = 8 + 14;
/** Memory of a node's waiting packets: 5,000 of 1,500 bytes, 60 ms at 1 Gbit/s. */
export const LINK_QUEUE_BYTES = 8 << 20;

export interface LinkWatcher {
  /** @param at the VXLAN header of a wire packet, its checksums complete, with room for outer headers in front. */
  metLink(pkt: Packet, endpoint: number, at: number, len: number, outcome: Outcome): void;
}

/**
 * An underlay behind links: what leaves for an endpoint that has one waits, is lost or doubled there, packet by packet
 * as wires carry them, and goes on when `flush` is called at its time. Endpoints without a link are as before.
 *
 * Each wire packet has an end of its own in the accounting: a superframe is counted as split.
 */
export class LinkedUnderlay implements Underlay {
  readonly #underlay: Underlay;
  readonly #counters: Counters;
  readonly #frames: WaitingFrames;
  readonly #cutter: Cutter;
  readonly #packet: Packet;
  /** Is told of every packet that meets a link, while its bytes are there, and how that went. */
  watcher: LinkWatcher | undefined;
  /** By endpoint. */
  #links: readonly (Link | undefined)[] = [];

  /** @param mtu IP MTU inside tunnels. @param queueBytes memory of waiting packets, out of the arena. */
  constructor(arena: Arena, counters: Counters, underlay: Underlay, mtu: number, queueBytes = LINK_QUEUE_BYTES) {
    this.#underlay = underlay;
    this.#counters = counters;
    const frameBytes = FRAME_OVERHEAD + mtu;
    this.#frames = new WaitingFrames(
      arena,
      Math.floor(queueBytes / (FRAME_HEADROOM + frameBytes)),
      FRAME_HEADROOM,
      frameBytes,
    );
    this.#cutter = new Cutter(arena, OUTER_LEN);
    this.#packet = new Packet(arena);
  }

  /**
   * Replaces all links; one whose settings stay goes on as it was. What waits already leaves when it was going to.
   *
   * @param settings by endpoint; none for those without a link.
   */
  setLinks(settings: readonly (LinkSettings | undefined)[]): void {
    const before = this.#links;
    this.#links = settings.map((one, endpoint) => {
      if (one === undefined) return undefined;
      const link = before[endpoint];
      return link?.is(one) ? link : new Link(one);
    });
  }

  /** When `flush` has something to do; Infinity for never. */
  get nextDueMs(): number {
    return this.#frames.nextDueMs;
  }

  transmit(pkt: Packet, endpoint: number, nowMs: number): Outcome {
    const link = this.#links[endpoint];
    if (link === undefined) return this.#underlay.transmit(pkt, endpoint, nowMs);
    if (pkt.gsoSize === 0) {
      completeChecksum(pkt);
      return this.#offer(link, pkt, endpoint, pkt.at, pkt.len, nowMs);
    }
    const cutter = this.#cutter;
    cutter.begin(pkt);
    let pieces = 0;
    let outcome: Outcome = CONTINUE;
    while (cutter.next(1) > 0) {
      if (outcome < 0) this.#counters.countDropped(-1 - outcome);
      outcome = this.#offer(link, pkt, endpoint, cutter.outAt, cutter.outLen, nowMs);
      pieces++;
    }
    this.#counters.countSplit(pieces);
    return outcome; // the last piece's end is counted, and recorded, as the packet's
  }

  sourcePort(hash: number): number {
    return this.#underlay.sourcePort(hash);
  }

  hasLink(endpoint: number): boolean {
    return this.#links[endpoint] !== undefined;
  }

  /** Sends on what is due. */
  flush(nowMs: number): void {
    const frames = this.#frames;
    const pkt = this.#packet;
    for (;;) {
      const slot = frames.take(nowMs);
      if (slot === NO_SLOT) return;
      pkt.at = frames.frameAt(slot);
      pkt.len = frames.len[slot]!;
      pkt.ingress = frames.ingress[slot]!;
      pkt.hash = frames.hash[slot]!;
      pkt.outerTos = frames.tos[slot]!;
      pkt.gsoSize = 0;
      pkt.checksum = ChecksumState.Complete;
      const outcome = this.#underlay.transmit(pkt, frames.endpoint[slot]!, nowMs);
      this.#counters.countReleased();
      if (outcome < 0) this.#counters.countDropped(-1 - outcome);
      else this.#counters.countDelivered();
    }
  }

  #offer(link: Link, pkt: Packet, endpoint: number, at: number, len: number, nowMs: number): Outcome {
    link.decide(nowMs);
    const outcome = link.lost ? Drop.LinkLoss : this.#hold(link, pkt, endpoint, at, len);
    this.watcher?.metLink(pkt, endpoint, at, len, outcome);
    if (!link.lost && link.doubled) {
      this.#counters.countCopied();
      const copy = this.#hold(link, pkt, endpoint, at, len);
      if (copy < 0) this.#counters.countDropped(-1 - copy);
    }
    return outcome;
  }

  #hold(link: Link, pkt: Packet, endpoint: number, at: number, len: number): Outcome {
    const frames = this.#frames;
    const slot = frames.put(at, len, link.dueMs);
    if (slot === NO_SLOT) return Drop.LinkQueueFull;
    frames.ingress[slot] = pkt.ingress;
    frames.endpoint[slot] = endpoint;
    frames.hash[slot] = pkt.hash;
    frames.tos[slot] = pkt.outerTos;
    this.#counters.countHeld();
    return Place.Held;
  }
}
