/**
 * `service/`: frontends to backends. One look-up says whether a packet is for a Service; the first packet of a
 * connection is translated here, every later one by its connection.
 *
 * The table is empty until Services are compiled from the cluster's objects.
 */
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_WORDS } from '../packet/flow-key.ts';
import { CONTINUE, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { rewriteFlow } from '../packet/rewrite.ts';
import { FlowTable } from '../tables/flow-table.ts';

export interface Backend {
  /** Four words. */
  readonly address: Int32Array;
  readonly port: number;
}

export interface Frontend extends Backend {
  /** As the flow key's protocol word: IP version and protocol. */
  readonly protocolWord: number;
  readonly backends: readonly Backend[];
}

const FRONTEND_WORDS = 6;

export class Services {
  readonly frontends: readonly Frontend[];
  readonly #table: FlowTable;
  readonly #key = new Int32Array(FRONTEND_WORDS);

  constructor(frontends: readonly Frontend[], seed: number) {
    this.frontends = frontends;
    this.#table = new FlowTable(Math.max(frontends.length, 1), FRONTEND_WORDS, seed);
    for (const [slot, { address, port, protocolWord }] of frontends.entries()) {
      const key = Int32Array.of(...address, port, protocolWord);
      this.#table.insert(slot, key, 0, this.#table.hash(key, 0));
    }
  }

  /** Index of the frontend that the packet is addressed to, or -1. */
  find(pkt: Packet): number {
    if (this.frontends.length === 0) return -1;
    const key = this.#key;
    for (let i = 0; i < 4; i++) key[i] = pkt.key[KEY_DESTINATION + i]!;
    key[4] = pkt.key[KEY_PORTS]! & 0xffff;
    key[5] = pkt.key[KEY_PROTOCOL]!;
    return this.#table.find(key, 0, this.#table.hash(key, 0));
  }
}

const translated = new Int32Array(KEY_WORDS);

/**
 * Translates a Service's address to one of its backends.
 *
 * Pre:  first packet of its connection, `pkt.key` and `pkt.hash` set.
 * Post: destination rewritten, or untouched when it is no Service.
 */
export function serviceDnat(services: Services, pkt: Packet): Outcome {
  const index = services.find(pkt);
  if (index < 0) return CONTINUE;
  const { backends } = services.frontends[index]!;
  const backend = backends[(pkt.hash >>> 0) % backends.length];
  if (backend === undefined) return CONTINUE;
  translated.set(pkt.key);
  for (let i = 0; i < 4; i++) translated[KEY_DESTINATION + i] = backend.address[i]!;
  translated[KEY_PORTS] = (pkt.key[KEY_PORTS]! & ~0xffff) | backend.port;
  rewriteFlow(pkt, translated, 0);
  return CONTINUE;
}
