/**
 * What a packet does to its connection, and which packets may begin one. Rules and names are those of Linux's
 * connection tracking; INVALID is a drop reason here (kube-proxy and every CNI drop what it calls INVALID).
 */

import { keyIsIcmp } from '../packet/flow-key.ts';
import { CONTINUE, Drop, type Outcome, Place } from '../packet/outcome.ts';
import { type Packet, RELATED, UNTRACKED } from '../packet/packet.ts';
import { ICMP_TYPE_MAX, icmpOpensFlow, icmpType } from '../wire/icmp.ts';
import { Protocol } from '../wire/protocol.ts';
import { ConnectionFlag, type Connections } from './connections.ts';
import { isIcmpError, isRedirect, relatedHalf } from './related.ts';
import { trackOrdinary } from './tcp-ordinary.ts';
import { timeoutMs, UDP_STREAM_AGE_MS } from './timeouts.ts';
import { beginSctp, sctpMayBegin, trackSctp } from './track-sctp.ts';
import { beginTcp, tcpMayBegin, trackTcp } from './track-tcp.ts';

/** State of a connection whose protocol has none. */
const STATELESS = 1;

/**
 * Looks the packet's key up.
 *
 * Pre:  `pkt.key` is loaded.
 * Post: known: `pkt.connection` and `pkt.direction` are set and the connection's state has moved on.
 *       Related: an ICMP error about a known connection; `pkt.connection` is `RELATED`.
 *       Continue: the packet may begin a connection. Else INVALID.
 */
export function trackPacket(connections: Connections, pkt: Packet, nowMs: number): Outcome {
  const half = connections.findPacket(pkt);
  if (half < 0) return trackUnknown(connections, pkt, nowMs);
  const connection = half >> 1;
  if (connections.isOver(connection, nowMs)) {
    connections.remove(connection);
    return trackUnknown(connections, pkt, nowMs);
  }
  const direction = half & 1;
  pkt.connection = connection;
  pkt.direction = direction;
  const outcome = advance(connections, pkt, nowMs);
  if (outcome !== Place.KnownFlow) return leaveConnection(connections, pkt, outcome);
  // Only now: what a first reply does to its flow, it does as long as none was seen.
  if (direction === 1) connections.flags[connection]! |= ConnectionFlag.SeenReply;
  return outcome;
}

function leaveConnection(connections: Connections, pkt: Packet, outcome: Outcome): Outcome {
  if (outcome === Drop.Invalid) connections.statistics.invalid++;
  pkt.connection = UNTRACKED;
  return outcome;
}

function trackUnknown(connections: Connections, pkt: Packet, nowMs: number): Outcome {
  pkt.connection = UNTRACKED;
  if (isIcmpError(pkt)) return trackError(connections, pkt, nowMs);
  if (mayBegin(pkt)) return CONTINUE;
  const { statistics } = connections;
  const unknownIcmp = pkt.protocol === Protocol.Icmp && icmpType(pkt.view, pkt.l4At) > ICMP_TYPE_MAX; // CT-044
  if (unknownIcmp) statistics.error++;
  else statistics.invalid++;
  return Drop.Invalid;
}

function trackError(connections: Connections, pkt: Packet, nowMs: number): Outcome {
  const half = relatedHalf(connections, pkt);
  if (half < 0 || connections.isOver(half >> 1, nowMs)) {
    connections.statistics.error++;
    return Drop.Invalid;
  }
  const translated = (connections.flags[half >> 1]! & ConnectionFlag.Translated) !== 0;
  if (translated && isRedirect(pkt)) return Drop.Invalid; // CT-076
  pkt.connection = RELATED;
  pkt.relatedHalf = half;
  return Place.KnownFlow;
}

/** May this packet, which belongs to no connection, begin one? */
function mayBegin(pkt: Packet): boolean {
  switch (pkt.protocol) {
    case Protocol.Tcp:
      return tcpMayBegin(pkt);
    case Protocol.Sctp:
      return sctpMayBegin(pkt);
    case Protocol.Icmp:
    case Protocol.Icmpv6:
      // The other family's ICMP asks nothing.
      return keyIsIcmp(pkt.key, 0) && icmpOpensFlow(icmpType(pkt.view, pkt.l4At), pkt.version);
    default:
      return true;
  }
}

/** Known flow, or INVALID; or continue: the connection is gone, and the packet may begin another. */
function advance(connections: Connections, pkt: Packet, nowMs: number): Outcome {
  if (pkt.protocol === Protocol.Tcp) {
    return trackOrdinary(connections, pkt, nowMs) ? Place.KnownFlow : trackTcp(connections, pkt, nowMs);
  }
  return pkt.protocol === Protocol.Sctp ? trackSctp(connections, pkt, nowMs) : trackStateless(connections, pkt, nowMs);
}

function trackStateless(connections: Connections, pkt: Packet, nowMs: number): Outcome {
  const { connection, protocol } = pkt;
  const flags = connections.flags[connection]!;
  const stream = (flags & ConnectionFlag.Assured) !== 0 || isStream(connections, connection, protocol, flags, nowMs);
  if (stream) connections.flags[connection] = flags | ConnectionFlag.Assured; // CT-041
  connections.refresh(connection, nowMs, timeoutMs(protocol, stream));
  return Place.KnownFlow;
}

/** Asked until it is so: then it stays so, and when the connection began lies elsewhere in memory. */
function isStream(
  connections: Connections,
  connection: number,
  protocol: number,
  flags: number,
  nowMs: number,
): boolean {
  if ((flags & ConnectionFlag.SeenReply) === 0) return false;
  if (protocol === Protocol.Gre) return true;
  return protocol === Protocol.Udp && nowMs - connections.createdMs[connection]! > UDP_STREAM_AGE_MS; // CT-012
}

/** State and first lifetime of a connection that this packet has just begun. */
export function beginConnection(connections: Connections, connection: number, pkt: Packet, nowMs: number): void {
  if (pkt.protocol === Protocol.Tcp) {
    beginTcp(connections, connection, pkt, nowMs);
  } else if (pkt.protocol === Protocol.Sctp) {
    beginSctp(connections, connection, pkt, nowMs);
  } else {
    connections.state[connection] = STATELESS;
    connections.refresh(connection, nowMs, timeoutMs(pkt.protocol, false));
  }
}
