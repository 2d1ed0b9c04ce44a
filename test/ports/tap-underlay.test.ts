import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CONTINUE } from '../../src/packet/outcome.ts';
import { Packet } from '../../src/packet/packet.ts';
import type { TapUnderlay } from '../../src/ports/tap-underlay.ts';
import { close } from '../../src/sys/io.ts';
import { buildFrame, type FrameSpec, joined } from '../support/frames.ts';
import { missing } from '../support/requires.ts';
import {
  between,
  kernelArena,
  nodes,
  readAll,
  Sender,
  socketPair,
  tapUnderlay,
  writeMessage,
} from './underlay-ends.ts';

const VIRTIO_LEN = 24;
const OUTER_LEN = 42;
const ACK = 16;
const vxlanHeader = [8, 0, 0, 0, 0, 0, nodes.vni, 0];

/** A message on the wire: virtio's segmentation type and size, and the outer header's words. */
function wireWords(message: Uint8Array) {
  const view = new DataView(message.buffer, message.byteOffset);
  return {
    gso: view.getUint8(1),
    size: view.getUint16(4, true),
    tos: view.getUint8(VIRTIO_LEN + 15),
    port: view.getUint16(VIRTIO_LEN + 34),
    bytes: message.length - VIRTIO_LEN - OUTER_LEN,
  };
}

const finished = new Uint8Array(VIRTIO_LEN);

/** For a row of datagrams of `stride` bytes (linux/virtio_net.h: checksum from 34, UDP's field, VIRTIO_NET_HDR_GSO_UDP_L4). */
function rowHeader(stride: number): Uint8Array {
  const header = new Uint8Array(VIRTIO_LEN);
  const view = new DataView(header.buffer);
  header.set([1, 5]);
  view.setUint16(2, OUTER_LEN, true);
  view.setUint16(4, stride, true);
  view.setUint16(6, 34, true);
  view.setUint16(8, 6, true);
  return header;
}

/** A message that comes from the first node. */
function arriving(header: Uint8Array, inner: readonly FrameSpec[], outer: FrameSpec = {}): Uint8Array {
  const payload = joined(...inner.flatMap((spec) => [vxlanHeader, buildFrame({ ...between, ...spec })]));
  const frame = buildFrame({
    source: nodes.addresses[0],
    destination: nodes.addresses[1],
    protocol: 'udp',
    sourcePort: 50_000,
    destinationPort: 4789,
    checksum: 'none',
    payload,
    ...outer,
  });
  return joined(header, frame);
}

const segment = (i: number, more: FrameSpec = {}): FrameSpec => ({
  flags: ACK,
  id: i,
  sequence: 100 * i,
  payload: 100,
  ...more,
});

