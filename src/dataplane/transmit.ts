/** The last step of every story: the packet, or a piece of it, leaves by `pkt.egress`. */
import { vxlanEncapsulate } from '../encap/vxlan.ts';
import { Drop, type Outcome, Place } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { Way, wayIndex, wayKind } from '../packet/way.ts';
import { writeMacs } from '../wire/ethernet.ts';
import type { Dataplane, Port } from './dataplane.ts';

/** 0 when a port has taken it, `Place.Held` when it waits on a link, or why it could not leave. */
export function transmit(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  return wayKind(pkt.egress) === Way.Tunnel ? toTunnel(dp, pkt, nowMs) : toPort(dp, pkt);
}

/** The same for a packet that no story counts, because it begins or continues here: its end is counted. */
export function transmitCounted(dp: Dataplane, pkt: Packet, nowMs: number): void {
  const sent = transmit(dp, pkt, nowMs);
  if (sent < 0) dp.counters.countDropped(-1 - sent);
  else if (sent !== Place.Held) dp.counters.countDelivered();
}

/** IP MTU of a way out; 0 when it is gone. */
export function mtuOf(dp: Dataplane, egress: number): number {
  return wayKind(egress) === Way.Tunnel ? dp.node.tunnelMtu : (portOf(dp, egress)?.mtu ?? 0);
}

/** The same where the way out is a port. */
export function toPort(dp: Dataplane, pkt: Packet): Outcome {
  const port = portOf(dp, pkt.egress);
  if (port === undefined) return Drop.PortDown;
  writeMacs(pkt.view, pkt.at, port.macHigh, port.macLow, dp.node.macHigh, dp.node.macLow);
  return port.transmit(pkt);
}

function toTunnel(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  const index = wayIndex(pkt.egress);
  const endpoint = dp.endpoints.list[index];
  if (endpoint === undefined || dp.underlay === undefined) return Drop.PortDown;
  vxlanEncapsulate(pkt, endpoint, dp.node.macHigh, dp.node.macLow, dp.node.vni);
  return dp.underlay.transmit(pkt, index, nowMs);
}

function portOf(dp: Dataplane, egress: number): Port | undefined {
  const kind = wayKind(egress);
  if (kind === Way.Pod) return dp.pods[wayIndex(egress)];
  return kind === Way.Host ? dp.host : undefined;
}
