/**
 * A node in a cluster of a given size, as its tables see it: Services and their endpoints, policies, flows in the table;
 * and packets that begin connections there. Everything by the real compilers. Also the same rules as lists in order.
 */
import { Dataplane, type Port } from '../src/dataplane/dataplane.ts';
import { Arena } from '../src/packet/arena.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_WORDS } from '../src/packet/flow-key.ts';
import { Way, way } from '../src/packet/way.ts';
import { PolicyCompiler } from '../src/policy/policy-compiler.ts';
import { NO_PORTS, type PolicySpec, type PortRange } from '../src/policy/policy-spec.ts';
import type { CompiledPolicies } from '../src/policy/policy-table.ts';
import { ServiceCompiler } from '../src/service/service-compiler.ts';
import type { ServiceSpec } from '../src/service/service-spec.ts';
import { PrefixTable } from '../src/tables/prefix-table.ts';
import { parseMac } from '../src/wire/ethernet.ts';
import { Protocol } from '../src/wire/protocol.ts';
import { ListOfConnections, RulesInOrder } from './flat-in-order.ts';

export interface Size {
  readonly services: number;
  /** Of each Service. */
  readonly endpoints: number;
  readonly policies: number;
  /** In the connection table before anything is measured. */
  readonly flows: number;
  /** Are they in a list beside it, too, which is searched before the rules in order? */
  readonly listed: boolean;
}

/** Pods of the node, all of them clients: as many as a kubelet takes. */
export const CLIENTS = 110;
/** Services have one port. */
export const SERVICE_PORT = 80;
/** Linux's limit for a node of this kind of table (nf_conntrack_max) is often as much. */
const CONNECTIONS_MAX = 1 << 20;
/** Other nodes' pods, which serve; with more endpoints than that, pods serve in more than one Service. */
const BACKENDS = 1 << 17;
const TUNNELS = 16;
const SERVICE_NETWORK = (10 << 24) | (96 << 16);
const CLIENT_NETWORK = (10 << 24) | (64 << 16);
const BACKEND_NETWORK = (10 << 24) | (128 << 16);
const BACKEND_PORT_FIRST = 8000;
const BACKEND_PORTS = 64;
/** No policy lets anybody to this port, which every 16th Service has behind it. */
const CLOSED_PORT = 9000;
const CLOSED_EVERY = 16;
const IPV4_BITS = 96;
const SEED = 0x5eed;

export const nodeMac = parseMac('02:70:ac:12:00:02');
export const podMac = parseMac('0a:58:0a:40:00:02');
/** All worlds' packets are here. */
export const arena = new Arena(64 << 20);

export class World {
  readonly size: Size;
  readonly dp: Dataplane;
  readonly ports: readonly Port[];
  readonly inOrder: RulesInOrder;
  readonly list: ListOfConnections | undefined;
  /** How long it took to make the tables of what a node is told. */
  readonly servicesMs: number;
  readonly policiesMs: number;
  /** The same after the change of one Service. */
  readonly oneServiceMs: number;
  readonly #policies: CompiledPolicies;

