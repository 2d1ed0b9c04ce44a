import { beforeEach, describe, expect, test } from 'vitest';
import { Arena } from '../../src/packet/arena.ts';
import { ChecksumState, Packet } from '../../src/packet/packet.ts';
import { type FrameSource, MergingReader, NOT_MERGED } from '../../src/ports/merging-reader.ts';
import { slowSegments } from '../oracle/slow-segmenter.ts';
import { type FrameSpec, frameBytes, newPacket, writeFrame } from '../support/frames.ts';
import { type Random, withRandom } from '../support/random.ts';

const EIO = -5;
const IP_LEN_MAX = 61_600;

/** A frame, and where in it virtio asks for a checksum, when that is not where the frame's own is. */
type FrameInput = FrameSpec & { readonly partialAt?: readonly [start: number, offset: number] };
/** What a source brings: a frame, or a result without one. */
type Input = FrameInput | number;

const arena = new Arena(4 << 20);
const scratch = newPacket();

/** Plays a TAP: brings its inputs one by one, then nothing. */
class Source implements FrameSource {
  reads = 0;
  /** Frames so far after which nothing may follow. */
  readonly borders = new Set<number>();
  readonly #inputs: readonly Input[];

  constructor(inputs: readonly Input[]) {
    this.#inputs = inputs;
  }

  readFrame(pkt: Packet, at: number): number {
    const input = this.#inputs[this.reads++] ?? 0;
    if (typeof input === 'number') return input;
    writeFrame(scratch, input);
    arena.bytes.set(frameBytes(scratch), at);
    Object.assign(pkt, { at, len: scratch.len, checksum: scratch.checksum, gsoSize: scratch.gsoSize });
    [pkt.partialStart, pkt.partialOffset] = input.partialAt ?? [scratch.partialStart, scratch.partialOffset];
    pkt.outerLen = 99;
    return 1;
  }

  mayFollow(): boolean {
    return !this.borders.has(this.reads);
  }
}

const reader = new MergingReader(arena, 0, IP_LEN_MAX, true);
const pkt = new Packet(arena);
const udp = (i: number, more: FrameSpec = {}): FrameSpec => ({
  protocol: 'udp',
  checksum: 'partial',
  id: 40 + i,
  payload: 22,
  ...more,
});
const flow = (from: number, count: number, more: FrameSpec = {}) =>
  Array.from({ length: count }, (_, i) => udp(from + i, more));

/** Segments of each packet, results as they are, until there is nothing. */
function drain(source: Source): number[] {
  const seen: number[] = [];
  for (;;) {
    const got = reader.receive(source, pkt, true);
    if (got === 0) return seen;
    seen.push(got === 1 ? segmentsOf(pkt) : got);
  }
}

function segmentsOf({ at, len, gsoSize }: Packet): number {
  const headersLen = arena.bytes[at + 23] === 6 ? 54 : 42;
  return gsoSize === 0 ? 1 : Math.ceil((len - headersLen) / gsoSize);
}

/** Frames have come in a run, so the reader looks for another. */
beforeEach(() => void drain(new Source(flow(0, 3))));

test('a frame is handed out before anybody asks for the next, when the last one came alone', () => {
  drain(new Source([udp(0)]));
  const source = new Source(flow(0, 4));
  expect(reader.receive(source, pkt, true)).toBe(1);
  expect([source.reads, pkt.gsoSize, reader.pending]).toEqual([1, 0, false]);
  expect(drain(source)).toEqual([3]);
  expect(drain(new Source(flow(0, 4)))).toEqual([4]);
});

test('who must turn to others ends with what has been read', () => {
  const source = new Source([...flow(0, 200), ...flow(0, 200, { sourcePort: 7 })]);
  for (let i = 0; i < 3 || reader.pending; i++) reader.receive(source, pkt, i < 2);
  expect([source.reads, reader.pending]).toEqual([129, false]);
  expect(reader.receive(source, pkt, false)).toBe(1);
  expect([source.reads, reader.pending, pkt.gsoSize]).toEqual([130, false, 0]);
});

