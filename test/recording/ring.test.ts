/** The ring against a list: whole sightings in order, and what does not fit is refused without a trace. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createRing, RingReader, RingWriter } from '../../src/recording/ring.ts';
import { SightingKind, Word } from '../../src/recording/sighting.ts';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import type { RingReport } from './ring-threads.ts';

const CAPACITY = 1 << 18;
const MAX = 1 << 30;
const PACKET = 1;
const FILL = 0xa5;

interface Ring {
  readonly writer: RingWriter;
  readonly reader: RingReader;
}

function ring(capacity = CAPACITY): Ring {
  const shared = createRing(capacity);
  const writer = new RingWriter(shared);
  writer.space.bytes.fill(FILL);
  return { writer, reader: new RingReader(shared) };
}

/** Takes room and marks it: its kind, and a number behind. Returns where, or -1. */
function put({ writer }: Ring, length: number, mark: number): number {
  const at = writer.reserve(length);
  if (at < 0) return at;
  writer.space.words[(at >> 2) + Word.Kind] = PACKET;
  if (length >= 16) writer.space.words[(at >> 2) + 2] = mark;
  return at;
}

interface Record {
  readonly length: number;
  readonly mark: number;
}

/** Records of a copy, those passed over left out; throws when they do not fill it. */
function records(copy: Uint8Array | undefined): Record[] {
  if (copy === undefined) return [];
  const words = new Int32Array(copy.buffer, copy.byteOffset, copy.length >> 2);
  const found: Record[] = [];
  let at = 0;
  while (at < copy.length) {
    const length = words[at >> 2]!;
    if (length < 8 || length % 8 !== 0) throw new Error(`a record of ${length} bytes at ${at}`);
    if (words[(at >> 2) + Word.Kind] !== SightingKind.None) found.push({ length, mark: words[(at >> 2) + 2]! });
    at += length;
  }
  expect(at).toBe(copy.length);
  return found;
}

/** What is there, in one call at most `max` bytes. */
function taken({ reader }: Ring, max = MAX): Record[] {
  const found: Record[] = [];
  for (let copy = reader.take(max); copy !== undefined; copy = reader.take(max)) found.push(...records(copy));
  return found;
}

describe('a ring', () => {
  test('is empty at first', () => {
    expect(ring().reader.take(MAX)).toBeUndefined();
  });

  test('tells nothing before it is published, and all of it then', () => {
    const one = ring();
    put(one, 16, 7);
    put(one, 24, 8);
    expect(one.reader.take(MAX)).toBeUndefined();
    one.writer.publish();
    expect(taken(one)).toEqual([
      { length: 16, mark: 7 },
      { length: 24, mark: 8 },
    ]);
    expect(one.reader.take(MAX)).toBeUndefined();
  });

  test('holds its capacity exactly, refuses one more, and overwrites nothing', () => {
    const one = ring();
    const length = CAPACITY / 4;
    for (let i = 0; i < 4; i++) expect(put(one, length, i)).toBe(i * length);
    one.writer.publish();
    const before = one.writer.space.bytes.slice();
    expect(put(one, 8, 9)).toBe(-1);
    expect(Buffer.compare(one.writer.space.bytes, before)).toBe(0);
    expect(taken(one).map(({ mark }) => mark)).toEqual([0, 1, 2, 3]);
    expect(put(one, 8, 9)).toBe(0);
  });

  test('goes on at the start when the end is too short, and counts what it skips', () => {
    const one = ring();
    put(one, CAPACITY - 24, 1);
    one.writer.publish();
    expect(put(one, 32, 2)).toBe(-1); // the start is not free yet
    expect(one.writer.space.words[(CAPACITY - 24) >> 2]).toBe(0xa5a5a5a5 | 0); // and the end was left alone
    taken(one);
    expect(put(one, 32, 2)).toBe(0);
    one.writer.publish();
    const skipped = one.reader.take(MAX)!;
    expect([skipped.length, records(skipped)]).toEqual([24, []]);
    expect(records(one.reader.take(MAX))).toEqual([{ length: 32, mark: 2 }]);
    // 24 bytes were skipped and 32 are taken: all the room is free again.
    expect(put(one, CAPACITY - 32, 3)).toBe(32);
    expect(put(one, 32, 4)).toBe(0);
    expect(put(one, 8, 5)).toBe(-1);
  });

  test('what fits to the end exactly needs no skip', () => {
    const one = ring();
    put(one, CAPACITY - 32, 1);
    expect(put(one, 32, 2)).toBe(CAPACITY - 32);
    one.writer.publish();
    expect(taken(one)).toHaveLength(2);
    expect(put(one, 64, 3)).toBe(0);
  });

  test('the skipped end counts as taken: what fits without it is refused with it', () => {
    const one = ring();
    put(one, 64, 1);
    put(one, CAPACITY - 64 - 24, 2);
    one.writer.publish();
    expect(records(one.reader.take(64))).toHaveLength(1);
    expect(put(one, 72, 3)).toBe(-1); // 24 skipped + 72 > 88
    expect(put(one, 64, 3)).toBe(0);
    one.writer.publish();
    expect(taken(one).map(({ mark }) => mark)).toEqual([2, 3]);
  });
});

