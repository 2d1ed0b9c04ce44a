/** Puts the tables of Services together, off the loop: every port packed by itself, and then all of them. */
import type { FlowTable } from '../tables/flow-table.ts';
import { type PrefixEntry, PrefixTable } from '../tables/prefix-table.ts';
import {
  BACKEND_WORDS,
  BARE_ADDRESS,
  FRONTEND_KEY_WORDS,
  FRONTEND_WORDS,
  Frontend,
  findFrontend,
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
/** Words of a key's frontend in a block; lists are indexes in the port's. */
const BlockKey = { Hash: 5, Masquerade: 6, Inside: 7, Outside: 8, Serving: 9 } as const;
const BLOCK_KEY_WORDS = 10;

/** @param hasher `keyHasher` with the seed of the table that it is for. */
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
    listWords.push(backends.length / BACKEND_WORDS, count, list.affinityMs, list.whenEmpty, list.group);
    for (const word of list.backends) backends.push(word);
  }
  return Int32Array.from([keys.length, lists.length, backends.length, ...keys.flat(), ...listWords, ...backends]);
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
  readonly #seed: number;
  readonly #heads: Int32Array;
  readonly #words: Int32Array;
  readonly #backends: Int32Array;
  #nextFrontend = FRONTEND_WORDS; // place 0 means none
  #nextList: number;
  #backendWords = 0;

  constructor(keys: number, lists: number, backendWords: number, seed: number) {
    this.#seed = seed;
    this.#heads = new Int32Array(1 << (32 - Math.clz32(Math.max(keys - 1, 1))));
    this.#nextList = FRONTEND_WORDS * (keys + 1);
    this.#words = new Int32Array(this.#nextList + lists * LIST_WORDS);
    this.#backends = new Int32Array(backendWords);
  }

  add(block: PortBlock): void {
    const keys = block[0]!;
    const lists = block[1]!;
    const firstList = this.#nextList;
    const listsAt = BLOCK_HEAD_WORDS + keys * BLOCK_KEY_WORDS;
    for (let i = 0; i < lists; i++) this.#addList(block, listsAt + i * LIST_WORDS);
    for (let i = 0; i < keys; i++) this.#addKey(block, BLOCK_HEAD_WORDS + i * BLOCK_KEY_WORDS, firstList);
    const backendsAt = listsAt + lists * LIST_WORDS;
    for (let at = backendsAt; at < block.length; at++) this.#backends[this.#backendWords++] = block[at]!;
  }

  data(networks: readonly PrefixEntry[]): ServiceTableData {
    return {
      seed: this.#seed,
      heads: this.#heads,
      words: this.#words,
      backends: this.#backends,
      networks: PrefixTable.build(networks).data,
    };
  }

  #addKey(block: PortBlock, at: number, firstList: number): void {
    const words = this.#words;
    const hash = block[at + BlockKey.Hash]!;
    if (findFrontend(this.#heads, words, block, at, hash) >= 0) return;
    const frontend = this.#nextFrontend;
    this.#nextFrontend += FRONTEND_WORDS;
    for (let i = 0; i < FRONTEND_KEY_WORDS; i++) words[frontend + i] = block[at + i]!;
    const bucket = hash & (this.#heads.length - 1);
    words[frontend + Frontend.Next] = this.#heads[bucket]!;
    this.#heads[bucket] = frontend;
    words[frontend + Frontend.Masquerade] = block[at + BlockKey.Masquerade]!;
    const inside = listAt(firstList, block[at + BlockKey.Inside]!);
    // The list that packets ask most often is there twice: also beside its key.
    words[frontend + Frontend.Inside] = frontend + Frontend.InsideList;
    for (let i = 0; inside >= 0 && i < LIST_WORDS; i++) words[frontend + Frontend.InsideList + i] = words[inside + i]!;
    words[frontend + Frontend.Outside] = listAt(firstList, block[at + BlockKey.Outside]!);
    words[frontend + Frontend.Serving] = listAt(firstList, block[at + BlockKey.Serving]!);
  }

  #addList(block: PortBlock, at: number): void {
    const list = this.#nextList;
    this.#nextList += LIST_WORDS;
    for (let word = 0; word < LIST_WORDS; word++) this.#words[list + word] = block[at + word]!;
    this.#words[list + List.First]! += this.#backendWords / BACKEND_WORDS;
  }
}

/** Place of a port's list, or -1 for none. */
function listAt(firstList: number, index: number): number {
  return index < 0 ? -1 : firstList + index * LIST_WORDS;
}
