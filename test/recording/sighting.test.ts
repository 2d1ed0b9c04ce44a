/** The layout of a sighting, written here by hand and read by the source. */
import { describe, expect, test } from 'vitest';
import { KEY_WORDS } from '../../src/packet/flow-key.ts';
import {
  connectionWord,
  HEADER_BYTES,
  isEvent,
  KEYS_BYTES,
  NO_CONNECTION,
  noteSighting,
  RELATED_CONNECTION,
  Sighting,
  SightingBit,
  SightingBytes,
  SightingKind,
} from '../../src/recording/sighting.ts';
import { withRandom } from '../support/random.ts';

/** Word by word as the head of `sighting.ts` draws it; the time is words 2 and 3. */
function drawn(words: Readonly<Record<number, number>>, timeNs: number, length: number): ArrayBuffer {
  const buffer = new ArrayBuffer(length);
  new Uint8Array(buffer).fill(0xa5);
  const view = new Int32Array(buffer);
  for (const [i, value] of Object.entries(words)) view[Number(i)] = value;
  new Float64Array(buffer)[1] = timeNs;
  return buffer;
}

const bitsOf = (bits: number, phase: number, inner: number) => bits | (phase << 8) | (inner << 16);

test('every word is where the head of the file says', () => {
  const bits = bitsOf(SightingBit.Outgoing | SightingBit.Partial | SightingBit.Keys | SightingBit.Translated, 3, 200);
  const words = { 0: 200, 1: 1, 4: 11, 5: bits, 6: -12, 7: 13, 8: 14, 9: 15, 10: 1016, 11: 17, 12: 18, 13: -1 };
  const rest = { 14: 19, 15: 20, 16: 21, 17: 22 };
  const buffer = drawn({ ...words, ...rest }, 1_234_567_890_123, 208);
  new Int32Array(buffer).set(
    Array.from({ length: 2 * KEY_WORDS }, (_, i) => 100 + i),
    18,
  );
  const sighting = new Sighting();
  const source = new SightingBytes(buffer);
  expect(sighting.read(source, 0)).toBe(200);
  expect(sighting).toMatchObject({
    ...{ kind: 1, timeNs: 1_234_567_890_123, hop: 11, bits, outcome: -12, lost: 13, ingress: 14, egress: 15 },
    ...{ wireLen: 1016, captured: 17, gsoSize: 18, kept: -1, connection: 19, number: 20 },
    ...{ partialStart: 21, partialOffset: 22, innerOffset: 200, at: 72 + 80 + 3 },
  });
  expect([...sighting.keys]).toEqual(Array.from({ length: 20 }, (_, i) => 100 + i));
  expect(sighting.bytes).toBe(source.bytes);
  expect([HEADER_BYTES, KEYS_BYTES]).toEqual([72, 80]);
});

test('bytes begin behind the header, the room for keys, and the phase', () => {
  const sighting = new Sighting();
  for (const phase of [0, 1, 2, 3]) {
    for (const keys of [0, SightingBit.Keys]) {
      const buffer = drawn({ 0: 160, 1: 1, 5: bitsOf(keys, phase, 0) }, 5, 320);
      const second = drawn({ 0: 160, 1: 1, 5: bitsOf(keys, phase, 0) }, 5, 160);
      new Uint8Array(buffer).set(new Uint8Array(second), 160);
      sighting.read(new SightingBytes(buffer), 160);
      expect(sighting.at).toBe(160 + 72 + (keys === 0 ? 0 : 80) + phase);
      expect(sighting.innerOffset).toBe(0);
    }
  }
});

test('keys are read only when they are told', () => {
  const sighting = new Sighting();
  sighting.keys.fill(7);
  const buffer = drawn({ 0: 160, 1: 1, 5: SightingBit.Keys }, 5, 160);
  sighting.read(new SightingBytes(buffer), 0);
  expect([...new Set(sighting.keys)]).toEqual([7]);
  expect([sighting.is(SightingBit.Keys), sighting.is(SightingBit.Translated)]).toEqual([true, false]);
});

test('what is passed over may be eight bytes at the very end', () => {
  const sighting = new Sighting();
  sighting.timeNs = 99;
  const words = Int32Array.of(0, 0, 8, SightingKind.None);
  expect(sighting.read(new SightingBytes(words.buffer), 8)).toBe(8);
  expect([sighting.kind, sighting.timeNs]).toEqual([SightingKind.None, 99]);
});

test('a part of a buffer is a source too', () => {
  const shared = new SharedArrayBuffer(64 + 160);
  const source = new SightingBytes(shared, 64, 160);
  expect([source.bytes.length, source.words.length, source.doubles.length]).toEqual([160, 40, 20]);
  source.bytes.set(new Uint8Array(drawn({ 0: 160, 1: 1, 4: 5, 5: 0 }, 8, 160)));
  const sighting = new Sighting();
  sighting.read(source, 0);
  expect([sighting.hop, sighting.timeNs]).toEqual([5, 8]);
});

describe('the connection word', () => {
  test('keeps everything that it was given', () => {
    const sighting = new Sighting();
    withRandom((random) => {
      for (let i = 0; i < 500; i++) {
        const [state, flags, direction, protocol] = [
          random.below(256),
          random.below(256),
          random.below(2),
          random.below(256),
        ];
        const event = random.once(2);
        sighting.connection = connectionWord(state, flags, direction, protocol, event);
        expect([
          sighting.connectionState,
          sighting.connectionFlags,
          sighting.direction,
          sighting.connectionProtocol,
          sighting.hasConnection,
          sighting.related,
          isEvent(sighting.connection),
        ]).toEqual([state, flags, direction, protocol, true, false, event]);
      }
    });
  });

  test('of none, and of an error about one', () => {
    const sighting = new Sighting();
    sighting.connection = NO_CONNECTION;
    expect([sighting.hasConnection, sighting.related, isEvent(NO_CONNECTION)]).toEqual([false, false, false]);
    sighting.connection = RELATED_CONNECTION;
    expect([sighting.hasConnection, sighting.related, isEvent(RELATED_CONNECTION)]).toEqual([true, true, true]);
  });
});

test('a note has a time, a hop and a count, and no bytes', () => {
  const bytes = noteSighting(SightingKind.Lost, 123_456_789_012, 77, 5);
  const sighting = new Sighting();
  expect(sighting.read(new SightingBytes(bytes.buffer as ArrayBuffer), 0)).toBe(bytes.length);
  expect(sighting).toMatchObject({ kind: 2, timeNs: 123_456_789_012, hop: 77, lost: 5, captured: 0, wireLen: 0 });
  const quiet = new Sighting();
  quiet.read(new SightingBytes(noteSighting(SightingKind.Quiet, 9).buffer as ArrayBuffer), 0);
  expect(quiet).toMatchObject({ kind: 4, timeNs: 9, hop: 0, lost: 0 });
});
