import { formatAddress } from '../wire/address.ts';
import { type Name, validName } from './name.ts';
import { Owners } from './owners.ts';
import { addressesOf, type ServiceNames, serviceNames } from './service-names.ts';
import { corednsDefaults, type ZoneService, type ZoneSettings, type ZoneUpdate } from './zone-data.ts';

/**
 * The cluster's names. A change costs what the changed services have, however many others there are, and happens
 * between two questions: all of it, or nothing of it yet.
 */
export class Zone {
  readonly settings: ZoneSettings;
  readonly domain: Name;
  #serial = 0;
  readonly #namespaces = new Set<string>();
  readonly #services = new Map<string, ServiceNames>();
  readonly #clusterIps = new Owners<ServiceNames>();
  readonly #endpointIps = new Owners<ServiceNames>();
  /** Pods' keys to their addresses' keys. */
  readonly #pods = new Map<string, readonly string[]>();
  /** `namespace/address` to pods' keys. */
  readonly #podIps = new Owners<string>();

  /** @param settings where they differ from CoreDNS's own. @throws RangeError for a domain that is no name. */
  constructor(settings: Partial<ZoneSettings> = {}) {
    this.settings = { ...corednsDefaults, ...settings };
    this.domain = validName(this.settings.domain);
    if (this.domain === '') throw new RangeError('the zone needs a domain: the root is not ours');
    validName(`hostmaster.${this.settings.domain}`);
  }

  get serial(): number {
    return this.#serial;
  }

  apply(update: ZoneUpdate): void {
    if (update.replace === true) this.#clear();
    if (update.namespaces !== undefined) {
      this.#namespaces.clear();
      for (const name of update.namespaces) this.#namespaces.add(name.toLowerCase());
    }
    for (const key of update.removeServices ?? []) this.#removeService(key.toLowerCase());
    for (const service of update.setServices ?? []) this.#setService(service);
    for (const key of update.removePods ?? []) this.#setPod(key, '', []);
    for (const { namespace, name, addresses } of update.setPods ?? []) {
      this.#setPod(`${namespace}/${name}`, namespace.toLowerCase(), addressesOf(addresses));
    }
    this.#serial = update.serial >>> 0;
  }

  /** @param namespace in lower case, as all names in questions. */
  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace);
  }

  service(namespace: string, name: string): ServiceNames | undefined {
    return this.hasNamespace(namespace) ? this.#services.get(`${namespace}/${name}`) : undefined;
  }

  hasPod(namespace: string, address: Int32Array): boolean {
    return this.hasNamespace(namespace) && this.#podIps.of(podIpKey(namespace, address)).length > 0;
  }

  servicesOfClusterIp(address: Int32Array): readonly ServiceNames[] {
    return this.#clusterIps.of(formatAddress(address)).filter(({ namespace }) => this.hasNamespace(namespace));
  }

  servicesOfEndpoint(address: Int32Array): readonly ServiceNames[] {
    return this.#endpointIps.of(formatAddress(address)).filter(({ namespace }) => this.hasNamespace(namespace));
  }

  #clear(): void {
    this.#namespaces.clear();
    this.#services.clear();
    this.#clusterIps.clear();
    this.#endpointIps.clear();
    this.#pods.clear();
    this.#podIps.clear();
  }

  #setService(service: ZoneService): void {
    const key = `${service.namespace}/${service.name}`.toLowerCase();
    this.#removeService(key);
    const names = serviceNames(service, this.settings);
    if (names === undefined) return;
    this.#services.set(key, names);
    for (const address of names.addresses) this.#clusterIps.add(formatAddress(address), names);
    for (const { address } of names.endpoints) this.#endpointIps.add(formatAddress(address), names);
  }

  #removeService(key: string): void {
    const names = this.#services.get(key);
    if (names === undefined) return;
    this.#services.delete(key);
    for (const address of names.addresses) this.#clusterIps.remove(formatAddress(address), names);
    for (const { address } of names.endpoints) this.#endpointIps.remove(formatAddress(address), names);
  }

  #setPod(key: string, namespace: string, addresses: readonly Int32Array[]): void {
    for (const ip of this.#pods.get(key) ?? []) this.#podIps.remove(ip, key);
    this.#pods.delete(key);
    if (addresses.length === 0) return;
    const ips = addresses.map((address) => podIpKey(namespace, address));
    this.#pods.set(key, ips);
    for (const ip of ips) this.#podIps.add(ip, key);
  }
}

function podIpKey(namespace: string, address: Int32Array): string {
  return `${namespace}/${formatAddress(address)}`;
}
