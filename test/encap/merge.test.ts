import { describe, expect, test } from 'vitest';
import { Merger } from '../../src/encap/merge.ts';
import { Arena } from '../../src/packet/arena.ts';
import { Packet } from '../../src/packet/packet.ts';
import { slowChecksum } from '../oracle/slow-checksum.ts';
import { isPlainSegment } from '../oracle/slow-gro.ts';
import { fixFrame, slowSegments } from '../oracle/slow-segmenter.ts';
import { buildFrame, type FrameSpec, joined } from '../support/frames.ts';
import { expectSound, merge } from '../support/merging.ts';
import { withRandom } from '../support/random.ts';
import { randomSpec, withZeroChecksum } from '../support/random-frames.ts';

const ACK = 0x10;
const vxlanHeader = [8, 0, 0, 0, 0, 0, 77, 0];
const datagramOf = (spec: FrameSpec, header = vxlanHeader) =>
  joined(header, buildFrame({ checksum: 'complete', ...spec }));
const v6 = { source: 'fd00::1', destination: 'fd00::2', flowLabel: 5 };

/** Four segments of 100 bytes that follow each other. */
function segments(common: FrameSpec = {}): FrameSpec[] {
  return [0, 1, 2, 3].map((i) => ({ id: 500 + i, sequence: 1000 + 100 * i, flags: ACK, payload: 100, ...common }));
}

function sizesOf(specs: readonly FrameSpec[]): number[] {
  const datagrams = specs.map((spec) => datagramOf(spec));
  return expectSound(merge(datagrams), datagrams);
}

describe('a superframe, cut and merged, is the same superframe', () => {
  test.each([
    ['IPv4', 4],
    ['IPv6', 6],
  ] as const)('%s', (_, version) => {
    withRandom((random) => {
      for (let round = 0; round < 15; round++) {
        const gsoSize = random.pick([1, 7, 100, 1397, 1398, 1448]);
        const spec: FrameSpec = {
          ...randomSpec(random, 'tcp', version),
          ipOptions: [],
          extensions: [],
          flags: random.pick([ACK, ACK | 8, ACK | 0x40, ACK | 0x48]),
          payload: random.bytes(gsoSize + random.between(1, Math.min(gsoSize * 40, 9000))),
          gsoSize,
        };
        const frame = buildFrame(spec);
        const datagrams = slowSegments(frame, gsoSize).map((segment) => joined(vxlanHeader, segment));
        const out = merge(datagrams);
        expect(out.length).toBe(1);
        expect(out[0]!.gsoSize).toBe(gsoSize);
        expect(Buffer.compare(out[0]!.bytes, joined(vxlanHeader, frame))).toBe(0);
        expect(expectSound(out, datagrams)).toEqual([datagrams.length]);
      }
    });
  });
});

