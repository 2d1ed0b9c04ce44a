/** Capture files in words, in either byte order: the slow obvious way, apart from what reads them. */

import { readCapture } from '../../src/capture/read-capture.ts';
import type { CaptureError, CaptureRecord, PacketRecord } from '../../src/capture/records.ts';
import { joined } from '../support/frames.ts';

/** Writes numbers in one byte order. */
export class Writer {
  readonly littleEndian: boolean;

  constructor(littleEndian: boolean) {
    this.littleEndian = littleEndian;
  }

  number(value: bigint | number, len: number): Uint8Array {
    const bytes = Uint8Array.from({ length: len }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 255n));
    return this.littleEndian ? bytes : bytes.reverse();
  }

  u16(value: number): Uint8Array {
    return this.number(value, 2);
  }

  u32(value: number): Uint8Array {
    return this.number(value, 4);
  }

  /** High word, low word. */
  time(value: bigint): Uint8Array {
    return joined(this.u32(Number(value >> 32n)), this.u32(Number(value & 0xffff_ffffn)));
  }

  option(code: number, value: Uint8Array | string = ''): Uint8Array {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    return joined(this.u16(code), this.u16(bytes.length), padded(bytes));
  }

  /** A block of pcapng with its lengths. */
  block(type: number, ...body: readonly Uint8Array[]): Uint8Array {
    const bytes = joined(...body);
    const len = this.u32(bytes.length + 12);
    return joined(this.u32(type), len, bytes, len);
  }

  section(options: readonly Uint8Array[] = [], version: readonly [number, number] = [1, 0]): Uint8Array {
    const fixed = [this.u32(0x1a2b3c4d), this.u16(version[0]), this.u16(version[1]), this.number(-1n, 8)];
    return this.block(0x0a0d0d0a, ...fixed, ...options);
  }

  interface(linkType: number, snapLen = 0, options: readonly Uint8Array[] = []): Uint8Array {
    return this.block(1, this.u16(linkType), this.u16(0), this.u32(snapLen), ...options);
  }

  /** Enhanced Packet Block. */
  packet(id: number, stamp: bigint, bytes: Uint8Array, options: readonly Uint8Array[] = [], cut = 0): Uint8Array {
    const lengths = [this.u32(bytes.length), this.u32(bytes.length + cut)];
    return this.block(6, this.u32(id), this.time(stamp), ...lengths, padded(bytes), ...options);
  }

  pcapHeader(magic: number, linkType = 1, { version = [2, 4], snapLen = 65_535 } = {}): Uint8Array {
    const [major, minor] = version;
    return joined(
      ...[this.u32(magic), this.u16(major!), this.u16(minor!)],
      ...[0, 0, snapLen, linkType].map((word) => this.u32(word)),
    );
  }

  /** @param words the record's header: seconds, fraction, captured length, original length. */
  pcapRecord(words: readonly number[], ...rest: readonly Uint8Array[]): Uint8Array {
    return joined(...words.map((word) => this.u32(word)), ...rest);
  }
}

export function padded(bytes: Uint8Array): Uint8Array {
  return joined(bytes, new Uint8Array(-bytes.length & 3));
}

/** The bytes in chunks of `size`, with nothing behind them but their end. */
async function* chunked(bytes: Uint8Array, size = Math.max(1, bytes.length)): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

export interface Outcome {
  readonly records: readonly CaptureRecord[];
  readonly packets: readonly PacketRecord[];
  /** What ended the file early; anything but a `CaptureError` is a bug, so tests look at its name. */
  readonly error: CaptureError | undefined;
}

export async function outcomeOf(source: AsyncIterable<CaptureRecord>): Promise<Outcome> {
  const records: CaptureRecord[] = [];
  let error: CaptureError | undefined;
  try {
    for await (const record of source) records.push(record);
  } catch (thrown) {
    if (!(thrown instanceof Error) || thrown.name !== 'CaptureError') throw thrown;
    error = thrown as CaptureError;
  }
  return { records, packets: records.filter((record) => record.kind === 'packet'), error };
}

/** What is in a file that has these bytes. */
export function readBytes(bytes: Uint8Array, chunkBytes?: number): Promise<Outcome> {
  return outcomeOf(readCapture(chunked(bytes, chunkBytes), 'x.pcap'));
}
