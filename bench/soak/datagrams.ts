/** Datagrams that say themselves what they are, and the book of those that arrived. */
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES, placeOf } from './pattern.ts';

// Header, then bytes of the block. Big-endian.
const Field = { magic: 0, session: 4, sequence: 8, length: 12, copies: 16, crc: 20 } as const;
export const DATAGRAM_HEADER_LEN = 24;
const MAGIC = 0x534f_414b;
/** Datagrams of one session at most. */
export const SESSION_DATAGRAMS_MAX = 1 << 20;
const DATAGRAM_MAX = 65_536;
/** Sessions whose datagrams may be on their way still. */
const SESSIONS_KEPT = 8;

/** So that no datagram has to go round the block's end. */
function payloadPlace(session: number, sequence: number): number {
  return placeOf(session, sequence * 4099) % (BLOCK_BYTES - DATAGRAM_MAX);
}

/** Writes a datagram of `length` bytes, header included. @param copies how often it may arrive. */
export function writeDatagram(
  block: Buffer,
  to: Buffer,
  { session, sequence, length, copies }: { session: number; sequence: number; length: number; copies: number },
): void {
  const place = payloadPlace(session, sequence);
  block.copy(to, DATAGRAM_HEADER_LEN, place, place + length - DATAGRAM_HEADER_LEN);
  to.writeUInt32BE(MAGIC, Field.magic);
  to.writeUInt32BE(session, Field.session);
  to.writeUInt32BE(sequence, Field.sequence);
  to.writeUInt32BE(length, Field.length);
  to.writeUInt32BE(copies, Field.copies);
  to.writeUInt32BE(crcOf(to, length), Field.crc);
}

function crcOf(bytes: Buffer, length: number): number {
  return crc32(bytes.subarray(DATAGRAM_HEADER_LEN, length), crc32(bytes.subarray(0, Field.crc)));
}

/** What has arrived: every datagram must be one that was sent, byte for byte, and not more often than links copy. */
export class DatagramBook {
  /** Datagrams that were right, with repetitions; bytes of each once. */
  arrived = 0;
  bytes = 0;
  repeated = 0;
  /** Behind one that was sent later. */
  overtaken = 0;
  /** Of the last datagram that was right. */
  session = -1;
  sequence = -1;
  readonly #block: Buffer;
  /** How often each has come, by session, in the order in which sessions began. */
  readonly #counts = new Map<number, Uint8Array>();

  constructor(block: Buffer) {
    this.#block = block;
  }

  /** @returns what is wrong, or undefined. */
  take(bytes: Buffer): string | undefined {
    const wrong = this.#check(bytes);
    if (wrong !== undefined) return `${wrong}: ${bytes.length} bytes, ${bytes.subarray(0, 32).toString('hex')}…`;
    return this.#enter(bytes);
  }

  #check(bytes: Buffer): string | undefined {
    if (bytes.length < DATAGRAM_HEADER_LEN || bytes.readUInt32BE(Field.magic) !== MAGIC)
      return 'not a datagram of ours';
    const length = bytes.readUInt32BE(Field.length);
    if (length !== bytes.length) return `a datagram of ${length} bytes came as ${bytes.length}`;
    if (crcOf(bytes, length) !== bytes.readUInt32BE(Field.crc)) return 'bad CRC';
    const sequence = bytes.readUInt32BE(Field.sequence);
    if (sequence >= SESSION_DATAGRAMS_MAX) return 'impossible sequence number';
    const place = payloadPlace(bytes.readUInt32BE(Field.session), sequence);
    const end = place + length - DATAGRAM_HEADER_LEN;
    const same = this.#block.compare(bytes, DATAGRAM_HEADER_LEN, length, place, end) === 0;
    return same ? undefined : 'the CRC is right and the bytes are not';
  }

  #enter(bytes: Buffer): string | undefined {
    const session = bytes.readUInt32BE(Field.session);
    const sequence = bytes.readUInt32BE(Field.sequence);
    const counts = this.#countsOf(session);
    const times = ++counts[sequence]!;
    this.arrived++;
    if (times === 1) this.bytes += bytes.length;
    else this.repeated++;
    if (session === this.session && sequence < this.sequence) this.overtaken++;
    this.session = session;
    this.sequence = sequence;
    const allowed = bytes.readUInt32BE(Field.copies);
    return times > allowed ? `datagram ${sequence} of session ${session} came ${times} times` : undefined;
  }

  #countsOf(session: number): Uint8Array {
    const known = this.#counts.get(session);
    if (known !== undefined) return known;
    const [oldest] = this.#counts.keys();
    if (this.#counts.size === SESSIONS_KEPT) this.#counts.delete(oldest!);
    const counts = new Uint8Array(SESSION_DATAGRAMS_MAX);
    this.#counts.set(session, counts);
    return counts;
  }
}
