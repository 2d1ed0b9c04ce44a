/**
 * How long an entry lives without a packet, in milliseconds. Linux's defaults (net/netfilter/nf_conntrack_proto_*.c;
 * CT-008 to CT-013), with the two that kube-proxy changes on every node (CT-010).
 */
import { Protocol } from '../wire/protocol.ts';
import { SctpState } from './sctp-states.ts';
import { TcpState } from './tcp-states.ts';

const SECOND = 1000;

/** Index: TcpState. */
const tcp = new Int32Array(10);
tcp[TcpState.SynSent] = 120 * SECOND;
tcp[TcpState.SynReceived] = 60 * SECOND;
tcp[TcpState.Established] = 86_400 * SECOND; // kube-proxy; Linux alone: 432,000
tcp[TcpState.FinWait] = 120 * SECOND;
tcp[TcpState.CloseWait] = 3_600 * SECOND; // kube-proxy; Linux alone: 60
tcp[TcpState.LastAck] = 30 * SECOND;
tcp[TcpState.TimeWait] = 120 * SECOND;
tcp[TcpState.Close] = 10 * SECOND;
tcp[TcpState.SynSent2] = 120 * SECOND;

/** Data that is not acknowledged, or a connection picked up in mid-stream that nobody has answered (CT-009). */
export const TCP_UNACKNOWLEDGED_MS = 300 * SECOND;
/** After repeated retransmissions, or while no window is offered: tcp_timeout_max_retrans (CT-009). */
export const TCP_GIVEN_UP_MS = 300 * SECOND;

/**
 * Index: SctpState (CT-014). Established and the two shutdown states are those of Linux since 6.3 and 6.6, where they
 * were five days and 0.3 s before (commits a44b7651489f and 9bfab6d23a28).
 */
const sctp = new Int32Array(9);
sctp[SctpState.Closed] = 10 * SECOND;
sctp[SctpState.CookieWait] = 3 * SECOND;
sctp[SctpState.CookieEchoed] = 3 * SECOND;
sctp[SctpState.Established] = 210 * SECOND;
sctp[SctpState.ShutdownSent] = 3 * SECOND;
sctp[SctpState.ShutdownReceived] = 3 * SECOND;
sctp[SctpState.ShutdownAckSent] = 3 * SECOND;
sctp[SctpState.HeartbeatSent] = 30 * SECOND;

const UDP_UNREPLIED = 30 * SECOND;
const UDP_STREAM = 120 * SECOND;
const ICMP = 30 * SECOND;
const GRE = 30 * SECOND;
const GRE_STREAM = 180 * SECOND;
const GENERIC = 600 * SECOND;

/** A replied UDP flow counts as a stream only once it is older than this (CT-012). */
export const UDP_STREAM_AGE_MS = 2 * SECOND;

export function tcpTimeoutMs(state: number): number {
  return tcp[state]!;
}

export function sctpTimeoutMs(state: number): number {
  return sctp[state]!;
}

/** Of protocols without states. @param stream both sides speak, for UDP longer than `UDP_STREAM_AGE_MS`. */
export function timeoutMs(protocol: number, stream: boolean): number {
  switch (protocol) {
    case Protocol.Udp:
      return stream ? UDP_STREAM : UDP_UNREPLIED;
    case Protocol.Icmp:
    case Protocol.Icmpv6:
      return ICMP;
    case Protocol.Gre:
      return stream ? GRE_STREAM : GRE;
    default:
      return GENERIC;
  }
}
