import type { Connections } from '../conntrack/connections.ts';
import { type Packet, RELATED, UNTRACKED } from '../packet/packet.ts';
import { connectionWord, NO_CONNECTION, RELATED_CONNECTION } from '../recording/sighting.ts';
import { Protocol } from '../wire/protocol.ts';
import { TcpFlag, tcpFlags } from '../wire/tcp.ts';

/** TCP's, which tell of a flow's life; besides them, the first packet of each direction does. */
const EVENT_FLAGS = TcpFlag.Syn | TcpFlag.Fin | TcpFlag.Rst;

/** What is known of the packet's connection, once its story has ended: see `connectionWord`. */
export function connectionWordOf(connections: Connections, pkt: Packet): number {
  const { connection, direction, protocol } = pkt;
  if (connection === UNTRACKED) return NO_CONNECTION;
  if (connection === RELATED) return RELATED_CONNECTION;
  const event =
    connections.packetsOf(connection * 2 + direction) === pkt.segments ||
    (protocol === Protocol.Tcp && (tcpFlags(pkt.view, pkt.l4At) & EVENT_FLAGS) !== 0);
  return connectionWord(connections.state[connection]!, connections.flags[connection]!, direction, protocol, event);
}
