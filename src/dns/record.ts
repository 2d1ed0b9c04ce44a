import type { Name } from './name.ts';

/** Numbers of the IANA registry "Domain Name System (DNS) Parameters". */
export const RecordType = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export const CLASS_IN = 1;

/** RFC 1035 §4.1.1, RFC 6891 §9. */
export const ResponseCode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const;
export type ResponseCode = (typeof ResponseCode)[keyof typeof ResponseCode];

/** What a record says. Addresses are four words, as in `wire/address.ts`. */
export type RecordData =
  | { readonly type: typeof RecordType.A | typeof RecordType.AAAA; readonly address: Int32Array }
  | { readonly type: typeof RecordType.CNAME | typeof RecordType.NS | typeof RecordType.PTR; readonly target: Name }
  | {
      readonly type: typeof RecordType.SRV;
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: Name;
    }
  /** Texts of at most 255 ASCII characters. */
  | { readonly type: typeof RecordType.TXT | typeof RecordType.HINFO; readonly texts: readonly string[] }
  | {
      readonly type: typeof RecordType.SOA;
      readonly primary: Name;
      readonly mailbox: Name;
      readonly serial: number;
      readonly refreshSeconds: number;
      readonly retrySeconds: number;
      readonly expireSeconds: number;
      readonly minimumSeconds: number;
    };

export interface ResourceRecord {
  readonly owner: Name;
  readonly ttlSeconds: number;
  readonly data: RecordData;
}
