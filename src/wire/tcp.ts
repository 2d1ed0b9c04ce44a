/** TCP header (RFC 9293 section 3.1). `at` is the offset of its first byte. */
const SEQUENCE = 4;
const ACKNOWLEDGMENT = 8;
const DATA_OFFSET = 12;
const FLAGS = 13;
const WINDOW = 14;

export const TCP_HEADER_LEN = 20;
export const TCP_CHECKSUM = 16;

export const TcpFlag = { Fin: 1, Syn: 2, Rst: 4, Psh: 8, Ack: 16, Urg: 32, Ece: 64, Cwr: 128 } as const;

/** Header length in bytes, options included, or 0 when it lies. */
export function tcpCheckedLen(view: DataView, at: number, available: number): number {
  if (available < TCP_HEADER_LEN) return 0;
  const length = tcpHeaderLen(view, at);
  return length >= TCP_HEADER_LEN && length <= available ? length : 0;
}

export function tcpHeaderLen(view: DataView, at: number): number {
  return (view.getUint8(at + DATA_OFFSET) >> 4) << 2;
}

export function tcpFlags(view: DataView, at: number): number {
  return view.getUint8(at + FLAGS);
}

export function tcpSetFlags(view: DataView, at: number, flags: number): void {
  view.setUint8(at + FLAGS, flags);
}

/** Signed: compare by subtraction, as sequence numbers wrap. */
export function tcpSequence(view: DataView, at: number): number {
  return view.getInt32(at + SEQUENCE);
}

export function tcpSetSequence(view: DataView, at: number, sequence: number): void {
  view.setInt32(at + SEQUENCE, sequence);
}

export function tcpAcknowledgment(view: DataView, at: number): number {
  return view.getInt32(at + ACKNOWLEDGMENT);
}

/** As it is in the header: not scaled. */
export function tcpWindow(view: DataView, at: number): number {
  return view.getUint16(at + WINDOW);
}

export interface TcpFields {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
}

/** With a zero checksum. @param headerLen options included, which are left to the caller; a multiple of 4. */
export function tcpWrite(view: DataView, at: number, fields: TcpFields, headerLen: number): void {
  view.setUint16(at, fields.sourcePort);
  view.setUint16(at + 2, fields.destinationPort);
  view.setInt32(at + SEQUENCE, fields.sequence);
  view.setInt32(at + ACKNOWLEDGMENT, fields.acknowledgment);
  view.setUint16(at + DATA_OFFSET, ((headerLen >> 2) << 12) | fields.flags);
  view.setUint16(at + WINDOW, fields.window);
  view.setInt32(at + TCP_CHECKSUM, 0); // and the urgent pointer
}
