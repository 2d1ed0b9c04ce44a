/**
 * The tables that packets ask: arrays of 32-bit words, built off the loop and handed over whole. A frontend (address,
 * port, protocol) has up to three lists of backends: one for clients inside the cluster, one for those outside, and
 * the endpoints that serve. A list is a range of the one array of backends; frontends share lists.
 *
 * A look-up touches few cache lines, for with 100,000 Services each of them is a miss: what a packet needs of a frontend is
 * one record of 64 bytes, key and list for clients inside included. With an array each for hashes, keys, frontends and lists
 * the first packet of a connection took 0.4 µs longer (`npm run bench:flat`).
 */
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL } from '../packet/flow-key.ts';
import { FlowTable } from '../tables/flow-table.ts';
import { PrefixTable, type PrefixTableData } from '../tables/prefix-table.ts';
import { ADDRESS_WORDS } from '../wire/address.ts';

/** Address, port. */
export const BACKEND_WORDS = ADDRESS_WORDS + 1;
export const BACKEND_PORT = ADDRESS_WORDS;

/** Address; protocol word (IP version and protocol) << 16 | port, or 0 for the address of a cluster IP by itself. */
export const FRONTEND_KEY_WORDS = ADDRESS_WORDS + 1;
export const BARE_ADDRESS = 0;

/**
 * Words of a frontend, behind its key; lists are places in `words`. What most packets ask comes first: in memory that is
 * aligned to 16 bytes only, the last words are on another cache line.
 */
export const Frontend = { Next: 5, Masquerade: 6, Inside: 7, InsideList: 8, Outside: 13, Serving: 14 } as const;
export const FRONTEND_WORDS = 16;

/** Words of a list. */
export const List = { First: 0, Count: 1, AffinityMs: 2, WhenEmpty: 3, Group: 4 } as const;
export const LIST_WORDS = 5;

/** Whose connections through a frontend get the node's address as source: bits by where the client is. */
export const Masquerade = { Pod: 1, Host: 2, Outside: 4 } as const;

export interface ServiceTableData {
  readonly seed: number;
  /** By hash: the place of the first frontend of each bucket, 0 for none. */
  readonly heads: Int32Array;
  /** Frontends and lists; nothing is at place 0. */
  readonly words: Int32Array;
  readonly backends: Int32Array;
  readonly networks: PrefixTableData;
}

const wanted = new Int32Array(FRONTEND_KEY_WORDS);

/** The tables as the loop reads them. */
export class ServiceTable {
  readonly backends: Int32Array;
  readonly #heads: Int32Array;
  readonly #words: Int32Array;
  readonly #hasher: FlowTable;
  readonly #networks: PrefixTable;

  constructor(data: ServiceTableData) {
    this.#heads = data.heads;
    this.#words = data.words;
    this.#hasher = keyHasher(data.seed);
    this.backends = data.backends;
    this.#networks = new PrefixTable(data.networks);
  }

  /** The frontend that the flow key at `keys[index …]` is addressed to, or -1. */
  find(keys: Int32Array, index: number): number {
    return this.#find(keys, index, (keys[index + KEY_PROTOCOL]! << 16) | (keys[index + KEY_PORTS]! & 0xffff));
  }

  /** Is its destination a cluster IP? */
  hasClusterIp(keys: Int32Array, index: number): boolean {
    return this.#find(keys, index, BARE_ADDRESS) >= 0;
  }

  /** Is its destination in a Service network? */
  inNetwork(keys: Int32Array, index: number): boolean {
    return this.#networks.find(keys, index + KEY_DESTINATION) >= 0;
  }

  /** @param frontend as `find` gives it. @param word of `Frontend`. */
  frontend(frontend: number, word: number): number {
    return this.#words[frontend + word]!;
  }

  /** @param list as a frontend's words give it. @param word of `List`. */
  list(list: number, word: number): number {
    return this.#words[list + word]!;
  }

  #find(keys: Int32Array, index: number, portWord: number): number {
    for (let i = 0; i < ADDRESS_WORDS; i++) wanted[i] = keys[index + KEY_DESTINATION + i]!;
    wanted[ADDRESS_WORDS] = portWord;
    const hash = this.#hasher.hash(wanted, 0);
    return findFrontend(this.#heads, this.#words, wanted, 0, hash);
  }
}

/** Hashes keys of frontends. @param seed of the run, unknown to packets' senders. */
export function keyHasher(seed: number): FlowTable {
  return new FlowTable(0, FRONTEND_KEY_WORDS, seed);
}

/** Place of the frontend with the key at `key[index …]` in `words`, or -1. */
export function findFrontend(
  heads: Int32Array,
  words: Int32Array,
  key: Int32Array,
  index: number,
  hash: number,
): number {
  let frontend = heads[hash & (heads.length - 1)]!;
  while (frontend !== 0) {
    if (keyEquals(words, frontend, key, index)) return frontend;
    frontend = words[frontend + Frontend.Next]!;
  }
  return -1;
}

function keyEquals(words: Int32Array, frontend: number, key: Int32Array, index: number): boolean {
  // From the port backwards: it and the address' last word are what differs.
  for (let i = FRONTEND_KEY_WORDS - 1; i >= 0; i--) if (words[frontend + i] !== key[index + i]) return false;
  return true;
}
