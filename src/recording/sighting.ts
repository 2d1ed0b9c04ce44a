/**
 * `recording/`: what a capture sees. A *sighting* is one packet at one hop: its bytes as they were there, and what
 * became of it, all as numbers; words are made of it elsewhere. Sightings travel as bytes, from the loop through a ring
 * to whoever writes them down: this file is their layout, written and read by the same machine.
 *
 *     word  0  length of all of it, a multiple of 8        word  8  way in (`packet/way.ts`)
 *           1  kind                                              9  way out
 *           2  time, two words: a double, ns, monotonic         10  length of the frame on the hop
 *           4  hop, as a way                                    11  bytes of it that are here
 *           5  bits                                             12  segment size of a superframe, else 0
 *           6  outcome                                          13  payload bytes kept of each segment, `KEPT_ALL` for all
 *           7  sightings lost at this hop since the last one    14  connection word
 *                                                               15  number of the packet on its node
 *                                                               16  of a partial checksum, from the inner frame: where
 *                                                               17  its region begins, and where in it the field is
 *     then room for the keys before and after translation (2 × KEY_WORDS), if `Keys`: of a denied packet the judgement
 *     stands there (`packet/judgement.ts`); then the bytes.
 */
import { KEY_WORDS } from '../packet/flow-key.ts';
import { JUDGED_DIRECTION, JUDGED_REVISION } from '../packet/judgement.ts';

export const SightingKind = {
  /** To be passed over: its place in the ring was not needed. */
  None: 0,
  Packet: 1,
  /** Sightings were lost at the hop, `lost` of them, and none came after them to say so. */
  Lost: 2,
  /** The hop is gone: its interface is. */
  Gone: 3,
  /** Nothing that happened before its time will be told any more. */
  Quiet: 4,
  /** The last one. */
  End: 5,
  /** The node does not do what it was asked for; the bytes say why. */
  Refused: 6,
} as const;

export const SightingBit = {
  /** From the node to the hop; else from the hop to the node. */
  Outgoing: 1,
  /** A checksum of it was left to be completed by whoever receives the packet. */
  Partial: 2,
  /** There is room for keys behind the header. */
  Keys: 4,
  /** They are told: the packet was translated. */
  Translated: 8,
  /** It began in the node: an ICMP error, an answer to ARP. */
  Originated: 16,
  /** A policy denied the packet: what it judged stands in the room for keys. */
  Judged: 32,
} as const;
/** Two bits more: how many bytes in front of the first one, so that copies can go word by word. */
export const PHASE_SHIFT = 8;
/** Eight bits: where the inner frame begins, behind a tunnel's outer headers; 0 where there are none. */
export const INNER_OFFSET_SHIFT = 16;

export const Word = {
  Length: 0,
  Kind: 1,
  Time: 2,
  Hop: 4,
  Bits: 5,
  Outcome: 6,
  Lost: 7,
  Ingress: 8,
  Egress: 9,
  WireLen: 10,
  Captured: 11,
  GsoSize: 12,
  Kept: 13,
  Connection: 14,
  Number: 15,
  PartialStart: 16,
  PartialOffset: 17,
} as const;

export const HEADER_WORDS = 18;
export const HEADER_BYTES = HEADER_WORDS * 4;
export const KEYS_BYTES = 2 * KEY_WORDS * 4;
/** In `Word.Kept`: payload is there in one piece, up to where the frame was cut. */
export const KEPT_ALL = -1;

/** `connectionWord` of a packet without one. */
export const NO_CONNECTION = 0;
const KNOWN = 1 << 31;
const RELATED = 1 << 30;
const EVENT = 1 << 29;

/**
 * What conntrack knew of the packet's connection after it.
 *
 * @param protocol IP protocol number. @param event the packet tells something of the flow's life.
 */
export function connectionWord(
  state: number,
  flags: number,
  direction: number,
  protocol: number,
  event: boolean,
): number {
  return KNOWN | (event ? EVENT : 0) | (protocol << 17) | (direction << 16) | (flags << 8) | state;
}

/** Of an ICMP error about a known connection. */
export const RELATED_CONNECTION = KNOWN | RELATED | EVENT;

export function isEvent(connection: number): boolean {
  return (connection & EVENT) !== 0;
}

