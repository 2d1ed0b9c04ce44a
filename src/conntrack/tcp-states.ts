/**
 * TCP states of a connection as a middlebox sees it: what each kind of segment does to each state, per direction.
 * The table is the one of Linux, net/netfilter/nf_conntrack_proto_tcp.c (rules CT-017 to CT-028).
 */
import { TcpFlag } from '../wire/tcp.ts';

export const TcpState = {
  None: 0,
  SynSent: 1,
  SynReceived: 2,
  Established: 3,
  FinWait: 4,
  CloseWait: 5,
  LastAck: 6,
  TimeWait: 7,
  Close: 8,
  /** Both sides sent a SYN (simultaneous open). */
  SynSent2: 9,
} as const;

/** Not a state: the segment cannot occur here. */
export const TCP_INVALID = 10;
/** Not a state: the segment passes and changes nothing. */
export const TCP_IGNORE = 11;

export const tcpStateNames = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
] as const;

/** What kind of segment the flags make it; RST wins over SYN, SYN over FIN, FIN over ACK (CT-027). */
export const Segment = { Syn: 0, SynAck: 1, Fin: 2, Ack: 3, Rst: 4, None: 5 } as const;

export function segmentKind(flags: number): number {
  if (flags & TcpFlag.Rst) return Segment.Rst;
  if (flags & TcpFlag.Syn) return flags & TcpFlag.Ack ? Segment.SynAck : Segment.Syn;
  if (flags & TcpFlag.Fin) return Segment.Fin;
  return flags & TcpFlag.Ack ? Segment.Ack : Segment.None;
}

const { SynSent: SS, SynReceived: SR, Established: ES, FinWait: FW, CloseWait: CW } = TcpState;
const { LastAck: LA, TimeWait: TW, Close: CL, SynSent2: S2 } = TcpState;
const IV = TCP_INVALID;
const IG = TCP_IGNORE;
const STATES = 10;

// biome-ignore format: one line per kind of segment, columns in the order of TcpState
const transitions = Uint8Array.of(
  // original direction
  // NO  SS  SR  ES  FW  CW  LA  TW  CL  S2
     SS, SS, IG, IG, IG, IG, IG, SS, SS, S2, // SYN      CT-017
     IV, IV, SR, IV, IV, IV, IV, IV, IV, SR, // SYN+ACK  CT-018
     IV, IV, FW, FW, LA, LA, LA, TW, CL, IV, // FIN      CT-019
     ES, IV, ES, ES, CW, CW, TW, TW, CL, IV, // ACK      CT-020
     IV, CL, CL, CL, CL, CL, CL, CL, CL, CL, // RST      CT-021
     IV, IV, IV, IV, IV, IV, IV, IV, IV, IV, // none     CT-021
  // reply direction
     IV, S2, IV, IV, IV, IV, IV, SS, IV, S2, // SYN      CT-022
     IV, SR, IG, IG, IG, IG, IG, IG, IG, SR, // SYN+ACK  CT-023
     IV, IV, FW, FW, LA, LA, LA, TW, CL, IV, // FIN      CT-024
     IV, IG, SR, ES, CW, CW, TW, TW, CL, IG, // ACK      CT-025
     IV, CL, CL, CL, CL, CL, CL, CL, CL, CL, // RST      CT-026
     IV, IV, IV, IV, IV, IV, IV, IV, IV, IV, // none     CT-026
);
const KINDS = 6;

/** The state that follows, or TCP_INVALID, or TCP_IGNORE. @param direction 0 original, 1 reply. */
export function nextTcpState(direction: number, kind: number, state: number): number {
  return transitions[(direction * KINDS + kind) * STATES + state]!;
}

/** Both sides are done with it, or as good as: its entry may go early, and a RST needs no check. */
export function tcpClosing(state: number): boolean {
  return state >= TcpState.FinWait && state <= TcpState.Close;
}

/** Bit set of the flag combinations that occur in honest traffic; PSH, ECE and CWR do not matter (CT-028). */
const { Fin, Syn, Rst, Ack, Urg } = TcpFlag;
const validFlags = new Set([Syn, Syn | Urg, Syn | Ack, Rst, Rst | Ack, Fin | Ack, Fin | Ack | Urg, Ack, Ack | Urg]);
const flagsValid = Uint8Array.from({ length: 64 }, (_, flags) => (validFlags.has(flags & ~TcpFlag.Psh) ? 1 : 0));

export function tcpFlagsValid(flags: number): boolean {
  return flagsValid[flags & 63] === 1;
}
