/**
 * Endpoints of `src/stack` and a network between them that loses, doubles, delays and reorders, with a clock of its own.
 * It answers for the next hop, by frames built in `test/support`; a script may play a kernel in an endpoint's place.
 */
import { EventQueue } from '../../src/sim/event-queue.ts';
import { Endpoint } from '../../src/stack/endpoint.ts';
import { VNET_HEADER_LEN } from '../../src/wire/virtio.ts';
import { buildFrame, type FrameSpec, joined, newPacket, writeBytes } from '../support/frames.ts';
import { Random } from '../support/random.ts';
import { type Frame, parseFrame } from '../support/read-frame.ts';

export const NODE_MAC = '02:70:ac:12:00:02';

export interface WireOptions {
  readonly seed?: number;
  readonly mtu?: number;
  readonly delayMs?: number;
  readonly jitterMs?: number;
  /** Once in so many frames; 0 for never. */
  readonly lossOnceIn?: number;
  readonly duplicateOnceIn?: number;
  /** May look at every frame on its way, and take it away. */
  readonly filter?: (frame: Frame, from: string) => boolean;
}

interface Side {
  readonly name: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly receive: (frame: Uint8Array) => void;
}

export interface SentFrame {
  readonly timeMs: number;
  readonly from: string;
  readonly bytes: Uint8Array;
}

export class Wire {
  nowMs = 0;
  /** All frames that anybody has sent, without virtio headers. */
  readonly sent: SentFrame[] = [];
  readonly random: Random;
  readonly #options: WireOptions;
  readonly #events = new EventQueue();
  readonly #sides: Side[] = [];
  readonly #endpoints: Endpoint[] = [];
  readonly #slot = newPacket();

  constructor(options: WireOptions = {}) {
    this.#options = options;
    this.random = new Random(options.seed ?? 1);
  }

  endpoint(name: string, addresses: readonly string[], mtu = this.#options.mtu ?? 1400): Endpoint {
    const mac = macOf(this.#sides.length);
    const endpoint = new Endpoint({
      mac,
      addresses,
      mtu,
      random: () => this.random.word() | 0,
      send: (bytes) => this.#fromSide(name, bytes.subarray(VNET_HEADER_LEN)),
    });
    const receive = (frame: Uint8Array) => endpoint.receive(writeBytes(this.#slot, frame), this.nowMs);
    this.#sides.push({ name, mac, addresses, receive });
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  /** An end that a script plays: what comes to it is collected, in words. */
  script(name: string, addresses: readonly string[]): Script {
    const mac = macOf(this.#sides.length);
    const received: Frame[] = [];
    this.#sides.push({ name, mac, addresses, receive: (frame) => received.push(parseFrame(frame)) });
    const send = (spec: FrameSpec) => {
      this.#fromSide(name, buildFrame({ sourceMac: mac, destinationMac: NODE_MAC, source: addresses[0]!, ...spec }));
    };
    return { received, send, take: () => received.splice(0) };
  }

  /** A frame reaches an endpoint as it is, now. */
  deliver(name: string, frame: Uint8Array): void {
    this.#sides.find((side) => side.name === name)!.receive(frame);
  }

  macOf(name: string): string {
    return this.#sides.find((side) => side.name === name)!.mac;
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const due = Math.max(this.nowMs, Math.min(...this.#endpoints.map(({ nextDueMs }) => nextDueMs)));
      const next = Math.min(due, this.#events.nextMs);
      if (next > untilMs) break;
      this.nowMs = next;
      if (this.#events.nextMs <= next) this.#events.take()();
      else for (const endpoint of this.#endpoints) if (endpoint.nextDueMs <= next) endpoint.wake(next);
    }
    this.nowMs = untilMs;
  }

  /** Lets at most `ms` pass until that is so. @returns whether it is. */
  until(done: () => boolean, ms: number): boolean {
    const endMs = this.nowMs + ms;
    while (!done() && this.nowMs < endMs) this.advance(Math.min(10, endMs - this.nowMs));
    return done();
  }

  /** What has been sent, in words; by one side where that is named. */
  frames(from?: string): Frame[] {
    return this.sent.filter((sent) => from === undefined || sent.from === from).map(({ bytes }) => parseFrame(bytes));
  }

  #fromSide(name: string, frame: Uint8Array): void {
    this.sent.push({ timeMs: this.nowMs, from: name, bytes: frame.slice() });
    const side = this.#sides.find((other) => other.name === name)!;
    const answer = neighbourAnswer(frame, side.mac);
    if (answer !== undefined) {
      const words = parseFrame(frame);
      if (this.#options.filter?.(words, name) ?? true) this.#events.plan(this.nowMs, () => side.receive(answer));
      return;
    }
    this.#carry(name, frame);
  }

  #carry(name: string, frame: Uint8Array): void {
    const { delayMs = 1, jitterMs = 0, lossOnceIn = 0, duplicateOnceIn = 0, filter } = this.#options;
    const words = parseFrame(frame);
    const to = this.#sides.find(({ addresses }) => addresses.includes(words.destination ?? ''));
    if (to === undefined || !(filter?.(words, name) ?? true)) return;
    const copies = duplicateOnceIn > 0 && this.random.once(duplicateOnceIn) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (lossOnceIn > 0 && this.random.once(lossOnceIn)) continue;
      const bytes = joined(mac(to.mac), mac(NODE_MAC), frame.subarray(12));
      this.#events.plan(this.nowMs + delayMs + this.random.below(jitterMs + 1), () => to.receive(bytes));
    }
  }
}

export interface Script {
  readonly received: Frame[];
  readonly send: (spec: FrameSpec) => void;
  /** What has come since the last time. */
  readonly take: () => Frame[];
}

/** The node's answer to ARP for 169.254.1.1 or a solicitation for fe80::1. */
export function neighbourAnswer(frame: Uint8Array, asker: string): Uint8Array | undefined {
  if (frame[12] === 8 && frame[13] === 6) {
    const arp = frame.subarray(14);
    if (arp[7] !== 1) return undefined;
    const reply = [0, 1, 8, 0, 6, 4, 0, 2, ...mac(NODE_MAC), 169, 254, 1, 1, ...arp.subarray(8, 18)];
    return joined(mac(asker), mac(NODE_MAC), [8, 6], reply);
  }
  if (frame[12] !== 0x86 || frame[20] !== 58 || frame[54] !== 135) return undefined;
  const source = parseFrame(frame).source!;
  return buildFrame({
    sourceMac: NODE_MAC,
    destinationMac: asker,
    source: 'fe80::1',
    destination: source,
    protocol: 'icmpv6',
    ttl: 255,
    icmpType: 136,
    identifier: 0xe000,
    icmpSequence: 0,
    payload: joined([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], [2, 1], mac(NODE_MAC)),
  });
}

function macOf(index: number): string {
  return `0a:58:0a:f4:00:0${index + 2}`;
}

function mac(text: string): number[] {
  return text.split(':').map((octet) => Number.parseInt(octet, 16));
}
