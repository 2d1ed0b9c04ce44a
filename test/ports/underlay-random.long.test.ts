/**
 * Random frames of a pod through merging, tunnel, wire and merging again: cut as a kernel cuts, they are what the pod
 * sent, byte for byte, and in each flow's order.
 */
import { describe, expect, test } from 'vitest';
import type { Arena } from '../../src/packet/arena.ts';
import { CONTINUE } from '../../src/packet/outcome.ts';
import { ChecksumState, Packet } from '../../src/packet/packet.ts';
import { validate } from '../../src/packet/validate.ts';
import { type FrameSource, MergingReader } from '../../src/ports/merging-reader.ts';
import { UdpUnderlay } from '../../src/ports/udp-underlay.ts';
import type { UnderlayPort } from '../../src/ports/underlay.ts';
import { close } from '../../src/sys/io.ts';
import { Netlink } from '../../src/sys/netlink.ts';
import { fixFrame, layoutOf, slowSegments } from '../oracle/slow-segmenter.ts';
import { type FrameSpec, frameBytes, joined, newPacket, payloadBytes, writeFrame } from '../support/frames.ts';
import { type Random, withRandom } from '../support/random.ts';
import { randomSpec } from '../support/random-frames.ts';
import { missing } from '../support/requires.ts';
import { inNewNetwork } from '../sys/in-new-network.ts';
import {
  activity,
  between,
  encapsulate,
  innerFrame,
  kernelArena,
  readAll,
  socketPair,
  tapUnderlay,
  writeMessage,
} from './underlay-ends.ts';

const ACK = 0x10;
const VIRTIO_LEN = 24;
const OUTER_LEN = 42;
const VXLAN_LEN = 8;
const POD_IP_MAX = 61_600;
const FRAMES = 60;
const ROUNDS = 40;

/** A TCP or UDP sender: what it sends in order, now and then something else. */
class Flow {
  readonly #spec: FrameSpec;
  readonly #idStep: number;
  #sequence: number;
  #id: number;

