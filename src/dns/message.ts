/** Reading queries (RFC 1035 §4, RFC 6891). Nothing here throws, whatever the bytes are. */
import { LABEL_LEN_MAX, NAME_LEN_MAX, type Name } from './name.ts';
import { RecordType, ResponseCode } from './record.ts';

export const HEADER_LEN = 12;

/** Bits of the header's second word (RFC 1035 §4.1.1, RFC 4035 §3.2). */
export const Flag = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  checkingDisabled: 0x0010,
} as const;
export const OPCODE_MASK = 0x7800;
const OPCODE_QUERY = 0;

/** Type, class, TTL and length of the data, after a record's owner (RFC 1035 §4.1.3). */
const RECORD_FIXED_LEN = 10;
const QUESTION_FIXED_LEN = 4;
/** The two upper bits of a length say that it is none, but a pointer (RFC 1035 §4.1.4). */
const POINTER = 0xc0;
/** A name has at most 127 labels, so more pointers lead nowhere. */
const POINTERS_MAX = 127;

/**
 * More records than these no query has (miekg/dns acceptfunc.go, which CoreDNS uses, has as many): an answer or an
 * authority, as NOTIFY and IXFR bring them; an OPT and a signature.
 */
const OTHERS_MAX = 2;
const ADDITIONALS_MAX = 2;

/** The OPT record's TTL (RFC 6891 §6.1.3). */
const VERSION_MASK = 0x00ff_0000;
export const DNSSEC_OK = 0x8000;

export interface Edns {
  /** Longest UDP payload that the sender takes, as it said it. */
  readonly payloadLen: number;
  readonly dnssecOk: boolean;
}

export interface Query {
  readonly id: number;
  /** Second word of the header. */
  readonly flags: number;
  /** Why there is nothing to look up; `noError` when there is. */
  readonly problem: ResponseCode;
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  /** Length of header and question, the question being the first bytes after the header; 0 when it was unreadable. */
  readonly questionEnd: number;
  /** Undefined without EDNS. */
  readonly edns: Edns | undefined;
}

/** @returns undefined for what must not be answered: no header, or an answer itself, to which two servers could go on for ever. */
export function readQuery(bytes: Uint8Array): Query | undefined {
  if (bytes.length < HEADER_LEN) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const id = view.getUint16(0);
  const flags = view.getUint16(2);
  if ((flags & Flag.response) !== 0) return undefined;
  if ((flags & OPCODE_MASK) !== OPCODE_QUERY) return withoutQuestion(id, flags, ResponseCode.notImplemented);

  const others = view.getUint16(6) + view.getUint16(8);
  const additionals = view.getUint16(10);
  // One question and no more: RFC 9619.
  if (view.getUint16(4) !== 1 || others > OTHERS_MAX || additionals > ADDITIONALS_MAX) {
    return withoutQuestion(id, flags, ResponseCode.formatError);
  }
  const reader = new MessageReader(bytes, HEADER_LEN);
  const name = reader.name();
  const at = reader.at;
  if (name === undefined || at + QUESTION_FIXED_LEN > bytes.length) {
    return withoutQuestion(id, flags, ResponseCode.formatError);
  }
  reader.at += QUESTION_FIXED_LEN;
  const questionEnd = reader.at;
  const { edns, problem } = others + additionals > 0 ? readRecords(reader, view, others, additionals) : plain;
  return { id, flags, problem, name, type: view.getUint16(at), class: view.getUint16(at + 2), questionEnd, edns };
}

function withoutQuestion(id: number, flags: number, problem: ResponseCode): Query {
  return { id, flags, problem, name: '', type: 0, class: 0, questionEnd: 0, edns: undefined };
}

interface Extension {
  readonly edns: Edns | undefined;
  readonly problem: ResponseCode;
}
const plain: Extension = { edns: undefined, problem: ResponseCode.noError };
const unreadable: Extension = { edns: undefined, problem: ResponseCode.formatError };

/** Steps over the records after the question, and finds the OPT among them. @param others records before the additional. */
function readRecords(reader: MessageReader, view: DataView, others: number, additionals: number): Extension {
  let edns: Edns | undefined;
  let version = 0;
  for (let i = 0; i < others + additionals; i++) {
    const owner = reader.name();
    const at = reader.at;
    if (owner === undefined || at + RECORD_FIXED_LEN > view.byteLength) return unreadable;
    reader.at = at + RECORD_FIXED_LEN + view.getUint16(at + 8);
    if (reader.at > view.byteLength) return unreadable;
    if (view.getUint16(at) !== RecordType.OPT) continue;
    // One, in the additional section, owned by the root: RFC 6891 §6.1.1.
    if (i < others || edns !== undefined || owner !== '') return unreadable;
    const ttl = view.getUint32(at + 4);
    version = ttl & VERSION_MASK;
    edns = { payloadLen: view.getUint16(at + 2), dnssecOk: (ttl & DNSSEC_OK) !== 0 };
  }
  return { edns, problem: version === 0 ? ResponseCode.noError : ResponseCode.badVersion };
}

/** Reads names, following pointers. */
class MessageReader {
  /** Where the next name begins; after it when it has been read. */
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /**
   * A pointer must lead to before all that the name has touched (RFC 1035 §4.1.4: a prior occurrence), so no name is
   * without end. @returns undefined when it is no name; `at` is then anywhere.
   */
  name(): Name | undefined {
    const bytes = this.#bytes;
    let name = '';
    let first = this.at;
    for (let pointers = 0; pointers <= POINTERS_MAX; pointers++) {
      const end = this.#labelsEnd(first);
      if (end < 0 || name.length + (end - first) >= NAME_LEN_MAX) return undefined;
      // What stands in the message is a name's own form already.
      name += String.fromCharCode.apply(null, bytes.subarray(first, end) as unknown as number[]);
      const isLast = bytes[end] === 0;
      if (pointers === 0) this.at = end + (isLast ? 1 : 2);
      if (isLast) return name;
      const target = ((bytes[end]! & 0x3f) << 8) | bytes[end + 1]!;
      if (target < HEADER_LEN || target >= first) return undefined;
      first = target;
    }
    return undefined;
  }

  /** @returns where the labels end: at the root's zero or a whole pointer; -1 when neither comes. */
  #labelsEnd(at: number): number {
    const bytes = this.#bytes;
    let end = at;
    while (end < bytes.length) {
      const length = bytes[end]!;
      if (length === 0) return end;
      if (length >= POINTER) return end + 1 < bytes.length ? end : -1;
      // 0x40 and 0x80: types of labels that nobody uses (RFC 6891 §5).
      if (length > LABEL_LEN_MAX) return -1;
      end += 1 + length;
    }
    return -1;
  }
}
