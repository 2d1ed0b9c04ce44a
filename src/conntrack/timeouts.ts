/**
 * How long an entry lives without a packet, in milliseconds. Linux's defaults (net/netfilter/nf_conntrack_proto_*.c;
 * CT-008 to CT-013), with the two that kube-proxy changes on every node (CT-010).
 */
import { Protocol } from '../wire/protocol.ts';
import { TcpState } from './tcp-states.ts';

const SECOND = 1000;

/** Index: TcpState. */
const tcp = new Float64Array(10);
tcp[TcpState.SynSent] = 120 * SECOND;
tcp[TcpState.SynReceived] = 60 * SECOND;
tcp[TcpState.Established] = 86_400 * SECOND; // kube-proxy; Linux alone: 432,000
tcp[TcpState.FinWait] = 120 * SECOND;
tcp[TcpState.CloseWait] = 3_600 * SECOND; // kube-proxy; Linux alone: 60
tcp[TcpState.LastAck] = 30 * SECOND;
tcp[TcpState.TimeWait] = 120 * SECOND;
tcp[TcpState.Close] = 10 * SECOND;
tcp[TcpState.SynSent2] = 120 * SECOND;

/** An established connection picked up mid-stream, until the other side answers (CT-009). */
const TCP_UNACKNOWLEDGED = 300 * SECOND;
const UDP_UNREPLIED = 30 * SECOND;
const UDP_STREAM = 120 * SECOND;
const ICMP = 30 * SECOND;
const GRE = 30 * SECOND;
const GRE_STREAM = 180 * SECOND;
const GENERIC = 600 * SECOND;

/** A replied UDP flow counts as a stream only once it is older than this (CT-012). */
export const UDP_STREAM_AGE_MS = 2 * SECOND;

export function tcpTimeoutMs(state: number, seenReply: boolean): number {
  const timeout = tcp[state]!;
  return !seenReply && state === TcpState.Established && timeout > TCP_UNACKNOWLEDGED ? TCP_UNACKNOWLEDGED : timeout;
}

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
