/** Sightings out of a stream of bytes, however it was cut. */
import { describe, expect, test } from 'vitest';
import { SightingStream } from '../../src/capture/sighting-stream.ts';
import { noteSighting, SightingKind } from '../../src/recording/sighting.ts';
import { CapturedWorld } from '../dataplane/captured-world.ts';
import { joined } from '../support/frames.ts';

const packet = (timeNs: number) => noteSighting(SightingKind.Packet, timeNs);
const skipped = (length: number) => {
  const bytes = new Uint8Array(length).fill(0xa5);
  new DataView(bytes.buffer).setUint32(0, length, true);
  bytes.fill(0, 4, 8);
  return bytes;
};

function all(stream: SightingStream): number[] {
  const times: number[] = [];
  for (; stream.ready; stream.advance()) times.push(stream.next.timeNs);
  return times;
}

describe('a stream', () => {
  test('is not ready before a sighting is whole', () => {
    const stream = new SightingStream();
    const bytes = packet(5);
    for (let i = 0; i < bytes.length - 1; i++) {
      stream.push(bytes.subarray(i, i + 1));
      expect(stream.ready).toBe(false);
    }
    stream.push(bytes.subarray(bytes.length - 1));
    expect(all(stream)).toEqual([5]);
  });

  test('gives the same for every place where it is cut', () => {
    const bytes = joined(packet(1), skipped(8), packet(2), skipped(48), skipped(8), packet(3), packet(4));
    for (let cut = 0; cut <= bytes.length; cut++) {
      const stream = new SightingStream();
      stream.push(bytes.subarray(0, cut));
      const first = all(stream);
      stream.push(bytes.subarray(cut));
      expect([...first, ...all(stream)]).toEqual([1, 2, 3, 4]);
    }
  });

  test('knows until when it has told, also where nothing was to be told', () => {
    const stream = new SightingStream();
    expect(stream.knownUntilNs).toBe(0);
    stream.push(joined(packet(10), packet(20)));
    expect(stream.knownUntilNs).toBe(10);
    stream.advance();
    expect([stream.ready, stream.knownUntilNs]).toEqual([true, 20]);
    stream.push(joined(noteSighting(SightingKind.Quiet, 15), noteSighting(SightingKind.Quiet, 30), packet(40)));
    expect(stream.knownUntilNs).toBe(20); // not read yet
    stream.advance();
    expect([stream.ready, stream.next.timeNs, stream.knownUntilNs]).toEqual([true, 40, 40]);
    stream.advance();
    stream.push(noteSighting(SightingKind.Quiet, 35));
    expect([stream.ready, stream.knownUntilNs]).toEqual([false, 40]);
  });

  test('tells of what was lost and of what is gone, and is over at its end', () => {
    const stream = new SightingStream();
    stream.push(joined(noteSighting(SightingKind.Lost, 5, 7, 3), noteSighting(SightingKind.Gone, 6, 8)));
    expect(stream.next).toMatchObject({ kind: SightingKind.Lost, hop: 7, lost: 3 });
    stream.push(noteSighting(SightingKind.End, 9));
    expect(stream.over).toBe(false);
    stream.advance();
    expect(stream.next).toMatchObject({ kind: SightingKind.Gone, hop: 8 });
    stream.advance();
    expect([stream.ready, stream.over, stream.knownUntilNs]).toEqual([false, true, 9]);
    const other = new SightingStream();
    other.end();
    expect(other.over).toBe(true);
  });

  test('throws at what is no sighting', () => {
    for (const length of [0, 4, 7, 12, 74, -8, (1 << 18) + 8, 0x7fff_fff8]) {
      const bytes = new Uint8Array(72);
      new DataView(bytes.buffer).setInt32(0, length, true);
      expect(() => new SightingStream().push(bytes), `${length}`).toThrow(`a sighting of ${length} bytes`);
    }
    const longest = skipped(1 << 18);
    const stream = new SightingStream();
    stream.push(joined(longest, packet(3)));
    expect(all(stream)).toEqual([3]);
  });

  test('reads real sightings with their bytes, from memory of its own', () => {
    const one = new CapturedWorld();
    const tap = one.tap();
    const copy = one.tap();
    for (let i = 0; i < 20; i++) one.world.send('web', { payload: i * 7 });
    const bytes = tap.reader.take(1 << 20)!;
    const stream = new SightingStream();
    const found: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += 101) {
      const piece = bytes.slice(at, at + 101);
      stream.push(piece);
      piece.fill(0);
      for (; stream.ready; stream.advance()) {
        const { bytes, at, captured } = stream.next;
        found.push(bytes.slice(at, at + captured));
      }
    }
    expect(found).toEqual(copy.seen().map(({ bytes }) => bytes));
  });
});
