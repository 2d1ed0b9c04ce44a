/** Whose addresses are whose: pods, nodes, Services, as the reader of a trace knows them. */
import type { Node, Pod, Service } from '../store/object.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';

export interface Owner {
  /** `shop/web`, `n1`. */
  readonly name: string;
  readonly kind: 'pod' | 'node';
  readonly node: string;
}

export class Names {
  readonly #owners = new Map<string, Owner>();
  readonly #services: readonly Service[];

  constructor(nodes: readonly Node[], pods: readonly Pod[], services: readonly Service[]) {
    this.#services = services;
    for (const { metadata, status } of nodes) {
      const { name } = metadata;
      const owner: Owner = { name, kind: 'node', node: name };
      for (const { address } of status?.addresses ?? []) this.#owners.set(normal(address), owner);
    }
    for (const { metadata, spec, status } of pods) {
      if (spec.hostNetwork === true) continue; // it has its node's
      const owner: Owner = { name: `${metadata.namespace}/${metadata.name}`, kind: 'pod', node: spec.nodeName ?? '' };
      for (const { ip = '' } of status?.podIPs ?? []) this.#owners.set(normal(ip), owner);
    }
  }

  owner(address: string): Owner | undefined {
    return this.#owners.get(address);
  }

  /** `shop/api` of the Service that has the address; undefined when none has. */
  service(address: string): string | undefined {
    const found = this.#serviceAt(address);
    return found === undefined ? undefined : `${found.metadata.namespace}/${found.metadata.name}`;
  }

  /** `80/TCP (web)` of that Service. */
  servicePorts(address: string): string[] {
    return (this.#serviceAt(address)?.spec.ports ?? []).map(({ name, port, protocol = 'TCP' }) => {
      return `${port}/${protocol}${name === undefined ? '' : ` (${name})`}`;
    });
  }

  #serviceAt(address: string): Service | undefined {
    return this.#services.find(({ spec }) => {
      const own = [...(spec.clusterIPs ?? [spec.clusterIP ?? '']), ...(spec.externalIPs ?? [])];
      return own.some((text) => normal(text) === address);
    });
  }
}

function normal(address: string): string {
  const words = parseAddress(address);
  return words === undefined ? address : formatAddress(words);
}
