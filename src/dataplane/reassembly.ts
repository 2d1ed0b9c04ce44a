/**
 * Datagrams in pieces: policy and connection tracking see whole ones only (CT-007). Each datagram that is under way
 * has a slot: a region of the arena in which it grows in place, and one bit for every eight bytes that have come. The
 * rules are those of Linux's inet_fragment.c, ip_fragment.c and nf_conntrack_reasm.c.
 */
import type { Arena } from '../packet/arena.ts';
import { CONTINUE, Consumed, consumeIndex, Drop, type Outcome, Place } from '../packet/outcome.ts';
import { ChecksumState, FRAGMENT_OFFSET_MASK, FRAME_HEADROOM, MORE_FRAGMENTS, type Packet } from '../packet/packet.ts';
import { setEcn } from '../packet/rewrite.ts';
import { FlowTable } from '../tables/flow-table.ts';
import { TimerWheel } from '../tables/timer-wheel.ts';
import { loadIpv4, loadIpv6 } from '../wire/address.ts';
import { sumBytes } from '../wire/checksum.ts';
import { ETHERNET_HEADER_LEN } from '../wire/ethernet.ts';
import {
  IPV4_DESTINATION,
  IPV4_SOURCE,
  ipv4DontFragment,
  ipv4HeaderLen,
  ipv4SetChecksum,
  ipv4SetFragment,
  ipv4SetTotalLength,
  ipv4Tos,
} from '../wire/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_FRAGMENT_HEADER_LEN,
  IPV6_HEADER_LEN,
  IPV6_SOURCE,
  ipv6LastNextHeaderAt,
  ipv6SetPayloadLength,
  ipv6TrafficClass,
} from '../wire/ipv6.ts';
import type { Counters } from './counters.ts';

/** Datagrams under way at once, on one node. */
export const REASSEMBLY_SLOTS = 64;
/** One port may hold this share of the slots before its own oldest datagram makes room for its newest. */
const SHARE_DIVISOR = 4;

/** Addresses, identification, version and protocol, and the way in: nobody adds to another one's datagram (TN-051). */
const KEY_WORDS = 11;
const KEY_ID = 8;
const KEY_KIND = 9;
const KEY_WAY = 10;

/** Of IPv4's total length and of IPv6's payload length. */
const LENGTH_MAX = 65_535;
/** What every fragment repeats, and an IPv6 fragment header: longer headers are refused. */
const HEADERS_MAX = 256;
const DATA_OFFSET = FRAME_HEADROOM + ETHERNET_HEADER_LEN + HEADERS_MAX;
const SLOT_BYTES = DATA_OFFSET + LENGTH_MAX + 1;
/** A bit for eight bytes. */
const BITMAP_WORDS = 65_536 / 8 / 32;

const TIMEOUT_MS_IPV4 = 30_000;
const TIMEOUT_MS_IPV6 = 60_000;
const TICK_MS = 1000;
const WHEEL_TICKS = 64;
/** Linux's ipfrag_max_dist: fragments of other datagrams from the same source in between (TN-057). */
const DISTANCE_MAX = 64;
const UNKNOWN = -1;
const ECN_MASK = 3;
const ECN_CE = 3;
const NOT_ECT_SEEN = 1 << 0;
const CE_SEEN = 1 << ECN_CE;

export class Reassembly {
  readonly slots: number;
  readonly #arena: Arena;
  readonly #counters: Counters;
  readonly #at: number;
  readonly #table: FlowTable;
  readonly #wheel: TimerWheel;
  readonly #key = new Int32Array(KEY_WORDS);
  readonly #bitmap: Int32Array;
  /** Fragments held; 0 is a free slot. */
  readonly #fragments: Int32Array;
  readonly #units: Int32Array;
  /** Bytes that the datagram carries, once its last fragment has come. */
  readonly #total: Int32Array;
  /** Furthest byte that has come. */
  readonly #highest: Int32Array;
  /** Bytes from the IP header to the data, as the first fragment has them; 0 until it has come. */
  readonly #headerLen: Int32Array;
  readonly #firstLen: Int32Array;
  readonly #longest: Int32Array;
  readonly #longestUnfragmentable: Int32Array;
  /** Bit per ECN value seen. */
  readonly #ecn: Uint8Array;
  /** Fragments of others from the same source since the last of this one. */
  readonly #distance: Int32Array;
  /** Order of arrival. */
  readonly #begun: Float64Array;
  #beginnings = 0;

