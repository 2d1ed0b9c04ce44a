/**
 * What a packet does to its connection, and which packets may begin one. Rules and names are those of Linux's
 * connection tracking; INVALID is a drop reason here (kube-proxy and every CNI drop what it calls INVALID).
 */

import { keyIsIcmp } from '../packet/flow-key.ts';
import { CONTINUE, Drop, type Outcome, Place } from '../packet/outcome.ts';
import { type Packet, RELATED, UNTRACKED } from '../packet/packet.ts';
import { icmpOpensFlow, icmpType } from '../wire/icmp.ts';
import { Protocol } from '../wire/protocol.ts';
import { tcpFlags } from '../wire/tcp.ts';
import { ConnectionFlag, type Connections } from './connections.ts';
import { isIcmpError, relatedHalf } from './related.ts';
import { nextTcpState, Segment, segmentKind, TCP_IGNORE, TCP_INVALID, TcpState, tcpFlagsValid } from './tcp-states.ts';
import { tcpTimeoutMs, timeoutMs, UDP_STREAM_AGE_MS } from './timeouts.ts';

/**
 * Looks the packet's key up.
 *
 * Pre:  `pkt.key` is loaded.
 * Post: known: `pkt.connection` and `pkt.direction` are set and the connection's state has moved on.
 *       Related: an ICMP error about a known connection; `pkt.connection` is `RELATED`.
 *       Continue: the packet may begin a connection. Else INVALID.
 */
export function trackPacket(connections: Connections, pkt: Packet, nowMs: number): Outcome {
  pkt.hash = connections.table.hash(pkt.key, 0);
  const half = connections.table.find(pkt.key, 0, pkt.hash);
  pkt.connection = UNTRACKED;
  if (half >= 0) {
    const connection = half >> 1;
    if (!connections.isOver(connection, nowMs) && !reopens(connections, half, pkt))
      return advance(connections, half, pkt, nowMs);
    connections.remove(connection);
  }
  if (isIcmpError(pkt)) return trackError(connections, pkt, nowMs);
  return mayBegin(pkt) ? CONTINUE : Drop.Invalid;
}

function trackError(connections: Connections, pkt: Packet, nowMs: number): Outcome {
  const half = relatedHalf(connections, pkt);
  if (half < 0 || connections.isOver(half >> 1, nowMs)) return Drop.Invalid;
  // Errors about translated flows must be translated back (CT-075); until they are, none is better than a wrong one.
  if ((connections.flags[half >> 1]! & ConnectionFlag.Translated) !== 0) return Drop.Invalid;
  pkt.connection = RELATED;
  return Place.KnownFlow;
}

/** May this packet, which belongs to no connection, begin one? */
function mayBegin(pkt: Packet): boolean {
  switch (pkt.protocol) {
    case Protocol.Tcp: {
      const flags = tcpFlags(pkt.view, pkt.l4At);
      return tcpFlagsValid(flags) && nextTcpState(0, segmentKind(flags), TcpState.None) !== TCP_INVALID;
    }
    case Protocol.Icmp:
    case Protocol.Icmpv6:
      // The other family's ICMP asks nothing.
      return keyIsIcmp(pkt.key, 0) && icmpOpensFlow(icmpType(pkt.view, pkt.l4At), pkt.version);
    default:
      return true;
  }
}

/** A SYN on a connection that was closed properly, or reset by the same side, begins a new one (CT-029). */
function reopens(connections: Connections, half: number, pkt: Packet): boolean {
  if (pkt.protocol !== Protocol.Tcp) return false;
  const connection = half >> 1;
  if (connections.state[connection]! < TcpState.TimeWait || connections.state[connection] === TcpState.SynSent2) {
    return false;
  }
  if (segmentKind(tcpFlags(pkt.view, pkt.l4At)) !== Segment.Syn) return false;
  const properly = connections.closed[connection * 2]! | connections.closed[connection * 2 + 1]!;
  return properly !== 0 || connections.lastReset[connection] === (half & 1) + 1;
}

function advance(connections: Connections, half: number, pkt: Packet, nowMs: number): Outcome {
  pkt.connection = half >> 1;
  pkt.direction = half & 1;
  if (pkt.protocol === Protocol.Tcp) return advanceTcp(connections, pkt, nowMs);
  const { connection } = pkt;
  if (pkt.direction === 1) connections.flags[connection]! |= ConnectionFlag.SeenReply;
  const replied = (connections.flags[connection]! & ConnectionFlag.SeenReply) !== 0;
  const stream = replied && nowMs - connections.createdMs[connection]! > UDP_STREAM_AGE_MS;
  if (stream && pkt.protocol === Protocol.Udp) connections.flags[connection]! |= ConnectionFlag.Assured;
  connections.refresh(connection, nowMs + timeoutMs(pkt.protocol, stream));
  return Place.KnownFlow;
}

function advanceTcp(connections: Connections, pkt: Packet, nowMs: number): Outcome {
  const { connection, direction } = pkt;
  const flags = tcpFlags(pkt.view, pkt.l4At);
  if (!tcpFlagsValid(flags)) return Drop.Invalid;
  const kind = segmentKind(flags);
  const before = connections.state[connection]!;
  const after = nextTcpState(direction, kind, before);
  if (after === TCP_INVALID) return Drop.Invalid;
  // A closed connection that may not be opened again keeps its state, like anything else that is ignored.
  if (after === TCP_IGNORE || (after === TcpState.SynSent && before >= TcpState.TimeWait)) return Place.KnownFlow;

  const seenReply = (connections.flags[connection]! & ConnectionFlag.SeenReply) !== 0;
  connections.state[connection] = after;
  if (kind === Segment.Fin) connections.closed[connection * 2 + direction] = 1;
  connections.lastReset[connection] = kind === Segment.Rst ? direction + 1 : 0;
  if (direction === 1) connections.flags[connection]! |= ConnectionFlag.SeenReply;
  if (!seenReply && kind === Segment.Rst) {
    connections.end(connection, nowMs); // nothing was ever answered but this (CT-031)
    return Place.KnownFlow;
  }
  if (seenReply && after === TcpState.Established && (before === TcpState.SynReceived || before === after)) {
    connections.flags[connection]! |= ConnectionFlag.Assured; // CT-032
  }
  // A repeated SYN does not keep an unanswered attempt alive (Linux e15d4cdf27cb).
  if (before === TcpState.SynSent && after === before) return Place.KnownFlow;
  connections.refresh(connection, nowMs + tcpTimeoutMs(after, seenReply || direction === 1));
  return Place.KnownFlow;
}

/** State of a connection that this packet has just begun. */
export function beginState(pkt: Packet): number {
  return pkt.protocol === Protocol.Tcp
    ? nextTcpState(0, segmentKind(tcpFlags(pkt.view, pkt.l4At)), TcpState.None)
    : TcpState.SynSent;
}

/** First lifetime of a connection that this packet has just begun. */
export function beginTimeoutMs(pkt: Packet, state: number): number {
  return pkt.protocol === Protocol.Tcp ? tcpTimeoutMs(state, false) : timeoutMs(pkt.protocol, false);
}
