/**
 * What almost every segment is, in one straight line: ACK without SYN, FIN or RST, on an established connection whose
 * sides have both spoken, inside all bounds, with an open window, and no repetition. It compares and learns what
 * `trackTcp` does for such a segment, in 50 ns instead of 120: each word is read once, and what cannot be so here is not
 * asked. A test holds the two side by side (tcp-ordinary.test.ts).
 */
import type { Packet } from '../packet/packet.ts';
import {
  TCP_HEADER_LEN,
  TcpFlag,
  tcpAcknowledgment,
  tcpFlags,
  tcpHeaderLen,
  tcpSequence,
  tcpWindow,
} from '../wire/tcp.ts';
import { tcpHighestSack } from '../wire/tcp-options.ts';
import { ConnectionFlag, type Connections } from './connections.ts';
import { Segment, TcpState } from './tcp-states.ts';
import { ACK_WINDOW_MIN, SideFlag, TcpLast, TcpSide, tcpSide } from './tcp-window.ts';
import { TCP_UNACKNOWLEDGED_MS, tcpTimeoutMs } from './timeouts.ts';

// By name in this module, as in `tcp-window.ts`.
const { End, MaxEnd, MaxWindow, MaxAck, Scale, Flags } = TcpSide;
const { Kind: LastKind, Direction: LastDirection, Sequence: LastSequence, Ack: LastAck, End: LastEnd } = TcpLast;
const { Window: LastWindow, Retransmissions: LastRetransmissions } = TcpLast;
const { SackPermitted, DataUnacknowledged, MaxAckSet } = SideFlag;
const { Established } = TcpState;
const { Fin, Syn, Rst, Ack } = TcpFlag;
const ESTABLISHED_MS = tcpTimeoutMs(Established);
/** Both sides have been heard, and the lifetime is the long one already. */
const SETTLED = ConnectionFlag.SeenReply | ConnectionFlag.Assured;

/**
 * Counts the segment and returns true; false, with nothing changed, when it is not such a one.
 *
 * Pre: `pkt.connection` and `pkt.direction` are set.
 */
export function trackOrdinary(connections: Connections, pkt: Packet, nowMs: number): boolean {
  const { view, l4At, connection, direction } = pkt;
  if ((tcpFlags(view, l4At) & (Fin | Syn | Rst | Ack)) !== Ack) return false;
  if (connections.state[connection] !== Established) return false;
  if ((connections.flags[connection]! & SETTLED) !== SETTLED) return false;

  const words = connections.records;
  const record = connections.recordOf(connection);
  const sender = tcpSide(record, direction);
  const receiver = tcpSide(record, direction ^ 1);
  const sequence = tcpSequence(view, l4At);
  const ack = tcpAcknowledgment(view, l4At);
  const window = tcpWindow(view, l4At);
  const end = (sequence + (l4At + pkt.l4Len - pkt.payloadAt)) | 0;
  let senderFlags = words[sender + Flags]!;
  let receiverFlags = words[receiver + Flags]!;
  const hasOptions = tcpHeaderLen(view, l4At) !== TCP_HEADER_LEN;
  if (hasOptions && receiverFlags & SackPermitted && tcpHighestSack(view, l4At, ack) !== ack) return false;

  // The bounds I to IV, by the sign of wrapped differences, and nothing past what was offered.
  const senderEnd = words[sender + End]!;
  const senderWindow = words[sender + MaxWindow]!;
  const maxEnd = words[sender + MaxEnd]!;
  const receiverEnd = words[receiver + End]!;
  const receiverWindow = words[receiver + MaxWindow]!;
  const ackWindow = senderWindow > ACK_WINDOW_MIN ? senderWindow : ACK_WINDOW_MIN;
  // A window of 2 GB and more is negative here.
  if (window === 0 || senderWindow <= 0 || (senderFlags & MaxAckSet) === 0) return false;
  if (((maxEnd - sequence) | 0) < 0 || ((maxEnd - end) | 0) < 0 || ((receiverEnd - ack) | 0) < 0) return false;
  if (((end - senderEnd + receiverWindow) | 0) < 0 || ((ack - receiverEnd + ackWindow) | 0) < 0) return false;
  const again =
    words[record + LastSequence] === sequence &&
    words[record + LastAck] === ack &&
    words[record + LastEnd] === end &&
    words[record + LastWindow] === window &&
    words[record + LastDirection] === direction;
  if (again) return false;

  // Nothing stands against it: learn.
  const offered = window << words[sender + Scale]!;
  if (senderWindow < offered) words[sender + MaxWindow] = offered;
  if (((senderEnd - end) | 0) < 0) {
    words[sender + End] = end;
    senderFlags |= DataUnacknowledged;
  }
  if (((words[sender + MaxAck]! - ack) | 0) < 0) words[sender + MaxAck] = ack;
  words[sender + Flags] = senderFlags;
  const allowed = (ack + offered) | 0;
  if (((allowed - words[receiver + MaxEnd]!) | 0) > 0) words[receiver + MaxEnd] = allowed;
  if (ack === receiverEnd) {
    receiverFlags &= ~DataUnacknowledged;
    words[receiver + Flags] = receiverFlags;
  }
  words[record + LastKind] = Segment.Ack;
  words[record + LastDirection] = direction;
  words[record + LastSequence] = sequence;
  words[record + LastAck] = ack;
  words[record + LastEnd] = end;
  words[record + LastWindow] = window;
  words[record + LastRetransmissions] = 0;

  const waits = ((senderFlags | receiverFlags) & DataUnacknowledged) !== 0;
  connections.refresh(connection, nowMs, waits ? TCP_UNACKNOWLEDGED_MS : ESTABLISHED_MS);
  return true;
}
