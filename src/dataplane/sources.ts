/**
 * Does the source belong to where the packet came from? Asked of every packet, known flow or not: an address proves
 * nothing, the port does.
 */
import { KEY_SOURCE } from '../packet/flow-key.ts';
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { Way, wayKind } from '../packet/way.ts';
import { sourceMacIs } from '../wire/ethernet.ts';
import type { Dataplane, Port } from './dataplane.ts';

/** A pod speaks with its own MAC and addresses only. Pre: `pkt.key` is loaded. */
export function antiSpoof(port: Port, pkt: Packet): Outcome {
  const { addresses } = port;
  for (let i = 0; i < addresses.length; i += 4) {
    if (
      addresses[i + 3] === pkt.key[KEY_SOURCE + 3] &&
      addresses[i + 2] === pkt.key[KEY_SOURCE + 2] &&
      addresses[i + 1] === pkt.key[KEY_SOURCE + 1] &&
      addresses[i] === pkt.key[KEY_SOURCE]
    ) {
      return CONTINUE;
    }
  }
  return Drop.SpoofedSource;
}

/** Asked before anything else of a port's frames: also ARP must come from the right MAC. */
export function sourceMac(port: Port, pkt: Packet): Outcome {
  return sourceMacIs(pkt.view, pkt.at, port.macHigh, port.macLow) ? CONTINUE : Drop.SpoofedMac;
}

/** The inner source must be an address that is reached through the tunnel that the packet came from. */
export function sourceBehindTunnel(dp: Dataplane, pkt: Packet): Outcome {
  return dp.routes.find(pkt.key, KEY_SOURCE) === pkt.ingress ? CONTINUE : Drop.SpoofedSource;
}

/** From the host come only this node's own addresses: no pod's, no other node's. */
export function sourceOfHost(dp: Dataplane, pkt: Packet): Outcome {
  const owner = dp.routes.find(pkt.key, KEY_SOURCE);
  return owner >= 0 && wayKind(owner) === Way.Host ? CONTINUE : Drop.SpoofedSource;
}
