/**
 * What a node is told of policies: who is who, and what each of its pods lets through. All of it at once, whenever any
 * of it has changed; `policy-compiler.ts` finds out what the change means to flows that are there.
 *
 * An *identity* is a class of addresses that every rule of the cluster treats alike. A *ruleset* is what all policies
 * of one pod allow together in one direction: of each identity, a *port set*. So a verdict costs the same, however many
 * policies there are.
 */
export interface PolicySpec {
  /** Of the objects that this was compiled from. */
  readonly revision: number;
  /** Identities and port sets keep their numbers from one spec to the next while this stays. */
  readonly numbering: number;
  readonly identities: readonly IdentitySpec[];
  /** By number. `NO_PORTS` and `ALL_PORTS` are always there. */
  readonly portSets: readonly (readonly PortRange[])[];
  /** Of each ruleset, port sets by identity. Numbers of rulesets mean nothing from one spec to the next. */
  readonly rulesets: readonly Int32Array[];
  /** Pods that something isolates; the others let everything through. */
  readonly pods: readonly PodPolicySpec[];
}

/** Addresses of no entry have `WORLD`. */
export interface IdentitySpec {
  /** `10.244.1.7/32`, `192.168.0.0/16`: the longest that holds an address counts. */
  readonly prefix: string;
  readonly identity: number;
}

/** Bounds are inclusive. */
export interface PortRange {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly first: number;
  readonly last: number;
}

export interface PodPolicySpec {
  /** Port number of the pod (`PodSpec.index`). */
  readonly index: number;
  /** Rulesets; `NOT_ISOLATED` where no policy governs the direction (NP-001). */
  readonly ingress: number;
  readonly egress: number;
}

export const WORLD = 0;
/** Nothing passes. */
export const NO_PORTS = 0;
/** Every protocol passes, also those that have no ports (NP-007). */
export const ALL_PORTS = 1;
export const NOT_ISOLATED = -1;
