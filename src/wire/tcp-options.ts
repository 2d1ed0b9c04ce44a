/**
 * TCP options (RFC 9293 section 3.1; window scale RFC 7323, SACK RFC 2018). `at` is the offset of the TCP header, whose
 * length `tcpCheckedLen` has found right. Reading ends at the first option that does not fit, as in Linux's
 * net/netfilter/nf_conntrack_proto_tcp.c.
 */
import { TCP_HEADER_LEN, tcpHeaderLen } from './tcp.ts';

const Option = { End: 0, Nop: 1, MaximumSegment: 2, WindowScale: 3, SackPermitted: 4, Sack: 5 } as const;
export const MAXIMUM_SEGMENT_LEN = 4;
const WINDOW_SCALE_LEN = 3;
const SACK_PERMITTED_LEN = 2;
const SACK_BLOCK_LEN = 8;

/** NOP, NOP, timestamps of 10 bytes: what almost every segment of an open connection carries, and nothing else. */
const TIMESTAMPS_ONLY = 0x0101080a;
const TIMESTAMPS_ONLY_LEN = 12;

/** A larger shift counts as this one (RFC 7323 section 2.3, CT-037). */
const WINDOW_SCALE_MAX = 14;

/** The shift that the segment offers, 0 to 14, or -1 when it offers none. The last of several counts. */
export function tcpWindowScale(view: DataView, at: number): number {
  const end = at + tcpHeaderLen(view, at);
  let scale = -1;
  for (let option = optionFrom(view, at + TCP_HEADER_LEN, end); option !== 0; option = optionAfter(view, option, end)) {
    if (optionIs(view, option, Option.WindowScale, WINDOW_SCALE_LEN)) {
      scale = Math.min(view.getUint8(option + 2), WINDOW_SCALE_MAX);
    }
  }
  return scale;
}

/** The MSS that a SYN offers (RFC 9293 section 3.7.1), or 0 when it offers none. The last of several counts. */
export function tcpMaximumSegment(view: DataView, at: number): number {
  const end = at + tcpHeaderLen(view, at);
  let size = 0;
  for (let option = optionFrom(view, at + TCP_HEADER_LEN, end); option !== 0; option = optionAfter(view, option, end)) {
    if (optionIs(view, option, Option.MaximumSegment, MAXIMUM_SEGMENT_LEN)) size = view.getUint16(option + 2);
  }
  return size;
}

/** Writes the option, `MAXIMUM_SEGMENT_LEN` bytes, at `option`. */
export function tcpWriteMaximumSegment(view: DataView, option: number, size: number): void {
  view.setUint16(option, (Option.MaximumSegment << 8) | MAXIMUM_SEGMENT_LEN);
  view.setUint16(option + 2, size);
}

export function tcpSackPermitted(view: DataView, at: number): boolean {
  const end = at + tcpHeaderLen(view, at);
  for (let option = optionFrom(view, at + TCP_HEADER_LEN, end); option !== 0; option = optionAfter(view, option, end)) {
    if (optionIs(view, option, Option.SackPermitted, SACK_PERMITTED_LEN)) return true;
  }
  return false;
}

/** The highest right edge of all SACK blocks when that is after `acknowledgment`, else `acknowledgment`. */
export function tcpHighestSack(view: DataView, at: number, acknowledgment: number): number {
  const first = at + TCP_HEADER_LEN;
  const end = at + tcpHeaderLen(view, at);
  if (end - first === TIMESTAMPS_ONLY_LEN && view.getInt32(first) === TIMESTAMPS_ONLY) return acknowledgment;
  for (let option = optionFrom(view, first, end); option !== 0; option = optionAfter(view, option, end)) {
    const blocksLen = view.getUint8(option + 1) - 2;
    if (view.getUint8(option) === Option.Sack && blocksLen > 0 && blocksLen % SACK_BLOCK_LEN === 0) {
      return highestEdge(view, option + 2, blocksLen, acknowledgment);
    }
  }
  return acknowledgment;
}

function highestEdge(view: DataView, blocks: number, blocksLen: number, acknowledgment: number): number {
  let highest = acknowledgment;
  for (let block = blocks; block < blocks + blocksLen; block += SACK_BLOCK_LEN) {
    const right = view.getInt32(block + 4);
    if (((highest - right) | 0) < 0) highest = right;
  }
  return highest;
}

/** Offset of the first option at or after `from` that is no NOP, or 0 when none follows whole. */
function optionFrom(view: DataView, from: number, end: number): number {
  let option = from;
  while (option < end && view.getUint8(option) === Option.Nop) option++;
  if (option + 1 >= end || view.getUint8(option) === Option.End) return 0;
  const length = view.getUint8(option + 1);
  return length >= 2 && option + length <= end ? option : 0;
}

function optionAfter(view: DataView, option: number, end: number): number {
  return optionFrom(view, option + view.getUint8(option + 1), end);
}

function optionIs(view: DataView, option: number, kind: number, length: number): boolean {
  return view.getUint8(option) === kind && view.getUint8(option + 1) === length;
}
