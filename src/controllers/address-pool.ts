/** Addresses of one block: a node's pods, or Services. */
import { type Cidr, cidrSize, formatAddress, type IpAddress, lastAddress } from '../cluster/ip-address.ts';

/** Of a larger block the rest may only be reserved. */
const HANDED_OUT_MAX = 2 ** 32;

/** The nth address of a block, from 0; without the library, which would be most of what 10,000 Services cost. */
function addressAt({ family, network }: Cidr, n: number): IpAddress {
  const bytes = [...network.bytes];
  for (let at = bytes.length - 1, carry = n; carry > 0; at--) {
    const sum = bytes[at]! + carry;
    bytes[at] = sum % 256;
    carry = Math.floor(sum / 256);
  }
  return { family, bytes };
}

/**
 * Hands out the addresses of one block, the least recently used first: never-used ones in ascending order, then
 * released ones in the order of their release, so that an address rests as long as possible before another gets it.
 *
 * Never handed out: the network address and IPv4's broadcast address. Addresses go in and out in canonical text form.
 * Of an IPv6 block the first 2^32 are handed out; any may be reserved.
 */
export class AddressPool {
  readonly cidr: Cidr;
  /** The first address after the network's: of a node's block, the node's own. */
  readonly gateway: string;
  readonly #used = new Set<string>();
  /** Insertion order is release order. */
  readonly #released = new Set<string>();
  /** The next never-used address, counted from the network address. */
  #next: number;
  readonly #end: number;

  /**
   * @param cidr at least four addresses
   * @param first the first address to be handed out, counted from the network address; those before may be reserved
   */
  constructor(cidr: Cidr, first = 2) {
    this.cidr = cidr;
    this.gateway = formatAddress(addressAt(cidr, 1));
    this.#next = first;
    this.#end = Math.min(cidrSize(cidr) - (cidr.family === 'ipv4' ? 1 : 0), HANDED_OUT_MAX);
  }

  /** Addresses that somebody holds now. */
  get inUse(): number {
    return this.#used.size;
  }

  /** The least recently used free address, now in use; undefined when there is none. */
  take(): string | undefined {
    const address = this.#fresh() ?? this.#released.values().next().value;
    if (address !== undefined) this.reserve(address);
    return address;
  }

  /** Puts a given address to use, one of this block. False when it is in use already. */
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

  /** Whose the address is in a node's block, so that no pod may have it; undefined when one may. */
  ownerOf(address: string): 'network' | 'gateway' | 'broadcast' | undefined {
    if (address === formatAddress(this.cidr.network)) return 'network';
    if (address === this.gateway) return 'gateway';
    const isLast = address === formatAddress(lastAddress(this.cidr));
    return isLast && this.cidr.family === 'ipv4' ? 'broadcast' : undefined;
  }

  /** Steps over what was reserved ahead of its turn, in use or released since. */
  #fresh(): string | undefined {
    while (this.#next < this.#end) {
      const text = formatAddress(addressAt(this.cidr, this.#next++));
      if (!this.#used.has(text) && !this.#released.has(text)) return text;
    }
    return undefined;
  }
}
