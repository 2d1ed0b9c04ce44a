/**
 * UDP has no end: a client that goes on would talk to a backend that is gone for as long as it does so. So when
 * Services change, UDP connections that were made through a Service port and whose backend is none of its serving
 * endpoints any more are forgotten, and their next packet begins anew. Other protocols' connections stay (KP-092).
 * Rules are those of kube-proxy's pkg/proxy/conntrack/cleanup.go.
 */
import type { Connections } from '../conntrack/connections.ts';
import { KEY_SOURCE, keyProtocol } from '../packet/flow-key.ts';
import { BACKEND_WORDS, Frontend, List, type ServiceTable } from '../service/service-table.ts';
import { ADDRESS_WORDS } from '../wire/address.ts';
import { Protocol } from '../wire/protocol.ts';
import type { Dataplane } from './dataplane.ts';

/** How far the search has come: it takes as many calls as it needs, so that many connections do not stop packets. */
export class StaleFlows {
  pending = false;
  /** Connections below this have been looked at. */
  cursor = 0;

  begin(): void {
    this.pending = true;
    this.cursor = 0;
  }
}

/** Goes on with the search, for at most `budget` connections. */
export function flushStale({ connections, services, staleFlows }: Dataplane, budget: number): void {
  const end = Math.min(connections.highWater, staleFlows.cursor + budget);
  for (let connection = staleFlows.cursor; connection < end; connection++) {
    if (connections.state[connection] !== 0 && isStale(connections, services.table, connection)) {
      connections.remove(connection);
    }
  }
  staleFlows.cursor = end;
  staleFlows.pending = end < connections.highWater;
}

function isStale({ table: halves }: Connections, table: ServiceTable, connection: number): boolean {
  const { entries: keys } = halves;
  const original = halves.keyAt(connection * 2);
  if (keyProtocol(keys, original) !== Protocol.Udp) return false;
  const frontend = table.find(keys, original);
  if (frontend < 0) return false;
  const serving = table.frontend(frontend, Frontend.Serving);
  const first = table.list(serving, List.First);
  const count = table.list(serving, List.Count);
  if (count === 0) return false; // KP-093
  const replySource = halves.keyAt(connection * 2 + 1) + KEY_SOURCE;
  for (let backend = first; backend < first + count; backend++) {
    if (isAt(table.backends, backend * BACKEND_WORDS, keys, replySource)) return false;
  }
  return true; // KP-090
}

/** The same address? Its port does not matter (KP-090). */
function isAt(backends: Int32Array, backend: number, keys: Int32Array, index: number): boolean {
  for (let i = 0; i < ADDRESS_WORDS; i++) if (backends[backend + i] !== keys[index + i]) return false;
  return true;
}
