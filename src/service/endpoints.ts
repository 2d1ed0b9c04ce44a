/** Which endpoints may get new connections: pkg/proxy/topology.go of Kubernetes, in its own words. */
import type { EndpointSpec } from './service-spec.ts';

/**
 * Ready ones; when there are none, those that end but still serve (KP-006, KP-008, KP-009).
 *
 * @param local only those of this node (KP-007).
 */
export function usableEndpoints(endpoints: readonly EndpointSpec[], local: boolean): readonly EndpointSpec[] {
  const near = local ? endpoints.filter((endpoint) => endpoint.local === true) : endpoints;
  const ready = near.filter(isReady);
  return ready.length > 0 ? ready : near.filter(isDraining);
}

/** Could anybody, on any node, get a connection? Where not, connections are refused rather than ignored (KP-010). */
export function hasUsableEndpoint(endpoints: readonly EndpointSpec[]): boolean {
  return endpoints.some((endpoint) => isReady(endpoint) || isDraining(endpoint));
}

/** Answers still, whether or not it should get new connections: its flows may go on (KP-090). */
export function isServing(endpoint: EndpointSpec): boolean {
  return endpoint.serving ?? isReady(endpoint); // KP-001
}

function isReady(endpoint: EndpointSpec): boolean {
  return endpoint.ready ?? true; // KP-001
}

function isDraining(endpoint: EndpointSpec): boolean {
  return endpoint.terminating === true && isServing(endpoint);
}
