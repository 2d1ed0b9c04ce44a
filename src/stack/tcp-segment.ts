/** TCP segments (RFC 9293 section 3.1) between bytes and fields. */
import { destinationPort, sourcePort } from '../wire/ports.ts';
import {
  TCP_HEADER_LEN,
  TcpFlag,
  tcpAcknowledgment,
  tcpCheckedLen,
  tcpFlags,
  tcpSequence,
  tcpWindow,
  tcpWrite,
} from '../wire/tcp.ts';
import { MAXIMUM_SEGMENT_LEN, tcpMaximumSegment, tcpWriteMaximumSegment } from '../wire/tcp-options.ts';
import { copyOf, viewOf } from './ip-packet.ts';

export interface Segment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
  /** The MSS option; 0 for none. */
  readonly maximumSegment: number;
  readonly data: Uint8Array;
}

const NOTHING = new Uint8Array();

/** Undefined when the header lies about its length. @param end of the segment in the view. */
export function readSegment(view: DataView, at: number, end: number): Segment | undefined {
  const headerLen = tcpCheckedLen(view, at, end - at);
  if (headerLen === 0) return undefined;
  return {
    sourcePort: sourcePort(view, at),
    destinationPort: destinationPort(view, at),
    sequence: tcpSequence(view, at),
    acknowledgment: tcpAcknowledgment(view, at),
    flags: tcpFlags(view, at),
    window: tcpWindow(view, at),
    maximumSegment: tcpMaximumSegment(view, at),
    data: at + headerLen === end ? NOTHING : copyOf(view, at + headerLen, end),
  };
}

/** Where segments are built. */
const scratch = new Uint8Array(65_536);
const scratchView = viewOf(scratch);

/** With a zero checksum: IP knows the pseudo header. Good until the next one is built. */
export function buildSegment(segment: Segment): Uint8Array {
  const { data } = segment;
  const headerLen = TCP_HEADER_LEN + (segment.maximumSegment > 0 ? MAXIMUM_SEGMENT_LEN : 0);
  tcpWrite(scratchView, 0, segment, headerLen);
  if (segment.maximumSegment > 0) tcpWriteMaximumSegment(scratchView, TCP_HEADER_LEN, segment.maximumSegment);
  if (data.length > 0) scratch.set(data, headerLen);
  return scratch.subarray(0, headerLen + data.length);
}

/** SEG.LEN: SYN and FIN count (RFC 9293 section 3.4). */
export function segmentLen({ flags, data }: Segment): number {
  return data.length + ((flags & TcpFlag.Syn) !== 0 ? 1 : 0) + ((flags & TcpFlag.Fin) !== 0 ? 1 : 0);
}

/** Is `a` before `b`? Sequence numbers wrap (RFC 9293 section 3.4). */
export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** The answer to a segment that belongs to no connection (RFC 9293 section 3.10.7.1). Pre: it is no reset. */
export function resetFor(segment: Segment): Segment {
  const acknowledges = (segment.flags & TcpFlag.Ack) !== 0;
  return {
    sourcePort: segment.destinationPort,
    destinationPort: segment.sourcePort,
    sequence: acknowledges ? segment.acknowledgment : 0,
    acknowledgment: acknowledges ? 0 : (segment.sequence + segmentLen(segment)) | 0,
    flags: acknowledges ? TcpFlag.Rst : TcpFlag.Rst | TcpFlag.Ack,
    window: 0,
    maximumSegment: 0,
    data: NOTHING,
  };
}