  constructor(size: Size) {
    this.size = size;
    this.inOrder = new RulesInOrder(size.services, size.services * size.endpoints, size.policies);
    this.list = size.listed ? new ListOfConnections(size.flows) : undefined;
    this.dp = makeDataplane();
    this.ports = Array.from({ length: CLIENTS }, (_, index) => makePort(index));
    for (const [index, port] of this.ports.entries()) this.dp.pods[index] = port;
    const compiler = new ServiceCompiler(SEED);
    const specs = Array.from({ length: size.services }, (_, service) => this.#serviceSpec(service));
    const [services, servicesMs] = timed(() =>
      compiler.compile({ replaceAll: true, set: specs, remove: [], networks: ['10.96.0.0/12'] }),
    );
    this.servicesMs = servicesMs;
    this.dp.setServices(services);
    const change = { set: specs.slice(0, 1), remove: [] };
    this.oneServiceMs = Math.min(...[0, 1, 2].map(() => timed(() => compiler.compile(change))[1]));
    const policies = this.#policySpec();
    const [compiled, policiesMs] = timed(() => new PolicyCompiler().compile(policies));
    this.policiesMs = policiesMs;
    this.#policies = compiled;
  }

  /** From now on policies hold. */
  enforce(): void {
    this.dp.setPolicies(this.#policies);
  }

  /** @param service number. */
  serviceAddress(service: number): number {
    return SERVICE_NETWORK + 1 + service;
  }

  clientAddress(client: number): number {
    return CLIENT_NETWORK + 2 + client;
  }

  /** May clients connect to what is behind this Service? */
  isOpen(service: number): boolean {
    return this.size.policies === 0 || service % CLOSED_EVERY !== CLOSED_EVERY - 1;
  }

  backendOf(service: number, endpoint: number): number {
    return this.backendAddress((service * this.size.endpoints + endpoint) % BACKENDS);
  }

  backendPort(service: number): number {
    if (service % CLOSED_EVERY === CLOSED_EVERY - 1) return CLOSED_PORT;
    return BACKEND_PORT_FIRST + (service % BACKEND_PORTS);
  }

  /** Pods lie in blocks, one for each policy, which the lists in order can ask as one prefix; neighbours in none. */
  backendAddress(pod: number): number {
    const { blockBits } = this;
    const scattered = Math.imul(pod, 0x9e3779b1) & (BACKENDS - 1);
    const block = this.#blockOf(scattered);
    const first = Math.ceil((block * BACKENDS) / this.#blocks);
    return BACKEND_NETWORK + (block << blockBits) + (scattered - first);
  }

  get blockBits(): number {
    return Math.ceil(Math.log2(BACKENDS / this.#blocks + 1));
  }

  get #blocks(): number {
    return Math.max(1, this.size.policies);
  }

  #blockOf(scattered: number): number {
    return Math.floor((scattered * this.#blocks) / BACKENDS);
  }

  #serviceSpec(service: number): ServiceSpec {
    const { endpoints } = this.size;
    const port = this.backendPort(service);
    const words = Array.from({ length: endpoints }, (_, endpoint) => this.backendOf(service, endpoint));
    this.inOrder.addService(this.serviceAddress(service), (Protocol.Tcp << 16) | SERVICE_PORT, words, port);
    return {
      key: `default/s${service}`,
      ports: [
        {
          protocol: 'TCP',
          frontends: [{ address: textOf(this.serviceAddress(service)), port: SERVICE_PORT }],
          endpoints: words.map((word) => ({ address: textOf(word), port })),
        },
      ],
    };
  }

  /**
   * Policy i lets all pods of this node to the pods of block i, on a range of ports. Every pod of the cluster is an entry
   * of its own in the table of identities, as compiled NetworkPolicies have it, and every pod here has rulesets of its own.
   */
  #policySpec(): PolicySpec {
    const { policies } = this.size;
    const common = { revision: 1, numbering: 1 };
    if (policies === 0) return { ...common, identities: [], portSets: [], rulesets: [], pods: [] };
    const ranges = Array.from({ length: 30 }, (_, i): PortRange[] => {
      return [{ protocol: 'TCP', first: BACKEND_PORT_FIRST - i, last: BACKEND_PORT_FIRST + BACKEND_PORTS - 1 }];
    });
    const portSets = [[], [], ...ranges];
    const row = Int32Array.from({ length: policies + 1 }, (_, i) => (i === 0 ? NO_PORTS : 2 + (i % ranges.length)));
    for (let i = 0; i < policies; i++) {
      const [{ first, last }] = portSets[row[i + 1]!] as [PortRange];
      this.inOrder.addPolicy(BACKEND_NETWORK + (i << this.blockBits), -1 << this.blockBits, first, last);
    }
    const identities = Array.from({ length: BACKENDS }, (_, pod) => {
      const word = this.backendAddress(pod);
      return { prefix: `${textOf(word)}/32`, identity: 1 + ((word - BACKEND_NETWORK) >> this.blockBits) };
    });
    const pods = this.ports.map((_, index) => ({ index, ingress: index * 2, egress: index * 2 + 1 }));
    return { ...common, identities, portSets, rulesets: pods.flatMap(() => [row.slice(), row.slice()]), pods };
  }

  /** Where the connection that the last packet began really goes: address and port. */
  chosen(connection: number): { address: number; port: number } {
    this.dp.connections.translatedKey(connection * 2, key);
    return { address: key[KEY_DESTINATION + 3]!, port: key[KEY_PORTS]! & 0xffff };
  }
}

const key = new Int32Array(KEY_WORDS);

function makeDataplane(): Dataplane {
  const dp = new Dataplane(
    arena,
    {
      macHigh: nodeMac[0],
      macLow: nodeMac[1],
      vni: 1,
      tunnelMtu: 1450,
      icmpSources: new Int32Array(8),
      reassemblySlots: 1,
      connectionsMax: CONNECTIONS_MAX,
      seed: SEED,
    },
    () => 1,
  );
  dp.underlay = { transmit: () => 0, sourcePort: () => 49_152 };
  const pods = Array.from({ length: CLIENTS }, (_, index) => {
    return { address: mapped(CLIENT_NETWORK + 2 + index), length: IPV4_BITS + 32, value: way(Way.Pod, index) };
  });
  const tunnels = Array.from({ length: TUNNELS }, (_, index) => {
    return { address: mapped(BACKEND_NETWORK + (index << 19)), length: IPV4_BITS + 13, value: way(Way.Tunnel, index) };
  });
  const endpoints = tunnels.map((_, index) => {
    const address = mapped((172 << 24) | (18 << 16) | (3 + index));
    return { name: `n${index + 2}`, address, macHigh: nodeMac[0], macLow: nodeMac[1] + 1 + index, kernelLocal: false };
  });
  dp.setRoutes(PrefixTable.build([...pods, ...tunnels]).data, endpoints);
  return dp;
}

function makePort(index: number): Port {
  const [macHigh, macLow] = podMac;
  const addresses = mapped(CLIENT_NETWORK + 2 + index);
  return { way: way(Way.Pod, index), macHigh, macLow, addresses, mtu: 1450, transmit: () => 0 };
}

function mapped(word: number): Int32Array {
  return Int32Array.of(0, 0, 0xffff, word);
}

function textOf(word: number): string {
  return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255].join('.');
}

function timed<T>(work: () => T): [T, number] {
  const start = process.hrtime.bigint();
  const result = work();
  return [result, Number(process.hrtime.bigint() - start) / 1e6];
}
