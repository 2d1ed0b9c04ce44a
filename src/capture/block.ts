/**
 * The body of one pcapng block, in memory as a whole: fixed fields, data padded to words of four bytes, options
 * (draft-ietf-opsawg-pcapng section 3.5). Every access is checked against the block's end.
 */
import { CaptureError, type CaptureOption } from './records.ts';

const END_OF_OPTIONS = 0;
const OPTION_COMMENT = 1;
const OPTION_HEADER_LEN = 4;
/** Options that a block may have: each becomes an object of many times its four bytes. */
const OPTIONS_MAX = 4096;

const decoder = new TextDecoder();

export class Block {
  readonly type: number;
  /** Offset of the body in the file. */
  readonly #offset: number;
  readonly #file: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #littleEndian: boolean;
  /** Next byte that nobody has read. */
  #at = 0;

  /** @param bytes the body, without type, lengths. */
  constructor(file: string, offset: number, type: number, bytes: Uint8Array, littleEndian: boolean) {
    this.type = type;
    this.#file = file;
    this.#offset = offset;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#littleEndian = littleEndian;
  }

  /** Bytes that nobody has read. */
  get rest(): number {
    return this.#bytes.length - this.#at;
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#take(2, field), this.#littleEndian);
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#take(4, field), this.#littleEndian);
  }

  /** Two words, the high one first in either byte order: how time stamps are stored. */
  time(): bigint {
    const high = this.u32('time stamp');
    return (BigInt(high) << 32n) | BigInt(this.u32('time stamp'));
  }

  /** A copy of so many bytes; their padding is skipped too. */
  data(len: number, field: string): Uint8Array {
    const at = this.#take(len, field);
    const padding = -len & 3;
    // Nothing needs the padding: a last field without it is whole.
    this.#at += Math.min(padding, this.rest);
    return this.#bytes.slice(at, at + len);
  }

  /** All that is left is options. */
  options(): CaptureOption[] {
    const found: CaptureOption[] = [];
    while (this.rest > 0) {
      const code = this.u16('option code');
      const len = this.u16('option length');
      if (code === END_OF_OPTIONS) break;
      if (found.length === OPTIONS_MAX) throw this.damage(`at most ${OPTIONS_MAX} options`, 'more');
      if (len > this.rest) throw this.#short(this.#at - OPTION_HEADER_LEN, len, `option ${code}`);
      found.push({ code, bytes: this.data(len, `option ${code}`) });
    }
    return found;
  }

  /** An unsigned number option of 1, 2, 4 or 8 bytes; undefined without it, and with a length that none of them has. */
  number(options: readonly CaptureOption[], code: number): bigint | undefined {
    const bytes = options.find((option) => option.code === code)?.bytes;
    if (bytes === undefined || ![1, 2, 4, 8].includes(bytes.length)) return undefined;
    const bigEndian = this.#littleEndian ? bytes.toReversed() : bytes;
    return bigEndian.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  damage(expected: string, found: string): CaptureError {
    return new CaptureError(this.#file, this.#offset + this.#at, expected, found);
  }

  #take(len: number, field: string): number {
    const at = this.#at;
    if (len > this.rest) throw this.#short(at, len, field);
    this.#at += len;
    return at;
  }

  #short(at: number, len: number, field: string): CaptureError {
    const room = this.#bytes.length - this.#at;
    return new CaptureError(this.#file, this.#offset + at, `${len} bytes of ${field}`, `${room} to the block's end`);
  }
}

/** UTF-8 with U+FFFD for what is none; zeros at its end, which some writers store, are not part of it. */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes).replace(/\0+$/, '');
}

export function text(options: readonly CaptureOption[], code: number): string | undefined {
  const option = options.find((one) => one.code === code);
  return option === undefined ? undefined : decodeText(option.bytes);
}

export function comments(options: readonly CaptureOption[]): string[] {
  return options.filter(({ code }) => code === OPTION_COMMENT).map(({ bytes }) => decodeText(bytes));
}
