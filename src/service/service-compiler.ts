/** From what a node is told of Services to its tables. Keeps all of them, so that a change needs to tell the change only. */
import { protocolWord } from '../packet/flow-key.ts';
import { Drop } from '../packet/outcome.ts';
import type { FlowTable } from '../tables/flow-table.ts';
import type { PrefixEntry } from '../tables/prefix-table.ts';
import { parseAddress } from '../wire/address.ts';
import { parsePrefix } from '../wire/prefix.ts';
import { Protocol } from '../wire/protocol.ts';
import {
  buildServiceTable,
  type PortBlock,
  type PortFrontend,
  type PortList,
  type PortTable,
  packPort,
} from './build-service-table.ts';
import { hasUsableEndpoint, isServing, usableEndpoints } from './endpoints.ts';
import type { EndpointSpec, FrontendSpec, ServicePortSpec, ServiceSpec, ServicesUpdate } from './service-spec.ts';
import { BACKEND_PORT, BACKEND_WORDS, keyHasher, Masquerade, type ServiceTableData } from './service-table.ts';

const protocols = { TCP: Protocol.Tcp, UDP: Protocol.Udp, SCTP: Protocol.Sctp } as const;

interface Compiled {
  readonly ports: readonly PortBlock[];
  /** Affinity numbers by port. A port that stays keeps its number, and with it its clients' backends. */
  readonly groups: ReadonlyMap<string, number>;
}

const noGroups: ReadonlyMap<string, number> = new Map();

export class ServiceCompiler {
  readonly #seed: number;
  readonly #hasher: FlowTable;
  readonly #services = new Map<string, Compiled>();
  #networks: readonly PrefixEntry[] = [];
  #nextGroup = 1;

  /** @param seed of the node's run. */
  constructor(seed: number) {
    this.#seed = seed;
    this.#hasher = keyHasher(seed);
  }

  /**
   * The tables as they are after the change: ten thousand Services take milliseconds.
   *
   * @throws Error for an address that is none.
   */
  compile({ replaceAll = false, set, remove, networks }: ServicesUpdate): ServiceTableData {
    const changed = set.map((spec) => [spec.key, this.#compile(spec)] as const); // all, or nothing
    if (networks !== undefined) this.#networks = networks.map(prefix);
    if (replaceAll) this.#services.clear();
    for (const key of remove) this.#services.delete(key);
    for (const [key, compiled] of changed) this.#services.set(key, compiled);
    const ports: PortBlock[] = [];
    for (const service of this.#services.values()) for (const port of service.ports) ports.push(port);
    return buildServiceTable(ports, this.#networks, this.#seed);
  }

  #compile(spec: ServiceSpec): Compiled {
    const groups = new Map<string, number>();
    const before = this.#services.get(spec.key)?.groups;
    const ports = spec.ports.flatMap((port) => {
      let group = 0;
      if (spec.affinitySeconds !== undefined) {
        const name = `${port.protocol} ${port.frontends[0]?.port}`;
        group = before?.get(name) ?? this.#nextGroup++;
        groups.set(name, group);
      }
      const tables = [4, 6].flatMap((version) => compilePort(spec, port, version, group));
      return tables.map((table) => packPort(table, this.#hasher));
    });
    return { ports, groups: groups.size === 0 ? noGroups : groups };
  }
}

/** One port in one family: none when it has no frontend there. */
function compilePort(spec: ServiceSpec, port: ServicePortSpec, version: number, group: number): PortTable[] {
  const frontends = port.frontends.filter(({ address }) => versionOf(address) === version);
  if (frontends.length === 0) return [];
  const lists = new PortLists(port, version, group, (spec.affinitySeconds ?? 0) * 1000);
  return [
    {
      protocolWord: protocolWord(version, protocols[port.protocol]),
      frontends: frontends.map((frontend) => compileFrontend(spec, frontend, lists)),
      lists: lists.all,
    },
  ];
}

/** Whom it gives which endpoints, and with whose address: the rules are in semantics KP-011, KP-012, KP-040 to KP-050. */
function compileFrontend(spec: ServiceSpec, { address, port, kind }: FrontendSpec, lists: PortLists): PortFrontend {
  const { internalLocal = false, externalLocal = false } = spec;
  const common = { address: words(address), port, serving: lists.serving };
  if (kind === undefined || kind === 'cluster') {
    const list = lists.usable(internalLocal);
    const masquerade = Masquerade.Host | Masquerade.Outside; // whoever is no pod of this node (KP-042, KP-045)
    return { ...common, cluster: true, masquerade, inside: list, outside: list };
  }
  const external = { ...common, cluster: false, inside: lists.usable(false), outside: lists.usable(externalLocal) };
  // Pods and the node itself have all endpoints, as if they came from outside to some other node (KP-048 to KP-050).
  if (externalLocal) return { ...external, masquerade: Masquerade.Host };
  return { ...external, masquerade: Masquerade.Pod | Masquerade.Host | Masquerade.Outside }; // KP-046
}

/** The lists of endpoints of one port, each once. */
class PortLists {
  readonly all: PortList[] = [];
  /** As in `PortFrontend`. */
  readonly serving: number;
  readonly #endpoints: readonly EndpointSpec[];
  readonly #group: number;
  readonly #affinityMs: number;
  readonly #usable = new Map<boolean, number>();

  constructor(port: ServicePortSpec, version: number, group: number, affinityMs: number) {
    this.#endpoints = port.endpoints.filter(({ address }) => versionOf(address) === version); // KP-017
    this.#group = group;
    this.#affinityMs = affinityMs;
    // Only UDP's connections are ended for want of their endpoint (KP-092).
    this.serving = port.protocol === 'UDP' ? this.#add(this.#endpoints.filter(isServing), 0, 0, 0) : -1;
  }

  usable(local: boolean): number {
    const known = this.#usable.get(local);
    if (known !== undefined) return known;
    const whenEmpty = hasUsableEndpoint(this.#endpoints) ? Drop.NoLocalEndpoints : Drop.NoEndpoints;
    // Two lists of one port are never mixed: who is given a local endpoint stays with local ones (KP-066).
    const group = this.#group * 2 + (local ? 1 : 0);
    const list = this.#add(usableEndpoints(this.#endpoints, local), whenEmpty, group, this.#affinityMs);
    this.#usable.set(local, list);
    return list;
  }

  #add(endpoints: readonly EndpointSpec[], whenEmpty: number, group: number, affinityMs: number): number {
    return this.all.push({ backends: backendsOf(endpoints), whenEmpty, group, affinityMs }) - 1;
  }
}

/** Addresses and ports, each once: slices may overlap (KP-002). */
function backendsOf(endpoints: readonly EndpointSpec[]): Int32Array {
  const distinct = new Map(endpoints.map((endpoint) => [`${endpoint.address} ${endpoint.port}`, endpoint]));
  const backends = new Int32Array(distinct.size * BACKEND_WORDS);
  let at = 0;
  for (const { address, port } of distinct.values()) {
    backends.set(words(address), at);
    backends[at + BACKEND_PORT] = port;
    at += BACKEND_WORDS;
  }
  return backends;
}

function versionOf(address: string): number {
  return address.includes(':') ? 6 : 4;
}

function words(text: string): Int32Array {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

function prefix(text: string): PrefixEntry {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`not a network: ${text}`);
  return { ...parsed, value: 0 };
}
