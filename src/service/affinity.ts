/**
 * Which backend a client was given, for Services with `sessionAffinity: ClientIP`. The key is the client's address and
 * a number for the Service port's list of endpoints: all addresses of the port share it (KP-062). What is remembered
 * outlives tables: it is a backend's address and port, not its place in a list.
 */
import { FlowTable } from '../tables/flow-table.ts';
import { ADDRESS_WORDS } from '../wire/address.ts';
import { BACKEND_WORDS } from './service-table.ts';

/** On one node; nftables' sets, which kube-proxy uses, hold as many by default (65,535). */
export const AFFINITY_MAX = 65_536;
const KEY_WORDS = ADDRESS_WORDS + 1;
/** Places looked at for one whose time is over, when all are taken. */
const SEARCH = 64;

export class Affinity {
  readonly #capacity: number;
  readonly #table: FlowTable;
  readonly #backends: Int32Array;
  readonly #deadlineMs: Float64Array;
  readonly #key = new Int32Array(KEY_WORDS);
  #used = 0;
  #cursor = 0;

  constructor(seed: number, capacity = AFFINITY_MAX) {
    this.#capacity = capacity;
    this.#table = new FlowTable(capacity, KEY_WORDS, seed);
    this.#backends = new Int32Array(capacity * BACKEND_WORDS);
    this.#deadlineMs = new Float64Array(capacity);
  }

  /**
   * The slot of the client whose address is at `words[index …]`, a new one when it has none; -1 when all are taken: the
   * client is then not remembered, as with a full set of nftables.
   */
  claim(words: Int32Array, index: number, group: number, nowMs: number): number {
    const key = this.#key;
    for (let i = 0; i < ADDRESS_WORDS; i++) key[i] = words[index + i]!;
    key[ADDRESS_WORDS] = group;
    const hash = this.#table.hash(key, 0);
    const known = this.#table.find(key, 0, hash);
    if (known >= 0) return known;
    const slot = this.#used < this.#capacity ? this.#used++ : this.#reclaim(nowMs);
    if (slot >= 0) this.#table.insert(slot, key, 0, hash);
    return slot;
  }

  /** Which of the backends `first`, `first` + 1, … the client has; -1 when none of them, or when its time is over. */
  backend(slot: number, backends: Int32Array, first: number, count: number, nowMs: number): number {
    if (this.#deadlineMs[slot]! <= nowMs) return -1;
    for (let backend = first; backend < first + count; backend++) {
      if (this.#holds(slot, backends, backend)) return backend;
    }
    return -1;
  }

  remember(slot: number, backends: Int32Array, backend: number, deadlineMs: number): void {
    for (let i = 0; i < BACKEND_WORDS; i++) {
      this.#backends[slot * BACKEND_WORDS + i] = backends[backend * BACKEND_WORDS + i]!;
    }
    this.#deadlineMs[slot] = deadlineMs;
  }

  /** A slot whose client's time is over, taken out of the table; -1 when there is none nearby. */
  #reclaim(nowMs: number): number {
    for (let i = 0; i < SEARCH; i++) {
      const slot = this.#cursor;
      this.#cursor = (slot + 1) % this.#capacity;
      if (this.#deadlineMs[slot]! > nowMs) continue;
      this.#table.remove(slot);
      return slot;
    }
    return -1;
  }

  #holds(slot: number, backends: Int32Array, backend: number): boolean {
    for (let i = 0; i < BACKEND_WORDS; i++) {
      if (this.#backends[slot * BACKEND_WORDS + i] !== backends[backend * BACKEND_WORDS + i]) return false;
    }
    return true;
  }
}