/** What is odd about the third of four segments, all else as it should be. */
const oddThird: readonly { name: string; common?: FrameSpec; odd: FrameSpec; want?: number[] }[] = [
  { name: 'acknowledgment', odd: { acknowledgment: 2001 } },
  { name: 'window', odd: { window: 503 } },
  { name: 'urgent pointer', odd: { urgent: 1 } },
  { name: 'source port', odd: { sourcePort: 40_001 } },
  { name: 'destination port', odd: { destinationPort: 8081 } },
  { name: 'source address', odd: { source: '10.1.0.3' } },
  { name: 'destination address', odd: { destination: '10.1.1.4' } },
  { name: 'TTL', odd: { ttl: 63 } },
  { name: 'DSCP', odd: { tos: 4 } },
  { name: 'ECN', odd: { tos: 1 } },
  { name: 'DF', odd: { dontFragment: false } },
  { name: 'source MAC', odd: { sourceMac: '02:00:00:00:00:09' } },
  { name: 'destination MAC', odd: { destinationMac: '02:00:00:00:00:09' } },
  { name: 'sequence number, a gap', odd: { sequence: 1201 } },
  { name: 'sequence number, an overlap', odd: { sequence: 1199 } },
  { name: 'sequence number, a repetition', odd: { sequence: 1100 } },
  { name: 'sequence number, 2^31 away', odd: { sequence: 1200 + 2 ** 31 } },
  { name: 'IPv4 id, a gap', odd: { id: 600 } },
  { name: 'IPv4 id, a gap without DF', common: { dontFragment: false }, odd: { id: 600 } },
  { name: 'option', common: { tcpOptions: [1, 1, 8, 10, 0, 0, 0, 1] }, odd: { tcpOptions: [1, 1, 8, 10, 0, 0, 0, 2] } },
  { name: 'length of options', odd: { tcpOptions: [1, 1, 1, 1], payload: 96 }, want: [2, 1, 1] },
  { name: 'SYN', odd: { flags: ACK | 2 } },
  { name: 'RST', odd: { flags: ACK | 4 } },
  { name: 'URG', odd: { flags: ACK | 32 } },
  { name: 'ECE', odd: { flags: ACK | 64 } },
  { name: 'CWR', odd: { flags: ACK | 128 } },
  { name: 'FIN', odd: { flags: ACK | 1 } },
  { name: 'no ACK', odd: { flags: 0 } },
  { name: 'PSH, which ends a run', odd: { flags: ACK | 8 }, want: [3, 1] },
  { name: 'padding of the Ethernet', odd: { payload: 60, padding: 40 } },
  { name: 'protocol', odd: { protocol: 'udp', payload: 112 } },
  { name: 'fragment', odd: { moreFragments: true } },
  { name: 'IPv4 options', odd: { ipOptions: [1, 1, 1, 1], payload: 96 } },
  { name: 'no payload', odd: { payload: 0, padding: 100 } },
  { name: 'type', odd: { etherType: 0x88cc } },
  { name: 'IPv6 source', common: v6, odd: { source: 'fd00::3' } },
  { name: 'IPv6 destination', common: v6, odd: { destination: 'fd00:0:8000::2' } },
  { name: 'hop limit', common: v6, odd: { ttl: 63 } },
  { name: 'flow label', common: v6, odd: { flowLabel: 4 } },
  { name: 'traffic class', common: v6, odd: { tos: 3 } },
  { name: 'extension header', common: v6, odd: { extensions: [{ type: 60, body: [] }], payload: 92 } },
  { name: 'IPv6 padding', common: v6, odd: { payload: 60, padding: 40 } },
];

describe('the third of four segments is odd: the first two are merged, the odd one is not', () => {
  for (const { name, common = {}, odd, want = [2, 1, 1] } of oddThird) {
    test(name, () => {
      const specs = segments(common);
      specs[2] = { ...specs[2], ...odd };
      expect(sizesOf(specs)).toEqual(want);
    });
  }

  const flips: readonly [name: string, common: FrameSpec, at: number][] = [
    ['a wrong bit in the TCP header', {}, 8 + 34 + 15],
    ['a wrong bit in the payload', {}, 8 + 54 + 99],
    ['a wrong bit in the TCP checksum', {}, 8 + 34 + 17],
    ['a wrong bit in the IPv4 checksum', {}, 8 + 14 + 11],
    ['a wrong bit in the IPv4 id', {}, 8 + 14 + 5],
    ['a wrong bit in the IPv6 TCP checksum', v6, 8 + 54 + 17],
    ['another VNI', {}, 6],
    ['another VXLAN flag', {}, 0],
    ['an IPv4 total length that is too short', {}, 8 + 17],
  ];
  for (const [name, common, at] of flips) {
    test(name, () => {
      const datagrams = segments(common).map((spec) => datagramOf(spec));
      datagrams[2]![at]! ^= 1;
      expect(expectSound(merge(datagrams), datagrams)).toEqual([2, 1, 1]);
    });
  }

  test('a reserved TCP bit, or a TCP header of 16 bytes, with the right checksum', () => {
    for (const offset of [0x51, 0x58, 0x40]) {
      const datagrams = segments().map((spec) => datagramOf(spec));
      datagrams[2]![8 + 34 + 12] = offset;
      fixFrame(datagrams[2]!.subarray(8));
      expect(expectSound(merge(datagrams), datagrams)).toEqual([2, 1, 1]);
    }
  });
});

