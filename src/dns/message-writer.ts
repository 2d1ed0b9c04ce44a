/** Writing answers (RFC 1035 §4). */
import { isIpv4Words } from '../wire/address.ts';
import { DNSSEC_OK, Flag, HEADER_LEN, OPCODE_MASK, type Query } from './message.ts';
import type { Name } from './name.ts';
import { CLASS_IN, type RecordData, RecordType, type ResourceRecord } from './record.ts';

/** What a length over TCP can say (RFC 1035 §4.2.2). */
export const MESSAGE_LEN_MAX = 65_535;
/** Longer than any record of ours: three names, numbers, some texts. Room to find out that it does not fit. */
const RECORD_LEN_MAX = 2048;
const OPT_LEN = 11;
const POINTER = 0xc000;
/** Pointers have 14 bits. */
const POINTER_MAX = 0x3fff;
/** Longest query that we take over UDP, as we tell it to others: it needs no fragments anywhere (RFC 9715). */
const OWN_PAYLOAD_LEN = 1232;

/** Sections, each as the offset of its count in the header. */
export const Section = { answer: 6, authority: 8, additional: 10 } as const;
export type Section = (typeof Section)[keyof typeof Section];

/** One message after another, in one buffer. */
export class MessageWriter {
  readonly #bytes = new Uint8Array(MESSAGE_LEN_MAX + RECORD_LEN_MAX);
  readonly #view = new DataView(this.#bytes.buffer);
  /** Names in this message and where they stand. Letter case counts: a pointer must not change how a name is written. */
  readonly #places = new Map<Name, number>();
  #at = 0;
  #limit = 0;
  #query: Query | undefined;

  /**
   * Header and question; the question is repeated byte by byte, so the asker finds its letter case in it.
   *
   * @param limit bytes of the whole message, 512 or more: what a question and an OPT need is there always.
   */
  begin(query: Query, queryBytes: Uint8Array, limit: number): void {
    this.#query = query;
    this.#places.clear();
    const kept = OPCODE_MASK | Flag.recursionDesired | Flag.checkingDisabled;
    this.#view.setUint16(0, query.id);
    this.#view.setUint16(2, Flag.response | (query.flags & kept));
    this.#view.setUint16(4, query.questionEnd > 0 ? 1 : 0);
    this.#view.setUint16(Section.answer, 0);
    this.#view.setUint16(Section.authority, 0);
    this.#view.setUint16(Section.additional, 0);
    this.#at = Math.max(HEADER_LEN, query.questionEnd);
    this.#bytes.set(queryBytes.subarray(HEADER_LEN, this.#at), HEADER_LEN);
    this.#limit = limit - (query.edns === undefined ? 0 : OPT_LEN);
  }

  /** @param flags of `Flag`. */
  setFlags(flags: number): void {
    this.#view.setUint16(2, this.#view.getUint16(2) | flags);
  }

  /** @returns false when it does not fit: the message is then as before, and takes no more records. */
  add(section: Section, record: ResourceRecord): boolean {
    const start = this.#at;
    this.#record(record);
    if (this.#at <= this.#limit) {
      this.#view.setUint16(section, this.#view.getUint16(section) + 1);
      return true;
    }
    this.#at = start;
    this.#limit = 0;
    return false;
  }

  /** @param code whose upper bits travel in the OPT (RFC 6891 §6.1.3). @returns a copy. */
  finish(code: number): Uint8Array {
    this.setFlags(code & 0xf);
    const edns = this.#query?.edns;
    if (edns !== undefined) {
      this.#bytes[this.#at++] = 0;
      this.#word(RecordType.OPT);
      this.#word(OWN_PAYLOAD_LEN);
      this.#word((code >>> 4) << 8);
      this.#word(edns.dnssecOk ? DNSSEC_OK : 0);
      this.#word(0);
      this.#view.setUint16(Section.additional, this.#view.getUint16(Section.additional) + 1);
    }
    return this.#bytes.slice(0, this.#at);
  }

  #record({ owner, ttlSeconds, data }: ResourceRecord): void {
    this.#name(owner);
    this.#word(data.type);
    this.#word(CLASS_IN);
    this.#long(ttlSeconds);
    const lengthAt = this.#at;
    this.#word(0);
    this.#data(data);
    this.#view.setUint16(lengthAt, this.#at - lengthAt - 2);
  }

  #data(data: RecordData): void {
    switch (data.type) {
      case RecordType.A:
      case RecordType.AAAA:
        for (const word of isIpv4Words(data.address, 0) ? data.address.subarray(3) : data.address) this.#long(word);
        return;
      case RecordType.CNAME:
      case RecordType.NS:
      case RecordType.PTR:
        this.#name(data.target);
        return;
      case RecordType.SRV:
        this.#word(data.priority);
        this.#word(data.weight);
        this.#word(data.port);
        this.#name(data.target, false); // RFC 2782: no compression
        return;
      case RecordType.SOA:
        this.#name(data.primary);
        this.#name(data.mailbox);
        for (const number of [data.serial, data.refreshSeconds, data.retrySeconds]) this.#long(number);
        for (const number of [data.expireSeconds, data.minimumSeconds]) this.#long(number);
        return;
      default:
        for (const text of data.texts) this.#characters(String.fromCharCode(text.length) + text);
    }
  }

  #name(name: Name, compressed = true): void {
    const question = this.#query!.name;
    if (compressed && name === question && name !== '') {
      this.#word(POINTER | HEADER_LEN);
      return;
    }
    // Only now: most answers have no other names.
    if (this.#places.size === 0) this.#remember(question, HEADER_LEN);
    for (let at = 0; at < name.length; at += 1 + name.charCodeAt(at)) {
      const place = compressed ? this.#places.get(name.slice(at)) : undefined;
      if (place === undefined) continue;
      const start = this.#at;
      this.#characters(name.slice(0, at));
      this.#word(POINTER | place);
      this.#remember(name, start, at);
      return;
    }
    const start = this.#at;
    this.#characters(name);
    this.#bytes[this.#at++] = 0;
    this.#remember(name, start);
  }

  /** @param len of the part that stands there; the rest is a pointer, and known already. */
  #remember(name: Name, place: number, len = name.length): void {
    for (let at = 0; at < len && place + at <= POINTER_MAX; at += 1 + name.charCodeAt(at)) {
      const rest = name.slice(at);
      if (!this.#places.has(rest)) this.#places.set(rest, place + at);
    }
  }

  #characters(text: string): void {
    for (let i = 0; i < text.length; i++) this.#bytes[this.#at++] = text.charCodeAt(i);
  }

  #word(value: number): void {
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
  }

  #long(value: number): void {
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }
}
