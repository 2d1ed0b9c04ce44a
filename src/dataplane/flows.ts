/** The stages that deal with connections: is the flow known, translate it, enter a new one. */
import { commitConnection } from '../conntrack/commit.ts';
import { ConnectionFlag } from '../conntrack/connections.ts';
import { trackPacket } from '../conntrack/track.ts';
import { copyKey, KEY_WORDS } from '../packet/flow-key.ts';
import { loadKey } from '../packet/load-key.ts';
import { CONTINUE, type Outcome, Place } from '../packet/outcome.ts';
import { type Packet, RELATED, UNTRACKED } from '../packet/packet.ts';
import { rewriteFlow } from '../packet/rewrite.ts';
import { rewriteError } from '../packet/rewrite-error.ts';
import type { Dataplane } from './dataplane.ts';
import { rejudge } from './rejudge.ts';

const seen = new Int32Array(KEY_WORDS);
const translated = new Int32Array(KEY_WORDS);

/** Reads the flow key out of the headers, unless `validate` has on its way: everything after this stage asks the key. */
export function flowKey(pkt: Packet): Outcome {
  if (!pkt.keyLoaded) loadKey(pkt);
  return CONTINUE;
}

/**
 * One look-up: `Place.KnownFlow`, or continue as the first packet of a connection, or INVALID; or denied, when policies
 * have changed under a known flow.
 */
export function knownFlow(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  const outcome = trackPacket(dp.connections, pkt, nowMs);
  if (outcome === CONTINUE) copyKey(pkt.key, dp.originalKey);
  return outcome === Place.KnownFlow ? rejudge(dp, pkt) : outcome;
}

/** Gives a packet of a known flow, or an error about one, the addresses and ports that its connection was given. */
export function translate(dp: Dataplane, pkt: Packet): Outcome {
  const { connection } = pkt;
  if (connection === UNTRACKED) return CONTINUE;
  if (connection === RELATED) return translateError(dp, pkt);
  const { connections } = dp;
  if ((connections.flags[connection]! & ConnectionFlag.Translated) === 0) return CONTINUE;
  connections.translatedKey(connection * 2 + pkt.direction, translated);
  rewriteFlow(pkt, translated, 0);
  return CONTINUE;
}

function translateError({ connections }: Dataplane, pkt: Packet): Outcome {
  const half = pkt.relatedHalf;
  if ((connections.flags[half >> 1]! & ConnectionFlag.Translated) === 0) return CONTINUE;
  connections.translatedKey(half, translated);
  connections.key(half, seen);
  rewriteError(pkt, seen, translated);
  return CONTINUE;
}

/** Does its connection give it other addresses or ports? */
export function isTranslated(dp: Dataplane, pkt: Packet): boolean {
  return pkt.connection >= 0 && (dp.connections.flags[pkt.connection]! & ConnectionFlag.Translated) !== 0;
}

/** Enters a new connection, now that nothing can stop its first packet; counts the packet for its direction. */
export function commit(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  if (pkt.connection === RELATED) return CONTINUE;
  if (pkt.connection === UNTRACKED) {
    const outcome = commitNew(dp, pkt, nowMs);
    if (outcome < 0) return outcome;
  }
  const half = pkt.connection * 2 + pkt.direction;
  dp.connections.countTraffic(half, pkt.segments, pkt.at + pkt.len - pkt.l3At); // IP bytes, as conntrack(8) counts
  return CONTINUE;
}

function commitNew(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  const { connections } = dp;
  const outcome = commitConnection(connections, pkt, dp.originalKey, nowMs, dp.random());
  if (outcome < 0) return outcome;
  connections.setPolicyRevision(pkt.connection, dp.policies.revision);
  rememberWay(dp, pkt);
  return CONTINUE;
}

/** Keeps the way out with the connection, so that its next packet does not ask the routes. */
export function rememberWay(dp: Dataplane, pkt: Packet): void {
  dp.connections.rememberWayOut(pkt.connection * 2 + pkt.direction, pkt.egress, dp.routeRevision);
}
