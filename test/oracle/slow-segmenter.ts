/**
 * Superframes into segments as RFC text has it: whole new frames, every checksum from scratch. What changes from
 * segment to segment is what Linux does (net/ipv4/tcp_offload.c, udp_offload.c, af_inet.c).
 */
import { pseudoHeader, slowChecksum, slowSum } from './slow-checksum.ts';

const FIN = 1;
const PSH = 8;
const CWR = 0x80;

interface Layout {
  readonly ipv6: boolean;
  readonly l4: number;
  readonly protocol: number;
  readonly payload: number;
}

/** Where the headers of a TCP or UDP frame are. */
export function layoutOf(frame: Uint8Array): Layout {
  const ipv6 = frame[12] === 0x86;
  let protocol = ipv6 ? frame[20]! : frame[23]!;
  let l4 = ipv6 ? 54 : 14 + (frame[14]! & 15) * 4;
  while (ipv6 && (protocol === 0 || protocol === 43 || protocol === 60)) {
    protocol = frame[l4]!;
    l4 += (frame[l4 + 1]! + 1) * 8;
  }
  return { ipv6, l4, protocol, payload: l4 + (protocol === 6 ? (frame[l4 + 12]! >> 4) * 4 : 8) };
}

/** The wire frames of a superframe; of an ordinary frame (`gsoSize` 0), the one with its checksum computed. */
export function slowSegments(frame: Uint8Array, gsoSize: number): Uint8Array[] {
  const { payload } = layoutOf(frame);
  const step = gsoSize === 0 ? Math.max(frame.length - payload, 1) : gsoSize;
  const segments: Uint8Array[] = [];
  for (let offset = 0; offset === 0 || offset < frame.length - payload; offset += step) {
    const end = Math.min(payload + offset + step, frame.length);
    const segment = new Uint8Array(payload + end - (payload + offset));
    segment.set(frame.subarray(0, payload));
    segment.set(frame.subarray(payload + offset, end), payload);
    renumber(segment, offset, segments.length, end === frame.length);
    segments.push(segment);
  }
  for (const segment of segments) fixFrame(segment);
  return segments;
}

function renumber(segment: Uint8Array, offset: number, index: number, last: boolean): void {
  const { ipv6, l4, protocol } = layoutOf(segment);
  const view = new DataView(segment.buffer);
  if (!ipv6) view.setUint16(18, (view.getUint16(18) + index) % 0x10000);
  if (protocol !== 6) return;
  view.setUint32(l4 + 4, (view.getUint32(l4 + 4) + offset) % 0x1_0000_0000);
  let flags = segment[l4 + 13]!;
  if (index > 0) flags &= ~CWR;
  if (!last) flags &= ~(FIN | PSH);
  segment[l4 + 13] = flags;
}

/** Makes the lengths and checksums of a TCP or UDP frame right. */
export function fixFrame(frame: Uint8Array): void {
  const { ipv6, l4, protocol } = layoutOf(frame);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (ipv6) view.setUint16(18, frame.length - 54);
  else {
    view.setUint16(16, frame.length - 14);
    view.setUint16(24, 0);
    view.setUint16(24, slowChecksum(frame.subarray(14, l4)));
  }
  if (protocol === 17) view.setUint16(l4 + 4, frame.length - l4);
  const field = l4 + (protocol === 6 ? 16 : 6);
  const [source, destination] = ipv6
    ? [frame.subarray(22, 38), frame.subarray(38, 54)]
    : [frame.subarray(26, 30), frame.subarray(30, 34)];
  view.setUint16(field, 0);
  const pseudo = pseudoHeader(source, destination, protocol, frame.length - l4);
  const checksum = slowChecksum(frame.subarray(l4), slowSum(pseudo));
  view.setUint16(field, checksum === 0 && protocol === 17 ? 0xffff : checksum);
}
