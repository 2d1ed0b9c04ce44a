/**
 * Policies change under live flows, and live flows obey (the strict reading of NP-033). A connection keeps the policy
 * revision that it was judged at; when the rules of one of its pods have changed since, a packet of either direction, or
 * an ICMP error about it, has the connection judged again, in its original direction, as if it began now. What is denied
 * stays in the table with its translation and its old revision: it goes on when the policies let it through again.
 */
import { KEY_DESTINATION, KEY_WORDS } from '../packet/flow-key.ts';
import { CONTINUE, type Outcome, Place } from '../packet/outcome.ts';
import { type Packet, RELATED } from '../packet/packet.ts';
import { judge } from '../policy/policies.ts';
import type { Dataplane } from './dataplane.ts';

const key = new Int32Array(KEY_WORDS);

/** Pre: the packet is of a known flow, or related to one. One compare while no policy has changed. */
export function rejudge(dp: Dataplane, pkt: Packet): Outcome {
  const connection = pkt.connection === RELATED ? pkt.relatedHalf >> 1 : pkt.connection;
  if (dp.connections.policyRevision(connection) === dp.policies.revision) return Place.KnownFlow;
  const outcome = judgeConnection(dp, connection);
  return outcome === CONTINUE ? Place.KnownFlow : outcome;
}

function judgeConnection({ connections, policies, routes }: Dataplane, connection: number): Outcome {
  const from = connections.ingress(connection);
  const since = connections.policyRevision(connection);
  connections.judgedKey(connection, key);
  const to = routes.find(key, KEY_DESTINATION);
  const outcome =
    policies.movedSince(from, since) || policies.movedSince(to, since) ? judge(policies, key, from, to) : CONTINUE;
  if (outcome === CONTINUE) connections.setPolicyRevision(connection, policies.revision);
  return outcome;
}
