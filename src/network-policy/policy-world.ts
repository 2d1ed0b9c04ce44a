/**
 * `network-policy/`: NetworkPolicies as objects. Who may talk to whom (`compile-policies.ts`), and why
 * (`explain.ts`). Semantics: networking.k8s.io/v1, rules NP-001 and following. Pure.
 *
 * This file is what both start from: everything in a cluster that has a say in a verdict, at one moment.
 */
import type { NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';

type Labels = Readonly<Record<string, string>>;

export interface PolicyWorld {
  /** Counts the changes of it. */
  readonly revision: number;
  readonly namespaces: readonly WorldNamespace[];
  /** Those that have addresses, and have not ended. */
  readonly pods: readonly WorldPod[];
  readonly policies: readonly WorldPolicy[];
  /** So that words can tell a node from a stranger, and a pod's own node passes (NP-026). */
  readonly hosts?: readonly WorldHost[];
}

export interface WorldNamespace {
  readonly name: string;
  readonly labels: Labels;
}

/** A node's own end of the network. */
export interface WorldHost {
  readonly node: string;
  /** On the network between nodes, and those that its pods see as the next hop. */
  readonly addresses: readonly string[];
}

export interface WorldPod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly addresses: readonly string[];
  readonly node: string;
  /** Has its node's addresses: no selector ever means it (NP-028). */
  readonly hostNetwork: boolean;
  /** Those of its containers that have names. */
  readonly ports: readonly NamedPort[];
}

export interface NamedPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
}

export interface WorldPolicy {
  readonly namespace: string;
  readonly name: string;
  /** With what an API server fills in: `podSelector`, `policyTypes`, protocols. */
  readonly spec: Readonly<NetworkPolicySpec>;
  /** Where a field such as `spec.ingress[0].from[1]`, or its nearest ancestor, was written; undefined when nobody knows. */
  readonly placeOf: (path: string) => RulePlace | undefined;
}

/** Line and column count from 1. */
export interface RulePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A policy, or a field of one, as answers name it. */
export interface RuleReference {
  readonly kind: 'NetworkPolicy';
  readonly namespace: string;
  readonly name: string;
  /** `spec.ingress[0]`; of a default deny `spec.podSelector`. */
  readonly path: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}
