/** SCTP common header (RFC 9260 section 3.1): ports, verification tag, CRC32c; and the chunks that follow it (3.2). */
export const SCTP_HEADER_LEN = 12;
export const SCTP_CHECKSUM = 8;
const VERIFICATION_TAG = 4;

export const SCTP_CHUNK_HEADER_LEN = 4;
/** Initiate tag, window, stream counts, first TSN: what INIT and INIT ACK have after their chunk header (3.3.2). */
export const SCTP_INIT_LEN = 16;

/** RFC 9260 section 3.2. */
export const SctpChunk = {
  Data: 0,
  Init: 1,
  InitAck: 2,
  Sack: 3,
  Heartbeat: 4,
  HeartbeatAck: 5,
  Abort: 6,
  Shutdown: 7,
  ShutdownAck: 8,
  Error: 9,
  CookieEcho: 10,
  CookieAck: 11,
  ShutdownComplete: 14,
} as const;

/** Flag of ABORT and SHUTDOWN COMPLETE: the tag is the sender's own, not the receiver's (3.3.7, 3.3.13). */
export const SCTP_TAG_REFLECTED = 1;

/** Tags are numbers to compare, so signed. */
export function sctpVerificationTag(view: DataView, at: number): number {
  return view.getInt32(at + VERIFICATION_TAG);
}

/** `chunk` is the offset of a chunk's first byte. */
export function sctpChunkType(view: DataView, chunk: number): number {
  return view.getUint8(chunk);
}

export function sctpChunkFlags(view: DataView, chunk: number): number {
  return view.getUint8(chunk + 1);
}

/** Header included, padding not. */
export function sctpChunkLength(view: DataView, chunk: number): number {
  return view.getUint16(chunk + 2);
}

/** Offset of the chunk after this one: chunks are padded to whole words. */
export function sctpNextChunk(view: DataView, chunk: number): number {
  return chunk + ((sctpChunkLength(view, chunk) + 3) & ~3);
}

/** Of INIT and INIT ACK: the tag that packets to its sender will carry. */
export function sctpInitiateTag(view: DataView, chunk: number): number {
  return view.getInt32(chunk + SCTP_CHUNK_HEADER_LEN);
}
