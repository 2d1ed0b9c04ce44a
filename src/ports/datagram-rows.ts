/**
 * Datagrams of equal size to one node leave in one send, as UDP segmentation offload takes them: a send costs some 3 µs
 * however little it carries, copying a small frame here 20 ns. Nothing waits longer than the loop's turn, and the first
 * datagram of a turn does not wait at all, unless more than one came in the turn before. A row for each source port, so
 * that a flow keeps its own (RFC 7348 section 5) and packets of a flow their order.
 */

import { SOURCES } from '../encap/outer.ts';
import type { Arena } from '../packet/arena.ts';
import { CONTINUE, type Outcome } from '../packet/outcome.ts';
import type { Lost } from './underlay.ts';

/** The kernel takes no more at once (UDP_MAX_SEGMENTS until Linux 6.9). */
const DATAGRAMS_MAX = 64;
/** Twenty of 1,500 bytes: longer rows save hardly more. */
const ROW_BYTES = 32_768;

/** Datagrams one behind the other. */
export interface DatagramRow {
  /** First byte of the first one. */
  readonly at: number;
  /** Bytes of all. */
  len: number;
  /** Bytes of each but the last, which may be shorter. */
  stride: number;
  /** How many; the fields below hold when there are any. */
  count: number;
  endpoint: number;
  /** `encap/outer.ts`, sourceOf. */
  readonly source: number;
  tos: number;
}

/** Sends a row: 0, or the reason why not. */
export type SendRow = (row: DatagramRow) => Outcome;

export class DatagramRows {
  readonly #arena: Arena;
  readonly #send: SendRow;
  readonly #lost: Lost;
  readonly #rows: readonly DatagramRow[];
  /** Bit by source: which rows have datagrams. */
  #waiting = 0;
  /** Datagrams that were offered in this turn; and whether the first of a turn waits for more. */
  #offered = 0;
  #gathers = false;

  /**
   * @param headroom bytes to keep free in front of a row.
   * @param lost is told of datagrams that were taken and could not be sent.
   */
  constructor(arena: Arena, headroom: number, send: SendRow, lost: Lost) {
    this.#arena = arena;
    this.#send = send;
    this.#lost = lost;
    this.#rows = Array.from({ length: SOURCES }, (_, source) => {
      const at = arena.reserve(headroom + ROW_BYTES) + headroom;
      return { at, len: 0, stride: 0, count: 0, endpoint: 0, source, tos: 0 };
    });
  }

  /** Takes a datagram; false when it is to be sent by itself. */
  take(at: number, len: number, endpoint: number, source: number, tos: number): boolean {
    this.#offered++;
    if (len > ROW_BYTES || (this.#offered === 1 && !this.#gathers)) return false;
    const row = this.#rows[source]!;
    const joins = row.endpoint === endpoint && row.tos === tos && len <= row.stride && row.len + len <= ROW_BYTES;
    if (row.count > 0 && !joins) this.#flushRow(row);
    if (row.count === 0) {
      row.stride = len;
      row.endpoint = endpoint;
      row.tos = tos;
      this.#waiting |= 1 << source;
    }
    this.#arena.copy(row.at + row.len, at, len);
    row.len += len;
    row.count++;
    if (len < row.stride || row.count === DATAGRAMS_MAX) this.#flushRow(row);
    return true;
  }

  /** Sends what waits of one source, for what must not overtake it. */
  flushSource(source: number): void {
    if ((this.#waiting & (1 << source)) !== 0) this.#flushRow(this.#rows[source]!);
  }

  /** Ends a turn: sends all that waits. */
  flush(): void {
    this.#gathers = this.#offered > 1;
    this.#offered = 0;
    while (this.#waiting !== 0) this.#flushRow(this.#rows[31 - Math.clz32(this.#waiting)]!);
  }

  #flushRow(row: DatagramRow): void {
    const outcome = this.#send(row);
    if (outcome !== CONTINUE) this.#lost(row.count, outcome);
    row.len = 0;
    row.count = 0;
    this.#waiting &= ~(1 << row.source);
  }
}
