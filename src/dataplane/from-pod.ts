import { type Outcome, Place } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { validate } from '../packet/validate.ts';
import { egressPolicy, ingressPolicy } from '../policy/policies.ts';
import { serviceDnat } from '../service/services.ts';
import type { Dataplane, Port } from './dataplane.ts';
import { flowKey, knownFlow } from './flows.ts';
import { forward } from './forward.ts';
import { masquerade } from './masquerade.ts';
import { neighbour } from './neighbour.ts';
import { reassemble } from './reassemble.ts';
import { destination, route } from './route.ts';
import { antiSpoof, sourceMac } from './sources.ts';

/**
 * A frame has just left a pod. In order: is it sane, is it for the node itself, is it from who it claims, do we know
 * the flow; and when we do not: is it for a service, may it leave, where does it go, may it arrive there, in whose name.
 *
 * Every stage is a plain function: 0 goes on, a negative number is a drop reason, a positive one ends the story. Policy
 * sees the packet after service translation and before masquerading: the backend as destination, the pod as source
 * (KP-033).
 */
export function fromPod(dp: Dataplane, port: Port, pkt: Packet, nowMs: number): Outcome {
  const place =
    validate(pkt) ||
    sourceMac(port, pkt) ||
    reassemble(dp, pkt, nowMs) ||
    neighbour(dp, port, pkt) ||
    flowKey(pkt) ||
    antiSpoof(port, pkt) ||
    knownFlow(dp, pkt, nowMs) ||
    // The first packet of a connection.
    serviceDnat(dp.services, pkt, nowMs) ||
    egressPolicy(dp.policies, pkt, destination(dp, pkt)) ||
    route(dp, pkt) ||
    ingressPolicy(dp.policies, pkt) ||
    masquerade(dp, pkt) ||
    Place.NewFlow;
  return place === Place.KnownFlow || place === Place.NewFlow ? forward(dp, pkt, nowMs) : place;
}
