import { describe, expect, test } from 'vitest';
import { CUT_SEGMENTS_MAX, Cutter } from '../../src/encap/cut.ts';
import { Arena } from '../../src/packet/arena.ts';
import { CONTINUE } from '../../src/packet/outcome.ts';
import { validate } from '../../src/packet/validate.ts';
import { layoutOf, slowSegments } from '../oracle/slow-segmenter.ts';
import { cutSegments } from '../support/cut-segments.ts';
import { buildFrame, FILL, type FrameSpec, joined, newPacket, payloadBytes, writeFrame } from '../support/frames.ts';
import { type Random, withRandom } from '../support/random.ts';
import { randomSpec } from '../support/random-frames.ts';
import { parseFrame } from '../support/read-frame.ts';

const pkt = newPacket(new Arena(1 << 18));
const cutter = new Cutter(pkt.arena);
const BEHIND_BYTES = 80_000;
const behind = pkt.arena.reserve(BEHIND_BYTES);

/** Segments of a superframe, in sends of at most `limit()`. */
function cut(spec: FrameSpec, limit: () => number = () => CUT_SEGMENTS_MAX): Uint8Array[] {
  writeFrame(pkt, spec);
  expect(validate(pkt)).toBe(CONTINUE);
  cutter.begin(pkt);
  const segments: Uint8Array[] = [];
  for (;;) {
    const most = limit();
    const count = cutter.next(most);
    if (count > most) throw new Error(`${count} segments of at most ${most}`);
    if (count === 0) break;
    const these = cutSegments(cutter, pkt.arena);
    expect(these.length).toBe(count);
    for (const [i, segment] of these.entries()) {
      const last = segments.length + i === pkt.segments - 1;
      if (last ? segment.length > cutter.segmentBytes : segment.length !== cutter.segmentBytes) {
        expect(segment.length).toBe(cutter.segmentBytes);
      }
    }
    segments.push(...these);
  }
  expect(cutter.next(64)).toBe(0);
  expect(segments.length).toBe(pkt.segments);
  return segments;
}

/** Byte for byte what the slow segmenter makes; whose checksums, independently, are right. */
function expectSegments(segments: readonly Uint8Array[], spec: FrameSpec): void {
  const wanted = slowSegments(buildFrame(spec), spec.gsoSize!);
  expect(segments.length).toBe(wanted.length);
  for (const [i, segment] of segments.entries()) {
    if (Buffer.compare(segment, wanted[i]!) !== 0) expect(parseFrame(segment)).toEqual(parseFrame(wanted[i]!));
    const { checksum, ipChecksum = 'right', padding } = parseFrame(segment);
    if (checksum !== 'right' || ipChecksum !== 'right' || padding !== 0) expect([i, parseFrame(segment)]).toBe('right');
  }
  const whole = joined(...segments.map((segment) => parseFrame(segment).payload));
  expect(Buffer.compare(whole, payloadBytes(spec.payload))).toBe(0);
}

describe('a superframe is cut as the slow segmenter does, whatever the limit per send', () => {
  const sizes = (random: Random, spec: FrameSpec): FrameSpec => {
    const gsoSize = random.pick([1, 2, 3, 7, 48, 536, 1397, 1398, 1448, 8000, random.between(1, 1500)]);
    const room = 65_535 - 60 - 60 - 16;
    const segments = random.pick([1, 2, 3, 64, 65, random.between(1, 130)]);
    const payload = Math.min(gsoSize * segments - random.below(gsoSize), room);
    return { ...spec, gsoSize, payload: random.bytes(Math.min(payload, 20_000)), checksum: 'partial' };
  };

  test.each([
    ['TCP over IPv4', 'tcp', 4],
    ['TCP over IPv6', 'tcp', 6],
    ['UDP over IPv4', 'udp', 4],
    ['UDP over IPv6', 'udp', 6],
  ] as const)('%s', (_, protocol, version) => {
    withRandom((random) => {
      for (let round = 0; round < 30; round++) {
        const spec = sizes(random, randomSpec(random, protocol, version));
        const most = random.pick([1, 2, 63, 64]);
        expectSegments(
          cut(spec, () => (random.once(4) ? random.between(1, most) : most)),
          spec,
        );
      }
    });
  });

  test('64 KiB of TCP and of UDP, also to one segment', () => {
    for (const spec of [
      { payload: 65_495, gsoSize: 1398 },
      { payload: 65_507, gsoSize: 1422, protocol: 'udp' },
      { payload: 65_495, gsoSize: 65_495 },
      // 64 segments of these are more than one send takes.
      { payload: 65_495, gsoSize: 1030 },
      { payload: 65_495, gsoSize: 40_000 },
    ] as const) {
      pkt.arena.bytes.fill(FILL, behind, behind + BEHIND_BYTES);
      expectSegments(cut(spec), spec);
      expect(pkt.arena.bytes.subarray(behind, behind + BEHIND_BYTES).every((byte) => byte === FILL)).toBe(true);
    }
  });
});

