/** Puts the tables of Services together, off the loop: every port packed by itself, and then all of them. */
import { FlowTable } from '../tables/flow-table.ts';
import { type PrefixEntry, PrefixTable } from '../tables/prefix-table.ts';
import {
  BACKEND_WORDS,
  BARE_ADDRESS,
  FRONTEND_KEY_WORDS,
  FRONTEND_WORDS,
  Frontend,
  LIST_WORDS,
  List,
  type ServiceTableData,
} from './service-table.ts';

/** One port of a Service, in one address family. */
export interface PortTable {
  /** As the flow key's protocol word: IP version and protocol. */
  readonly protocolWord: number;
  readonly frontends: readonly PortFrontend[];
  readonly lists: readonly PortList[];
}

export interface PortFrontend {
  readonly address: Int32Array;
  readonly port: number;
  /** A cluster IP: on other ports its clients are refused (KP-024). */
  readonly cluster: boolean;
  /** Bits of `Masquerade`. */
  readonly masquerade: number;
  /** Indexes in the port's `lists`. */
  readonly inside: number;
  readonly outside: number;
  /** Endpoints that serve, wherever and in whatever state; of UDP ports only, -1 for the others. */
  readonly serving: number;
}

export interface PortList {
  /** `BACKEND_WORDS` each. */
  readonly backends: Int32Array;
  /** The drop when it is empty. */
  readonly whenEmpty: number;
  /** Clients stay with their backend: a number for this list, unique on the node, and for how long. 0 for no affinity. */
  readonly group: number;
  readonly affinityMs: number;
}

/**
 * A port as one run of words, keys hashed already: tables are put together anew at every change, and ten thousand ports
 * of several objects each took 26 ms rather than 5. Counts, keys, lists, backends.
 */
export type PortBlock = Int32Array;

const BLOCK_HEAD_WORDS = 3;
/** A key, its hash, and the frontend's words. */
const BLOCK_KEY_WORDS = FRONTEND_KEY_WORDS + 1 + FRONTEND_WORDS;

/** @param hasher an empty table with the seed of the one that it is for, as `keyHasher` makes it. */
export function packPort({ protocolWord, frontends, lists }: PortTable, hasher: FlowTable): PortBlock {
  const keys = frontends.flatMap((frontend) => {
    const { address, port, cluster, masquerade, inside, outside, serving } = frontend;
    const key = Int32Array.of(...address, (protocolWord << 16) | port);
    const words = [...key, hasher.hash(key, 0), masquerade, inside, outside, serving];
    if (!cluster) return [words];
    // A cluster IP is also there by itself.
    const bare = Int32Array.of(...address, BARE_ADDRESS);
    return [words, [...bare, hasher.hash(bare, 0), 0, 0, 0, 0]];
  });
  const listWords: number[] = [];
  const backends: number[] = [];
  for (const list of lists) {
    const count = list.backends.length / BACKEND_WORDS;
    listWords.push(backends.length / BACKEND_WORDS, count, list.whenEmpty, list.group, list.affinityMs);
    for (const word of list.backends) backends.push(word);
  }
  return Int32Array.from([keys.length, lists.length, backends.length, ...keys.flat(), ...listWords, ...backends]);
}

export function keyHasher(seed: number): FlowTable {
  return new FlowTable(0, FRONTEND_KEY_WORDS, seed);
}

/** Of several frontends with one key the first wins. @param seed of this run, unknown to packets' senders. */
export function buildServiceTable(
  blocks: readonly PortBlock[],
  networks: readonly PrefixEntry[],
  seed: number,
): ServiceTableData {
  let keys = 0;
  let lists = 0;
  let backendWords = 0;
  for (const block of blocks) {
    keys += block[0]!;
    lists += block[1]!;
    backendWords += block[2]!;
  }
  const builder = new TableBuilder(keys, lists, backendWords, seed);
  for (const block of blocks) builder.add(block);
  return builder.data(networks);
}

class TableBuilder {
  readonly #keys: FlowTable;
  readonly #frontends: Int32Array;
  readonly #lists: Int32Array;
  readonly #backends: Int32Array;
  #slots = 0;
  #listCount = 0;
  #backendWords = 0;

  constructor(keys: number, lists: number, backendWords: number, seed: number) {
    this.#keys = new FlowTable(keys, FRONTEND_KEY_WORDS, seed);
    this.#frontends = new Int32Array(keys * FRONTEND_WORDS);
    this.#lists = new Int32Array(lists * LIST_WORDS);
    this.#backends = new Int32Array(backendWords);
  }

  add(block: PortBlock): void {
    const keys = block[0]!;
    const lists = block[1]!;
    let at = BLOCK_HEAD_WORDS;
    for (let i = 0; i < keys; i++, at += BLOCK_KEY_WORDS) this.#addKey(block, at);
    for (let i = 0; i < lists; i++, at += LIST_WORDS) this.#addList(block, at);
    for (; at < block.length; at++) this.#backends[this.#backendWords++] = block[at]!;
  }

  data(networks: readonly PrefixEntry[]): ServiceTableData {
    return {
      keys: this.#keys.data,
      frontends: this.#frontends,
      lists: this.#lists,
      backends: this.#backends,
      networks: PrefixTable.build(networks).data,
    };
  }

  #addKey(block: PortBlock, at: number): void {
    const hash = block[at + FRONTEND_KEY_WORDS]!;
    if (this.#keys.find(block, at, hash) >= 0) return;
    const slot = this.#slots++;
    this.#keys.insert(slot, block, at, hash);
    const from = at + FRONTEND_KEY_WORDS + 1;
    const to = slot * FRONTEND_WORDS;
    this.#frontends[to + Frontend.Masquerade] = block[from + Frontend.Masquerade]!;
    for (let word: number = Frontend.Inside; word < FRONTEND_WORDS; word++) {
      const list = block[from + word]!;
      this.#frontends[to + word] = list < 0 ? -1 : this.#listCount + list;
    }
  }

  #addList(block: PortBlock, at: number): void {
    const to = this.#listCount++ * LIST_WORDS;
    for (let word = 0; word < LIST_WORDS; word++) this.#lists[to + word] = block[at + word]!;
    this.#lists[to + List.First]! += this.#backendWords / BACKEND_WORDS;
  }
}
