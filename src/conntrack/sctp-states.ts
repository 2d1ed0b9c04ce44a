/**
 * SCTP states of an association as a middlebox sees it: what each kind of chunk does to each state, per direction.
 * The table is the one of Linux, net/netfilter/nf_conntrack_proto_sctp.c (6.18).
 */
import { SctpChunk } from '../wire/sctp.ts';

export const SctpState = {
  None: 0,
  /** An INIT was seen, or the end of the association. */
  Closed: 1,
  CookieWait: 2,
  CookieEchoed: 3,
  Established: 4,
  ShutdownSent: 5,
  ShutdownReceived: 6,
  ShutdownAckSent: 7,
  /** A second path of an association that began elsewhere (multihoming). */
  HeartbeatSent: 8,
} as const;

/** Not a state: the chunk cannot occur here. */
export const SCTP_INVALID = 9;

export const sctpStateNames = [
  'NONE',
  'CLOSED',
  'COOKIE_WAIT',
  'COOKIE_ECHOED',
  'ESTABLISHED',
  'SHUTDOWN_SENT',
  'SHUTDOWN_RECD',
  'SHUTDOWN_ACK_SENT',
  'HEARTBEAT_SENT',
] as const;

const { Closed: CL, CookieWait: CW, CookieEchoed: CE, Established: ES } = SctpState;
const { ShutdownSent: SS, ShutdownReceived: SR, ShutdownAckSent: SA, HeartbeatSent: HS } = SctpState;
const IV = SCTP_INVALID;
const STATES = 9;

// biome-ignore format: one line per kind of chunk, columns in the order of SctpState
const transitions = Uint8Array.of(
  // original direction
  // NO  CL  CW  CE  ES  SS  SR  SA  HS
     CL, CL, CW, CE, ES, CL, CL, SA, CW, // INIT
     CL, CL, CW, CE, ES, SS, SR, SA, CL, // INIT ACK
     CL, CL, CL, CL, CL, CL, CL, CL, CL, // ABORT
     CL, CL, CW, CE, SS, SS, SR, SA, CL, // SHUTDOWN
     SA, CL, CW, CE, ES, SA, SA, SA, SA, // SHUTDOWN ACK
     CL, CL, CW, CE, ES, SS, SR, SA, CL, // ERROR
     CL, CL, CE, CE, ES, SS, SR, SA, CL, // COOKIE ECHO
     CL, CL, CW, ES, ES, SS, SR, SA, CL, // COOKIE ACK
     CL, CL, CW, CE, ES, SS, SR, CL, CL, // SHUTDOWN COMPLETE
     HS, CL, CW, CE, ES, SS, SR, SA, HS, // HEARTBEAT
     CL, CL, CW, CE, ES, SS, SR, SA, HS, // HEARTBEAT ACK
  // reply direction
     IV, CL, CW, CE, ES, SS, SR, SA, IV, // INIT
     IV, CW, CW, CE, ES, SS, SR, SA, IV, // INIT ACK
     IV, CL, CL, CL, CL, CL, CL, CL, IV, // ABORT
     IV, CL, CW, CE, SR, SS, SR, SA, IV, // SHUTDOWN
     IV, CL, CW, CE, ES, SA, SA, SA, IV, // SHUTDOWN ACK
     IV, CL, CW, CL, ES, SS, SR, SA, IV, // ERROR
     IV, CL, CE, CE, ES, SS, SR, SA, IV, // COOKIE ECHO
     IV, CL, CW, ES, ES, SS, SR, SA, IV, // COOKIE ACK
     IV, CL, CW, CE, ES, SS, SR, CL, IV, // SHUTDOWN COMPLETE
     IV, CL, CW, CE, ES, SS, SR, SA, HS, // HEARTBEAT
     IV, CL, CW, CE, ES, SS, SR, SA, ES, // HEARTBEAT ACK
);

/** Row of the table by chunk type; 255 for chunks that move no state, DATA and SACK among them. */
const rows = new Uint8Array(256).fill(255);
for (const [row, type] of [
  ...[SctpChunk.Init, SctpChunk.InitAck, SctpChunk.Abort, SctpChunk.Shutdown, SctpChunk.ShutdownAck],
  ...[SctpChunk.Error, SctpChunk.CookieEcho, SctpChunk.CookieAck, SctpChunk.ShutdownComplete],
  ...[SctpChunk.Heartbeat, SctpChunk.HeartbeatAck],
].entries()) {
  rows[type] = row;
}
const KINDS = 11;

/** The state that follows, or SCTP_INVALID. @param direction 0 original, 1 reply. */
export function nextSctpState(direction: number, chunkType: number, state: number): number {
  const row = rows[chunkType]!;
  return row === 255 ? state : transitions[(direction * KINDS + row) * STATES + state]!;
}

/** The association is as good as over: its entry may go early, assured or not. */
export function sctpClosing(state: number): boolean {
  return state >= SctpState.ShutdownSent && state <= SctpState.ShutdownAckSent;
}
