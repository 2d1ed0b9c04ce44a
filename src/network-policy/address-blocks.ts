/**
 * Blocks of addresses, and which of them hold an address. A block belongs to one family: `::/0` holds no IPv4 address,
 * although `wire/address.ts` writes those as `::ffff:a.b.c.d`.
 */
import { formatAddress, parseAddress } from '../wire/address.ts';
import { prefixOf } from '../wire/prefix.ts';

export interface AddressBlock {
  readonly number: number;
  /** As `10.0.0.0/8`; two spellings of one block are one text. */
  readonly text: string;
}

const ADDRESS_BITS = 128;
const IPV4_BITS = 32;

export class AddressBlocks {
  readonly all: AddressBlock[] = [];
  readonly #byText = new Map<string, AddressBlock>();
  /** In use, longest first, by family. */
  readonly #lengths = { ipv4: new Set<number>(), ipv6: new Set<number>() };

  /** @param cidr as validation lets it through */
  add(cidr: string): AddressBlock {
    const known = this.#byText.get(cidr);
    if (known !== undefined) return known;
    const [address = '', bits] = cidr.split('/');
    const words = parseAddress(address)!;
    const lengths = this.#lengthsOf(address);
    const text = blockText(words, Number(bits), lengths === this.#lengths.ipv6);
    let block = this.#byText.get(text);
    if (block === undefined) {
      lengths.add(Number(bits));
      block = { number: this.all.length, text };
      this.all.push(block);
      this.#byText.set(text, block);
    }
    return block;
  }

  /** Those that hold an address, or a whole block of that length; longest first. */
  holding(address: string, bits?: number): AddressBlock[] {
    const words = parseAddress(address)!;
    const lengths = this.#lengthsOf(address);
    const isIpv6 = lengths === this.#lengths.ipv6;
    const found: AddressBlock[] = [];
    for (const length of [...lengths].sort((a, b) => b - a)) {
      if (bits !== undefined && length > bits) continue;
      const block = this.#byText.get(blockText(words, length, isIpv6));
      if (block !== undefined) found.push(block);
    }
    return found;
  }

  #lengthsOf(address: string): Set<number> {
    return address.includes(':') ? this.#lengths.ipv6 : this.#lengths.ipv4;
  }
}

/** One address as a block. */
export function wholeAddress(address: string): string {
  const isIpv6 = address.includes(':');
  return blockText(parseAddress(address)!, isIpv6 ? ADDRESS_BITS : IPV4_BITS, isIpv6);
}

function blockText(words: Int32Array, length: number, isIpv6: boolean): string {
  const bits = isIpv6 ? length : length + ADDRESS_BITS - IPV4_BITS;
  return `${formatAddress(prefixOf(words, bits))}/${length}`;
}
