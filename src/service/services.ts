/**
 * `service/`: frontends to backends. One look-up says whether a packet is for a Service; the first packet of a
 * connection is translated here, every later one by its connection (KP-037).
 *
 * Semantics are those of kube-proxy's nftables mode. `service-spec.ts` is what a node is told, `service-compiler.ts`
 * makes `service-table.ts` of it, and this file is what packets meet.
 */
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, KEY_WORDS } from '../packet/flow-key.ts';
import { CONTINUE, Drop, type Outcome } from '../packet/outcome.ts';
import type { Packet } from '../packet/packet.ts';
import { rewriteFlow } from '../packet/rewrite.ts';
import { Way, wayKind } from '../packet/way.ts';
import { ADDRESS_WORDS } from '../wire/address.ts';
import type { Affinity } from './affinity.ts';
import {
  BACKEND_PORT,
  BACKEND_WORDS,
  Frontend,
  List,
  Masquerade,
  ServiceTable,
  type ServiceTableData,
} from './service-table.ts';

export class Services {
  readonly table: ServiceTable;
  /** Of the node: it outlives tables. */
  readonly affinity: Affinity;

  constructor(data: ServiceTableData, affinity: Affinity) {
    this.table = new ServiceTable(data);
    this.affinity = affinity;
  }
}

const translated = new Int32Array(KEY_WORDS);

/**
 * Translates a Service's address to one of its backends, and says whether the source is to become the node's.
 *
 * Pre:  first packet of its connection, `pkt.key` and `pkt.hash` set.
 * Post: destination rewritten, or untouched when it is no Service; `pkt.masquerade` is set.
 */
export function serviceDnat(services: Services, pkt: Packet, nowMs: number): Outcome {
  const { table } = services;
  pkt.masquerade = false;
  const frontend = table.find(pkt.key, 0);
  if (frontend < 0) return noFrontend(table, pkt);
  const kind = wayKind(pkt.ingress);
  const list = table.frontend(frontend, kind === Way.Outside ? Frontend.Outside : Frontend.Inside);
  if (table.list(list, List.Count) === 0) return table.list(list, List.WhenEmpty);
  const backend = choose(services, list, pkt, nowMs);
  pkt.masquerade =
    (table.frontend(frontend, Frontend.Masquerade) & clientBit(kind)) !== 0 || isOwnBackend(table, backend, pkt);
  translate(table, backend, pkt);
  return CONTINUE;
}

/** Not for a Service; or for what a Service might have, and has not. */
function noFrontend(table: ServiceTable, pkt: Packet): Outcome {
  if (table.hasClusterIp(pkt.key, 0)) return Drop.NoServicePort;
  return table.inNetwork(pkt.key, 0) ? Drop.NoService : CONTINUE;
}

function clientBit(kind: number): number {
  if (kind === Way.Pod) return Masquerade.Pod;
  return kind === Way.Host ? Masquerade.Host : Masquerade.Outside;
}

/** Hairpin: a client that is its own backend would answer itself without coming by here (KP-040). */
function isOwnBackend(table: ServiceTable, backend: number, pkt: Packet): boolean {
  const at = backend * BACKEND_WORDS;
  for (let i = 0; i < ADDRESS_WORDS; i++) if (pkt.key[KEY_SOURCE + i] !== table.backends[at + i]) return false;
  return true;
}

/** By the flow's hash, every backend alike (KP-053); a client with affinity has the one that it had (KP-064). */
function choose({ table, affinity }: Services, list: number, pkt: Packet, nowMs: number): number {
  const first = table.list(list, List.First);
  const count = table.list(list, List.Count);
  const byHash = first + ((pkt.hash >>> 0) % count);
  const durationMs = table.list(list, List.AffinityMs);
  if (durationMs === 0) return byHash;
  const slot = affinity.claim(pkt.key, KEY_SOURCE, table.list(list, List.Group), nowMs);
  if (slot < 0) return byHash;
  const had = affinity.backend(slot, table.backends, first, count, nowMs);
  const backend = had < 0 ? byHash : had; // also when the one that it had is gone (KP-065)
  // Every new connection begins the time anew, their packets do not (KP-063).
  affinity.remember(slot, table.backends, backend, nowMs + durationMs);
  return backend;
}

function translate({ backends }: ServiceTable, backend: number, pkt: Packet): void {
  const at = backend * BACKEND_WORDS;
  for (let i = 0; i < KEY_WORDS; i++) translated[i] = pkt.key[i]!; // `set` is a call of tens of ns (`npm run bench:flat`)
  for (let i = 0; i < ADDRESS_WORDS; i++) translated[KEY_DESTINATION + i] = backends[at + i]!;
  translated[KEY_PORTS] = (pkt.key[KEY_PORTS]! & ~0xffff) | backends[at + BACKEND_PORT]!;
  rewriteFlow(pkt, translated, 0);
}
