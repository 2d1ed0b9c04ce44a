/**
 * A frame as it crosses a pod's wire: with what virtio says about it. The header in front is written and read by code
 * of its own, from linux/virtio_net.h.
 */
import { joined } from '../support/frames.ts';
import { type Frame, parseFrame } from '../support/read-frame.ts';

export interface WireFrame {
  readonly bytes: Uint8Array;
  /** Payload bytes per segment of a superframe, or 0. */
  readonly gsoSize: number;
  /** Its TCP or UDP checksum is the pseudo header's sum alone. */
  readonly partial: boolean;
}

export function plainFrame(bytes: Uint8Array): WireFrame {
  return { bytes, gsoSize: 0, partial: false };
}

const HEADER_LEN = 12;
const GSO = { tcp4: 1, tcp6: 4, udp: 5 } as const;
const UDP = 17;
const CWR = 0x80;
const GSO_ECN = 0x80;

/** struct virtio_net_hdr_v1, then the frame. */
export function toTapBytes({ bytes, gsoSize, partial }: WireFrame): Uint8Array {
  const header = new Uint8Array(HEADER_LEN);
  const view = new DataView(header.buffer);
  if (partial) {
    const ipv6 = bytes[12] === 0x86;
    const l4At = 14 + (ipv6 ? 40 : (bytes[14]! & 15) * 4);
    const udp = bytes[ipv6 ? 20 : 23] === UDP;
    view.setUint8(0, 1);
    view.setUint16(6, l4At, true);
    view.setUint16(8, udp ? 6 : 16, true);
    if (gsoSize > 0) {
      view.setUint8(1, udp ? GSO.udp : tcpGsoType(ipv6, bytes[l4At + 13]!));
      view.setUint16(2, l4At + (udp ? 8 : (bytes[l4At + 12]! >> 4) * 4), true);
      view.setUint16(4, gsoSize, true);
    }
  }
  return joined(header, bytes);
}

function tcpGsoType(ipv6: boolean, flags: number): number {
  const type = ipv6 ? GSO.tcp6 : GSO.tcp4;
  return (flags & CWR) !== 0 ? type | GSO_ECN : type;
}

/** How what a port gave differs from what was expected, line by line; empty when it does not. */
export function differences(found: Uint8Array, expected: WireFrame): string[] {
  const want = toTapBytes(expected);
  if (Buffer.compare(found, want) === 0) return [];
  const seen = describe(found);
  const lines = Object.entries(describe(want)).flatMap(([name, value]) =>
    seen[name] === value ? [] : [`${name}: found ${seen[name] ?? 'none'}, expected ${value}`],
  );
  for (const [name, value] of Object.entries(seen)) {
    if (!(name in describe(want))) lines.push(`${name}: found ${value}, expected none`);
  }
  if (lines.length > 0) return lines;
  const at = found.findIndex((byte, i) => byte !== want[i]);
  return [`byte ${at - HEADER_LEN} of the frame: found ${hex(found.subarray(at))}, expected ${hex(want.subarray(at))}`];
}

/** What a port gave, on one line. */
export function summary(found: Uint8Array): string {
  return Object.entries(describe(found))
    .filter(([, value]) => value !== '0' && value !== '')
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

function describe(tapBytes: Uint8Array): Record<string, string> {
  const view = new DataView(tapBytes.buffer, tapBytes.byteOffset);
  const offload = {
    'virtio flags': String(view.getUint8(0)),
    'gso type': String(view.getUint8(1)),
    'header length': String(view.getUint16(2, true)),
    'gso size': String(view.getUint16(4, true)),
    'checksum start': String(view.getUint16(6, true)),
    'checksum offset': String(view.getUint16(8, true)),
  };
  let frame: Frame;
  try {
    frame = parseFrame(tapBytes.subarray(HEADER_LEN));
  } catch {
    return { ...offload, bytes: hex(tapBytes.subarray(HEADER_LEN)) };
  }
  const fields = Object.entries(frame).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? `${value.length} bytes${value.length > 0 ? `: ${hex(value)}` : ''}` : String(value),
  ]);
  return { ...Object.fromEntries(fields), ...offload };
}

function hex(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, 24)).toString('hex');
  return bytes.length > 24 ? `${text}…` : text;
}
