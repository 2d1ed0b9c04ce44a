/**
 * The last packets of a node, always: their first bytes as they came in, and what became of them. A ring in the
 * arena; recording a packet is one copy and a few stores side by side.
 */
import type { Connections } from '../conntrack/connections.ts';
import type { Arena } from '../packet/arena.ts';
import { JUDGEMENT_WORDS } from '../packet/judgement.ts';
import { Drop } from '../packet/outcome.ts';
import { ChecksumState, type Packet, UNTRACKED } from '../packet/packet.ts';
import { connectionWordOf } from './connection-word.ts';
import type { Recorder } from './dataplane.ts';

export const RECORDS = 4096;
/** Enough for outer VXLAN, inner Ethernet, IPv6 and TCP with options. */
export const RECORD_BYTES = 128;

/** Words of what is known about a packet. The time is a double. */
const TIME = 0;
const LEN = 2;
const OUTCOME = 3;
const INGRESS = 4;
const EGRESS = 5;
/** `connectionWordOf`. */
const CONNECTION = 6;
const GSO_SIZE = 7;
const OUTER_PORT = 8;
const PARTIAL = 9;
const RECORD_WORDS = 16;

export class FlightRecorder implements Recorder {
  readonly #arena: Arena;
  readonly #at: number;
  readonly #words = new Int32Array(RECORDS * RECORD_WORDS);
  /** The same. */
  readonly #doubles = new Float64Array(this.#words.buffer);
  readonly #connections: Connections;
  /** Of denied packets: `packet/judgement.ts`. */
  readonly #judgements = new Int32Array(RECORDS * JUDGEMENT_WORDS);
  readonly #judgement: Int32Array;
  #next = 0;

  /** @param judgement where the one about the last denied packet is. */
  constructor(arena: Arena, connections: Connections, judgement: Int32Array) {
    this.#judgement = judgement;
    this.#arena = arena;
    this.#connections = connections;
    this.#at = arena.reserve(RECORDS * RECORD_BYTES);
  }

  /** Before the first stage: the bytes. */
  begin(pkt: Packet, nowMs: number): void {
    const words = this.#words;
    const slot = this.#next & (RECORDS - 1);
    const record = slot * RECORD_WORDS;
    const partial = pkt.checksum === ChecksumState.Partial;
    this.#doubles[(record + TIME) >> 1] = nowMs;
    words[record + LEN] = pkt.len;
    words[record + GSO_SIZE] = pkt.gsoSize;
    words[record + OUTER_PORT] = pkt.outerPort;
    words[record + PARTIAL] = partial ? (pkt.partialStart << 16) | pkt.partialOffset : -1;
    this.#arena.copy(this.#at + slot * RECORD_BYTES, pkt.at, Math.min(pkt.len, RECORD_BYTES));
    pkt.connection = UNTRACKED; // a frame may be dropped before any stage has said so
  }

  /** After the last one: the outcome. */
  end(pkt: Packet, outcome: number): void {
    const words = this.#words;
    const slot = this.#next & (RECORDS - 1);
    const record = slot * RECORD_WORDS;
    words[record + OUTCOME] = outcome;
    words[record + INGRESS] = pkt.ingress;
    words[record + EGRESS] = pkt.egress;
    words[record + CONNECTION] = connectionWordOf(this.#connections, pkt);
    if (outcome === Drop.PolicyDenied) this.#judgements.set(this.#judgement, slot * JUDGEMENT_WORDS);
    this.#next++;
  }

  /** Records since the node started; the ring holds the last 4,096 of them. */
  get recorded(): number {
    return this.#next;
  }

  /** The newest records, oldest first. Copies: the ring moves on. */
  last(count: number): FlightRecord[] {
    const from = Math.max(0, this.#next - Math.min(count, RECORDS));
    return Array.from({ length: this.#next - from }, (_, i) => this.#read((from + i) & (RECORDS - 1)));
  }

  #read(slot: number): FlightRecord {
    const words = this.#words;
    const record = slot * RECORD_WORDS;
    const at = this.#at + slot * RECORD_BYTES;
    const len = words[record + LEN]!;
    const denied = words[record + OUTCOME] === Drop.PolicyDenied;
    const judgementAt = slot * JUDGEMENT_WORDS;
    return {
      timeMs: this.#doubles[(record + TIME) >> 1]!,
      len,
      outcome: words[record + OUTCOME]!,
      ingress: words[record + INGRESS]!,
      egress: words[record + EGRESS]!,
      connection: words[record + CONNECTION]!,
      gsoSize: words[record + GSO_SIZE]!,
      outerPort: words[record + OUTER_PORT]!,
      partial: words[record + PARTIAL]!,
      judgement: denied ? this.#judgements.slice(judgementAt, judgementAt + JUDGEMENT_WORDS) : undefined,
      bytes: this.#arena.bytes.slice(at, at + Math.min(len, RECORD_BYTES)),
    };
  }
}

export interface FlightRecord {
  /** The node's clock. */
  readonly timeMs: number;
  /** Bytes of the whole packet; `bytes` holds the first 128. */
  readonly len: number;
  readonly outcome: number;
  readonly ingress: number;
  readonly egress: number;
  /** `recording/sighting.ts`. */
  readonly connection: number;
  /** Payload bytes per segment of a superframe; else 0. */
  readonly gsoSize: number;
  /** UDP source port of the tunnel packet that it came in. */
  readonly outerPort: number;
  /** Of a partial checksum: where its region begins << 16 | where in it the field is; else negative. */
  readonly partial: number;
  /** Of a packet that a policy denied. */
  readonly judgement: Int32Array | undefined;
  readonly bytes: Uint8Array;
}