test('IPv4 ids count up from the first, past 65,535 to 0', () => {
  const ids = cut({ id: 0xfffe, payload: 50, gsoSize: 10 }).map((segment) => parseFrame(segment).id);
  expect(ids).toEqual([0xfffe, 0xffff, 0, 1, 2]);
});

test('sequence numbers wrap', () => {
  const segments = cut({ sequence: 0xfffffff0, payload: 40, gsoSize: 16 });
  expect(segments.map((segment) => parseFrame(segment).sequence)).toEqual([0xfffffff0, 0, 16]);
});

test('FIN and PSH are on the last segment only, CWR on the first only (RFC 3168 section 6.1.2), others on all', () => {
  const every = 0xff;
  const flags = (payload: number) => cut({ flags: every, payload, gsoSize: 10 }).map((each) => parseFrame(each).flags);
  const [fin, psh, cwr] = [0x01, 0x08, 0x80];
  expect(flags(35)).toEqual([every - fin - psh, every - fin - psh - cwr, every - fin - psh - cwr, every - cwr]);
  expect(flags(20)).toEqual([every - fin - psh, every - cwr]);
  expect(flags(10)).toEqual([every]);
});

test('a UDP checksum that computes to zero is sent as 0xffff, in whichever segment', () => {
  const spec = { protocol: 'udp', payload: 30, gsoSize: 10 } as const;
  const payload = payloadBytes(30).slice();
  for (const [i, segment] of slowSegments(buildFrame({ ...spec, checksum: 'partial' }), 10).entries()) {
    const { l4 } = layoutOf(segment);
    const word = ((payload[10 * i]! << 8) | payload[10 * i + 1]!) + ((segment[l4 + 6]! << 8) | segment[l4 + 7]!);
    const folded = (word & 0xffff) + (word >> 16);
    payload.set([folded >> 8, folded & 255], 10 * i);
  }
  const fields = cut({ ...spec, payload }).map((segment) => [...segment.subarray(40, 42)]);
  expect(fields).toEqual(Array(3).fill([0xff, 0xff]));
});

describe('headers', () => {
  const withExtensions = (bytes: number): FrameSpec => ({
    source: 'fd00::1',
    destination: 'fd00::2',
    extensions: [{ type: 60, body: Array<number>(bytes - 2).fill(0) }],
    payload: 100,
    gsoSize: 30,
  });

  test('with the VXLAN header in front are cut', () => {
    const spec = withExtensions(168);
    expectSegments(cut(spec), spec);
    writeFrame(pkt, spec);
    validate(pkt);
    pkt.at -= 8;
    pkt.len += 8;
    pkt.arena.bytes.set([8, 0, 0, 0, 0, 0, 1, 0], pkt.at);
    cutter.begin(pkt);
    cutter.next(64);
    const wanted = slowSegments(buildFrame(spec), 30).map((segment) => joined([8, 0, 0, 0, 0, 0, 1, 0], segment));
    expect(cutSegments(cutter, pkt.arena)).toEqual(wanted);
    pkt.at += 8;
    pkt.len -= 8;
  });

  test('of any length are cut, as many segments a send as there is room for', () => {
    const spec = withExtensions(1200);
    expectSegments(cut(spec), spec);
  });
});

test('the payload stays as it is, and nothing outside of the packet is written', () => {
  const spec = { payload: 1000, gsoSize: 100 };
  pkt.arena.bytes.fill(FILL, pkt.at - 100, pkt.at + 66_000);
  cut(spec, () => 64);
  const { bytes } = pkt.arena;
  expect(bytes.subarray(pkt.payloadAt, pkt.payloadAt + 1000)).toEqual(payloadBytes(1000));
  expect(
    [...bytes.subarray(pkt.at - 100, pkt.at), ...bytes.subarray(pkt.at + pkt.len, pkt.at + 2000)].every(
      (b) => b === FILL,
    ),
  ).toBe(true);
});
