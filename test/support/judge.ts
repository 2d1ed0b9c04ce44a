import { expect } from 'vitest';
import { Arena } from '../../src/packet/arena.ts';
import type { Outcome } from '../../src/packet/outcome.ts';
import { ChecksumState, Packet } from '../../src/packet/packet.ts';

/** What virtio says beside a frame. */
export interface Offload {
  readonly checksum?: number;
  readonly partialStart?: number;
  readonly partialOffset?: number;
  readonly gsoSize?: number;
}

/** A packet as a stage left it; positions are from the frame's first byte, upper layers 0 where there is no IP. */
export interface Judged {
  readonly outcome: Outcome;
  readonly frame: Uint8Array;
  readonly checksum: number;
  readonly partialStart: number;
  readonly partialOffset: number;
  readonly gsoSize: number;
  readonly fragment: number;
  readonly version: number;
  readonly protocol: number;
  readonly etherType: number;
  readonly l3: number;
  readonly l4: number;
  readonly l4Len: number;
  readonly payload: number;
}

const arena = new Arena(2 * 65_536);
const STRANGERS = 300;

/**
 * Runs a stage on a frame in two places: at the very end of memory, where touching one byte behind it throws, and
 * between other bytes. Both runs must agree, and no byte outside the frame may change.
 */
export function judge(frame: Uint8Array, offload: Offload, stage: (pkt: Packet) => Outcome): Judged {
  const atEnd = runAt(arena.bytes.length - frame.length, 0xa5, frame, offload, stage);
  const between = runAt(1000, 0x5a, frame, offload, stage);
  if (!same(atEnd, between)) expect(between).toEqual(atEnd);
  return atEnd;
}

/** What a stage left behind a packet that it dropped is nobody's business. */
function same(a: Judged, b: Judged): boolean {
  if (a.outcome !== 0) return a.outcome === b.outcome;
  const fields = Object.keys(a) as (keyof Judged)[];
  return fields.every((field) => field === 'frame' || a[field] === b[field]) && Buffer.compare(a.frame, b.frame) === 0;
}

function runAt(at: number, fill: number, frame: Uint8Array, offload: Offload, stage: (pkt: Packet) => Outcome): Judged {
  const { bytes } = arena;
  const [from, to] = [at - STRANGERS, Math.min(at + frame.length + STRANGERS, bytes.length)];
  bytes.fill(fill, from, to);
  bytes.set(frame, at);
  const pkt = new Packet(arena);
  pkt.at = at;
  pkt.len = frame.length;
  pkt.checksum = offload.checksum ?? ChecksumState.Unverified;
  pkt.partialStart = offload.partialStart ?? 0;
  pkt.partialOffset = offload.partialOffset ?? 0;
  pkt.gsoSize = offload.gsoSize ?? 0;
  const outcome = stage(pkt);
  const isFill = (byte: number) => byte === fill;
  if (!bytes.subarray(from, at).every(isFill) || !bytes.subarray(at + frame.length, to).every(isFill)) {
    throw new Error('bytes outside the frame were written');
  }
  const isIp = pkt.version !== 0;
  return {
    outcome,
    frame: bytes.slice(pkt.at, pkt.at + pkt.len),
    checksum: pkt.checksum,
    partialStart: pkt.partialStart,
    partialOffset: pkt.partialOffset,
    gsoSize: pkt.gsoSize,
    fragment: pkt.fragment,
    version: pkt.version,
    protocol: pkt.protocol,
    etherType: pkt.etherType,
    l3: pkt.l3At - pkt.at,
    l4: isIp ? pkt.l4At - pkt.at : 0,
    l4Len: isIp ? pkt.l4Len : 0,
    payload: isIp ? pkt.payloadAt - pkt.at : 0,
  };
}