/** A sighting as it is read. One object is filled again and again: copy what is to be kept. */
export class Sighting {
  kind = 0;
  /** Nanoseconds, monotonic. */
  timeNs = 0;
  hop = 0;
  bits = 0;
  outcome = 0;
  lost = 0;
  ingress = 0;
  egress = 0;
  wireLen = 0;
  gsoSize = 0;
  kept = 0;
  connection = 0;
  number = 0;
  partialStart = 0;
  partialOffset = 0;
  /** With `SightingBit.Translated`: before translation, and behind it after. With `Judged`: the judged key. */
  readonly keys = new Int32Array(2 * KEY_WORDS);
  /** The bytes are `bytes[at …]`, `captured` of them. */
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  captured = 0;

  is(bit: number): boolean {
    return (this.bits & bit) !== 0;
  }

  /** Where the inner frame begins, behind a tunnel's outer headers; 0 where there are none. */
  get innerOffset(): number {
    return (this.bits >>> INNER_OFFSET_SHIFT) & 0xff;
  }

  /** With `SightingBit.Judged`: a `Direction` of `policy/policies.ts`. */
  get judgedDirection(): number {
    return this.keys[JUDGED_DIRECTION]!;
  }

  /** With `SightingBit.Judged`: of the `PolicySpec`. */
  get judgedRevision(): number {
    return this.keys[JUDGED_REVISION]!;
  }

  get related(): boolean {
    return (this.connection & RELATED) !== 0;
  }

  get hasConnection(): boolean {
    return (this.connection & KNOWN) !== 0;
  }

  /** A `ConnectionFlag` bit set. */
  get connectionFlags(): number {
    return (this.connection >>> 8) & 0xff;
  }

  get connectionState(): number {
    return this.connection & 0xff;
  }

  /** IP protocol number. */
  get connectionProtocol(): number {
    return (this.connection >>> 17) & 0xff;
  }

  /** 0 original, 1 reply. */
  get direction(): number {
    return (this.connection >>> 16) & 1;
  }

  /** Reads the sighting at byte `at`, which is a multiple of 8 from the start of the buffer; returns its length. */
  read(source: SightingBytes, at: number): number {
    const { words, doubles, bytes } = source;
    const word = at >> 2;
    const length = words[word]!;
    this.kind = words[word + Word.Kind]!;
    if (this.kind === SightingKind.None) return length; // it may be shorter than a header
    this.timeNs = doubles[(word + Word.Time) >> 1]!;
    this.hop = words[word + Word.Hop]!;
    this.bits = words[word + Word.Bits]!;
    this.outcome = words[word + Word.Outcome]!;
    this.lost = words[word + Word.Lost]!;
    this.ingress = words[word + Word.Ingress]!;
    this.egress = words[word + Word.Egress]!;
    this.wireLen = words[word + Word.WireLen]!;
    this.captured = words[word + Word.Captured]!;
    this.gsoSize = words[word + Word.GsoSize]!;
    this.kept = words[word + Word.Kept]!;
    this.connection = words[word + Word.Connection]!;
    this.number = words[word + Word.Number]!;
    this.partialStart = words[word + Word.PartialStart]!;
    this.partialOffset = words[word + Word.PartialOffset]!;
    this.bytes = bytes;
    this.at = at + HEADER_BYTES + ((this.bits >>> PHASE_SHIFT) & 3);
    if (this.is(SightingBit.Keys)) this.at += KEYS_BYTES;
    if (this.is(SightingBit.Translated | SightingBit.Judged)) {
      const from = word + HEADER_WORDS;
      for (let i = 0; i < this.keys.length; i++) this.keys[i] = words[from + i]!;
    }
    return length;
  }
}

/** One buffer, seen as bytes, words and doubles. */
export class SightingBytes {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly doubles: Float64Array;

  /** @param length a multiple of 8. */
  constructor(buffer: ArrayBuffer | SharedArrayBuffer, offset = 0, length = buffer.byteLength - offset) {
    this.bytes = new Uint8Array(buffer, offset, length);
    this.words = new Int32Array(buffer, offset, length >> 2);
    this.doubles = new Float64Array(buffer, offset, length >> 3);
  }
}

/** A sighting without a packet. @param lost for `SightingKind.Lost`. @param said what it says instead. */
export function noteSighting(kind: number, timeNs: number, hop = 0, lost = 0, said = new Uint8Array(0)): Uint8Array {
  const length = (HEADER_BYTES + said.length + 7) & ~7;
  const { bytes, words, doubles } = new SightingBytes(new ArrayBuffer(length));
  words[Word.Length] = length;
  words[Word.Captured] = said.length;
  bytes.set(said, HEADER_BYTES);
  words[Word.Kind] = kind;
  doubles[Word.Time >> 1] = timeNs;
  words[Word.Hop] = hop;
  words[Word.Lost] = lost;
  return bytes;
}