  constructor(arena: Arena, slots: number, seed: number, counters: Counters) {
    this.slots = slots;
    this.#arena = arena;
    this.#counters = counters;
    this.#at = arena.reserve(slots * SLOT_BYTES);
    this.#table = new FlowTable(slots, KEY_WORDS, seed);
    this.#wheel = new TimerWheel(slots, WHEEL_TICKS, 0);
    this.#bitmap = new Int32Array(slots * BITMAP_WORDS);
    const perSlot = () => new Int32Array(slots);
    this.#fragments = perSlot();
    this.#units = perSlot();
    this.#total = perSlot();
    this.#highest = perSlot();
    this.#headerLen = perSlot();
    this.#firstLen = perSlot();
    this.#longest = perSlot();
    this.#longestUnfragmentable = perSlot();
    this.#distance = perSlot();
    this.#ecn = new Uint8Array(slots);
    this.#begun = new Float64Array(slots);
  }

  /**
   * Takes a fragment that `validate` has seen.
   *
   * Held: it waits for others. Continue: it was the last one missing, and `pkt` is the datagram now, to be validated;
   * `pkt.fragmentMax` has to be set by the caller from `longest`. Else it was a repetition, or is dropped; what made
   * the whole datagram worthless drops the fragments that were held, too.
   */
  add(pkt: Packet, nowMs: number): Outcome {
    this.#loadKey(pkt);
    let slot = this.#table.find(this.#key, 0, this.#table.hash(this.#key, 0));
    this.#keepDistance(slot);
    if (slot >= 0 && pkt.version === 4 && this.#distance[slot]! >= DISTANCE_MAX) {
      this.drop(slot, Drop.FragmentEvicted);
      slot = -1;
    }
    const wrong = this.#wrong(pkt, slot);
    if (wrong !== CONTINUE) {
      if (slot >= 0 && wrong !== Consumed.FragmentRepeated) this.drop(slot, wrong);
      return wrong;
    }
    if (slot < 0) slot = this.#begin(pkt, nowMs);
    this.#store(slot, pkt);
    if (this.#units[slot]! << 3 < this.#total[slot]! || this.#total[slot] === UNKNOWN) {
      this.#counters.countHeld();
      return Place.Held;
    }
    return this.#finish(slot, pkt);
  }

  /** A slot whose time is over, or -1. */
  expired(nowMs: number): number {
    return this.#wheel.expire(Math.floor(nowMs / TICK_MS));
  }

  /** Makes `pkt` the first fragment as it came, for the ICMP error; false when it has not come. */
  firstFragment(slot: number, pkt: Packet): boolean {
    const headerLen = this.#headerLen[slot]!;
    if (headerLen === 0) return false;
    const dataAt = this.#dataAt(slot);
    pkt.l3At = dataAt - headerLen;
    pkt.at = pkt.l3At - ETHERNET_HEADER_LEN;
    pkt.len = ETHERNET_HEADER_LEN + headerLen + this.#firstLen[slot]!;
    pkt.l4At = dataAt;
    pkt.payloadAt = dataAt;
    pkt.l4Len = this.#firstLen[slot]!;
    pkt.version = this.#table.entries[this.#table.keyAt(slot) + KEY_KIND]! >> 8;
    pkt.ingress = this.#table.entries[this.#table.keyAt(slot) + KEY_WAY]!;
    pkt.gsoSize = 0;
    pkt.checksum = ChecksumState.Complete;
    return true;
  }

  /** Drops every fragment that the slot holds, and frees it. */
  drop(slot: number, reason: Outcome): void {
    for (let i = this.#fragments[slot]!; i > 0; i--) {
      this.#counters.countReleased();
      this.#counters.countDropped(-1 - reason);
    }
    this.#free(slot);
  }

