/**
 * All captures of a node. They wrap its edge: ports, underlay and recorder are replaced by ones that also tell, for as
 * long as somebody listens. Without a capture nothing of this is on a packet's way.
 */
import type { Outcome } from '../packet/outcome.ts';
import { ChecksumState, type Packet, UNTRACKED } from '../packet/packet.ts';
import { Way, wayIndex, wayKind } from '../packet/way.ts';
import { Capture, type CaptureSpec } from './capture.ts';
import type { Dataplane, Port, Recorder, Underlay } from './dataplane.ts';
import { type FlightRecord, RECORDS } from './flight-recorder.ts';
import { HopFrame } from './hop-frame.ts';
import { LinkedUnderlay } from './linked-underlay.ts';
import { OuterFrames, type UnderlayScene } from './outer-frames.ts';

/** Captures at once. */
export const CAPTURES_MAX = 8;
const NS_PER_MS = 1e6;

export class Captures implements Recorder {
  readonly #dp: Dataplane;
  readonly #outer: OuterFrames;
  readonly #clockNs: () => number;
  readonly #list: Capture[] = [];
  readonly #frame = new HopFrame();
  /** Of the packet that is leaving: what each capture said to `leaving`. */
  readonly #leaving = new Int32Array(CAPTURES_MAX);
  /** The packet whose story is being told. */
  #story: Packet | undefined;
  /** Packets that came in or began here. */
  #number = 0;
  /** Wire packets of the story's packet that have met a link. */
  #pieces = 0;

  /** @param clockNs monotonic; one clock for all nodes. */
  constructor(dp: Dataplane, scene: UnderlayScene, clockNs: () => number) {
    this.#dp = dp;
    this.#outer = new OuterFrames(dp, scene);
    this.#clockNs = clockNs;
  }

  /** Does anybody listen? */
  get watching(): boolean {
    return this.#list.length > 0;
  }