test('an IP length that is too short, beside a TCP checksum that is right for the longer one', () => {
  for (const common of [{}, v6]) {
    const datagrams = segments(common).map((spec) => datagramOf(spec));
    const third = datagrams[2]!;
    if (common === v6) third[8 + 19]! -= 1;
    else {
      third[8 + 17]! -= 1;
      third.set([0, 0], 8 + 24);
      const checksum = slowChecksum(third.subarray(8 + 14, 8 + 34));
      third.set([checksum >> 8, checksum & 255], 8 + 24);
    }
    expect(expectSound(merge(datagrams), datagrams)).toEqual([2, 1, 1]);
  }
});

describe('the first of four segments is odd', () => {
  const rows: readonly { name: string; odd: FrameSpec; want: number[] }[] = [
    { name: 'SYN', odd: { flags: ACK | 2 }, want: [1, 3] },
    { name: 'FIN', odd: { flags: ACK | 1 }, want: [1, 3] },
    { name: 'RST', odd: { flags: ACK | 4 }, want: [1, 3] },
    { name: 'PSH', odd: { flags: ACK | 8 }, want: [1, 3] },
    { name: 'URG', odd: { flags: ACK | 32 }, want: [1, 3] },
    { name: 'CWR', odd: { flags: ACK | 128 }, want: [1, 3] },
    { name: 'UDP', odd: { protocol: 'udp', payload: 112 }, want: [1, 3] },
    { name: 'IPv6 of the same length', odd: { ...v6, payload: 80 }, want: [1, 3] },
  ];
  for (const { name, odd, want } of rows) {
    test(name, () => {
      const specs = segments();
      specs[0] = { ...specs[0], ...odd };
      expect(sizesOf(specs)).toEqual(want);
    });
  }
});

describe('all four segments have it', () => {
  const rows: readonly { name: string; common: FrameSpec; want: number[] }[] = [
    { name: 'nothing odd', common: {}, want: [4] },
    { name: 'IPv6', common: v6, want: [4] },
    { name: 'ECE, as a congested receiver sends it', common: { flags: ACK | 64 }, want: [4] },
    { name: 'timestamps', common: { tcpOptions: [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2] }, want: [4] },
    { name: 'no DF', common: { dontFragment: false }, want: [4] },
    { name: 'more fragments', common: { moreFragments: true }, want: [1, 1, 1, 1] },
    { name: 'one id and DF (RFC 6864)', common: { id: 7 }, want: [4] },
    { name: 'one id and no DF', common: { dontFragment: false, id: 0 }, want: [1, 1, 1, 1] },
    { name: 'SYN', common: { flags: 2 }, want: [1, 1, 1, 1] },
    { name: 'SYN and ACK', common: { flags: ACK | 2 }, want: [1, 1, 1, 1] },
    { name: 'FIN', common: { flags: ACK | 1 }, want: [1, 1, 1, 1] },
    { name: 'RST', common: { flags: 4 }, want: [1, 1, 1, 1] },
    { name: 'PSH', common: { flags: ACK | 8 }, want: [1, 1, 1, 1] },
    { name: 'URG', common: { flags: ACK | 32, urgent: 7 }, want: [1, 1, 1, 1] },
    { name: 'CWR', common: { flags: ACK | 128 }, want: [1, 1, 1, 1] },
    { name: 'no flags', common: { flags: 0 }, want: [1, 1, 1, 1] },
    { name: 'no payload', common: { payload: 0 }, want: [1, 1, 1, 1] },
    { name: 'one sequence number', common: { sequence: 5 }, want: [1, 1, 1, 1] },
    { name: 'IPv4 options', common: { ipOptions: [1] }, want: [1, 1, 1, 1] },
    { name: 'IPv6 extension headers', common: { ...v6, extensions: [{ type: 60, body: [] }] }, want: [1, 1, 1, 1] },
    { name: 'UDP', common: { protocol: 'udp' }, want: [4] },
    { name: 'UDP over IPv6', common: { ...v6, protocol: 'udp' }, want: [4] },
    { name: 'UDP without a checksum', common: { protocol: 'udp', checksum: 'none' }, want: [1, 1, 1, 1] },
    { name: 'UDP without payload', common: { protocol: 'udp', payload: 0 }, want: [1, 1, 1, 1] },
    { name: 'padding', common: { padding: 6 }, want: [1, 1, 1, 1] },
    { name: 'a VLAN tag', common: { etherType: 0x8100 }, want: [1, 1, 1, 1] },
  ];
  for (const { name, common, want } of rows) test(name, () => expect(sizesOf(segments(common))).toEqual(want));
});