  #loadKey(pkt: Packet): void {
    const { view, l3At } = pkt;
    const key = this.#key;
    const ipv4 = pkt.version === 4;
    if (ipv4) {
      loadIpv4(view, l3At + IPV4_SOURCE, key, 0);
      loadIpv4(view, l3At + IPV4_DESTINATION, key, 4);
    } else {
      loadIpv6(view, l3At + IPV6_SOURCE, key, 0);
      loadIpv6(view, l3At + IPV6_DESTINATION, key, 4);
    }
    key[KEY_ID] = pkt.fragmentId;
    key[KEY_KIND] = ipv4 ? (4 << 8) | pkt.protocol : 6 << 8; // RFC 8200 section 4.5 leaves the protocol out
    key[KEY_WAY] = pkt.ingress;
  }

  /** One more fragment from this source: for its other datagrams it is a foreign one. */
  #keepDistance(own: number): void {
    const key = this.#key;
    for (let slot = 0; slot < this.slots; slot++) {
      if (this.#fragments[slot] === 0 || slot === own) continue;
      const at = this.#table.keyAt(slot);
      const { entries: keys } = this.#table;
      const sameSource =
        keys[at + 3] === key[3] && keys[at + 2] === key[2] && keys[at + 1] === key[1] && keys[at] === key[0];
      if (sameSource) this.#distance[slot]!++;
    }
  }

  /** What is wrong with the fragment, by itself or beside those that are there. */
  #wrong(pkt: Packet, slot: number): Outcome {
    const offset = (pkt.fragment & FRAGMENT_OFFSET_MASK) << 3;
    const end = offset + pkt.l4Len;
    const last = (pkt.fragment & MORE_FRAGMENTS) === 0;
    const headerLen = pkt.l4At - pkt.l3At;
    if (pkt.l4Len === 0 || (!last && (pkt.l4Len & 7) !== 0)) return Drop.BadFragment;
    const repeated = pkt.version === 4 ? headerLen : headerLen - IPV6_FRAGMENT_HEADER_LEN - IPV6_HEADER_LEN;
    if (repeated + end > LENGTH_MAX || headerLen > HEADERS_MAX) return Drop.BadFragment;
    if (slot < 0) return CONTINUE;
    const total = this.#total[slot]!;
    if (last ? total !== UNKNOWN && total !== end : total !== UNKNOWN && end > total) return Drop.BadFragment;
    if (last && end < this.#highest[slot]!) return Drop.BadFragment;
    const units = (pkt.l4Len + 7) >> 3;
    const there = this.#unitsThere(slot, offset >> 3, units);
    if (there === 0) return CONTINUE;
    return there === units ? Consumed.FragmentRepeated : Drop.FragmentOverlap;
  }

  #unitsThere(slot: number, first: number, count: number): number {
    const base = slot * BITMAP_WORDS;
    let there = 0;
    for (let unit = first; unit < first + count; unit++) {
      there += (this.#bitmap[base + (unit >> 5)]! >>> (unit & 31)) & 1;
    }
    return there;
  }

  #begin(pkt: Packet, nowMs: number): number {
    let slot = this.#fragments.indexOf(0);
    if (slot < 0) {
      slot = this.#victim(pkt.ingress);
      this.drop(slot, Drop.FragmentEvicted);
    }
    this.#table.insert(slot, this.#key, 0, this.#table.hash(this.#key, 0));
    const timeoutMs = pkt.version === 4 ? TIMEOUT_MS_IPV4 : TIMEOUT_MS_IPV6;
    this.#wheel.schedule(slot, Math.ceil((nowMs + timeoutMs) / TICK_MS));
    this.#bitmap.fill(0, slot * BITMAP_WORDS, (slot + 1) * BITMAP_WORDS);
    this.#units[slot] = 0;
    this.#total[slot] = UNKNOWN;
    this.#highest[slot] = 0;
    this.#headerLen[slot] = 0;
    this.#longest[slot] = 0;
    this.#longestUnfragmentable[slot] = 0;
    this.#ecn[slot] = 0;
    this.#begun[slot] = this.#beginnings++;
    return slot;
  }

  /** The oldest datagram: of this way in, when it holds its share; else of all. */
  #victim(ingress: number): number {
    let own = 0;
    let ownOldest = -1;
    let oldest = 0;
    for (let slot = 0; slot < this.slots; slot++) {
      if (this.#begun[slot]! < this.#begun[oldest]!) oldest = slot;
      if (this.#table.entries[this.#table.keyAt(slot) + KEY_WAY] !== ingress) continue;
      own++;
      if (ownOldest < 0 || this.#begun[slot]! < this.#begun[ownOldest]!) ownOldest = slot;
    }
    return own * SHARE_DIVISOR >= this.slots ? ownOldest : oldest;
  }

  #store(slot: number, pkt: Packet): void {
    const offset = (pkt.fragment & FRAGMENT_OFFSET_MASK) << 3;
    const end = offset + pkt.l4Len;
    const units = (pkt.l4Len + 7) >> 3;
    const base = slot * BITMAP_WORDS;
    for (let unit = offset >> 3; unit < (offset >> 3) + units; unit++) {
      this.#bitmap[base + (unit >> 5)]! |= 1 << (unit & 31);
    }
    this.#arena.copy(this.#dataAt(slot) + offset, pkt.l4At, pkt.l4Len);
    this.#units[slot]! += units;
    this.#fragments[slot]!++;
    this.#distance[slot] = 0;
    if (end > this.#highest[slot]!) this.#highest[slot] = end;
    if ((pkt.fragment & MORE_FRAGMENTS) === 0) this.#total[slot] = end;
    const ipLen = pkt.at + pkt.len - pkt.l3At;
    if (ipLen > this.#longest[slot]!) this.#longest[slot] = ipLen;
    const unfragmentable = pkt.version === 4 && ipv4DontFragment(pkt.view, pkt.l3At);
    if (unfragmentable && ipLen > this.#longestUnfragmentable[slot]!) this.#longestUnfragmentable[slot] = ipLen;
    this.#ecn[slot]! |= 1 << (trafficClass(pkt) & ECN_MASK);
    if (offset === 0) this.#storeHeaders(slot, pkt);
  }

  #storeHeaders(slot: number, pkt: Packet): void {
    const headerLen = pkt.l4At - pkt.l3At;
    this.#headerLen[slot] = headerLen;
    this.#firstLen[slot] = pkt.l4Len;
    const len = ETHERNET_HEADER_LEN + headerLen;
    this.#arena.copy(this.#dataAt(slot) - len, pkt.at, len);
  }

  /** Everything is there: the fragments held become one packet with the one at hand. */
  #finish(slot: number, pkt: Packet): Outcome {
    for (let i = this.#fragments[slot]! - 1; i > 0; i--) {
      this.#counters.countReleased();
      this.#counters.countConsumed(consumeIndex(Consumed.Reassembled));
    }
    const longest = this.#longest[slot]!;
    const ecn = this.#ecn[slot]!;
    const dontFragment = this.#longestUnfragmentable[slot] === longest;
    const headerLen = this.#headerLen[slot]!;
    const total = this.#total[slot]!;
    this.#free(slot);
    // Congestion marks that no sender makes (RFC 3168 section 5.3).
    if ((ecn & CE_SEEN) !== 0 && (ecn & NOT_ECT_SEEN) !== 0) return Drop.BadFragment;
    pkt.l3At = this.#dataAt(slot) - headerLen;
    pkt.at = pkt.l3At - ETHERNET_HEADER_LEN;
    pkt.len = ETHERNET_HEADER_LEN + headerLen + total;
    pkt.checksum = ChecksumState.Unverified;
    if (pkt.version === 4) joinIpv4(pkt, dontFragment);
    else this.#joinIpv6(pkt, headerLen, total);
    if ((ecn & CE_SEEN) !== 0) setEcn(pkt, ECN_CE);
    pkt.fragmentMax = longest;
    return CONTINUE;
  }

  /** Closes the gap that the fragment header leaves. */
  #joinIpv6(pkt: Packet, headerLen: number, total: number): void {
    const { view } = pkt;
    const unfragmentableLen = headerLen - IPV6_FRAGMENT_HEADER_LEN;
    const nextHeader = view.getUint8(pkt.l3At + unfragmentableLen);
    this.#arena.copy(pkt.at + IPV6_FRAGMENT_HEADER_LEN, pkt.at, ETHERNET_HEADER_LEN + unfragmentableLen);
    pkt.at += IPV6_FRAGMENT_HEADER_LEN;
    pkt.l3At += IPV6_FRAGMENT_HEADER_LEN;
    pkt.len -= IPV6_FRAGMENT_HEADER_LEN;
    view.setUint8(ipv6LastNextHeaderAt(view, pkt.l3At, unfragmentableLen), nextHeader);
    ipv6SetPayloadLength(view, pkt.l3At, unfragmentableLen - IPV6_HEADER_LEN + total);
  }

  #free(slot: number): void {
    this.#table.remove(slot);
    this.#wheel.cancel(slot);
    this.#fragments[slot] = 0;
  }

  #dataAt(slot: number): number {
    return this.#at + slot * SLOT_BYTES + DATA_OFFSET;
  }
}

function trafficClass(pkt: Packet): number {
  return pkt.version === 4 ? ipv4Tos(pkt.view, pkt.l3At) : ipv6TrafficClass(pkt.view, pkt.l3At);
}

function joinIpv4(pkt: Packet, dontFragment: boolean): void {
  const { view, l3At } = pkt;
  const headerLen = ipv4HeaderLen(view, l3At);
  ipv4SetTotalLength(view, l3At, pkt.len - ETHERNET_HEADER_LEN);
  ipv4SetFragment(view, l3At, 0, dontFragment);
  ipv4SetChecksum(view, l3At, 0);
  ipv4SetChecksum(view, l3At, ~sumBytes(view, l3At, headerLen) & 0xffff);
}
