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
  const key = new Int32Array(KEY_WORDS);
  for (const [slot, i] of live.entries()) {
    for (let direction = 0; direction < 2; direction++) {
      const half = i * 2 + direction;
      const to = slot * 2 + direction;
      connections.key(half, key);
      snapshot.keys.set(key, to * KEY_WORDS);
      snapshot.packets[to] = connections.packetsOf(half);
      snapshot.bytes[to] = connections.bytesOf(half);
    }
  }
  return snapshot;
}
