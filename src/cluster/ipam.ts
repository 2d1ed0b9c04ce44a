/** Pod addresses of one block. */
import { type Cidr, cidrSize, formatAddress, lastAddress, nthAddress } from './ip-address.ts';

/**
 * Hands out the addresses of one node's block in one family, the least recently used first: never-used ones in
 * ascending order, then released ones in the order of their release, so that an address rests as long as possible
 * before another pod gets it.
 *
 * Never handed out: the network address, the gateway (the first after it) and IPv4's broadcast address. Addresses go in
 * and out in canonical text form. Of an IPv6 block the first 2^32 are handed out; any may be reserved.
 */
export class AddressPool {
  readonly cidr: Cidr;
  readonly gateway: string;
  readonly #used = new Set<string>();
  /** Insertion order is release order. */
  readonly #released = new Set<string>();
  /** The next never-used address, counted from the network address. */
  #next = 2;
  readonly #end: number;

  /** @param cidr at least four addresses */
  constructor(cidr: Cidr) {
    this.cidr = cidr;
    this.gateway = formatAddress(nthAddress(cidr, 1)!);
    this.#end = cidrSize(cidr) - (cidr.family === 'ipv4' ? 1 : 0);
  }

  /** Addresses that pods hold now. */
  get inUse(): number {
    return this.#used.size;
  }

  /** The least recently used free address, now in use; undefined when there is none. */
  take(): string | undefined {
    const address = this.#fresh() ?? this.#released.values().next().value;
    if (address !== undefined) this.reserve(address);
    return address;
  }

  /** Puts a given address to use, whichever node its pod runs on. False when it is in use already. */
  reserve(address: string): boolean {
    if (this.#used.has(address)) return false;
    this.#released.delete(address);
    this.#used.add(address);
    return true;
  }

  /** Frees an address. One that is not in use stays as it is. */
  release(address: string): void {
    if (this.#used.delete(address)) this.#released.add(address);
  }

  /** Why no pod may have this address of the block; undefined when one may. */
  ownerOf(address: string): 'network' | 'gateway' | 'broadcast' | undefined {
    if (address === formatAddress(this.cidr.network)) return 'network';
    if (address === this.gateway) return 'gateway';
    const isLast = address === formatAddress(lastAddress(this.cidr));
    return isLast && this.cidr.family === 'ipv4' ? 'broadcast' : undefined;
  }

  /** Steps over what was reserved ahead of its turn, in use or released since. */
  #fresh(): string | undefined {
    while (this.#next < this.#end) {
      const address = nthAddress(this.cidr, this.#next);
      if (address === undefined) return undefined;
      const text = formatAddress(address);
      this.#next++;
      if (!this.#used.has(text) && !this.#released.has(text)) return text;
    }
    return undefined;
  }
}
