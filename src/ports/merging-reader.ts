/**
 * Reads frames, and merges runs of one flow's where they come in: a superframe is one packet to every stage, so that
 * what a run costs is little more than its reads. It looks one frame ahead, but not after a frame that came alone: that
 * one is on its way before anybody asks for the next.
 */
import { SegmentRun } from '../encap/segment-run.ts';
import type { Arena } from '../packet/arena.ts';
import { FRAME_HEADROOM, Packet } from '../packet/packet.ts';

/** Room for one frame of any length with its virtio header, and headroom in front. */
const SLOT_BYTES = FRAME_HEADROOM + 65_536 + 128;

/** What `readFrame` says besides 1 for a frame, 0 for none there, and a negative errno. */
export const NOT_MERGED = 2;
/** Nothing has been read ahead. */
const UNREAD = 3;

/** Where frames come from. */
export interface FrameSource {
  /**
   * Reads one frame, its first byte at `at`, where there is headroom in front: 1 and `pkt` is set; 0 when there is
   * none; the negative errno; or `NOT_MERGED`, for the source to deal with once what came before has been handed out.
   */
  readFrame(pkt: Packet, at: number): number;
  /** Could `next` be of one run with `pkt`, by what is known besides the frames themselves? */
  mayFollow(pkt: Packet, next: Packet): boolean;
}

/** One reader serves many sources, one after the other, each until nothing is `pending`. */
export class MergingReader {
  /** False hands out frames as they are. */
  merging: boolean;
  readonly #run: SegmentRun;
  /** The frame that was read ahead. */
  readonly #next: Packet;
  #slotAt: number;
  #spareAt: number;
  #ahead = UNREAD;
  /** Frames come one after the other, or did when they came last. */
  #looksAhead = false;

  /**
   * @param prefixLen of a frame in front of its Ethernet header.
   * @param superframeMax longest IP packet that merging may make.
   */
  constructor(arena: Arena, prefixLen: number, superframeMax: number, merging: boolean) {
    this.merging = merging;
    this.#run = new SegmentRun(arena, prefixLen, superframeMax);
    this.#next = new Packet(arena);
    this.#slotAt = arena.reserve(SLOT_BYTES) + FRAME_HEADROOM;
    this.#spareAt = arena.reserve(SLOT_BYTES) + FRAME_HEADROOM;
  }

  /** False leaves UDP packets as they are. */
  set mergesUdp(on: boolean) {
    this.#run.udp = on;
  }

  /** Has something been read that `receive` has not handed out? The descriptor does not tell of it. */
  get pending(): boolean {
    return this.#ahead !== UNREAD;
  }

  /**
   * The next packet: what `FrameSource.readFrame` says.
   *
   * @param mayLook false reads nothing ahead, so that nothing is pending afterwards: whoever must turn to others says so.
   */
  receive(source: FrameSource, pkt: Packet, mayLook: boolean): number {
    const got = this.#ahead === UNREAD ? this.#read(source, pkt) : this.#takeAhead(pkt);
    if (got !== 1 || !this.merging) return got;
    const looksAhead = this.#looksAhead;
    this.#looksAhead = true;
    if (!looksAhead || !mayLook || !this.#run.begin(pkt)) return 1;
    const next = this.#next;
    do {
      this.#ahead = source.readFrame(next, this.#spareAt);
    } while (this.#ahead === 1 && source.mayFollow(pkt, next) && this.#run.append(next));
    if (this.#ahead === NOT_MERGED) this.#ahead = UNREAD; // the source knows of it
    if (this.#run.finish(pkt))
      pkt.outerLen = 0; // one outer frame for all of the run
    else if (this.#ahead <= 0) this.#looksAhead = false;
    return 1;
  }

  #read(source: FrameSource, pkt: Packet): number {
    const got = source.readFrame(pkt, this.#slotAt);
    if (got <= 0) this.#looksAhead = false;
    return got;
  }

  #takeAhead(pkt: Packet): number {
    const got = this.#ahead;
    this.#ahead = UNREAD;
    if (got !== 1) return got;
    pkt.receiveAs(this.#next);
    const at = this.#slotAt;
    this.#slotAt = this.#spareAt;
    this.#spareAt = at;
    return 1;
  }
}
