/**
 * The frames of a sighting, as they are in a capture file: checksums that a kernel had left open are completed; on a
 * wire hop a superframe is the wire packets that it becomes, and UDP's is so on every hop: TCP has no message boundaries
 * that one long segment could hide, UDP has. One frame at a time, in memory that is used again.
 */
import { Cutter } from '../encap/cut.ts';
import { Arena } from '../packet/arena.ts';
import { ChecksumState, Packet } from '../packet/packet.ts';
import { validate } from '../packet/validate.ts';
import { KEPT_ALL, type Sighting, SightingBit } from '../recording/sighting.ts';
import { ETHERNET_HEADER_LEN } from '../wire/ethernet.ts';
import { ipv4SetChecksum, ipv4SetTotalLength } from '../wire/ipv4.ts';
import { UDP_CHECKSUM, UDP_HEADER_LEN, udpSetLength } from '../wire/udp.ts';
import { VXLAN_HEADER_LEN } from '../wire/vxlan.ts';

/** Outer headers with IP options, VXLAN, and the longest frame. */
const HEADROOM = 128;
const SLOT_BYTES = HEADROOM + 66_560;
const ARENA_BYTES = 4 * SLOT_BYTES;

export class HopFrames {
  /** The frame: `bytes[at …]`, `len` of them, of `wireLen` that there were. */
  bytes: Uint8Array;
  at = 0;
  len = 0;
  wireLen = 0;
  readonly #arena = new Arena(ARENA_BYTES);
  readonly #pkt = new Packet(this.#arena);
  readonly #cutter = new Cutter(this.#arena, HEADROOM);
  readonly #slotAt = this.#arena.reserve(SLOT_BYTES) + HEADROOM;
  #snapLen = 0;
  #innerOffset = 0;
  #segments = 0;
  #segmentPayload = 0;
  #lastPayload = 0;
  #single = false;
  /** Length of the frame that the outer headers in front of the cutter's segment are written for; 0 for none. */
  #outerFor = 0;

  constructor() {
    this.bytes = this.#arena.bytes;
  }

  /** @param snapLen bytes of each frame at most. */
  begin(sighting: Sighting, snapLen: number): void {
    this.#snapLen = snapLen;
    this.#segments = 0; // the one before may not have been asked for all
    const whole = sighting.captured === sighting.wireLen;
    const several = sighting.gsoSize > 0 && (sighting.innerOffset > 0 || sighting.partialOffset === UDP_CHECKSUM);
    if (several && (whole || sighting.kept !== KEPT_ALL) && this.#beginCutting(sighting)) return;
    this.#single = true;
    this.wireLen = sighting.wireLen;
    this.len = Math.min(sighting.captured, snapLen);
    if (whole && sighting.is(SightingBit.Partial)) {
      this.#load(sighting);
      this.#complete(sighting);
      return;
    }
    this.bytes = sighting.bytes;
    this.at = sighting.at;
  }

  /** The next one, or false when there is none left. */
  next(): boolean {
    if (this.#single) {
      this.#single = false;
      return true;
    }
    if (this.#segments === 0) return false;
    const cutter = this.#cutter;
    if (cutter.next(1) === 0) {
      this.#segments = 0;
      return false;
    }
    this.#segments--;
    const payloadLen = this.#segments === 0 ? this.#lastPayload : this.#segmentPayload;
    const pkt = this.#pkt;
    this.bytes = this.#arena.bytes;
    this.at = cutter.outAt - this.#innerOffset;
    this.wireLen = this.#innerOffset + (pkt.payloadAt - pkt.at) + payloadLen;
    this.len = Math.min(this.#innerOffset + cutter.outLen, this.#snapLen);
    if (this.#innerOffset > 0 && this.wireLen !== this.#outerFor) this.#writeOuter(); // all but the last have the same
    return true;
  }

  /** False when the superframe is not sound: it is then shown as it is. */
  #beginCutting(sighting: Sighting): boolean {
    const { innerOffset } = sighting;
    if (innerOffset > HEADROOM || sighting.captured > SLOT_BYTES - HEADROOM) return false;
    this.#load(sighting);
    const pkt = this.#pkt;
    pkt.at = this.at + innerOffset;
    pkt.len = sighting.wireLen - innerOffset;
    pkt.gsoSize = sighting.gsoSize;
    pkt.checksum = ChecksumState.Partial;
    pkt.partialStart = sighting.partialStart;
    pkt.partialOffset = sighting.partialOffset;
    if (validate(pkt) !== 0) return false;
    this.#innerOffset = innerOffset;
    this.#single = false;
    this.#outerFor = 0;
    this.#segments = pkt.segments;
    this.#segmentPayload = pkt.gsoSize;
    this.#lastPayload = pkt.at + pkt.len - pkt.payloadAt - (this.#segments - 1) * pkt.gsoSize;
    this.#cutter.begin(pkt, sighting.kept === KEPT_ALL ? undefined : sighting.kept);
    return true;
  }

  #load(sighting: Sighting): void {
    const { bytes, at, captured } = sighting;
    this.#arena.bytes.set(bytes.subarray(at, at + captured), this.#slotAt);
    this.bytes = this.#arena.bytes;
    this.at = this.#slotAt;
  }

  /** As virtio defines it: the sum of everything from `start` to the end belongs into the field. */
  #complete(sighting: Sighting): void {
    const end = this.at + sighting.captured;
    const start = this.at + sighting.innerOffset + sighting.partialStart;
    const field = start + sighting.partialOffset;
    if (field + 2 > end) return;
    this.#arena.view.setUint16(field, this.#arena.checksum(start, end - start, 0) || 0xffff);
  }

  /** The superframe's outer headers in front of the segment, with its own lengths. */
  #writeOuter(): void {
    const arena = this.#arena;
    const { view } = arena;
    const { at } = this;
    this.#outerFor = this.wireLen;
    arena.copy(at, this.#pkt.at - this.#innerOffset, this.#innerOffset);
    const ipAt = at + ETHERNET_HEADER_LEN;
    const ipHeaderLen = this.#innerOffset - VXLAN_HEADER_LEN - UDP_HEADER_LEN - ETHERNET_HEADER_LEN; // options: a foreign sender's
    const ipLen = this.wireLen - ETHERNET_HEADER_LEN;
    ipv4SetTotalLength(view, ipAt, ipLen);
    ipv4SetChecksum(view, ipAt, 0);
    ipv4SetChecksum(view, ipAt, arena.checksum(ipAt, ipHeaderLen, 0));
    udpSetLength(view, ipAt + ipHeaderLen, ipLen - ipHeaderLen);
    view.setUint16(ipAt + ipHeaderLen + UDP_CHECKSUM, 0);
  }
}
