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

/** May this pod open the connection? @param from way that the packet came in by. */
export function egressPolicy(policies: Policies, from: number): Outcome {
  return isolated(policies, from, Isolation.Egress) ? Drop.PolicyDenied : CONTINUE;
}

/** May the connection reach the pod? @param to way that the packet goes out by; only pods have ingress rules. */
export function ingressPolicy(policies: Policies, to: number): Outcome {
  return isolated(policies, to, Isolation.Ingress) ? Drop.PolicyDenied : CONTINUE;
}

function isolated(policies: Policies, pod: number, direction: number): boolean {
  if (wayKind(pod) !== Way.Pod) return false;
  const index = wayIndex(pod);
  return index < policies.isolation.length && (policies.isolation[index]! & direction) !== 0;
}