test('sequence numbers and ids that wrap are consecutive', () => {
  const specs = segments().map((spec, i) => ({
    ...spec,
    id: (65_534 + i) % 65_536,
    sequence: (2 ** 32 - 150 + 100 * i) % 2 ** 32,
  }));
  expect(sizesOf(specs)).toEqual([4]);
});

test('ids either count up or stay, not both in one run', () => {
  const withIds = (...ids: number[]) => sizesOf(segments().map((spec, i) => ({ ...spec, id: ids[i]! })));
  expect(withIds(7, 7, 8, 9)).toEqual([2, 2]);
  expect(withIds(7, 8, 8, 8)).toEqual([2, 2]);
  expect(withIds(7, 8, 9, 7)).toEqual([3, 1]);
  expect(withIds(7, 9, 10, 11)).toEqual([1, 3]);
});

test('the last segment may be shorter, and may push', () => {
  const specs = segments();
  specs[3] = { ...specs[3], payload: 1, flags: ACK | 8 };
  expect(sizesOf(specs)).toEqual([4]);
});

test('segments in another order are left in it', () => {
  const [a, b, c, d] = segments() as [FrameSpec, FrameSpec, FrameSpec, FrameSpec];
  expect(sizesOf([a, c, b, d])).toEqual([1, 1, 1, 1]);
  expect(sizesOf([d, c, b, a])).toEqual([1, 1, 1, 1]);
  expect(sizesOf([c, d, a, b])).toEqual([2, 2]);
});

test('two flows side by side', () => {
  const a = segments();
  const b = segments({ sourcePort: 999 });
  expect(sizesOf([a[0]!, a[1]!, b[0]!, b[1]!, a[2]!, a[3]!])).toEqual([2, 2, 2]);
  expect(sizesOf([a[0]!, b[0]!, a[1]!, b[1]!])).toEqual([1, 1, 1, 1]);
});

test('a superframe ends before its IP packet would be longer than 65,535 bytes', () => {
  const many = (count: number, payload: number) =>
    Array.from({ length: count }, (_, i) => ({ id: i, sequence: i * payload, flags: ACK, payload }));
  expect(sizesOf(many(50, 1400))).toEqual([46, 4]);
  // 20 + 20 + 5 * 13,099 is 65,535 exactly.
  expect(sizesOf(many(6, 13_099))).toEqual([5, 1]);
  expect(sizesOf(many(6, 13_100))).toEqual([4, 2]);
  // 65,536 is one too many.
  expect(sizesOf(many(4, 16_374))).toEqual([3, 1]);
});

test('a stride longer than what was received: one datagram, as it is', () => {
  const datagram = datagramOf(segments()[0]!);
  expect(expectSound(merge([datagram], 65_507), [datagram])).toEqual([1]);
});

test('without merging, datagrams are handed out one by one', () => {
  const arena = new Arena(65_536);
  const merger = new Merger(arena);
  const pkt = new Packet(arena);
  const datagrams = segments().map((spec) => datagramOf(spec));
  arena.bytes.set(joined(...datagrams), 1000);
  const { length } = datagrams[0]!;
  merger.begin(1000, 4 * length, length);
  for (let i = 0; i < 4; i++) {
    expect(merger.next(pkt, false)).toBe(true);
    expect([pkt.at, pkt.len, pkt.gsoSize]).toEqual([1000 + i * length, length, 0]);
  }
  expect(merger.next(pkt, false)).toBe(false);
});

test('nothing received, nothing yielded', () => {
  const merger = new Merger(new Arena(1));
  merger.begin(64, 0, 0);
  expect(merger.next(new Packet(new Arena(1)))).toBe(false);
});

test('garbage, datagrams cut short, and datagrams of a few bytes pass as they are', () => {
  withRandom((random) => {
    for (let round = 0; round < 300; round++) {
      const stride = random.pick([1, 7, 8, 21, 22, 23, 41, 42, 61, 62, 63, 82, 83, 150]);
      const good = segments(random.once(2) ? v6 : {}).map((spec) => datagramOf(spec).subarray(0, stride));
      const datagrams = good.map((datagram) => (random.once(3) ? random.bytes(datagram.length) : datagram));
      datagrams[3] = datagrams[3]!.subarray(0, random.between(1, datagrams[3]!.length));
      expect(datagrams.some(isPlainSegment)).toBe(false);
      expect(expectSound(merge(datagrams), datagrams)).toEqual([1, 1, 1, 1]);
    }
  });
});