  constructor(random: Random) {
    const protocol = random.pick(['tcp', 'udp'] as const);
    const spec = randomSpec(random, protocol, random.pick([4, 6] as const));
    const dontFragment = !random.once(3);
    const payload = random.pick([1, 22, 100, 1000]);
    const checksum = random.pick(['partial', 'unverified'] as const);
    const flags = random.once(3) ? ACK | random.pick([1, 8, 0x40, 0x80, random.below(256)]) : ACK;
    const plain = { ipOptions: [], extensions: [], tcpOptions: random.once(2) ? spec.tcpOptions! : [] };
    this.#spec = {
      ...spec,
      ...between,
      ...plain,
      dontFragment,
      payload,
      checksum,
      flags,
    };
    this.#idStep = random.pick([0, 1, 1, 2]);
    this.#sequence = random.once(4) ? 2 ** 32 - 300 : random.word();
    this.#id = random.once(4) ? 65_530 : random.below(65_536);
  }

  next(random: Random): FrameSpec {
    const spec = { ...this.#spec, ...this.#odd(random), sequence: this.#sequence, id: this.#id };
    if (random.once(15)) spec.sequence = random.word();
    if (random.once(15)) spec.id = random.below(65_536);
    const payload = random.bytes(payloadBytes(spec.payload).length);
    this.#sequence = (this.#sequence + payload.length) % 2 ** 32;
    const segments = spec.gsoSize === undefined ? 1 : Math.ceil(payload.length / spec.gsoSize);
    this.#id = (this.#id + this.#idStep * segments) % 65_536;
    return { ...spec, payload };
  }

  #odd(random: Random): FrameSpec {
    if (!random.once(5)) return {};
    const size = Number(this.#spec.payload);
    const changes: readonly FrameSpec[] = [
      { flags: ACK | 8 },
      { flags: ACK | random.pick([1, 2, 4, 8, 32, 64, 128]) },
      { flags: random.below(256) },
      { tos: random.below(256) },
      { ttl: random.between(2, 255) },
      { acknowledgment: random.word() },
      { window: random.below(65_536) },
      { urgent: random.below(65_536) },
      { flowLabel: random.below(1 << 20) },
      { dontFragment: random.once(2) },
      { payload: random.below(size + 1) },
      { payload: size + random.below(50) },
      { tcpOptions: [random.pick([1, 30]), 4, random.below(256), random.below(256)] },
      { tcpOptions: [...random.bytes(this.#spec.tcpOptions!.length)] },
      { checksum: random.pick(['partial', 'unverified', 'none'] as const) },
      { ipOptions: [1, 1, 1, 1] },
      { extensions: [{ type: 60, body: [1, 4, 0, 0, 0, 0] }] },
      { padding: random.between(1, 10) },
      { payload: size * 4 + random.below(size), gsoSize: size, checksum: 'partial' },
      { payload: size, gsoSize: Math.ceil(size / 2), checksum: 'partial' },
      // To the checksum of an IPv4 header the one makes up for the other.
      { dontFragment: !this.#spec.dontFragment, ttl: (this.#spec.ttl! + (this.#spec.dontFragment ? 64 : 192)) & 255 },
    ];
    return random.pick(changes);
  }
}

const scratch = newPacket();

/** Frames that a node does not drop: what it does with the others is no matter here. */
function passes(spec: FrameSpec): boolean {
  return validate(writeFrame(scratch, spec)) === CONTINUE;
}

function randomFrames(random: Random): FrameSpec[] {
  const flows = Array.from({ length: random.between(1, 3) }, () => new Flow(random));
  let flow = flows[0]!;
  return Array.from({ length: FRAMES }, () => {
    if (random.once(6)) flow = random.pick(flows);
    return flow.next(random);
  }).filter(passes);
}

/** Brings a pod's frames one by one. */
class Pod implements FrameSource {
  readonly #arena: Arena;
  readonly #frames: readonly FrameSpec[];
  #next = 0;

  constructor(arena: Arena, frames: readonly FrameSpec[]) {
    this.#arena = arena;
    this.#frames = frames;
  }

  readFrame(pkt: Packet, at: number): number {
    const spec = this.#frames[this.#next++];
    if (spec === undefined) return 0;
    const { len, checksum, gsoSize, partialStart, partialOffset } = writeFrame(scratch, spec);
    this.#arena.bytes.set(frameBytes(scratch), at);
    Object.assign(pkt, { at, len, checksum, gsoSize, partialStart, partialOffset });
    return 1;
  }

  mayFollow(): boolean {
    return true;
  }
}

/** Addresses, protocol and ports. */
function flowOf(frame: Uint8Array): string {
  const { ipv6, l4, protocol } = layoutOf(frame);
  const addresses = ipv6 ? frame.subarray(22, 54) : frame.subarray(26, 34);
  return Buffer.from(joined(addresses, [protocol], frame.subarray(l4, l4 + 4))).toString('hex');
}

function hashOf(flow: string): number {
  let hash = 0;
  for (const char of flow) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) | 0;
  return hash & 0x7fff_ffff;
}

/** The wire packets that a packet is, finished. */
function wirePackets(frame: Uint8Array, gsoSize: number, checksum: number): Uint8Array[] {
  return gsoSize > 0 || checksum === ChecksumState.Partial ? slowSegments(frame, gsoSize) : [frame];
}

/** Wire packets of each flow, in order, as text. */
class Flows {
  readonly #byFlow = new Map<string, Uint8Array[]>();

  add(frame: Uint8Array, gsoSize: number, checksum: number): void {
    const packets = wirePackets(frame, gsoSize, checksum);
    const flow = flowOf(frame);
    const list = this.#byFlow.get(flow) ?? [];
    this.#byFlow.set(flow, list);
    list.push(...packets);
  }

  /** Ids that do not count, of packets that nobody may fragment, mean nothing (RFC 6864 section 4.1): `of` has them. */
  words(of: Flows): Record<string, string[]> {
    return Object.fromEntries(
      [...this.#byFlow].map(([flow, packets]) => {
        const given = of.#byFlow.get(flow) ?? [];
        return [flow, packets.map((packet, i) => text(packet, repeatsId(given, i)))];
      }),
    );
  }
}

function repeatsId(packets: readonly Uint8Array[], i: number): boolean {
  const id = (packet: Uint8Array | undefined) =>
    packet !== undefined && packet[12] === 8 && (packet[20]! & 0x40) !== 0 ? (packet[18]! << 8) | packet[19]! : -1;
  const own = id(packets[i]);
  return own >= 0 && (own === id(packets[i - 1]) || own === id(packets[i + 1]));
}

function text(packet: Uint8Array, withoutId: boolean): string {
  const copy = packet.slice();
  if (withoutId) for (const at of [18, 19, 24, 25]) copy[at] = 0;
  return Buffer.from(copy).toString('hex');
}

/** From the pod into the tunnel: tells how many packets the frames were. `turn` ends a turn of the loop. */
function sendAll(arena: Arena, reader: MergingReader, underlay: UnderlayPort, pod: Pod, turn: () => void): number {
  const pkt = new Packet(arena);
  let packets = 0;
  for (; reader.receive(pod, pkt, true) === 1; packets++) {
    const hash = hashOf(flowOf(arena.bytes.subarray(pkt.at, pkt.at + pkt.len)));
    expect(encapsulate(pkt, hash)).toBe(true);
    expect(underlay.transmit(pkt, 1, 0)).toBe(CONTINUE);
    if (packets % 20 === 19) turn();
  }
  turn();
  turn(); // with nothing in it: the next round begins as a pod that was idle does
  return packets;
}

/** What came out of the tunnel. */
function receiveAll(arena: Arena, underlay: UnderlayPort, into: Flows): void {
  const pkt = new Packet(arena);
  while (underlay.receive(pkt, true) === 1) into.add(innerFrame(pkt), pkt.gsoSize, pkt.checksum);
}

/** A message to a TAP as the wire packets that a kernel makes of it (tun_get_user, skb_segment), still messages. */
function cutMessage(message: Uint8Array): Uint8Array[] {
  const header = new DataView(message.buffer, message.byteOffset, VIRTIO_LEN);
  const type = header.getUint8(1) & 0x7f;
  const [size, start, field] = [4, 6, 8].map((at) => header.getUint16(at, true)) as [number, number, number];
  const frame = message.subarray(VIRTIO_LEN);
  if (type === 0) {
    expect(header.getUint8(0)).toBe(0); // nothing is left unfinished
    return [message];
  }
  const row = type === 5;
  const packet = row ? frame : frame.subarray(OUTER_LEN + VXLAN_LEN);
  const { l4, protocol } = layoutOf(packet);
  expect([start + field, type & 0x20]).toEqual([
    frame.length - packet.length + l4 + (protocol === 6 ? 16 : 6),
    row ? 0 : 0x20,
  ]);
  if (row) return slowSegments(frame, size).map(finishedMessage);
  return slowSegments(packet, size).map((segment) => {
    const outer = joined(frame.subarray(0, OUTER_LEN + VXLAN_LEN), segment);
    fixFrame(outer);
    return finishedMessage(outer);
  });
}

function finishedMessage(frame: Uint8Array): Uint8Array {
  return joined(new Uint8Array(VIRTIO_LEN), frame);
}

/** Rounds of frames. `through` brings them from end to end, and tells how many packets they were in the tunnel. */
function expectSame(
  random: Random,
  rounds: number,
  through: (frames: readonly FrameSpec[], out: Flows) => number,
): void {
  let sent = 0;
  let packets = 0;
  for (let round = 0; round < rounds; round++) {
    const frames = randomFrames(random);
    const given = new Flows();
    for (const spec of frames) {
      const { gsoSize, checksum } = writeFrame(scratch, { ...spec, padding: 0 });
      given.add(frameBytes(scratch), gsoSize, checksum);
    }
    const out = new Flows();
    packets += through(frames, out);
    expect(out.words(given)).toEqual(given.words(given));
    sent += frames.length;
  }
  // What is not merged proves nothing.
  expect(packets).toBeLessThan(sent * 0.7);
}

describe.skipIf(missing('linux'))('by a TAP', () => {
  test.each([
    ['as it is', false],
    ['cut on the way', true],
  ])('%s', (_, cuts) => {
    withRandom((random) => {
      const arena = kernelArena();
      const [first, second] = [socketPair(), socketPair()];
      const a = tapUnderlay(arena, first[0]);
      const b = tapUnderlay(arena, second[0]);
      const reader = new MergingReader(arena, 0, POD_IP_MAX, true);
      expectSame(random, ROUNDS, (frames, out) => {
        return sendAll(arena, reader, a, new Pod(arena, frames), () => {
          a.flush();
          for (const message of readAll(first[1])) {
            for (const each of cuts ? cutMessage(message) : [message]) writeMessage(second[1], each);
          }
          receiveAll(arena, b, out);
        });
      });
      for (const fd of [...first, ...second]) close(fd);
    });
  });
});

const lacks = missing('linux', 'root');

describe.skipIf(lacks)(`by UDP sockets${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test.each([
    ['which the kernel cuts and joins', true],
    ['packet by packet', false],
  ])('%s', (_, offload) => {
    withRandom((random) => {
      const arena = kernelArena();
      const [a, b] = udpUnderlays(arena, random, offload);
      const reader = new MergingReader(arena, 0, POD_IP_MAX, true);
      expectSame(random, ROUNDS, (frames, out) => {
        return sendAll(arena, reader, a, new Pod(arena, frames), () => {
          a.flush();
          receiveAll(arena, b, out);
        });
      });
      a.close();
      b.close();
    });
  });
});

/** On a loopback of their own. */
function udpUnderlays(arena: Arena, random: Random, offload: boolean): readonly [UdpUnderlay, UdpUnderlay] {
  const lost = () => {
    throw new Error('a row was lost');
  };
  const plain = { arena, offload, random: () => random.word(), merging: true, rows: true, lost, activity };
  const addresses = ['127.0.0.1', '127.0.0.2'] as const;
  return inNewNetwork(() => {
    const netlink = new Netlink();
    netlink.setLink(netlink.link('lo').index, { up: true });
    netlink.close();
    const a = new UdpUnderlay({ ...plain, address: addresses[0] });
    a.setEndpoints(addresses);
    return [a, new UdpUnderlay({ ...plain, address: addresses[1] })];
  });
}
