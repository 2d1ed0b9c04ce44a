/** Queries as bytes, and answers as text: the slow obvious reader, which shares nothing with the code under test. */
import { isIPv4 } from 'node:net';
import { parseAddress } from '../../src/sys/socket-address.ts';

export const types = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;
export type TypeName = keyof typeof types;
const statuses = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

/** Labels are what is between dots. */
export function wireName(text: string): Buffer {
  const labels = text.split('.').filter((label) => label !== '');
  const parts = labels.map((label) => Buffer.from([label.length, ...Buffer.from(label, 'latin1')]));
  return Buffer.concat([...parts, Buffer.of(0)]);
}

export interface QueryOptions {
  readonly id?: number;
  readonly flags?: number;
  readonly class?: number;
  /** Payload length in an OPT record. */
  readonly edns?: number;
  readonly ednsVersion?: number;
  readonly dnssecOk?: boolean;
}

export function words(...values: readonly number[]): Buffer {
  return Buffer.from(values.flatMap((value) => [(value >> 8) & 255, value & 255]));
}

export function optRecord(payloadLen: number, version = 0, flags = 0): Buffer {
  return Buffer.concat([Buffer.of(0), words(types.OPT, payloadLen), Buffer.of(0, version), words(flags, 0)]);
}

export function query(name: string | Buffer, type: TypeName | number, options: QueryOptions = {}): Buffer {
  const additional =
    options.edns === undefined
      ? []
      : [optRecord(options.edns, options.ednsVersion, options.dnssecOk === true ? 0x8000 : 0)];
  return Buffer.concat([
    words(options.id ?? 0x1234, options.flags ?? 0x0100, 1, 0, 0, additional.length),
    typeof name === 'string' ? wireName(name) : name,
    words(typeof type === 'string' ? types[type] : type, options.class ?? 1),
    ...additional,
  ]);
}

export interface Answer {
  readonly id: number;
  readonly status: string;
  /** As dig names them. */
  readonly flags: string;
  readonly question: string | undefined;
  readonly answers: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly edns: { readonly payloadLen: number; readonly version: number; readonly dnssecOk: boolean } | undefined;
  readonly length: number;
}

/** @throws Error for whatever is not exactly one message, to its last byte. */
export function readAnswer(message: Uint8Array): Answer {
  const bytes = Buffer.from(message);
  const flags = bytes.readUInt16BE(2);
  const reader = new Reader(bytes);
  const [questions, ...counts] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at));
  const question = questions === 1 ? `${reader.name()} ${typeName(reader.u16())} ${reader.u16()}` : undefined;
  const [answers, authority, all] = counts.map((count) => Array.from({ length: count }, () => reader.record()));
  if (reader.at !== bytes.length) throw new Error(`${bytes.length - reader.at} bytes too many`);
  const opts = all!.filter((record) => typeof record !== 'string');
  if (opts.length > 1) throw new Error('two OPT records');
  const code = (flags & 15) | ((opts[0]?.codeUpper ?? 0) << 4);
  const names = Object.entries({ qr: 0x8000, aa: 0x400, tc: 0x200, rd: 0x100, ra: 0x80, ad: 0x20, cd: 0x10 });
  return {
    id: bytes.readUInt16BE(0),
    status: code === 16 ? 'BADVERS' : (statuses[code] ?? String(code)),
    flags: names
      .filter(([, bit]) => (flags & bit) !== 0)
      .map(([name]) => name)
      .join(' '),
    question,
    answers: answers as string[],
    authority: authority as string[],
    additional: all!.filter((record) => typeof record === 'string'),
    edns: opts[0],
    length: bytes.length,
  };
}

interface Opt {
  readonly payloadLen: number;
  readonly codeUpper: number;
  readonly version: number;
  readonly dnssecOk: boolean;
}

function typeName(type: number): string {
  return Object.entries(types).find(([, number]) => number === type)?.[0] ?? `TYPE${type}`;
}

class Reader {
  at = 12;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.at++);
  }

  u16(): number {
    this.at += 2;
    return this.#bytes.readUInt16BE(this.at - 2);
  }

  u32(): number {
    this.at += 4;
    return this.#bytes.readUInt32BE(this.at - 4);
  }

  name(): string {
    const length = this.u8();
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | this.u8();
      if (target >= this.at - 2) throw new Error('a pointer forward');
      const reader = new Reader(this.#bytes);
      reader.at = target;
      return reader.name();
    }
    if (length > 63) throw new Error('no label');
    if (length === 0) return '';
    const label = this.#bytes.toString('latin1', this.at, this.at + length);
    this.at += length;
    return `${label}.${this.name()}`;
  }

  record(): string | Opt {
    const owner = this.name();
    const [type, clas, ttl, length] = [this.u16(), this.u16(), this.u32(), this.u16()];
    const end = this.at + length;
    if (type === types.OPT) {
      this.at = end;
      return { payloadLen: clas, codeUpper: ttl >>> 24, version: (ttl >>> 16) & 255, dnssecOk: (ttl & 0x8000) !== 0 };
    }
    const text = `${owner} ${ttl} ${clas === 1 ? '' : `CLASS${clas} `}${typeName(type)} ${this.#data(typeName(type), end)}`;
    if (this.at !== end) throw new Error(`${text}: length ${length} is wrong`);
    return text;
  }

  #data(type: string, end: number): string {
    switch (type) {
      case 'A':
        return [this.u8(), this.u8(), this.u8(), this.u8()].join('.');
      case 'AAAA':
        return Array.from({ length: 8 }, () => this.u16().toString(16)).join(':');
      case 'SRV':
        return `${this.u16()} ${this.u16()} ${this.u16()} ${this.name()}`;
      case 'SOA':
        return `${this.name()} ${this.name()} ${Array.from({ length: 5 }, () => this.u32()).join(' ')}`;
      case 'TXT':
      case 'HINFO': {
        const texts: string[] = [];
        while (this.at < end) {
          const length = this.u8();
          texts.push(`"${this.#bytes.toString('latin1', this.at, this.at + length)}"`);
          this.at += length;
        }
        return texts.join(' ');
      }
      default:
        return this.name();
    }
  }
}

/** The name under which an address is asked for. */
export function reverseName(address: string): string {
  const bytes = [...parseAddress(address)].reverse();
  if (isIPv4(address)) return `${bytes.join('.')}.in-addr.arpa`;
  const nibbles = bytes.flatMap((byte) => [byte & 15, byte >> 4]);
  return `${nibbles.map((nibble) => nibble.toString(16)).join('.')}.ip6.arpa`;
}
