/** Sightings as packets of a capture file: frames, times of the calendar, interfaces by hop, comments. */
import type { CaptureScene } from '../cluster/capture-scene.ts';
import { Way, wayKind } from '../packet/way.ts';
import { type Sighting, SightingBit } from '../recording/sighting.ts';
import type { Denials } from './denials.ts';
import { HopFrames } from './hop-frames.ts';
import type { WrittenPacket } from './pcapng-writer.ts';
import { verdictWords } from './verdict-words.ts';

const TWO_TO_32 = 0x1_0000_0000;
/** Packets of one node are numbered below this in packet ids. */
const NUMBERS_PER_NODE = 2 ** 40;
/** Comments that are kept: a busy capture has a few dozen. */
const COMMENTS_MAX = 10_000;
const encoder = new TextEncoder();

export interface PacketSink {
  packet(packet: WrittenPacket): void;
}

export interface SightingWriterOptions {
  readonly sink: PacketSink;
  /** Bytes of each frame at most. */
  readonly snapLen: number;
  /** To be added to sightings' times to get nanoseconds since 1970. */
  readonly epochNs: bigint;
  /** Interfaces that the sighting is written to; none when it is not wanted. */
  readonly interfaces: (sighting: Sighting, scene: CaptureScene) => readonly number[];
  /** Asked before each frame: false ends the writing of the sighting. */
  readonly wanted: () => boolean;
  /** Why policies denied packets; left out, comments say only that they did. */
  readonly denials?: Denials;
}

export class SightingWriter {
  readonly #options: SightingWriterOptions;
  readonly #frames = new HopFrames();
  readonly #comments = new Map<string, Uint8Array>();
  /** The last one of each node: a pod may have got a port that another one had. */
  readonly #scenes = new Map<string, CaptureScene>();
  /** Nodes by the order of their first sighting: part of packet ids. */
  readonly #nodes = new Map<string, number>();
  readonly #epochHigh: number;
  readonly #epochLow: number;
  readonly #packet: WrittenPacket = {
    interface: 0,
    timeHigh: 0,
    timeLow: 0,
    bytes: new Uint8Array(0),
    at: 0,
    len: 0,
    originalLen: 0,
    outgoing: false,
    packetId: 0,
    dropped: 0,
    comment: undefined,
  };

  constructor(options: SightingWriterOptions) {
    this.#options = options;
    this.#epochHigh = Number(options.epochNs >> 32n);
    this.#epochLow = Number(options.epochNs & 0xffff_ffffn);
  }

  write(sighting: Sighting, scene: CaptureScene): void {
    const { interfaces, sink, snapLen, wanted } = this.#options;
    const packet = this.#packet;
    this.setTime(packet, sighting.timeNs);
    packet.outgoing = this.#isOutbound(sighting);
    packet.packetId = this.#nodeNumber(scene.node) * NUMBERS_PER_NODE + (sighting.number >>> 0);
    packet.comment = this.#comment(sighting, scene);
    for (const id of interfaces(sighting, scene)) {
      packet.interface = id;
      packet.dropped = sighting.lost;
      const frames = this.#frames;
      frames.begin(sighting, snapLen);
      while (frames.next() && wanted()) {
        packet.bytes = frames.bytes;
        packet.at = frames.at;
        packet.len = frames.len;
        packet.originalLen = frames.wireLen;
        sink.packet(packet);
        packet.dropped = 0;
      }
    }
  }

  /** Nanoseconds since 1970 in two halves. */
  setTime(to: { timeHigh: number; timeLow: number }, timeNs: number): void {
    const low = (timeNs % TWO_TO_32) + this.#epochLow;
    const carry = low >= TWO_TO_32 ? 1 : 0;
    to.timeLow = low - carry * TWO_TO_32;
    to.timeHigh = Math.floor(timeNs / TWO_TO_32) + this.#epochHigh + carry;
  }

  /**
   * As a capture at that place would say: what a pod sends is outbound on its interface, what its node sends to it
   * inbound; on the underlay it is the node that sends.
   */
  #isOutbound(sighting: Sighting): boolean {
    const kind = wayKind(sighting.hop);
    const byNode = sighting.is(SightingBit.Outgoing);
    return kind === Way.Pod || kind === Way.Host ? !byNode : byNode;
  }

  #nodeNumber(node: string): number {
    let number = this.#nodes.get(node);
    if (number === undefined) {
      number = this.#nodes.size + 1;
      this.#nodes.set(node, number);
    }
    return number;
  }

  #comment(sighting: Sighting, scene: CaptureScene): Uint8Array {
    if (sighting.is(SightingBit.Translated | SightingBit.Judged)) {
      return encoder.encode(verdictWords(scene, sighting, this.#options.denials?.explain(sighting)));
    }
    if (this.#scenes.get(scene.node) !== scene) {
      this.#comments.clear();
      this.#scenes.set(scene.node, scene);
    }
    const { hop, bits, outcome, ingress, egress, connection } = sighting;
    const what = bits & (SightingBit.Outgoing | SightingBit.Originated);
    const key = `${scene.node} ${hop} ${what} ${outcome} ${ingress} ${egress} ${connection}`;
    let comment = this.#comments.get(key);
    if (comment === undefined) {
      if (this.#comments.size >= COMMENTS_MAX) this.#comments.clear();
      comment = encoder.encode(verdictWords(scene, sighting));
      this.#comments.set(key, comment);
    }
    return comment;
  }
}
