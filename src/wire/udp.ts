/** UDP header (RFC 768). `at` is the offset of its first byte. */
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const LENGTH = 4;

export const UDP_HEADER_LEN = 8;
export const UDP_CHECKSUM = 6;

/** Header + payload bytes safe to touch, or 0 when the header lies about its length. */
export function udpCheckedLen(view: DataView, at: number, available: number): number {
  if (available < UDP_HEADER_LEN) return 0;
  const length = view.getUint16(at + LENGTH);
  return length >= UDP_HEADER_LEN && length <= available ? length : 0; // shorter: IP may carry bytes after UDP
}

export function udpLength(view: DataView, at: number): number {
  return view.getUint16(at + LENGTH);
}

export function udpSetLength(view: DataView, at: number, length: number): void {
  view.setUint16(at + LENGTH, length);
}

export function udpSourcePort(view: DataView, at: number): number {
  return view.getUint16(at + SOURCE_PORT);
}

export function udpDestinationPort(view: DataView, at: number): number {
  return view.getUint16(at + DESTINATION_PORT);
}

/** With checksum 0: none (RFC 768). */
export function udpWrite(
  view: DataView,
  at: number,
  sourcePort: number,
  destinationPort: number,
  length: number,
): void {
  view.setUint16(at + SOURCE_PORT, sourcePort);
  view.setUint16(at + DESTINATION_PORT, destinationPort);
  view.setUint16(at + LENGTH, length);
  view.setUint16(at + UDP_CHECKSUM, 0);
}
