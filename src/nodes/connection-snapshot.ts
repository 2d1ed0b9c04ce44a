import type { Connections } from '../conntrack/connections.ts';
import { KEY_WORDS } from '../packet/flow-key.ts';
import type { ConnectionSnapshot } from './protocol.ts';

/** Copies every live connection: for lists, between two batches of packets. */
export function snapshotConnections(connections: Connections, nowMs: number): ConnectionSnapshot {
  const live: number[] = [];
  for (let i = 0; i < connections.highWater; i++) {
    if (connections.state[i] !== 0 && connections.deadlineMs[i]! > nowMs) live.push(i);
  }
  const snapshot: ConnectionSnapshot = {
    keys: new Int32Array(live.length * 2 * KEY_WORDS),
    state: Uint8Array.from(live, (i) => connections.state[i]!),
    flags: Uint8Array.from(live, (i) => connections.flags[i]!),
    remainingMs: Float64Array.from(live, (i) => connections.deadlineMs[i]! - nowMs),
    packets: new Float64Array(live.length * 2),
    bytes: new Float64Array(live.length * 2),
  };
  for (const [slot, i] of live.entries()) {
    const halves = i * 2;
    const keys = connections.table.keys.subarray(halves * KEY_WORDS, (halves + 2) * KEY_WORDS);
    snapshot.keys.set(keys, slot * 2 * KEY_WORDS);
    snapshot.packets.set(connections.packets.subarray(halves, halves + 2), slot * 2);
    snapshot.bytes.set(connections.bytes.subarray(halves, halves + 2), slot * 2);
  }
  return snapshot;
}
