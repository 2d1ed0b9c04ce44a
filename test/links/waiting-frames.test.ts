import { describe, expect, test } from 'vitest';
import { NO_SLOT, WaitingFrames } from '../../src/links/waiting-frames.ts';
import { Arena } from '../../src/packet/arena.ts';
import { withRandom } from '../support/random.ts';

const HEADROOM = 66;
const FRAME_MAX = 200;
const CAPACITY = 64;

interface Waiting {
  readonly dueMs: number;
  readonly order: number;
  readonly bytes: Uint8Array;
}

/** The queue and a sorted list, in step. */
class Pair {
  readonly arena = new Arena(1 << 20);
  readonly frames = new WaitingFrames(this.arena, CAPACITY, HEADROOM, FRAME_MAX);
  readonly list: Waiting[] = [];
  readonly #at = this.arena.reserve(FRAME_MAX + 1);
  #order = 0;

  put(bytes: Uint8Array, dueMs: number): boolean {
    this.arena.bytes.set(bytes, this.#at);
    const slot = this.frames.put(this.#at, bytes.length, Float64Array.of(dueMs));
    this.arena.bytes.fill(0xa5, this.#at, this.#at + FRAME_MAX);
    if (slot === NO_SLOT) return false;
    this.list.push({ dueMs, order: this.#order++, bytes });
    this.list.sort((a, b) => a.dueMs - b.dueMs || a.order - b.order);
    return true;
  }

  /** What both give. */
  take(nowMs: number): void {
    const slot = this.frames.take(nowMs);
    const want = this.list[0] !== undefined && this.list[0].dueMs <= nowMs ? this.list.shift() : undefined;
    const found = slot === NO_SLOT ? undefined : Buffer.from(this.bytesOf(slot)).toString('hex');
    const wanted = want === undefined ? undefined : Buffer.from(want.bytes).toString('hex');
    if (found !== wanted) throw new Error(`took ${found}, expected ${wanted}`);
  }

  bytesOf(slot: number): Uint8Array {
    const at = this.frames.frameAt(slot);
    return this.arena.bytes.slice(at, at + this.frames.len[slot]!);
  }
}

describe('frames that wait', () => {
  test('come out as a sorted list would have them', () => {
    withRandom((random) => {
      const pair = new Pair();
      for (let nowMs = 0; nowMs < 4000; nowMs++) {
        const puts = random.below(3);
        for (let i = 0; i < puts && pair.list.length < CAPACITY; i++) {
          expect(pair.put(random.bytes(random.below(FRAME_MAX)), nowMs + random.below(40))).toBe(true);
        }
        const takes = random.below(4);
        for (let i = 0; i < takes; i++) pair.take(nowMs);
        expect(pair.frames.count).toBe(pair.list.length);
        expect(pair.frames.nextDueMs).toBe(pair.list[0]?.dueMs ?? Infinity);
      }
      while (pair.list.length > 0) pair.take(Infinity);
      pair.take(Infinity);
    });
  });

  test('of one time come out in the order in which they came', () => {
    const pair = new Pair();
    for (let i = 0; i < CAPACITY; i++) pair.put(Uint8Array.of(i), 5);
    for (let i = 0; i < CAPACITY; i++) expect(pair.bytesOf(pair.frames.take(5))).toEqual(Uint8Array.of(i));
  });

  test('full: no slot, and those that wait are as they were', () => {
    const pair = new Pair();
    for (let i = 0; i < CAPACITY; i++) expect(pair.put(Uint8Array.of(i), i)).toBe(true);
    expect(pair.put(Uint8Array.of(99), 0)).toBe(false);
    pair.take(0);
    expect(pair.put(Uint8Array.of(99), 0)).toBe(true);
    for (let i = 0; i < CAPACITY; i++) pair.take(Infinity);
    pair.take(Infinity);
  });

  test('a frame longer than a slot finds none', () => {
    const pair = new Pair();
    expect(pair.put(new Uint8Array(FRAME_MAX), 0)).toBe(true);
    expect(pair.put(new Uint8Array(FRAME_MAX + 1), 0)).toBe(false);
  });

  test('not before their time', () => {
    const pair = new Pair();
    pair.put(Uint8Array.of(1), 10);
    expect(pair.frames.take(9.999)).toBe(NO_SLOT);
    expect(pair.frames.take(10)).not.toBe(NO_SLOT);
  });

  test('headroom is in front of each slot, and belongs to nobody else', () => {
    const pair = new Pair();
    for (let i = 0; i < CAPACITY; i++) pair.put(new Uint8Array(FRAME_MAX).fill(i), i);
    for (let i = 0; i < CAPACITY; i++) {
      const slot = pair.frames.take(Infinity);
      const at = pair.frames.frameAt(slot);
      pair.arena.bytes.fill(0xee, at - HEADROOM, at);
      expect(pair.bytesOf(slot)).toEqual(new Uint8Array(FRAME_MAX).fill(i));
    }
  });
});
