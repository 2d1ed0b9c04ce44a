/**
 * `check/`: manifests and expectations → what packets say of them. An expectation names who should, or should not,
 * reach whom. It is read (`read-expectations.ts`, `netassert.ts`), made into pairs of a given cluster
 * (`resolve-pairs.ts`), asked of a cluster by packets (`sim-backend.ts`, `linux-backend.ts`) and judged (`report.ts`).
 *
 * Invariant: a check that asks nothing is an error. A test that cannot fail is worse than none.
 */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { Endpoint } from '../cli/endpoint.ts';
import type { Place } from '../cluster/source.ts';

export type Verdict = 'allow' | 'deny';

export const checkProtocols = ['TCP', 'UDP', 'SCTP', 'ICMP'] as const;

export type CheckProtocol = (typeof checkProtocols)[number];

/** One end of an expectation, as it was written. */
export type End =
  | Endpoint
  /** Every pod that matches. */
  | { readonly type: 'pods'; readonly namespace: string; readonly selector: LabelSelector }
  | { readonly type: 'ip'; readonly address: string };

/**
 * What it counts as when the packet has come through and nobody listens. Usually nothing: then a `deny` would hold
 * without any policy, and an `allow` has reached nobody.
 */
export type RefusedMeans = 'neither' | Verdict;

export interface Expectation {
  readonly verdict: Verdict;
  /** Of the test, where the format gives names. */
  readonly name: string | undefined;
  readonly from: End;
  readonly to: End;
  /** A number or a port's name; undefined for every port that the destination declares, and for ICMP. */
  readonly port: number | string | undefined;
  /** undefined: TCP for a number, the port's own for a name, every one where there is no port. */
  readonly protocol: CheckProtocol | undefined;
  readonly refusedMeans: RefusedMeans;
  readonly place: Place;
  /** `allow[2]` */
  readonly path: string;
}

export interface Expectations {
  /** For pairs of pods that no expectation names. */
  readonly default: Verdict | 'ignore';
  /** Where that was written. */
  readonly defaultPlace?: Place | undefined;
  readonly list: readonly Expectation[];
}
