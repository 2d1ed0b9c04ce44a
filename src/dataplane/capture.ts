/**
 * One capture at a node: what it wants to see, and the ring it tells it through. A packet's bytes are copied before the
 * first stage, its outcome is written after the last. Nothing here waits or makes words, or leaves garbage but for the
 * clock, whose double V8 boxes.
 */
import { KEY_WORDS } from '../packet/flow-key.ts';
import { JUDGEMENT_WORDS } from '../packet/judgement.ts';
import { Consumed, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { Way, way, wayIndex, wayKind } from '../packet/way.ts';
import { runFilter } from '../recording/filter-machine.ts';
import { RingWriter } from '../recording/ring.ts';
import {
  HEADER_BYTES,
  HEADER_WORDS,
  INNER_OFFSET_SHIFT,
  isEvent,
  KEPT_ALL,
  KEYS_BYTES,
  PHASE_SHIFT,
  SightingBit,
  SightingKind,
  Word,
} from '../recording/sighting.ts';
import { connectionWordOf } from './connection-word.ts';
import type { Dataplane } from './dataplane.ts';
import type { FlightRecord } from './flight-recorder.ts';
import { isTranslated } from './flows.ts';
import type { HopFrame } from './hop-frame.ts';

/** Which outcomes are of interest. */
export const Verdicts = {
  All: 0,
  Dropped: 1,
  Forwarded: 2,
  /** What tells a flow's life: the first packet of each direction, TCP's SYN, FIN and RST, and every drop. */
  Events: 3,
} as const;

export interface CaptureSpec {
  /** Bytes of each frame at most; of a superframe on a wire hop, of each wire packet that it becomes. */
  readonly snapLen: number;
  readonly verdicts: number;
  /** Also what every kernel says on every link and nobody asks about: MLD and IGMP reports, router solicitations. */
  readonly noise: boolean;
  /** Ways: of pods, of the host; `Way.None` for the underlay, `Way.Tunnel` for one endpoint's part of it. */
  readonly hops: readonly number[];
  /** For `recording/filter-machine.ts`, verified. */
  readonly filter: Int32Array | undefined;
}

/** What was lost at one hop. */
export interface Loss {
  readonly hop: number;
  readonly count: number;
}

/** Copies of this many bytes and less go word by word: a view of the region would be garbage a moment later. */
const SMALL_COPY = 512;
/** The underlay, the host, then pods. */
const SLOTS = 1 << 16;
const PODS_AT = 2;

const key = new Int32Array(KEY_WORDS);

export class Capture {
  readonly #dp: Dataplane;
  readonly #ring: RingWriter;
  readonly #clockNs: () => number;
  readonly #snapLen: number;
  readonly #verdicts: number;
  readonly #noise: boolean;
  readonly #filter: Int32Array | undefined;
  /** By slot: is the hop wanted, and how many sightings were lost there since the last one that was told. */
  readonly #wanted = new Uint8Array(SLOTS);
  readonly #lost = new Int32Array(SLOTS);
  /** Endpoints that are wanted where the whole underlay is not. */
  readonly #endpoints = new Uint8Array(SLOTS);
  /** The sighting of the packet whose story is being told; -1 for none. */
  #open = -1;

  /** @param clockNs monotonic; one clock for all nodes. */
  constructor(dp: Dataplane, spec: CaptureSpec, ring: SharedArrayBuffer, clockNs: () => number) {
    this.#dp = dp;
    this.#ring = new RingWriter(ring);
    this.#clockNs = clockNs;
    this.#snapLen = spec.snapLen;
    this.#verdicts = spec.verdicts;
    this.#noise = spec.noise;
    this.#filter = spec.filter;
    for (const hop of spec.hops) {
      if (wayKind(hop) === Way.Tunnel) this.#endpoints[wayIndex(hop)] = 1;
      else this.#wanted[slotOf(hop)] = 1;
    }
  }

  /** A packet has come in. @param hop `Way.None`, or a tunnel, for the underlay. */
  begin(pkt: Packet, frame: HopFrame, hop: number, number: number): void {
    this.#open = -1;
    this.#ring.begin();
    if (this.#wants(frame, hop)) this.#open = this.#copyIn(pkt, frame, hop, number, this.#clockNs(), SightingBit.Keys);
  }

  /** Its story has ended. */
  end(pkt: Packet, outcome: Outcome): void {
    const at = this.#open;
    if (at >= 0) {
      this.#open = -1;
      const connection = connectionWordOf(this.#dp.connections, pkt);
      if (this.#interests(outcome, connection))
        this.#describe(at, pkt, outcome, connection, this.#dp.policies.judgement);
      else this.#giveBack(at);
    }
    this.#ring.publish();
  }

  /** A packet that the flight recorder remembers. */
  recall(pkt: Packet, frame: HopFrame, hop: number, number: number, timeNs: number, record: FlightRecord): void {
    const { outcome, connection, judgement } = record;
    this.#ring.begin();
    if (this.#interests(outcome, connection) && this.#wants(frame, hop)) {
      const at = this.#copyIn(pkt, frame, hop, number, timeNs, judgement === undefined ? 0 : SightingBit.Keys);
      if (at >= 0) this.#describe(at, pkt, outcome, connection, judgement);
    }
    this.#ring.publish();
  }

  /**
   * A packet is about to leave for a hop. Returns what `left` is to be given.
   *
   * @param inStory between `begin` and `end`. @param own its end is the story's, which tells of it.
   */
  leaving(pkt: Packet, frame: HopFrame, hop: number, number: number, inStory: boolean, own: boolean): number {
    if (!inStory) this.#ring.begin();
    if (own && this.#open >= 0 && this.#onlyDropsLeave) return -1;
    if (!this.#wants(frame, hop)) return -1;
    const keys = isTranslated(this.#dp, pkt) ? SightingBit.Keys : 0;
    const originated = pkt.ingress === 0 ? SightingBit.Originated : 0;
    const bits = SightingBit.Outgoing | keys | originated;
    return this.#copyIn(pkt, frame, hop, number, this.#clockNs(), bits);
  }

  /** It has left, or could not. */
  left(at: number, pkt: Packet, outcome: Outcome, inStory: boolean): void {
    if (at >= 0) {
      const unwanted = outcome < 0 ? this.#verdicts === Verdicts.Forwarded : this.#onlyDropsLeave;
      if (unwanted) this.#giveBack(at);
      else this.#describe(at, pkt, outcome, connectionWordOf(this.#dp.connections, pkt));
    }
    if (!inStory) this.#ring.publish();
  }

  /** What was lost and is not told of in the ring, as nothing came after it. */
  losses(): Loss[] {
    const losses: Loss[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.#lost[slot] !== 0) losses.push({ hop: hopOf(slot), count: this.#lost[slot]! });
    }
    return losses;
  }

  /** What a packet's life tells is told where it comes in; where it leaves, only that it could not. */
  get #onlyDropsLeave(): boolean {
    return this.#verdicts === Verdicts.Dropped || this.#verdicts === Verdicts.Events;
  }

  /** The sighting is not told, nor are the lost ones that it was to tell of: the next one does. */
  #giveBack(at: number): void {
    const { words } = this.#ring.space;
    const word = at >> 2;
    this.#lost[slotOf(words[word + Word.Hop]!)]! += words[word + Word.Lost]!;
    this.#ring.giveBack(at);
  }

  #wants(frame: HopFrame, hop: number): boolean {
    const tunnel = wayKind(hop) === Way.Tunnel && this.#endpoints[wayIndex(hop)] !== 0;
    if (frame.len === 0 || (this.#wanted[slotOf(hop)] === 0 && !tunnel)) return false;
    const filter = this.#filter;
    return filter === undefined || runFilter(filter, this.#dp.arena.bytes, frame.at, frame.len, frame.innerOffset);
  }

  #interests(outcome: Outcome, connection: number): boolean {
    const noise = outcome === Consumed.MulticastListenerAbsorbed || outcome === Consumed.RouterSolicitationAbsorbed;
    if (noise && !this.#noise) return false;
    if (this.#verdicts === Verdicts.Dropped) return outcome < 0;
    if (this.#verdicts === Verdicts.Forwarded) return outcome >= 0;
    return this.#verdicts === Verdicts.All || outcome < 0 || isEvent(connection);
  }

  /** Puts the frame and what is known already into the ring; -1, and counted, when there is no room. */
  #copyIn(pkt: Packet, frame: HopFrame, hop: number, number: number, timeNs: number, bits: number): number {
    frame.cut(pkt, this.#snapLen);
    const phase = frame.at & 3;
    const keysLen = (bits & SightingBit.Keys) === 0 ? 0 : KEYS_BYTES;
    const at = this.#ring.reserve((HEADER_BYTES + keysLen + phase + frame.captured + 7) & ~7);
    const slot = slotOf(hop);
    if (at < 0) {
      this.#lost[slot]!++;
      return -1;
    }
    const { words, doubles } = this.#ring.space;
    const word = at >> 2;
    words[word + Word.Kind] = SightingKind.Packet;
    doubles[(word + Word.Time) >> 1] = timeNs;
    words[word + Word.Hop] = hop;
    words[word + Word.Bits] =
      bits |
      (phase << PHASE_SHIFT) |
      (frame.innerOffset << INNER_OFFSET_SHIFT) |
      (frame.partial ? SightingBit.Partial : 0);
    words[word + Word.Lost] = this.#lost[slot]!;
    words[word + Word.WireLen] = frame.len;
    words[word + Word.Captured] = frame.captured;
    words[word + Word.GsoSize] = frame.gsoSize;
    words[word + Word.Kept] = frame.kept;
    words[word + Word.Number] = number;
    words[word + Word.PartialStart] = pkt.partialStart;
    words[word + Word.PartialOffset] = pkt.partialOffset;
    this.#lost[slot] = 0;
    this.#copyBytes(frame, at + HEADER_BYTES + keysLen);
    return at;
  }

  /** @param to a multiple of 8; the bytes begin as many behind it as the frame is off a word boundary. */
  #copyBytes(frame: HopFrame, to: number): void {
    const phase = frame.at & 3;
    if (frame.kept === KEPT_ALL) {
      this.#copyRegion(frame.at - phase, to, phase + frame.captured);
      return;
    }
    const { bytes } = this.#dp.arena;
    const target = this.#ring.space.bytes;
    const headerLen = frame.payloadAt - frame.at;
    this.#copyRegion(frame.at - phase, to, phase + headerLen);
    const { kept, gsoSize } = frame;
    const end = to + phase + frame.captured;
    let from = frame.payloadAt;
    for (let piece = to + phase + headerLen; piece < end; piece += kept, from += gsoSize) {
      const stop = Math.min(piece + kept, end);
      for (let i = piece, j = from; i < stop; i++, j++) target[i] = bytes[j]!;
    }
  }

  /** Both on word boundaries. */
  #copyRegion(from: number, to: number, len: number): void {
    const { arena } = this.#dp;
    const { space } = this.#ring;
    if (len > SMALL_COPY) {
      space.bytes.set(arena.bytes.subarray(from, from + len), to);
      return;
    }
    const source = arena.words;
    const target = space.words;
    const end = (to + len + 3) >> 2;
    for (let i = to >> 2, j = from >> 2; i < end; i++, j++) target[i] = source[j]!;
  }

  /** What became of the packet. @param judgement of the last one that was denied; undefined when that is not this one. */
  #describe(at: number, pkt: Packet, outcome: Outcome, connection: number, judgement?: Int32Array): void {
    const { words } = this.#ring.space;
    const word = at >> 2;
    words[word + Word.Outcome] = outcome;
    words[word + Word.Ingress] = pkt.ingress;
    words[word + Word.Egress] = pkt.egress;
    words[word + Word.Connection] = connection;
    if ((words[word + Word.Bits]! & SightingBit.Keys) === 0) return;
    if (outcome === Drop.PolicyDenied && judgement !== undefined) this.#tellJudgement(word, judgement);
    else if (isTranslated(this.#dp, pkt)) this.#tellKeys(word, pkt);
  }

  #tellJudgement(word: number, judgement: Int32Array): void {
    const { words } = this.#ring.space;
    words[word + Word.Bits]! |= SightingBit.Judged;
    for (let i = 0; i < JUDGEMENT_WORDS; i++) words[word + HEADER_WORDS + i] = judgement[i]!;
  }

  #tellKeys(word: number, pkt: Packet): void {
    const { words } = this.#ring.space;
    words[word + Word.Bits]! |= SightingBit.Translated;
    const { connections } = this.#dp;
    const half = pkt.connection * 2 + pkt.direction;
    connections.key(half, key);
    for (let i = 0; i < KEY_WORDS; i++) words[word + HEADER_WORDS + i] = key[i]!;
    connections.translatedKey(half, key);
    for (let i = 0; i < KEY_WORDS; i++) words[word + HEADER_WORDS + KEY_WORDS + i] = key[i]!;
  }
}

function slotOf(hop: number): number {
  const kind = wayKind(hop);
  if (kind === Way.Pod) return Math.min(PODS_AT + wayIndex(hop), SLOTS - 1);
  return kind === Way.Host ? 1 : 0;
}

function hopOf(slot: number): number {
  if (slot >= PODS_AT) return way(Way.Pod, slot - PODS_AT);
  return way(slot === 1 ? Way.Host : Way.None, 0);
}
