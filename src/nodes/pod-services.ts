/** What answers in the pods of a node, and where: the control thread's part of the work. */
import { randomBytes } from 'node:crypto';
import { DnsServer } from '../dns/server.ts';
import { Zone } from '../dns/zone.ts';
import { kubeadmSettings } from '../dns/zone-data.ts';
import { close } from '../sys/io.ts';
import { bindUdp, listenTcp } from '../sys/listen.ts';
import { inNamespace, openNamespace } from '../sys/namespace.ts';
import type { NodeUpdate, PodName, WorkloadOrder, WorkloadSpec } from './protocol.ts';
import { Workloads } from './workloads.ts';

const DNS_PORT = 53;
const TCP_BACKLOG = 128;

export class PodServices {
  readonly #log: (message: string) => void;
  readonly #workloads = new Workloads();
  /** One zone for all name servers of the node. */
  readonly #zone = new Zone(kubeadmSettings);
  readonly #nameServers = new Map<string, DnsServer>();

  constructor(log: (message: string) => void) {
    this.#log = log;
  }

  /** When this returns, the ports of new pods answer. */
  apply({ workloads = [], names }: NodeUpdate): void {
    if (names !== undefined) this.#zone.apply(names);
    for (const spec of workloads) this.#start(spec);
  }

  /** @returns the answer to the order. */
  async obey({ order, pod }: WorkloadOrder): Promise<unknown> {
    if (order === 'log') return this.#workloads.logs(pod) ?? '';
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
    if (isNameServer && !this.#nameServers.has(keyOf(spec))) this.#serveNames(spec);
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

function keyOf({ namespace, name }: PodName): string {
  return `${namespace}/${name}`;
}
