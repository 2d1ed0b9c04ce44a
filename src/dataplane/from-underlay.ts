import { ecnDecapsulate } from '../encap/ecn.ts';
import { innerMacIsOurs, knownEndpoint, vxlanDecapsulate } from '../encap/vxlan.ts';
import { CONTINUE, Drop, type Outcome, Place } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { ingressPolicy } from '../policy/policies.ts';
import type { Dataplane } from './dataplane.ts';
import { flowKey, knownFlow } from './flows.ts';
import { forward } from './forward.ts';
import { linkScope } from './link-scope.ts';
import { reassemble } from './reassemble.ts';
import { route } from './route.ts';
import { sourceBehindTunnel } from './sources.ts';
import { validateInner } from './unfinished.ts';

/**
 * A VXLAN packet from another node. Service translation and egress policy have happened there; what is asked here is
 * whether the sender is who it claims to be, and whether the pod may be reached.
 */
export function fromUnderlay(dp: Dataplane, pkt: Packet, nowMs: number): Outcome {
  const place =
    knownEndpoint(dp.endpoints, pkt) ||
    vxlanDecapsulate(pkt, dp.node.vni) ||
    validateInner(dp, pkt) ||
    onlyIp(pkt) ||
    linkScope(pkt) ||
    innerMacIsOurs(pkt, dp.node.macHigh, dp.node.macLow) ||
    ecnDecapsulate(pkt) ||
    reassemble(dp, pkt, nowMs) ||
    flowKey(pkt) ||
    sourceBehindTunnel(dp, pkt) ||
    knownFlow(dp, pkt, nowMs) ||
    // The first packet of a connection.
    route(dp, pkt) ||
    ingressPolicy(dp.policies, pkt) ||
    Place.NewFlow;
  return place === Place.KnownFlow || place === Place.NewFlow ? forward(dp, pkt, nowMs) : place;
}

/** Routed tunnels carry no ARP: neighbours are answered where they ask. */
function onlyIp(pkt: Packet): Outcome {
  return pkt.version === 0 ? Drop.UnsupportedTunnelPayload : CONTINUE;
}
