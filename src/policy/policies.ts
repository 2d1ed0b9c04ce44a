/**
 * `policy/`: verdicts on new connections. Egress is asked on the node of the client, ingress on the node of the
 * server; both see the backend as destination and the client as source.
 *
 * Nothing isolates a pod until NetworkPolicies are compiled from the cluster's objects.
 */
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import { Way, wayIndex, wayKind } from '../packet/way.ts';

export const Isolation = { Egress: 1, Ingress: 2 } as const;

export class Policies {
  /** Per pod port: the directions in which only what a rule allows may pass. */
  readonly isolation: Uint8Array;

  constructor(isolation: Uint8Array) {
    this.isolation = isolation;
  }
}

/**
 * May the connection begin here? Asked on the node of the client.
 *
 * @param from way in. @param to way out, as far as it is known; only pods have rules of their own.
 */
export function egressPolicy(policies: Policies, from: number, to: number): Outcome {
  return isolated(policies, from, Isolation.Egress) && !withinNode(from, to) ? Drop.PolicyDenied : CONTINUE;
}

/** May the connection reach the pod? Asked on the node of the server. */
export function ingressPolicy(policies: Policies, from: number, to: number): Outcome {
  return isolated(policies, to, Isolation.Ingress) && !withinNode(from, to) ? Drop.PolicyDenied : CONTINUE;
}

/** A pod and its own node, and a pod and itself, cannot be kept apart (NP-026, NP-027). */
function withinNode(from: number, to: number): boolean {
  return from === to || wayKind(from) === Way.Host || wayKind(to) === Way.Host;
}

function isolated(policies: Policies, pod: number, direction: number): boolean {
  if (wayKind(pod) !== Way.Pod) return false;
  const index = wayIndex(pod);
  return index < policies.isolation.length && (policies.isolation[index]! & direction) !== 0;
}
