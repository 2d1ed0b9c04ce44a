/**
 * `policy/`: verdicts on connections, by NetworkPolicies. Egress is asked on the node of the client, ingress on the node
 * of the server; both see the backend as destination (NP-022, NP-031) and the client, before masquerading, as source.
 * Who the peer is, its address says; that it is the pod's own node, only the way that the packet takes.
 *
 * `policy-spec.ts` is what a node is told, `policy-compiler.ts` makes `policy-table.ts` of it, and this file is what
 * packets meet. Nothing isolates a pod until a spec has come.
 */
import { KEY_DESTINATION, KEY_SOURCE, KEY_WORDS } from '../packet/flow-key.ts';
import { JUDGED_DIRECTION, JUDGED_REVISION, JUDGEMENT_WORDS } from '../packet/judgement.ts';
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { Way, wayIndex, wayKind } from '../packet/way.ts';
import { PrefixTable } from '../tables/prefix-table.ts';
import { NOT_ISOLATED } from './policy-spec.ts';
import { type CompiledPolicies, PolicyTable } from './policy-table.ts';

export const Direction = { Egress: 1, Ingress: 2 } as const;

const nothing: CompiledPolicies = {
  revision: 0,
  identities: PrefixTable.build([]).data,
  rulesets: [],
  pods: new Int32Array(0),
  rangeStarts: new Int32Array(0),
  ranges: new Uint16Array(0),
  moved: new Int32Array(0),
};

export class Policies {
  table = new PolicyTable(nothing);
  /** Moves when any pod's verdicts may have changed: connections are then judged again, if they are that pod's. */
  revision = 0;
  /** Of the last packet that was denied: `packet/judgement.ts`. */
  readonly judgement = new Int32Array(JUDGEMENT_WORDS);
  /** By port number: the revision at which the pod's own verdicts may have changed last. */
  #movedAt = new Int32Array(0);

  replace(compiled: CompiledPolicies): void {
    const { moved } = compiled;
    this.table = new PolicyTable(compiled);
    if (moved.length === 0) return;
    this.revision = (this.revision + 1) | 0;
    const size = moved.reduce((most, pod) => Math.max(most, pod + 1), this.#movedAt.length);
    const movedAt = new Int32Array(size);
    movedAt.set(this.#movedAt);
    for (const pod of moved) movedAt[pod] = this.revision;
    this.#movedAt = movedAt;
  }

  /** May verdicts about the pod at this way have changed after `revision`? Not those of what is no pod. */
  movedSince(way: number, revision: number): boolean {
    if (wayKind(way) !== Way.Pod) return false;
    const pod = wayIndex(way);
    return pod < this.#movedAt.length && ((this.#movedAt[pod]! - revision) | 0) > 0;
  }
}

/** May the pod open this connection? @param to way to its destination, negative when there is none. */
export function egressPolicy(policies: Policies, pkt: Packet, to: number): Outcome {
  return judgeEgress(policies, pkt.key, pkt.ingress, to);
}

/** May the connection reach the pod? Pre: `pkt.egress` is set. */
export function ingressPolicy(policies: Policies, pkt: Packet): Outcome {
  return judgeIngress(policies, pkt.key, pkt.ingress, pkt.egress);
}

/** Both, as far as the connection's two ends are pods of this node. @param from way it came in by. */
export function judge(policies: Policies, key: Int32Array, from: number, to: number): Outcome {
  return judgeEgress(policies, key, from, to) || judgeIngress(policies, key, from, to);
}

function judgeEgress(policies: Policies, key: Int32Array, from: number, to: number): Outcome {
  if (mayPass(policies, Direction.Egress, from, to, key, KEY_DESTINATION)) return CONTINUE;
  return deny(policies, Direction.Egress, key);
}

function judgeIngress(policies: Policies, key: Int32Array, from: number, to: number): Outcome {
  if (mayPass(policies, Direction.Ingress, to, from, key, KEY_SOURCE)) return CONTINUE;
  return deny(policies, Direction.Ingress, key);
}

/** @param pod whose rules they are. @param other the way at the other end. @param peer where in the key its address is. */
function mayPass(
  { table }: Policies,
  direction: number,
  pod: number,
  other: number,
  key: Int32Array,
  peer: number,
): boolean {
  if (wayKind(pod) !== Way.Pod) return true;
  const ruleset = table.ruleset(wayIndex(pod), direction);
  return ruleset === NOT_ISOLATED || withinNode(pod, other) || table.allows(ruleset, key, peer);
}

/** A pod and its own node, and a pod and itself, cannot be kept apart (NP-026, NP-027). */
function withinNode(pod: number, other: number): boolean {
  return pod === other || wayKind(other) === Way.Host;
}

function deny({ judgement, table }: Policies, direction: number, key: Int32Array): Outcome {
  for (let i = 0; i < KEY_WORDS; i++) judgement[i] = key[i]!;
  judgement[JUDGED_DIRECTION] = direction;
  judgement[JUDGED_REVISION] = table.revision;
  return Drop.PolicyDenied;
}