describe('frames of one UDP flow', () => {
  test('are one packet, which says that nothing is left', () => {
    const source = new Source(flow(0, 5));
    expect(reader.receive(source, pkt, true)).toBe(1);
    expect(pkt).toMatchObject({ gsoSize: 22, checksum: ChecksumState.Partial, len: 42 + 110, outerLen: 0 });
    expect(reader.pending).toBe(true);
    expect(reader.receive(source, pkt, true)).toBe(0);
    expect(reader.pending).toBe(false);
    expect(source.reads).toBe(6); // no frame is asked for twice
  });

  test.each<[string, Input[], number[]]>([
    ['one alone', [udp(0)], [1]],
    ['two flows', [...flow(0, 3), ...flow(0, 2, { sourcePort: 7 })], [3, 2]],
    ['a frame of another kind between', [udp(0), udp(1), { protocol: 'icmp' }, udp(2)], [2, 1, 1]],
    ['a superframe between', [udp(0), udp(1, { payload: 100, gsoSize: 50 }), udp(2), udp(3)], [1, 2, 2]],
    ['a superframe no longer than a segment', [udp(0), udp(1), udp(2, { payload: 20, gsoSize: 5 })], [2, 4]],
    ['a failure after a run', [udp(0), udp(1), EIO], [2, EIO]],
    ['what the source deals with', [udp(0), udp(1), NOT_MERGED, udp(2), udp(3)], [2, 2]],
    ['what the source deals with, first', [NOT_MERGED, udp(2), udp(3)], [NOT_MERGED, 2]],
    ['more than fit', flow(0, 70), [64, 6]],
    ['more bytes than fit', flow(0, 45, { payload: 1400 }), [43, 2]],
    ['finished ones beside unfinished ones', [udp(0), udp(1, { checksum: 'unverified' })], [1, 1]],
    ['TCP segments', [0, 1, 2].map((i) => ({ id: i, flags: 16, sequence: i * 9, payload: 9 })), [3]],
  ])('%s', (_, inputs, want) => expect(drain(new Source(inputs))).toEqual(want));

  test('are left alone where the source sees a difference, or nobody wants them merged', () => {
    const source = new Source(flow(0, 4));
    source.borders.add(3);
    expect(drain(source)).toEqual([2, 2]);
    reader.mergesUdp = false;
    expect(drain(new Source(flow(0, 3)))).toEqual([1, 1, 1]);
    reader.mergesUdp = true;
    reader.merging = false;
    expect(drain(new Source([0, 1].map((i) => ({ flags: 16, sequence: i * 9, payload: 9 }))))).toEqual([1, 1]);
    reader.merging = true;
  });
});

describe('an unfinished checksum further in, as of a tunnel that the pod has of its own', () => {
  const tcp = (i: number, more: FrameInput = {}): FrameInput => ({
    ...{ flags: 16, id: i, sequence: i * 60, payload: 60, checksum: 'partial' as const },
    ...more,
  });
  // Ethernet and IPv4 are 34 bytes; VXLAN's inner TCP would be another 50 on.
  test.each<[string, (i: number, more?: FrameInput) => FrameInput, [number, number]]>([
    ['UDP, of inner UDP', udp, [84, 6]],
    ['UDP, of inner TCP', udp, [84, 16]],
    ['UDP, in another field', udp, [34, 16]],
    ['TCP, of inner TCP', tcp, [84, 16]],
    ['TCP, in another field', tcp, [34, 6]],
  ])('%s', (_, of, partialAt) => {
    expect(drain(new Source([of(0), of(1), of(2)]))).toEqual([3]);
    drain(new Source(flow(0, 3)));
    expect(drain(new Source([of(0, { partialAt }), of(1, { partialAt }), of(2, { partialAt })]))).toEqual([1, 1, 1]);
    drain(new Source(flow(0, 3)));
    expect(drain(new Source([of(0), of(1), of(2, { partialAt }), of(3), of(4)]))).toEqual([2, 1, 2]);
  });
});

function randomInput(random: Random, id: number): Input {
  if (random.once(9)) return { protocol: 'icmp', payload: random.below(200) };
  const more = random.once(5) ? { sourcePort: 9 } : {};
  if (random.once(6)) return udp(id, { ...more, payload: random.bytes(random.between(11, 60)), gsoSize: 10 });
  return udp(id, { ...more, payload: random.bytes(random.once(6) ? random.between(1, 22) : 22) });
}

test('whatever comes: cut again, it is what came, in order', () => {
  withRandom((random) => {
    for (let round = 0; round < 200; round++) {
      const inputs = Array.from({ length: random.between(1, 30) }, (_, i) => randomInput(random, i));
      const source = new Source(inputs);
      const out: string[] = [];
      while (reader.receive(source, pkt, true) === 1) {
        const frame = arena.bytes.slice(pkt.at, pkt.at + pkt.len);
        const pieces = pkt.gsoSize === 0 ? [frame] : slowSegments(frame, pkt.gsoSize);
        for (const piece of pieces) out.push(finished(piece));
      }
      const given = inputs.flatMap((input) => {
        const { gsoSize } = writeFrame(scratch, input as FrameSpec);
        return gsoSize === 0 ? [frameBytes(scratch)] : slowSegments(frameBytes(scratch), gsoSize);
      });
      expect(out).toEqual(given.map(finished));
    }
  });
});

/** With its checksum computed, as hexadecimal digits. */
function finished(frame: Uint8Array): string {
  const icmp = frame[23] === 1;
  return Buffer.from(icmp ? frame : slowSegments(frame, 0)[0]!).toString('hex');
}
