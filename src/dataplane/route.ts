/** Where does the packet go? Routes are per address, then per pod CIDR; the answer is a way (`packet/way.ts`). */
import { KEY_DESTINATION } from '../packet/flow-key.ts';
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import { type Packet, RELATED, UNTRACKED } from '../packet/packet.ts';
import { Way, wayKind } from '../packet/way.ts';
import type { Dataplane } from './dataplane.ts';
import { rememberWay } from './flows.ts';

/** Way to the packet's destination, or negative: policy asks before the packet is routed. */
export function destination(dp: Dataplane, pkt: Packet): number {
  return dp.routes.find(pkt.key, KEY_DESTINATION);
}

/** Pre: `pkt.key` is what it is after translation. Post: `pkt.egress` is set. */
export function route(dp: Dataplane, pkt: Packet): Outcome {
  const found = destination(dp, pkt);
  if (found < 0) return Drop.NoRoute;
  const kind = wayKind(found);
  if (kind === Way.Blackhole) return Drop.NoSuchPod;
  // Nodes reach each other directly: a packet that would hop on is looping.
  if (kind === Way.Tunnel && wayKind(pkt.ingress) === Way.Tunnel) return Drop.TunnelLoop;
  pkt.egress = found;
  return CONTINUE;
}

/** The way that the connection remembers, or a new one when routes have changed since. */
export function wayOut(dp: Dataplane, pkt: Packet): Outcome {
  const { connection } = pkt;
  if (connection === UNTRACKED) return CONTINUE; // a new flow was routed by its own stage
  if (connection === RELATED) return route(dp, pkt);
  const egress = dp.connections.wayOut(connection * 2 + pkt.direction, dp.routeRevision);
  pkt.egress = egress;
  return egress === 0 ? routeAgain(dp, pkt) : CONTINUE;
}

function routeAgain(dp: Dataplane, pkt: Packet): Outcome {
  const outcome = route(dp, pkt);
  if (outcome === CONTINUE) rememberWay(dp, pkt);
  return outcome;
}
