/** The short way and the long way through the same segment, from the same record: both must come to the same. */
import { expect } from 'vitest';
import type { Connections } from '../../src/conntrack/connections.ts';
import { trackOrdinary } from '../../src/conntrack/tcp-ordinary.ts';
import { trackTcp } from '../../src/conntrack/track-tcp.ts';
import { Place } from '../../src/packet/outcome.ts';
import type { Packet } from '../../src/packet/packet.ts';

/** Everything that a TCP segment may change of its connection: record, state, flags, deadline. */
type Kept = readonly number[];

function keep(connections: Connections, connection: number): Kept {
  const { records, state, flags, deadlineMs } = connections;
  const words = records.subarray(connections.recordOf(connection), connections.recordOf(connection + 1));
  return [...words, state[connection]!, flags[connection]!, deadlineMs[connection]!];
}

function putBack(connections: Connections, connection: number, kept: Kept): void {
  connections.records.set(kept.slice(0, -3), connections.recordOf(connection));
  connections.state[connection] = kept.at(-3)!;
  connections.flags[connection] = kept.at(-2)!;
  connections.deadlineMs[connection] = kept.at(-1)!;
}

/**
 * Judges the packet both ways; fails where they differ, and where the short way changes anything and then does not want
 * it. Leaves the connection as it was before. Returns whether the segment was an ordinary one.
 */
export function judgeBothWays(connections: Connections, pkt: Packet, nowMs: number): boolean {
  const { connection } = pkt;
  const before = keep(connections, connection);
  const ordinary = trackOrdinary(connections, pkt, nowMs);
  const short = keep(connections, connection);
  if (ordinary) {
    putBack(connections, connection, before);
    expect(trackTcp(connections, pkt, nowMs)).toBe(Place.KnownFlow);
  }
  const long = ordinary ? keep(connections, connection) : before;
  if (short.some((word, i) => word !== long[i])) expect({ before, after: short }).toEqual({ before, after: long });
  putBack(connections, connection, before);
  return ordinary;
}
