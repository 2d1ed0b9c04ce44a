import type { Cutter } from '../../src/encap/cut.ts';
import type { Arena } from '../../src/packet/arena.ts';

/** Copies of the segments that the last `cutter.next` laid out. */
export function cutSegments(cutter: Cutter, arena: Arena): Uint8Array[] {
  const segments: Uint8Array[] = [];
  const end = cutter.outAt + cutter.outLen;
  for (let at = cutter.outAt; at < end; at += cutter.segmentBytes) {
    segments.push(arena.bytes.slice(at, Math.min(at + cutter.segmentBytes, end)));
  }
  return segments;
}