  /** One that sees nothing yet. */
  create(spec: CaptureSpec, ring: SharedArrayBuffer): Capture {
    return new Capture(this.#dp, spec, ring, this.#clockNs);
  }

  /** From now on it sees packets. False when as many do as may. */
  start(capture: Capture): boolean {
    if (this.#list.length === CAPTURES_MAX) return false;
    this.#list.push(capture);
    this.refresh();
    return true;
  }

  /**
   * Tells what the flight recorder still knows of the last `lastMs`: headers, at the hops that packets came in by.
   *
   * @param nowMs of the clock that packets were recorded by.
   */
  recall(capture: Capture, lastMs: number, nowMs: number): void {
    const dp = this.#dp;
    const nowNs = this.#clockNs();
    const pkt = dp.scratch;
    const frame = this.#frame;
    const { flightRecorder } = dp;
    const records = flightRecorder.last(RECORDS);
    let number = this.#number - records.length; // none that a packet from now on will have
    for (const record of records) {
      number++;
      if (record.timeMs < nowMs - lastMs) continue;
      const hop = this.#recallFrame(record, pkt, frame);
      const timeNs = Math.round(nowNs - (nowMs - record.timeMs) * NS_PER_MS);
      capture.recall(pkt, frame, hop, number, timeNs, record);
    }
  }

  stop(capture: Capture): void {
    const index = this.#list.indexOf(capture);
    if (index >= 0) this.#list.splice(index, 1);
    this.refresh();
  }

  /** Puts itself on every port that is there now, or takes itself off. To be called when ports have changed. */
  refresh(): void {
    const dp = this.#dp;
    const on = this.#list.length > 0;
    dp.recorder = on ? this : dp.flightRecorder;
    for (const [i, port] of dp.pods.entries()) dp.pods[i] = this.#around(port, on);
    dp.host = this.#around(dp.host, on);
    const underlay = dp.underlay instanceof CapturedUnderlay ? dp.underlay.underlay : dp.underlay;
    const linked = underlay instanceof LinkedUnderlay ? underlay : undefined;
    if (linked !== undefined) linked.watcher = on ? this : undefined;
    dp.underlay = on && underlay !== undefined ? new CapturedUnderlay(underlay, linked, this) : underlay;
  }

  begin(pkt: Packet, nowMs: number): void {
    this.#dp.flightRecorder.begin(pkt, nowMs);
    this.#story = pkt;
    this.#pieces = 0;
    this.#number++;
    const frame = this.#frame;
    let hop = pkt.ingress;
    if (wayKind(hop) === Way.None) hop = this.#outer.received(pkt, frame);
    else frame.set(pkt, 0, 0);
    for (let i = 0; i < this.#list.length; i++) this.#list[i]!.begin(pkt, frame, hop, this.#number);
  }

  end(pkt: Packet, outcome: Outcome): void {
    this.#dp.flightRecorder.end(pkt, outcome);
    this.#story = undefined;
    for (let i = 0; i < this.#list.length; i++) this.#list[i]!.end(pkt, outcome);
  }

  /** Around the sending of a packet: before … */
  leavingByPort(pkt: Packet, hop: number): void {
    this.#frame.set(pkt, 0, 0);
    this.#leave(pkt, hop, this.#endsStory(pkt));
  }

  leavingByUnderlay(pkt: Packet, endpoint: number): void {
    this.#leave(pkt, this.#outer.sent(pkt, endpoint, this.#frame), this.#endsStory(pkt));
  }

  /** … and after. */
  left(pkt: Packet, outcome: Outcome): void {
    const inStory = this.#story !== undefined;
    for (let i = 0; i < this.#list.length; i++) this.#list[i]!.left(this.#leaving[i]!, pkt, outcome, inStory);
  }

  /** A wire packet, which may be a piece of the superframe that `pkt` is: the last one's end is the superframe's. */
  metLink(pkt: Packet, endpoint: number, at: number, len: number, outcome: Outcome): void {
    const last = this.#endsStory(pkt) && ++this.#pieces === pkt.segments;
    this.#leave(pkt, this.#outer.sentPiece(pkt, endpoint, at, len, this.#frame), last);
    this.left(pkt, outcome);
  }

  /** Puts a record where a packet would be, as far as its bytes go. */
  #recallFrame(record: FlightRecord, pkt: Packet, frame: HopFrame): number {
    const dp = this.#dp;
    const { ingress, egress, bytes, len, gsoSize } = record;
    pkt.at = dp.scratchAt;
    pkt.len = len;
    dp.arena.bytes.set(bytes, pkt.at);
    pkt.ingress = ingress;
    pkt.egress = egress;
    pkt.gsoSize = gsoSize;
    pkt.checksum = record.partial < 0 ? ChecksumState.Complete : ChecksumState.Partial;
    pkt.partialStart = record.partial >> 16;
    pkt.partialOffset = record.partial & 0xffff;
    pkt.connection = UNTRACKED;
    const kind = wayKind(ingress);
    let hop = ingress;
    if (kind === Way.Pod || kind === Way.Host) {
      frame.set(pkt, 0, 0);
    } else {
      pkt.outerLen = 0;
      pkt.outerTos = 0;
      pkt.outerPort = record.outerPort;
      const from = kind === Way.Tunnel ? dp.endpoints.list[wayIndex(ingress)] : undefined;
      pkt.outerSource.fill(0);
      if (from !== undefined) pkt.outerSource.set(from.address);
      hop = this.#outer.received(pkt, frame);
    }
    frame.available = frame.len - len + bytes.length;
    return hop;
  }

  /** Is its end the story's? An answer is written where the question was, and has an end of its own. */
  #endsStory(pkt: Packet): boolean {
    return this.#story === pkt && pkt.ingress !== 0;
  }

  #leave(pkt: Packet, hop: number, own: boolean): void {
    const inStory = this.#story !== undefined;
    if (!inStory) this.#number++;
    for (let i = 0; i < this.#list.length; i++) {
      this.#leaving[i] = this.#list[i]!.leaving(pkt, this.#frame, hop, this.#number, inStory, own);
    }
  }

  #around(port: Port | undefined, on: boolean): Port | undefined {
    if (port === undefined) return undefined;
    const bare = port instanceof CapturedPort ? port.port : port;
    return on ? new CapturedPort(bare, this) : bare;
  }
}

class CapturedPort implements Port {
  readonly port: Port;
  readonly way: number;
  readonly macHigh: number;
  readonly macLow: number;
  readonly addresses: Int32Array;
  readonly mtu: number;
  readonly #captures: Captures;

  constructor(port: Port, captures: Captures) {
    this.port = port;
    this.way = port.way;
    this.macHigh = port.macHigh;
    this.macLow = port.macLow;
    this.addresses = port.addresses;
    this.mtu = port.mtu;
    this.#captures = captures;
  }

  transmit(pkt: Packet): Outcome {
    this.#captures.leavingByPort(pkt, this.way);
    const outcome = this.port.transmit(pkt);
    this.#captures.left(pkt, outcome);
    return outcome;
  }
}

class CapturedUnderlay implements Underlay {
  readonly underlay: Underlay;
  readonly #linked: LinkedUnderlay | undefined;
  readonly #captures: Captures;

  /** @param linked the same underlay, when it may have links: those tell of each wire packet themselves. */
  constructor(underlay: Underlay, linked: LinkedUnderlay | undefined, captures: Captures) {
    this.underlay = underlay;
    this.#linked = linked;
    this.#captures = captures;
  }

  transmit(pkt: Packet, endpoint: number, nowMs: number): Outcome {
    if (this.#linked?.hasLink(endpoint) === true) return this.underlay.transmit(pkt, endpoint, nowMs);
    this.#captures.leavingByUnderlay(pkt, endpoint);
    const outcome = this.underlay.transmit(pkt, endpoint, nowMs);
    this.#captures.left(pkt, outcome);
    return outcome;
  }

  sourcePort(hash: number): number {
    return this.underlay.sourcePort(hash);
  }
}
