/**
 * What one receive call brought, packet by packet. With UDP_GRO the kernel hands over a row of datagrams of equal size,
 * one after the other; where they are consecutive segments of one flow they become one packet again.
 */
import type { Arena } from '../packet/arena.ts';
import { ChecksumState, Packet } from '../packet/packet.ts';
import { VXLAN_HEADER_LEN } from '../wire/vxlan.ts';
import { SegmentRun } from './segment-run.ts';

export class Merger {
  readonly #run: SegmentRun;
  readonly #segment: Packet;
  #at = 0;
  #end = 0;
  #stride = 0;

  constructor(arena: Arena) {
    this.#run = new SegmentRun(arena, VXLAN_HEADER_LEN);
    this.#segment = new Packet(arena);
  }

  /** False leaves UDP packets as they are. */
  set mergesUdp(on: boolean) {
    this.#run.udp = on;
  }

  /** @param stride size of every datagram but the last; `len` when there is one. */
  begin(at: number, len: number, stride: number): void {
    this.#at = at;
    this.#end = at + len;
    this.#stride = stride;
  }

  /** Is there a packet left that `next` has not handed out? */
  get pending(): boolean {
    return this.#at < this.#end;
  }

  /**
   * The next packet, still with its VXLAN header: `pkt.at`, `len`, checksum state and segment size. False at the end.
   *
   * @param merge false hands out the datagrams one by one.
   */
  next(pkt: Packet, merge = true): boolean {
    if (this.#at >= this.#end) return false;
    this.#read(pkt);
    this.#at += pkt.len;
    if (!merge || this.#at >= this.#end || !this.#run.begin(pkt)) return true;
    const segment = this.#segment;
    while (this.#at < this.#end) {
      this.#read(segment);
      if (!this.#run.append(segment)) break;
      this.#at += segment.len;
    }
    this.#run.finish(pkt);
    return true;
  }

  #read(pkt: Packet): void {
    pkt.at = this.#at;
    pkt.len = Math.min(this.#stride, this.#end - this.#at);
    pkt.checksum = ChecksumState.Unverified;
    pkt.gsoSize = 0;
  }
}
