/**
 * Services by the rules, with strings and maps: what may become of a connection's first packet. Knows nothing of hashes:
 * it says which backends are right, and is told which one was taken.
 */
import type { EndpointSpec, ServicePortSpec, ServiceSpec } from '../../src/service/service-spec.ts';

export interface Tuple {
  readonly protocol: 'TCP' | 'UDP';
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly port: number;
}

type Client = 'pod' | 'host';

interface Flow {
  readonly backend: string;
  readonly source: string;
  untilMs: number;
}

/** What is right: one of `backends` (`address/port`), from `source`; or the drop. */
export type Judgement =
  | { readonly drop: string }
  | { readonly backends: readonly string[]; readonly source: string; readonly known: boolean };

const MASQUERADED = { 4: '10.244.1.1', 6: 'fd00:10:244:1::1' } as const;
/** Without a reply (CT-008, CT-012). */
const LIFE_MS = { UDP: 30_000, TCP: 120_000 } as const;

export class SlowServices {
  readonly #specs = new Map<string, ServiceSpec>();
  readonly #flows = new Map<string, Flow>();
  /** By client, Service port and list. */
  readonly #affinity = new Map<string, { backend: string; untilMs: number }>();

  set(spec: ServiceSpec): void {
    this.#specs.set(spec.key, spec);
    const kept = spec.affinitySeconds === undefined ? [] : spec.ports.map((port) => portName(spec, port));
    this.#forget(spec.key, kept);
    this.#dropStale();
  }

  remove(key: string): void {
    this.#specs.delete(key);
    this.#forget(key, []);
    this.#dropStale();
  }

  judge(client: Client, tuple: Tuple, nowMs: number): Judgement {
    const flow = this.#flows.get(nameOf(tuple));
    if (flow !== undefined && flow.untilMs > nowMs) {
      return { backends: [flow.backend], source: flow.source, known: true }; // KP-037
    }
    const found = this.#find(tuple);
    if (found === undefined) return { drop: this.#isClusterIp(tuple.destination) ? 'NoServicePort' : 'NoService' };
    const { list, masquerades, name } = found;
    if (list.length === 0) return { drop: found.anywhere ? 'NoLocalEndpoints' : 'NoEndpoints' }; // KP-019, KP-020
    const remembered = this.#affinity.get(`${tuple.source} ${name}`);
    const sticks = remembered !== undefined && remembered.untilMs > nowMs && list.includes(remembered.backend);
    const backends = sticks ? [remembered.backend] : list; // KP-064, KP-065
    const version = tuple.source.includes(':') ? 6 : 4;
    return { backends, source: masquerades(client) ? MASQUERADED[version] : tuple.source, known: false };
  }

  /** It went there, and was from whom `judge` said, or from the node where it is its own backend (KP-040). */
  taken(tuple: Tuple, backend: string, source: string, nowMs: number): void {
    const flow = this.#flows.get(nameOf(tuple));
    const untilMs = nowMs + LIFE_MS[tuple.protocol];
    if (flow !== undefined && flow.untilMs > nowMs) {
      if (tuple.protocol === 'UDP') flow.untilMs = untilMs; // a repeated SYN keeps nothing alive
      return;
    }
    this.#flows.set(nameOf(tuple), { backend, source, untilMs });
    const { name, seconds } = this.#find(tuple)!;
    if (seconds === undefined) return;
    this.#affinity.set(`${tuple.source} ${name}`, { backend, untilMs: nowMs + seconds * 1000 }); // KP-063
  }

  living(nowMs: number): number {
    return [...this.#flows.values()].filter(({ untilMs }) => untilMs > nowMs).length;
  }

  /** The source that a masquerade makes of one that is its own backend. */
  static hairpinSource(source: string): string {
    return MASQUERADED[source.includes(':') ? 6 : 4];
  }

  #find(tuple: Tuple) {
    for (const spec of this.#specs.values()) {
      for (const port of spec.ports) {
        const frontend = port.frontends.find(
          ({ address, port: number }) => address === tuple.destination && number === tuple.port,
        );
        if (frontend === undefined || port.protocol !== tuple.protocol) continue;
        const cluster = frontend.kind === undefined || frontend.kind === 'cluster';
        const local = cluster && spec.internalLocal === true; // KP-011, KP-050
        const family = port.endpoints.filter(
          ({ address }) => address.includes(':') === tuple.destination.includes(':'),
        );
        return {
          list: candidates(family, local),
          anywhere: candidates(family, false).length > 0, // KP-010; the fallback decides for all alike
          masquerades: (client: Client) => client === 'host' || (!cluster && spec.externalLocal !== true),
          name: `${portName(spec, port)} ${local}`,
          seconds: spec.affinitySeconds,
          serving: family.filter(isServing).map(({ address }) => address),
        };
      }
    }
    return undefined;
  }

  #isClusterIp(destination: string): boolean {
    return [...this.#specs.values()].some(({ ports }) =>
      ports.some(({ frontends }) =>
        frontends.some(({ address, kind = 'cluster' }) => kind === 'cluster' && address === destination),
      ),
    );
  }

  /** KP-090, KP-092, KP-093 */
  #dropStale(): void {
    for (const [name, flow] of this.#flows) {
      const tuple = tupleOf(name);
      const serving = tuple.protocol === 'UDP' ? (this.#find(tuple)?.serving ?? []) : [];
      if (serving.length > 0 && !serving.includes(flow.backend.split('/')[0]!)) this.#flows.delete(name);
    }
  }

  #forget(key: string, kept: readonly string[]): void {
    for (const name of this.#affinity.keys()) {
      const port = name.split(' ').slice(1, 4).join(' ');
      if (port.startsWith(`${key} `) && !kept.includes(port)) this.#affinity.delete(name);
    }
  }
}

function portName({ key }: ServiceSpec, { protocol, frontends }: ServicePortSpec): string {
  return `${key} ${protocol} ${frontends[0]!.port}`;
}

/** KP-006 to KP-009 */
function candidates(endpoints: readonly EndpointSpec[], local: boolean): string[] {
  const near = endpoints.filter((endpoint) => !local || endpoint.local === true);
  const ready = near.filter((endpoint) => endpoint.ready !== false);
  const draining = near.filter((endpoint) => endpoint.terminating === true && isServing(endpoint));
  const chosen = ready.length > 0 ? ready : draining;
  return [...new Set(chosen.map(({ address, port }) => `${address}/${port}`))];
}

function isServing({ ready = true, serving = ready }: EndpointSpec): boolean {
  return serving;
}

function nameOf({ protocol, source, sourcePort, destination, port }: Tuple): string {
  return [protocol, source, sourcePort, destination, port].join(' ');
}

function tupleOf(name: string): Tuple {
  const [protocol, source, sourcePort, destination, port] = name.split(' ');
  return {
    protocol: protocol as 'TCP',
    source: source!,
    sourcePort: Number(sourcePort),
    destination: destination!,
    port: Number(port),
  };
}
