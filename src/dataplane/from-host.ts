import { type Outcome, Place } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { validate } from '../packet/validate.ts';
import { ingressPolicy } from '../policy/policies.ts';
import { serviceDnat } from '../service/services.ts';
import type { Dataplane, Port } from './dataplane.ts';
import { flowKey, knownFlow } from './flows.ts';
import { forward } from './forward.ts';
import { masquerade } from './masquerade.ts';
import { neighbour } from './neighbour.ts';
import { reassemble } from './reassemble.ts';
import { route } from './route.ts';
import { sourceMac, sourceOfHost } from './sources.ts';

/**
 * A frame from the node's own network namespace: host-network pods, probes, `exec node/N`. Like a pod's story, with
 * two differences: its sources are the node's addresses, and no egress policy governs a host.
 */
export function fromHost(dp: Dataplane, port: Port, pkt: Packet, nowMs: number): Outcome {
  const place =
    validate(pkt) ||
    sourceMac(port, pkt) ||
    reassemble(dp, pkt, nowMs) ||
    neighbour(dp, port, pkt) ||
    flowKey(pkt) ||
    sourceOfHost(dp, pkt) ||
    knownFlow(dp, pkt, nowMs) ||
    // The first packet of a connection.
    serviceDnat(dp.services, pkt, nowMs) ||
    route(dp, pkt) ||
    ingressPolicy(dp.policies, pkt) ||
    masquerade(dp, pkt) ||
    Place.NewFlow;
  return place === Place.KnownFlow || place === Place.NewFlow ? forward(dp, pkt, nowMs) : place;
}
