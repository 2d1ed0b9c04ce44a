/** What answers in the pods of a node, and where: the control thread's part of the work. */
import { randomBytes } from 'node:crypto';
import { DnsServer } from '../dns/server.ts';
import { Zone } from '../dns/zone.ts';
import { kubeadmSettings } from '../dns/zone-data.ts';
import { sameJson } from '../store/same-json.ts';
import { close } from '../sys/io.ts';
import { bindUdp, listenTcp } from '../sys/listen.ts';
import { inNamespace, openNamespace } from '../sys/namespace.ts';
import { startProbes } from './probes.ts';
import type { FromNode, NodeUpdate, PodName, WorkloadOrder, WorkloadSpec } from './protocol.ts';
import { Workloads } from './workloads.ts';

const DNS_PORT = 53;
const TCP_BACKLOG = 128;

/** A pod whose probes decide. */
interface Probing {
  readonly spec: WorkloadSpec;
  readonly stop: () => void;
}

export class PodServices {
  readonly #log: (message: string) => void;
  readonly #tell: (message: FromNode) => void;
  readonly #workloads = new Workloads();
  /** One zone for all name servers of the node. */
  readonly #zone = new Zone(kubeadmSettings);
  readonly #nameServers = new Map<string, DnsServer>();
  readonly #probing = new Map<string, Probing>();
  /** Where probes come from: the node's own network. */
  #nodeNamespacePath = '';

  constructor(log: (message: string) => void, tell: (message: FromNode) => void) {
    this.#log = log;
    this.#tell = tell;
  }

  /** When this returns, the ports of new pods answer. */
  apply({ host, workloads = [], names }: NodeUpdate): void {
    if (host !== undefined) this.#nodeNamespacePath = host.namespacePath;
    if (names !== undefined) this.#zone.apply(names);
    for (const spec of workloads) this.#start(spec);
  }

  /** @returns the answer to the order. */
  async obey({ order, pod }: WorkloadOrder): Promise<unknown> {
    if (order === 'log') return this.#workloads.logs(pod) ?? '';
    const probing = this.#probing.get(keyOf(pod));
    probing?.stop();
    this.#probing.delete(keyOf(pod));
    if (order === 'probe') {
      if (probing !== undefined) this.#probe(probing.spec);
      return undefined;
    }
    const nameServer = this.#nameServers.get(keyOf(pod));
    this.#nameServers.delete(keyOf(pod));
    await Promise.all([nameServer?.close(), this.#workloads.stop(pod)]);
    return undefined;
  }

  #start(spec: WorkloadSpec): void {
    const isNameServer = spec.answers === 'dns';
    const ports = isNameServer ? spec.ports.filter(({ port }) => port !== DNS_PORT) : spec.ports;
    for (const problem of this.#workloads.start({ ...spec, ports })) this.#log(`pod ${keyOf(spec)}: ${problem}`);
    this.#workloads.setReady(spec, spec.ready);
    this.#refreshProbes(spec);
    if (isNameServer && !this.#nameServers.has(keyOf(spec))) this.#serveNames(spec);
  }

  #refreshProbes(spec: WorkloadSpec): void {
    const key = keyOf(spec);
    const probing = this.#probing.get(key);
    const isSamePod = probing === undefined || probing.spec.uid === spec.uid;
    if (isSamePod && sameJson(probing?.spec.probes ?? [], spec.probes)) return;
    probing?.stop();
    this.#probing.delete(key);
    if (spec.probes.length > 0) this.#probe(spec);
    else this.#tell({ type: 'probed', pod: nameOf(spec), ready: true });
  }

  /** What was found before, by another process of this node or of another program of the pod, is found anew. */
  #probe(spec: WorkloadSpec): void {
    const pod = nameOf(spec);
    this.#tell({ type: 'probed', pod, ready: false });
    const stop = startProbes({
      nodeNamespacePath: this.#nodeNamespacePath,
      address: spec.addresses[0]!,
      probes: spec.probes,
      onReady: (ready) => this.#tell({ type: 'probed', pod, ready }),
      log: (line) => {
        this.#workloads.say(pod, line);
        this.#tell({ type: 'unhealthy', pod, message: line });
      },
    });
    this.#probing.set(keyOf(pod), { spec, stop });
  }

  #serveNames(spec: WorkloadSpec): void {
    const failed = (error: Error) => this.#log(`name server ${keyOf(spec)}: ${error.message}`);
    const server = new DnsServer({ random: () => randomBytes(4).readUInt32LE(), failed });
    server.setZone(this.#zone);
    this.#nameServers.set(keyOf(spec), server);
    const isIpv6 = spec.addresses.some((address) => address.includes(':'));
    const address = isIpv6 ? '::' : '0.0.0.0';
    try {
      const namespace = openNamespace(spec.namespacePath);
      try {
        inNamespace(namespace, 'net', () => {
          server.serveUdp(bindUdp(address, DNS_PORT), isIpv6 ? 'udp6' : 'udp4').catch(failed);
          server.serveTcp(listenTcp(address, DNS_PORT, TCP_BACKLOG)).catch(failed);
        });
      } finally {
        close(namespace);
      }
    } catch (error) {
      failed(error as Error);
    }
  }
}

function nameOf({ namespace, name }: PodName): PodName {
  return { namespace, name };
}

function keyOf({ namespace, name }: PodName): string {
  return `${namespace}/${name}`;
}
