/** What Services are given: families, cluster addresses, node ports (pkg/registry/core/service/storage/alloc.go). */
import type { ServicePort, ServiceSpec } from 'kubernetes-types/core/v1.d.ts';
import { type Cidr, cidrContains, cidrSize, formatCidr, type IpFamily, parseAddress } from '../cluster/ip-address.ts';
import type { Service } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { sameJson } from '../store/same-json.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import { AddressPool } from './address-pool.ts';
import type { Context } from './context.ts';
import { keyOf, splitKey } from './object-key.ts';
import { isTerminating } from './pod-state.ts';
import { PortPool } from './port-pool.ts';
import type { Controller } from './reconciler.ts';

const familyNames: Readonly<Record<IpFamily, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' };

/** Addresses below are left to those who name one (KEP-3070): min(max(16, size / 16), 256) of them. */
function firstDynamic(cidr: Cidr): number {
  return Math.min(Math.min(Math.max(16, Math.floor(cidrSize(cidr) / 16)), 256), Math.floor(cidrSize(cidr) / 2));
}

/** What one Service holds. */
interface Held {
  readonly addresses: Set<string>;
  /** As portKeys. */
  readonly ports: Set<string>;
}

export class Services implements Controller {
  readonly name = 'service-allocator';
  readonly #context: Context;
  readonly #pools: readonly { readonly upper: AddressPool; readonly lower: AddressPool }[];
  readonly #ports = new PortPool();
  readonly #held = new Map<string, Held>();

