/**
 * The end of every story: how a packet leaves, whichever side it came from and whether its flow was known or not.
 */
import { vxlanEncapsulate } from '../encap/vxlan.ts';
import { CONTINUE, Drop, type Outcome, Place } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { decrementTtl } from '../packet/rewrite.ts';
import { Way, wayIndex, wayKind } from '../packet/way.ts';
import { writeMacs } from '../wire/ethernet.ts';
import type { Dataplane, Port } from './dataplane.ts';
import { commit, translate } from './flows.ts';
import { wayOut } from './route.ts';

export function forward(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  return (
    translate(dp, pkt) || wayOut(dp, pkt) || hopLimit(pkt) || fits(dp, pkt) || commit(dp, pkt, nowMs) || output(dp, pkt)
  );
}

/** A node is a hop between pods, but not for what its own host sends or receives. */
function hopLimit(pkt: Packet): Outcome {
  if (wayKind(pkt.ingress) === Way.Host || wayKind(pkt.egress) === Way.Host) return CONTINUE;
  return decrementTtl(pkt) ? CONTINUE : Drop.TtlExceeded;
}

/** MTU of the way out, judged per segment of a superframe. */
function fits(dp: Dataplane, pkt: Packet): Outcome {
  const mtu = wayKind(pkt.egress) === Way.Tunnel ? dp.node.tunnelMtu : (portOf(dp, pkt.egress)?.mtu ?? 0);
  if (mtu === 0) return Drop.PortDown;
  return pkt.largestIpLen <= mtu ? CONTINUE : Drop.MtuExceeded;
}

function output(dp: Dataplane, pkt: Packet): Outcome {
  const sent = wayKind(pkt.egress) === Way.Tunnel ? toTunnel(dp, pkt) : toPort(dp, pkt);
  if (sent < 0) return sent;
  dp.counters.countDelivered();
  return Place.Delivered;
}

function toPort(dp: Dataplane, pkt: Packet): Outcome {
  const port = portOf(dp, pkt.egress);
  if (port === undefined) return Drop.PortDown;
  writeMacs(pkt.view, pkt.at, port.macHigh, port.macLow, dp.node.macHigh, dp.node.macLow);
  return port.transmit(pkt);
}

function toTunnel(dp: Dataplane, pkt: Packet): Outcome {
  const index = wayIndex(pkt.egress);
  const endpoint = dp.endpoints.list[index];
  if (endpoint === undefined || dp.underlay === undefined) return Drop.PortDown;
  vxlanEncapsulate(pkt, endpoint, dp.node.macHigh, dp.node.macLow, dp.node.vni);
  return dp.underlay.transmit(pkt, index);
}

function portOf(dp: Dataplane, egress: number): Port | undefined {
  const kind = wayKind(egress);
  if (kind === Way.Pod) return dp.pods[wayIndex(egress)];
  return kind === Way.Host ? dp.host : undefined;
}
