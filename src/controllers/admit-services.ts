/** Services whose addresses and ports cannot be had. */
import {
  cidrContains,
  formatAddress,
  formatCidr,
  type IpFamily,
  lastAddress,
  parseAddress,
} from '../cluster/ip-address.ts';
import type { Service } from '../store/object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { kinds } from '../store/resources.ts';
import type { Networks, Refuse } from './admit.ts';
import { keyOf } from './object-key.ts';
import { NODE_PORT_MAX, NODE_PORT_MIN } from './port-pool.ts';
import { clusterIps } from './services.ts';

const families: Readonly<Record<string, IpFamily>> = { IPv4: 'ipv4', IPv6: 'ipv6' };

export class ServiceAdmission {
  readonly #store: ObjectStore;
  readonly #networks: Networks;
  /** `10.96.0.10`, `30080 TCP` → the Service that has it, or will. Made when it is first asked for. */
  #holders: Map<string, string> | undefined;

  constructor(store: ObjectStore, networks: Networks) {
    this.#store = store;
    this.#networks = networks;
  }

  judge(service: Service, stored: Service | undefined, refuse: Refuse): void {
    this.#judgeFamilies(service, refuse);
    this.#judgeAddresses(service, stored, refuse);
    this.#judgePorts(service, refuse);
  }

  #judgeFamilies({ spec }: Service, refuse: Refuse): void {
    if (spec.type === 'ExternalName') return;
    const isBare = spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0;
    const { serviceSubnets } = this.#networks;
    if (spec.ipFamilyPolicy === 'RequireDualStack' && serviceSubnets.length < 2 && !isBare) {
      refuse('spec.ipFamilyPolicy', 'this cluster is not configured for dual-stack services; use PreferDualStack');
    }
    for (const [at, family] of (spec.ipFamilies ?? []).entries()) {
      if (isBare || serviceSubnets.some((subnet) => subnet.family === families[family])) continue;
      refuse(`spec.ipFamilies[${at}]`, `found ${family}, which is not configured on this cluster`);
    }
  }

  #judgeAddresses(service: Service, stored: Service | undefined, refuse: Refuse): void {
    const { spec } = service;
    const wanted = spec.clusterIP ?? spec.clusterIPs?.[0] ?? '';
    const has = stored?.spec.clusterIP ?? '';
    const isBoth = spec.type !== 'ExternalName' && stored?.spec.type !== 'ExternalName';
    if (isBoth && wanted !== '' && has !== '' && wanted !== has) {
      refuse(
        'spec.clusterIP',
        `found ${wanted}, but the Service has ${has}: field is immutable; delete the Service first`,
      );
      return;
    }
    for (const [at, text] of clusterIps(spec).entries()) {
      const reason = this.#objection(text, keyOf(service));
      const path = at === 0 && spec.clusterIP !== undefined ? 'spec.clusterIP' : `spec.clusterIPs[${at}]`;
      if (reason !== undefined) refuse(path, `found ${text}, ${reason}; choose another, or leave it out`);
    }
  }

  #objection(text: string, key: string): string | undefined {
    const address = parseAddress(text);
    if (address === undefined) return undefined; // the reader has refused it
    const { serviceSubnets } = this.#networks;
    const subnet = serviceSubnets.find((candidate) => cidrContains(candidate, address));
    const all = serviceSubnets.map(formatCidr).join(' or ');
    if (subnet === undefined) return `expected an address of the service network, ${all}`;
    const canonical = formatAddress(address);
    const isLast = subnet.family === 'ipv4' && canonical === formatAddress(lastAddress(subnet));
    if (isLast || canonical === formatAddress(subnet.network)) {
      return `which is the ${isLast ? 'broadcast' : 'network'} address of the service network ${formatCidr(subnet)}`;
    }
    return this.#takenBy(canonical, key);
  }

  #judgePorts(service: Service, refuse: Refuse): void {
    const own = new Set<string>();
    for (const [at, { nodePort = 0, protocol = 'TCP' }] of (service.spec.ports ?? []).entries()) {
      if (nodePort === 0) continue;
      const path = `spec.ports[${at}].nodePort`;
      const label = `${nodePort} ${protocol}`;
      const taken = own.has(label) ? 'which another port of this Service has' : this.#takenBy(label, keyOf(service));
      own.add(label);
      if (nodePort < NODE_PORT_MIN || nodePort > NODE_PORT_MAX) {
        refuse(path, `found ${nodePort}, expected a whole number from ${NODE_PORT_MIN} to ${NODE_PORT_MAX}`);
      } else if (taken !== undefined) refuse(path, `found ${nodePort}, ${taken}; choose another, or leave it out`);
    }
  }

  #takenBy(what: string, key: string): string | undefined {
    this.#holders ??= this.#findHolders();
    const holder = this.#holders.get(what);
    if (holder === undefined) this.#holders.set(what, key);
    return holder === undefined || holder === key ? undefined : `which Service ${holder} has`;
  }

  /** What is there first; then what the request gives first, wins. */
  #findHolders(): Map<string, string> {
    const holders = new Map<string, string>();
    for (const service of this.#store.list(kinds.Service)) {
      const key = keyOf(service);
      for (const address of clusterIps(service.spec)) holders.set(address, key);
      for (const { nodePort = 0, protocol = 'TCP' } of service.spec.ports ?? []) {
        if (nodePort !== 0) holders.set(`${nodePort} ${protocol}`, key);
      }
    }
    return holders;
  }
}