describe('packets of one UDP flow', () => {
  const packets = (count: number, common: FrameSpec = {}) =>
    Array.from({ length: count }, (_, i): FrameSpec => ({ protocol: 'udp', id: 7 + i, payload: 22, ...common }));

  test('64 at most: the kernel takes no more', () => expect(sizesOf(packets(70))).toEqual([64, 6]));

  test('of one id with DF, as an unconnected socket sends them', () =>
    expect(sizesOf(packets(5, { id: 0 }))).toEqual([5]));

  test('a superframe, cut and merged, is the same superframe', () => {
    withRandom((random) => {
      for (const version of [4, 6] as const) {
        const spec: FrameSpec = {
          ...randomSpec(random, 'udp', version),
          ipOptions: [],
          extensions: [],
          checksum: 'complete',
          payload: random.bytes(random.between(1001, 60_000 / 64)),
          gsoSize: 1000,
        };
        const frame = buildFrame({ ...spec, payload: random.bytes(3500) });
        const datagrams = slowSegments(frame, 1000).map((segment) => joined(vxlanHeader, segment));
        const out = merge(datagrams);
        expect(expectSound(out, datagrams)).toEqual([4]);
      }
    });
  });

  const odd: readonly { name: string; odd: FrameSpec; want?: number[] }[] = [
    { name: 'source port', odd: { sourcePort: 40_001 } },
    { name: 'destination port', odd: { destinationPort: 54 } },
    { name: 'source address', odd: { source: '10.1.0.3' } },
    { name: 'TTL', odd: { ttl: 63 } },
    { name: 'ECN', odd: { tos: 1 } },
    { name: 'id', odd: { id: 600 } },
    { name: 'no checksum', odd: { checksum: 'none' } },
    { name: 'shorter, which ends a run', odd: { payload: 20, padding: 0 }, want: [3, 1] },
  ];
  for (const { name, odd: third, want = [2, 1, 1] } of odd) {
    test(`the third has another ${name}`, () => {
      const specs = packets(4);
      specs[2] = { ...specs[2], ...third };
      if (want.length === 2) specs.length = 3;
      expect(sizesOf(specs)).toEqual(want.length === 2 ? [3] : want);
    });
  }

  test('without a checksum are left alone, also where the sum would be right by chance', () => {
    for (const common of [{}, v6]) {
      const plain = packets(4, common).map((spec) => withZeroChecksum(spec));
      const bare = plain.map((spec): FrameSpec => ({ ...spec, checksum: 'none' }));
      expect(sizesOf(plain)).toEqual([4]);
      expect(sizesOf(bare)).toEqual([1, 1, 1, 1]);
      expect(sizesOf([plain[0]!, plain[1]!, bare[2]!, plain[3]!])).toEqual([2, 1, 1]);
    }
  });

  test('a wrong bit in the third one', () => {
    for (const at of [8 + 34 + 7, 8 + 42 + 21]) {
      const datagrams = packets(4).map((spec) => datagramOf(spec));
      datagrams[2]![at]! ^= 1;
      expect(expectSound(merge(datagrams), datagrams)).toEqual([2, 1, 1]);
    }
  });

  test('the third ends before its IP packet', () => {
    const datagrams = packets(4).map((spec) => datagramOf(spec));
    const inner = datagrams[2]!.subarray(8);
    const field = new DataView(inner.buffer, inner.byteOffset + 34);
    const pseudo = (length: number) => 17 + length;
    field.setUint16(4, 8 + 12);
    const payload = inner.subarray(42, 42 + 12);
    field.setUint16(6, 0);
    field.setUint16(
      6,
      slowChecksum(joined(inner.subarray(26, 34), [0, 0], [0, pseudo(20)], inner.subarray(34, 42), payload)),
    );
    expect(expectSound(merge(datagrams), datagrams)).toEqual([2, 1, 1]);
  });
});