describe.skipIf(missing('linux'))('the underlay by a TAP', () => {
  let ends: readonly [number, number];
  let underlay: TapUnderlay;
  const arena = kernelArena();

  beforeEach(() => {
    arena.releaseAll();
    ends = socketPair();
    underlay = tapUnderlay(arena, ends[0]);
  });
  afterEach(() => {
    for (const fd of ends) close(fd);
  });

  /** The words of what has left since. */
  const sent = () => readAll(ends[1]).map(wireWords);

  describe('sends', () => {
    const small: FrameSpec = { protocol: 'udp', payload: 10 };
    const row = { gso: 5, size: 60, tos: 0, port: 49_152 };

    test('a superframe behind what waits of its flow, and before what waits of others', () => {
      const sender = new Sender(arena, underlay);
      readAll(ends[1]);
      for (const source of [0, 1, 0, 1]) sender.send(small, source);
      sender.send({ payload: 3000, gsoSize: 1000 }, 0);
      expect(sent()).toEqual([
        { ...row, bytes: 120 },
        { gso: 1 | 0x20, size: 1000, tos: 0, port: 49_152, bytes: 8 + 54 + 3000 },
      ]);
      underlay.flush();
      expect(sent()).toEqual([{ ...row, port: 51_200, bytes: 120 }]);
    });

    test('a frame too long for a row behind what waits of its flow', () => {
      const sender = new Sender(arena, underlay);
      readAll(ends[1]);
      sender.send(small);
      sender.send({ protocol: 'udp', payload: 33_000 });
      expect(sent().map(({ bytes }) => bytes)).toEqual([60, 50 + 33_000]);
    });

    test('frames of another ECN mark apart', () => {
      const sender = new Sender(arena, underlay);
      readAll(ends[1]);
      for (const tos of [0, 0, 2, 2, 3]) sender.send({ ...small, tos });
      underlay.flush();
      expect(sent()).toEqual([
        { ...row, bytes: 120 },
        { ...row, tos: 2, bytes: 120 },
        { gso: 0, size: 0, tos: 3, port: 49_152, bytes: 60 },
      ]);
    });
  });

  describe('receives', () => {
    const pkts = Array.from({ length: 8 }, () => new Packet(arena));

    /** Segments, outer TOS, port and sender's last octet of each packet; the reader knows that frames come in runs. */
    function received(...messages: readonly Uint8Array[]): number[][] {
      const warm = [0, 1, 2].map((i) => arriving(finished, [segment(i)]));
      for (const message of [...warm, ...messages]) writeMessage(ends[1], message);
      for (const _ of [1, 2]) underlay.receive(pkts[0]!, true);
      const out: number[][] = [];
      for (const pkt of pkts) {
        pkt.outerLen = 99;
        if (underlay.receive(pkt, true) !== 1) break;
        const segments = pkt.gsoSize === 0 ? 1 : Math.ceil((pkt.len - 62) / pkt.gsoSize);
        out.push([segments, pkt.outerTos, pkt.outerPort, pkt.outerSource[3]! & 255]);
      }
      return out;
    }

    test('segments of one flow as one packet', () => {
      const got = received(...[7, 8, 9].map((i) => arriving(finished, [segment(i)], { tos: 2 })));
      expect(got).toEqual([[3, 2, 50_000, 1]]);
    });

    test.each<[string, FrameSpec, number[][]]>([
      [
        'TOS',
        { tos: 3 },
        [
          [2, 0, 50_000, 1],
          [2, 3, 50_000, 1],
        ],
      ],
      [
        'port',
        { sourcePort: 50_001 },
        [
          [2, 0, 50_000, 1],
          [2, 0, 50_001, 1],
        ],
      ],
      [
        'sender',
        { source: '10.9.0.3' },
        [
          [2, 0, 50_000, 1],
          [2, 0, 50_000, 3],
        ],
      ],
    ])('those with another outer %s as another packet', (_, outer, want) => {
      const messages = [7, 8, 9, 10].map((i) => arriving(finished, [segment(i)], i < 9 ? {} : outer));
      expect(received(...messages)).toEqual(want);
    });

    test('a row with the outer header’s words on each of its packets, whatever came before', () => {
      const inner = [segment(7), segment(8), segment(20), segment(30)];
      const row = arriving(rowHeader(8 + 54 + 100), inner, { source: '10.9.0.3', tos: 3, sourcePort: 50_002 });
      const before = [4, 5].map((i) => arriving(finished, [segment(i)]));
      const after = arriving(finished, [segment(31)], { tos: 1 });
      expect(received(...before, row, after)).toEqual([
        [2, 0, 50_000, 1],
        [2, 3, 50_002, 3],
        [1, 3, 50_002, 3],
        [1, 3, 50_002, 3],
        [1, 1, 50_000, 1],
      ]);
      expect(pkts.slice(0, 5).map(({ outerLen }) => outerLen > 0)).toEqual([false, false, false, false, true]);
    });
  });

  test('what cannot be sent is a drop with its errno', () => {
    const sender = new Sender(arena, underlay);
    readAll(ends[1]);
    close(ends[1]);
    expect(sender.send({ payload: 3000, gsoSize: 1000 })).not.toBe(CONTINUE);
    expect([underlay.lastErrno, underlay.counters.snapshot().sendFailures]).toEqual([32, 1]);
  });
});
