/** What the programs in pods say, a line of JSON each. */
export type Said =
  | { readonly type: 'ready' }
  /** Bytes that a receiver has compared so far; of datagrams more. */
  | { readonly type: 'verified'; readonly bytes: number; readonly datagrams?: DatagramCounts }
  /** Something is wrong: the soak has found what it looks for. */
  | { readonly type: 'wrong'; readonly what: string }
  /** A sender is done. */
  | { readonly type: 'sent'; readonly bytes: number; readonly datagrams?: number; readonly connections?: number };

export interface DatagramCounts {
  readonly arrived: number;
  readonly repeated: number;
  readonly overtaken: number;
  /** Messages of UDP_GRO that were more than one datagram. */
  readonly rows: number;
}