describe('giving back', () => {
  test('the last one leaves no trace', () => {
    const one = ring();
    put(one, 16, 1);
    one.writer.giveBack(put(one, 40, 2));
    expect(put(one, 24, 3)).toBe(16);
    one.writer.publish();
    expect(one.reader.take(MAX)!.length).toBe(40);
  });

  test('an earlier one is passed over', () => {
    const one = ring();
    const first = put(one, 40, 1);
    put(one, 24, 2);
    one.writer.giveBack(first);
    one.writer.publish();
    const copy = one.reader.take(MAX)!;
    expect([copy.length, records(copy)]).toEqual([64, [{ length: 24, mark: 2 }]]);
  });

  test('the last one behind a skip, and one that ends where the ring does', () => {
    const one = ring();
    put(one, CAPACITY - 16, 1);
    one.writer.publish();
    taken(one);
    one.writer.giveBack(put(one, 24, 2));
    expect(put(one, 32, 3)).toBe(0);
    one.writer.giveBack(0);
    one.writer.publish();
    taken(one); // the skip
    put(one, CAPACITY - 24, 4);
    one.writer.giveBack(put(one, 24, 5));
    expect(put(one, 24, 6)).toBe(CAPACITY - 24);
    one.writer.publish();
    expect(taken(one).map(({ mark }) => mark)).toEqual([4, 6]);
  });
});

describe('taking in pieces', () => {
  test('gives whole ones of at most as many bytes, and one that is longer alone', () => {
    const one = ring();
    for (const length of [16, 24, 48, 400, 16]) put(one, length, length);
    one.writer.publish();
    const lengths = [];
    for (let copy = one.reader.take(90); copy !== undefined; copy = one.reader.take(90)) lengths.push(copy.length);
    expect(lengths).toEqual([88, 400, 16]);
  });

  test('a copy stays when its room is written again', () => {
    const one = ring();
    put(one, 16, 1);
    one.writer.publish();
    const copy = one.reader.take(MAX)!;
    for (let i = 0; i < 3; i++) {
      put(one, CAPACITY / 2, 77);
      one.writer.publish();
      taken(one);
    }
    expect(records(copy)).toEqual([{ length: 16, mark: 1 }]);
  });
});

test('idle is between publish and begin', () => {
  const one = ring();
  expect(one.reader.idle).toBe(true);
  one.writer.begin();
  expect(one.reader.idle).toBe(false);
  put(one, 16, 1);
  expect(one.reader.idle).toBe(false);
  one.writer.publish();
  expect(one.reader.idle).toBe(true);
});

/** What a ring must hold: every record with its place, and the room that is taken. */
class Model {
  /** Bytes written since the start, in the order of the ring: `mark` -1 is passed over. */
  readonly list: { length: number; mark: number }[] = [];
  published = 0;
  head = 0;
  tail = 0;

  reserve(length: number, mark: number): boolean {
    const at = this.head % CAPACITY;
    const skip = at + length > CAPACITY ? CAPACITY - at : 0;
    if (this.head + skip + length - this.tail > CAPACITY) return false;
    if (skip > 0) this.list.push({ length: skip, mark: -1 });
    this.list.push({ length, mark });
    this.head += skip + length;
    return true;
  }

  giveBackLast(): void {
    this.head -= this.list.pop()!.length;
  }
}

/** One turn of the reader, compared with the model. */
function readOnce(one: Ring, model: Model, max: number): void {
  const copy = one.reader.take(max);
  let left = model.published;
  const toEnd = CAPACITY - (model.tail % CAPACITY);
  let want = 0;
  const marks: number[] = [];
  while (left > 0) {
    const { length, mark } = model.list[0]!;
    if (want > 0 && (want + length > max || want === toEnd)) break;
    want += length;
    left--;
    model.list.shift();
    if (mark >= 0) marks.push(mark);
  }
  model.published = left;
  model.tail += want;
  if ((copy?.length ?? 0) !== want) throw new Error(`${copy?.length} bytes, not ${want}`);
  const found = records(copy).map(({ mark }) => mark);
  if (found.join() !== marks.join()) throw new Error(`${found}, not ${marks}`);
}

function step(one: Ring, model: Model, random: Random, i: number, lastAt: number): number {
  const act = random.below(16);
  if (act < 10) {
    const length = 8 * (random.once(14) ? random.between(2, 16_384) : random.between(2, 200));
    const at = put(one, length, i);
    if (at >= 0 !== model.reserve(length, i)) throw new Error(`${length} bytes: ${at}`);
    return at;
  }
  if (act === 10 && lastAt >= 0 && model.list.length > model.published) {
    one.writer.giveBack(lastAt);
    model.giveBackLast();
    return -1;
  }
  if (act === 11 && lastAt >= 0 && model.list.length - 2 >= model.published) {
    // The one before: it is passed over, where it lies directly in front.
    const before = model.list.at(-2)!;
    const at = lastAt - before.length;
    if (at >= 0 && before.mark >= 0) {
      one.writer.giveBack(at);
      before.mark = -1;
    }
    return lastAt;
  }
  if (act < 14) {
    one.writer.publish();
    model.published = model.list.length;
    return -1;
  }
  readOnce(one, model, random.pick([64, 4096, 65_536, MAX]));
  return lastAt;
}

/** `PODWIRE_PACKETS=1000000` makes it long enough for positions to pass 2^31. */
const OPERATIONS = PACKETS;

test(`${OPERATIONS} random operations do what a list does`, () => {
  withRandom((random) => {
    const one = ring();
    const model = new Model();
    let last = -1;
    for (let i = 0; i < OPERATIONS; i++) last = step(one, model, random, i, last);
    expect(model.head).toBeGreaterThan(2000 * OPERATIONS);
  });
});

test('two threads: every byte in order, and what was refused is what the writer says', async () => {
  const program = new URL('ring-threads.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program]);
  const { count, wrote, refused, read, passedOver, problem } = JSON.parse(stdout) as RingReport;
  expect(problem).toBe('');
  expect(wrote).toBe(read);
  expect(wrote + refused + passedOver).toBe(count);
  expect(Math.min(wrote, refused, passedOver)).toBeGreaterThan(0);
});
