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
import { viewOf } from './ip-packet.ts';

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

/** Undefined when the header lies about its length. */
export function readSegment(upper: Uint8Array): Segment | undefined {
  const view = viewOf(upper);
  const headerLen = tcpCheckedLen(view, 0, upper.length);
  if (headerLen === 0) return undefined;
  return {
    sourcePort: sourcePort(view, 0),
    destinationPort: destinationPort(view, 0),
    sequence: tcpSequence(view, 0),
    acknowledgment: tcpAcknowledgment(view, 0),
    flags: tcpFlags(view, 0),
    window: tcpWindow(view, 0),
    maximumSegment: tcpMaximumSegment(view, 0),
    data: upper.subarray(headerLen),
  };
}

/** With a zero checksum: IP knows the pseudo header. */
export function buildSegment(segment: Segment): Uint8Array {
  const headerLen = TCP_HEADER_LEN + (segment.maximumSegment > 0 ? MAXIMUM_SEGMENT_LEN : 0);
  const upper = new Uint8Array(headerLen + segment.data.length);
  const view = viewOf(upper);
  tcpWrite(view, 0, segment, headerLen);
  if (segment.maximumSegment > 0) tcpWriteMaximumSegment(view, TCP_HEADER_LEN, segment.maximumSegment);
  upper.set(segment.data, headerLen);
  return upper;
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
    data: new Uint8Array(),
  };
}
