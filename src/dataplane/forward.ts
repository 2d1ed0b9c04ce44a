/**
 * The end of every story: how a packet leaves, whichever side it came from and whether its flow was known or not.
 */
import { CONTINUE, Drop, type Outcome, Place } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { decrementTtl } from '../packet/rewrite.ts';
import { Way, wayKind } from '../packet/way.ts';
import type { Dataplane } from './dataplane.ts';
import { commit, translate } from './flows.ts';
import { fragmentLen, outputFragments } from './refragment.ts';
import { wayOut } from './route.ts';
import { mtuOf, transmit } from './transmit.ts';

export function forward(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  return (
    translate(dp, pkt) ||
    wayOut(dp, pkt) ||
    hopLimit(pkt) ||
    fits(dp, pkt) ||
    commit(dp, pkt, nowMs) ||
    output(dp, pkt, nowMs)
  );
}

/** A node is a hop between pods, but not for what its own host sends or receives. */
function hopLimit(pkt: Packet): Outcome {
  if (wayKind(pkt.ingress) === Way.Host || wayKind(pkt.egress) === Way.Host) return CONTINUE;
  return decrementTtl(pkt) ? CONTINUE : Drop.TtlExceeded;
}

/** MTU of the way out, judged per segment of a superframe; where it is too small, may the packet leave in fragments? */
function fits(dp: Dataplane, pkt: Packet): Outcome {
  const mtu = mtuOf(dp, pkt.egress);
  pkt.fragmentTo = 0;
  if (pkt.fragmentMax === 0 && pkt.largestIpLen <= mtu) return CONTINUE;
  return fitsInFragments(pkt, mtu);
}

function fitsInFragments(pkt: Packet, mtu: number): Outcome {
  if (mtu === 0) return Drop.PortDown;
  const limit = fragmentLen(pkt, mtu);
  pkt.fragmentTo = Math.max(0, limit);
  return limit < 0 ? Drop.MtuExceeded : CONTINUE;
}

function output(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  if (pkt.fragmentTo !== 0) return outputFragments(dp, pkt, nowMs);
  const sent = transmit(dp, pkt, nowMs);
  if (sent !== CONTINUE) return sent;
  dp.counters.countDelivered();
  return Place.Delivered;
}