  /** @param subnets one a family, the cluster's own family first */
  constructor(context: Context, subnets: readonly Cidr[]) {
    this.#context = context;
    this.#pools = subnets.map((cidr) => ({
      upper: new AddressPool(cidr, firstDynamic(cidr)),
      lower: new AddressPool(cidr, 1),
    }));
  }

  notice({ type, object }: StoreEvent, dirty: (key: string) => void): void {
    if (object.kind !== 'Service') return;
    const key = keyOf(object);
    const service = type === 'DELETED' ? undefined : (object as Service);
    this.#hold(key, service);
    if (service !== undefined) dirty(key);
  }

  sync(key: string): void {
    const { store } = this.#context;
    const service = store.get(kinds.Service, ...splitKey(key));
    if (service === undefined || isTerminating(service) || service.spec.type === 'ExternalName') return;
    const spec = { ...service.spec };
    this.#setFamilies(spec);
    if (spec.clusterIP !== 'None') this.#setAddresses(service, spec);
    else spec.clusterIPs = ['None'];
    if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') this.#setPorts(service, spec);
    if (!sameJson(spec, service.spec)) store.update({ ...service, spec });
  }

  /** Takes hold of what the Service has, and lets go of what it has no more. */
  #hold(key: string, service: Service | undefined): void {
    const held = this.#held.get(key) ?? { addresses: new Set(), ports: new Set() };
    const addresses = new Set(service === undefined ? [] : clusterIps(service.spec));
    const ports = new Set(service === undefined ? [] : portKeys(service.spec));
    for (const address of held.addresses) if (!addresses.has(address)) this.#releaseAddress(address);
    for (const port of held.ports) if (!ports.has(port)) this.#ports.release(...splitPort(port));
    const ownAddresses = [...addresses].filter((address) => {
      return held.addresses.has(address) || this.#reserveAddress(address);
    });
    const ownPorts = [...ports].filter((port) => held.ports.has(port) || this.#ports.reserve(...splitPort(port)));
    if (ownAddresses.length + ownPorts.length === 0) this.#held.delete(key);
    else this.#held.set(key, { addresses: new Set(ownAddresses), ports: new Set(ownPorts) });
  }

  #setFamilies(spec: ServiceSpec): void {
    const all = this.#pools.map(({ upper }) => familyNames[upper.cidr.family]);
    const isBare = spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0;
    spec.ipFamilyPolicy ??= isBare ? 'RequireDualStack' : 'SingleStack';
    const families = [...(spec.ipFamilies ?? [])];
    for (const address of clusterIps(spec).slice(families.length))
      families.push(address.includes(':') ? 'IPv6' : 'IPv4');
    if (families.length === 0 && all[0] !== undefined) families.push(all[0]);
    const other = ['IPv4', 'IPv6'].find((family) => family !== families[0])!;
    const isDual = spec.ipFamilyPolicy !== 'SingleStack';
    if (isDual && families.length === 1 && (isBare || all.includes(other))) families.push(other);
    spec.ipFamilies = isDual ? families : families.slice(0, 1);
  }

  #setAddresses(service: Service, spec: ServiceSpec): void {
    const given = clusterIps(spec);
    const addresses: string[] = [];
    for (const [at, family] of (spec.ipFamilies ?? []).entries()) {
      const address = given[at] ?? this.#takeAddress(family);
      if (address === undefined) {
        const subnet = this.#poolOfFamily(family)?.upper.cidr;
        const where =
          subnet === undefined ? `no ${family} service network` : `${formatCidr(subnet)} has no free address`;
        this.#tell(service, 'FailedAllocateClusterIP', `${where}; the Service gets no ${family} cluster IP`);
        break;
      }
      addresses.push(address);
    }
    const [first] = addresses;
    if (first === undefined) return;
    spec.clusterIP = first;
    spec.clusterIPs = addresses;
    const held = this.#held.get(keyOf(service)) ?? { addresses: new Set<string>(), ports: new Set<string>() };
    for (const address of addresses) {
      const isOwn = held.addresses.has(address) || !given.includes(address);
      if (!isOwn && this.#isInSubnets(address))
        this.#tell(service, 'ClusterIPAlreadyAllocated', `Cluster IP ${address} is another Service's`);
      else held.addresses.add(address);
    }
    this.#held.set(keyOf(service), held);
  }

  #setPorts(service: Service, spec: ServiceSpec): void {
    const held = this.#held.get(keyOf(service)) ?? { addresses: new Set<string>(), ports: new Set<string>() };
    if (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts === false) return;
    const before: ServicePort[] = [];
    spec.ports = (spec.ports ?? []).map((port) => {
      const done = (port.nodePort ?? 0) === 0 ? this.#withNodePort(service, port, before) : port;
      before.push(done);
      return done;
    });
    const isChecked = spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
    if (isChecked && (spec.healthCheckNodePort ?? 0) === 0) {
      const port = this.#ports.take('TCP');
      if (port !== undefined) spec.healthCheckNodePort = port;
    }
    for (const key of portKeys(spec)) held.ports.add(key);
    this.#held.set(keyOf(service), held);
  }

  /** Ports of one number and two protocols share a node port, as DNS over TCP and UDP would. */
  #withNodePort(service: Service, port: ServicePort, before: readonly ServicePort[]): ServicePort {
    const protocol = port.protocol ?? 'TCP';
    const twin = before.find((other) => other.port === port.port && other.nodePort !== undefined)?.nodePort;
    const isShared = twin !== undefined && this.#ports.reserve(twin, protocol);
    const nodePort = isShared ? twin : this.#ports.take(protocol);
    if (nodePort !== undefined) return { ...port, nodePort };
    this.#tell(service, 'FailedAllocateNodePort', 'every node port from 30000 to 32767 is in use');
    return port;
  }

  #tell(service: Service, reason: string, message: string): void {
    this.#context.events.record(service, 'Warning', reason, message, this.name);
  }

  #poolOfFamily(family: string) {
    return this.#pools.find(({ upper }) => familyNames[upper.cidr.family] === family);
  }

  #poolOf(address: string) {
    const parsed = parseAddress(address);
    return parsed === undefined ? undefined : this.#pools.find(({ upper }) => cidrContains(upper.cidr, parsed));
  }

  #isInSubnets(address: string): boolean {
    return this.#poolOf(address) !== undefined;
  }

  #takeAddress(family: string): string | undefined {
    const pool = this.#poolOfFamily(family);
    const address = pool?.upper.take();
    if (address !== undefined) {
      pool?.lower.reserve(address);
      return address;
    }
    const last = pool?.lower.take();
    if (last !== undefined) pool?.upper.reserve(last);
    return last;
  }

  #reserveAddress(address: string): boolean {
    const pool = this.#poolOf(address);
    if (pool === undefined || !pool.lower.reserve(address)) return false;
    return pool.upper.reserve(address);
  }

  #releaseAddress(address: string): void {
    const pool = this.#poolOf(address);
    pool?.lower.release(address);
    pool?.upper.release(address);
  }
}

/** Without `None`, and whichever of the two fields says it. */
export function clusterIps({ clusterIP, clusterIPs, type }: Readonly<ServiceSpec>): string[] {
  if (type === 'ExternalName') return [];
  const all = clusterIPs !== undefined && clusterIPs.length > 0 ? clusterIPs : [clusterIP ?? ''];
  return all.filter((address) => address !== '' && address !== 'None');
}

/** `30080 TCP` for every node port. */
function portKeys({ ports, healthCheckNodePort }: Readonly<ServiceSpec>): string[] {
  const all = [...(ports ?? []), { nodePort: healthCheckNodePort, protocol: 'TCP' }];
  return all.flatMap(({ nodePort, protocol }) => ((nodePort ?? 0) === 0 ? [] : [`${nodePort} ${protocol ?? 'TCP'}`]));
}

function splitPort(key: string): [port: number, protocol: string] {
  const [port, protocol = ''] = key.split(' ');
  return [Number(port), protocol];
}
