/** What a filter asks of a frame, apart from how it was written and how it is run. */

/** Where a load reads: bytes from the Ethernet header on. */
export interface Field {
  readonly at: number;
  readonly size: 1 | 2 | 4;
  /** `at` counts without the IPv4 header, whose length the packet says itself. */
  readonly behindIpv4?: boolean;
}

export interface Comparison {
  readonly kind: 'compare';
  readonly field: Field | 'length';
  /** Bits that count; all of them when it is left out. */
  readonly mask?: number;
  readonly how: 'equal' | 'greater' | 'notLess' | 'bits';
  /** Unsigned, 32 bits. */
  readonly value: number;
}

/** `outer` header, `inner` frame, or one of both. */
export type Scope = 'outer' | 'inner' | 'either';

/** A primitive that libpcap compiles. */
export interface Foreign {
  readonly kind: 'foreign';
  readonly text: string;
  readonly column: number;
}

export type Condition =
  | Comparison
  | Foreign
  /** Of none: true. */
  | { readonly kind: 'all'; readonly of: readonly Condition[] }
  /** Of none: false. */
  | { readonly kind: 'any'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  /** `otherwise` is asked where `when` does not hold; left out, the answer is no. */
  | { readonly kind: 'choose'; readonly when: Condition; readonly then: Condition; readonly otherwise?: Condition }
  /** Only these ask for bytes of one header or the other, and never one inside another. */
  | { readonly kind: 'scoped'; readonly scope: Scope; readonly of: Condition };

export const all = (...of: readonly Condition[]): Condition => ({ kind: 'all', of });
export const any = (...of: readonly Condition[]): Condition => ({ kind: 'any', of });
export const not = (of: Condition): Condition => ({ kind: 'not', of });

export function equal(field: Field, value: number, mask?: number): Condition {
  return { kind: 'compare', field, how: 'equal', value, ...(mask === undefined ? {} : { mask }) };
}

export function notLess(field: Field | 'length', value: number): Condition {
  return { kind: 'compare', field, how: 'notLess', value };
}

export function greater(field: Field | 'length', value: number): Condition {
  return { kind: 'compare', field, how: 'greater', value };
}

export function bits(field: Field, value: number): Condition {
  return { kind: 'compare', field, how: 'bits', value };
}

export function choose(when: Condition, then: Condition, otherwise?: Condition): Condition {
  return { kind: 'choose', when, then, ...(otherwise === undefined ? {} : { otherwise }) };
}
