import { expect } from 'vitest';
import { Merger } from '../../src/encap/merge.ts';
import { vxlanDecapsulate } from '../../src/encap/vxlan.ts';
import { Arena } from '../../src/packet/arena.ts';
import { CONTINUE, outcomeName } from '../../src/packet/outcome.ts';
import { ChecksumState, Packet } from '../../src/packet/packet.ts';
import { validate } from '../../src/packet/validate.ts';
import { linuxMerges } from '../oracle/slow-gro.ts';
import { layoutOf, slowSegments } from '../oracle/slow-segmenter.ts';
import { joined } from './frames.ts';
import { parseFrame } from './read-frame.ts';

/** A packet as the merger yields it, still with its VXLAN header. */
export interface Yielded {
  readonly bytes: Uint8Array;
  readonly gsoSize: number;
  readonly checksum: number;
  readonly partialStart: number;
  readonly partialOffset: number;
}

const arena = new Arena(3 * 65_536);
const merger = new Merger(arena);
const pkt = new Packet(arena);
const BEFORE = 100;

/**
 * What one receive call brought, back to back, through the merger. The last byte is the last of memory, so that
 * reading behind it throws.
 */
export function merge(datagrams: readonly Uint8Array[], stride = datagrams[0]?.length ?? 0): Yielded[] {
  const row = joined(...datagrams);
  const at = arena.bytes.length - row.length;
  arena.bytes.fill(0xa5, at - BEFORE, at);
  arena.bytes.set(row, at);
  merger.begin(at, row.length, stride);
  const out: Yielded[] = [];
  while (merger.next(pkt)) {
    const { gsoSize, checksum, partialStart, partialOffset } = pkt;
    const bytes = arena.bytes.slice(pkt.at, pkt.at + pkt.len);
    out.push({ bytes, gsoSize, checksum, partialStart, partialOffset });
    if (out.length > datagrams.length) throw new Error('more packets than datagrams');
    if (gsoSize > 0) expectValid(pkt);
  }
  expect(arena.bytes.subarray(at - BEFORE, at).every((byte) => byte === 0xa5)).toBe(true);
  return out;
}

/** The next stages take a superframe as it is, provided that its flag says VXLAN and its addresses may be there. */
function expectValid(merged: Packet): void {
  const { at, len } = merged;
  const vni = merged.view.getUint32(at + 4) >>> 8;
  if ((merged.view.getUint8(at) & 8) !== 0) expect(vxlanDecapsulate(merged, vni)).toBe(CONTINUE);
  const outcome = outcomeName(validate(merged));
  expect(['in progress', 'dropped: MartianAddress', 'dropped: BadSourceMac']).toContain(outcome);
  merged.at = at;
  merged.len = len;
}

/**
 * How many datagrams each packet is made of. On the way: every byte of every datagram is there once and in order, a
 * superframe cut by the slow segmenter is the datagrams it came from, and Linux would have merged them too.
 */
export function expectSound(out: readonly Yielded[], datagrams: readonly Uint8Array[]): number[] {
  const sizes: number[] = [];
  let next = 0;
  for (const each of out) {
    const count = each.gsoSize === 0 ? 1 : expectSuperframe(each, datagrams.slice(next));
    if (each.gsoSize === 0) {
      expect(each.checksum).toBe(ChecksumState.Unverified);
      if (Buffer.compare(each.bytes, datagrams[next]!) !== 0) expect(each.bytes).toEqual(datagrams[next]);
    }
    sizes.push(count);
    next += count;
  }
  expect(next).toBe(datagrams.length);
  return sizes;
}

function expectSuperframe(each: Yielded, datagrams: readonly Uint8Array[]): number {
  const frame = each.bytes.slice(8);
  expect(parseFrame(frame)).toMatchObject({ checksum: 'partial', padding: 0 });
  expect(parseFrame(frame).ipChecksum).not.toBe('wrong');
  const { l4, protocol } = layoutOf(frame);
  const { checksum, partialStart, partialOffset } = each;
  expect([checksum, partialStart, partialOffset]).toEqual([ChecksumState.Partial, l4, protocol === 6 ? 16 : 6]);
  const segments = slowSegments(frame, each.gsoSize);
  expect(segments.length).toBeGreaterThan(1);
  for (const [i, segment] of segments.entries()) {
    const datagram = datagrams[i]!;
    if (i > 0 && !linuxMerges(datagrams.slice(0, i), datagram)) {
      expect([i, parseFrame(datagram.subarray(8))]).toBe('merged by Linux');
    }
    const same = joined(each.bytes.subarray(0, 8), withIdOf(segment, datagram));
    if (Buffer.compare(same, datagram) !== 0) expect(parseFrame(segment)).toEqual(parseFrame(datagram.subarray(8)));
    if (Buffer.compare(same, datagram) !== 0) expect(same).toEqual(datagram);
  }
  return segments.length;
}

/** Constant ids, which only DF allows, count up after cutting: of no consequence (RFC 6864 section 4.1). */
function withIdOf(segment: Uint8Array, datagram: Uint8Array): Uint8Array {
  if (segment[12] !== 8 || (segment[20]! & 0x40) === 0) return segment;
  const copy = segment.slice();
  copy.set(datagram.subarray(26, 28), 18);
  copy.set(datagram.subarray(32, 34), 24);
  return copy;
}
