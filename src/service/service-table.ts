/**
 * The tables that packets ask: arrays of 32-bit words, built off the loop and handed over whole. A frontend (address,
 * port, protocol) has up to three lists of backends: one for clients inside the cluster, one for those outside, and
 * the endpoints that serve. A list is a range of the one array of backends; frontends share lists.
 */
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL } from '../packet/flow-key.ts';
import { FlowTable, type FlowTableData } from '../tables/flow-table.ts';
import { PrefixTable, type PrefixTableData } from '../tables/prefix-table.ts';
import { ADDRESS_WORDS } from '../wire/address.ts';

/** Address, port. */
export const BACKEND_WORDS = ADDRESS_WORDS + 1;
export const BACKEND_PORT = ADDRESS_WORDS;

/** Words of a frontend. */
export const Frontend = { Masquerade: 0, Inside: 1, Outside: 2, Serving: 3 } as const;
export const FRONTEND_WORDS = 4;

/** Words of a list. */
export const List = { First: 0, Count: 1, WhenEmpty: 2, Group: 3, AffinityMs: 4 } as const;
export const LIST_WORDS = 5;

/** Whose connections through a frontend get the node's address as source: bits by where the client is. */
export const Masquerade = { Pod: 1, Host: 2, Outside: 4 } as const;

/** Address; protocol word (IP version and protocol) << 16 | port, or 0 for the address of a cluster IP by itself. */
export const FRONTEND_KEY_WORDS = ADDRESS_WORDS + 1;
export const BARE_ADDRESS = 0;

export interface ServiceTableData {
  readonly keys: FlowTableData;
  readonly frontends: Int32Array;
  readonly lists: Int32Array;
  readonly backends: Int32Array;
  readonly networks: PrefixTableData;
}

const wanted = new Int32Array(FRONTEND_KEY_WORDS);

/** The tables as the loop reads them. */
export class ServiceTable {
  readonly backends: Int32Array;
  readonly #keys: FlowTable;
  readonly #frontends: Int32Array;
  readonly #lists: Int32Array;
  readonly #networks: PrefixTable;

  constructor(data: ServiceTableData) {
    this.#keys = FlowTable.of(data.keys);
    this.#frontends = data.frontends;
    this.#lists = data.lists;
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

  /** @param word of `Frontend`. */
  frontend(frontend: number, word: number): number {
    return this.#frontends[frontend * FRONTEND_WORDS + word]!;
  }

  /** @param word of `List`. */
  list(list: number, word: number): number {
    return this.#lists[list * LIST_WORDS + word]!;
  }

  #find(keys: Int32Array, index: number, portWord: number): number {
    for (let i = 0; i < ADDRESS_WORDS; i++) wanted[i] = keys[index + KEY_DESTINATION + i]!;
    wanted[ADDRESS_WORDS] = portWord;
    return this.#keys.find(wanted, 0, this.#keys.hash(wanted, 0));
  }
}
