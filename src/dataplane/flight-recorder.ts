/**
 * The last packets of a node, always: their first bytes as they came in, and what became of them. A ring in the
 * arena; recording a packet is one copy and a few stores.
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

export class FlightRecorder implements Recorder {
  readonly #arena: Arena;
  readonly #at: number;
  readonly #timeMs = new Float64Array(RECORDS);
  readonly #len = new Uint32Array(RECORDS);
  readonly #outcome = new Int16Array(RECORDS);
  readonly #ingress = new Int32Array(RECORDS);
  readonly #egress = new Int32Array(RECORDS);
  /** `connectionWordOf`. */
  readonly #connection = new Int32Array(RECORDS);
  readonly #gsoSize = new Uint16Array(RECORDS);
  readonly #outerPort = new Uint16Array(RECORDS);
  readonly #partial = new Int32Array(RECORDS);
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
    const slot = this.#next & (RECORDS - 1);
    this.#arena.copy(this.#at + slot * RECORD_BYTES, pkt.at, Math.min(pkt.len, RECORD_BYTES));
    this.#timeMs[slot] = nowMs;
    this.#len[slot] = pkt.len;
    this.#ingress[slot] = pkt.ingress;
    this.#egress[slot] = 0;
    this.#gsoSize[slot] = pkt.gsoSize;
    this.#outerPort[slot] = pkt.outerPort;
    const partial = pkt.checksum === ChecksumState.Partial;
    this.#partial[slot] = partial ? (pkt.partialStart << 16) | pkt.partialOffset : -1;
    pkt.connection = UNTRACKED; // a frame may be dropped before any stage has said so
  }

  /** After the last one: the outcome. */
  end(pkt: Packet, outcome: number): void {
    const slot = this.#next & (RECORDS - 1);
    this.#outcome[slot] = outcome;
    this.#ingress[slot] = pkt.ingress;
    this.#egress[slot] = pkt.egress;
    this.#connection[slot] = connectionWordOf(this.#connections, pkt);
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
    return Array.from({ length: this.#next - from }, (_, i) => {
      const slot = (from + i) & (RECORDS - 1);
      const at = this.#at + slot * RECORD_BYTES;
      const denied = this.#outcome[slot] === Drop.PolicyDenied;
      return {
        timeMs: this.#timeMs[slot]!,
        len: this.#len[slot]!,
        outcome: this.#outcome[slot]!,
        ingress: this.#ingress[slot]!,
        egress: this.#egress[slot]!,
        connection: this.#connection[slot]!,
        gsoSize: this.#gsoSize[slot]!,
        outerPort: this.#outerPort[slot]!,
        partial: this.#partial[slot]!,
        judgement: denied ? this.#judgements.slice(slot * JUDGEMENT_WORDS, (slot + 1) * JUDGEMENT_WORDS) : undefined,
        bytes: this.#arena.bytes.slice(at, at + Math.min(this.#len[slot]!, RECORD_BYTES)),
      };
    });
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
