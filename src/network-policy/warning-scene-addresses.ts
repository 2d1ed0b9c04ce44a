/** Who has an address in a block. Addresses are read once, and answers kept: many policies ask. */
import type { IPBlock } from 'kubernetes-types/networking/v1.d.ts';
import { isIpv4Words, parseAddress } from '../wire/address.ts';
import { exceptOf, isIpv4 } from './explain-match.ts';

interface Entry<T> {
  readonly address: string;
  readonly isIpv4: boolean;
  readonly words: Int32Array;
  readonly owner: T;
}

export class AddressBook<T> {
  readonly #entries: readonly Entry<T>[];
  readonly #owners = new Map<string, readonly T[]>();

  /** @param addressesOf what is no address is in no block */
  constructor(owners: readonly T[], addressesOf: (owner: T) => readonly string[]) {
    this.#entries = owners.flatMap((owner) =>
      addressesOf(owner).flatMap((address) => {
        const words = parseAddress(address);
        return words === undefined ? [] : [{ address, isIpv4: isIpv4(address), words, owner }];
      }),
    );
  }

  /** Each once, in order. */
  ownersIn(block: IPBlock): readonly T[] {
    const key = JSON.stringify(block);
    let found = this.#owners.get(key);
    if (found === undefined) {
      const there = this.#entries.filter(holds(block.cidr));
      const left = there.filter(({ address }) => exceptOf(block, address) === undefined);
      found = [...new Set(left.map(({ owner }) => owner))];
      this.#owners.set(key, found);
    }
    return found;
  }
}

/** @param cidr what cannot be read holds nothing */
function holds(cidr: string): (entry: Entry<unknown>) => boolean {
  const [network = '', length = ''] = cidr.split('/');
  const first = parseAddress(network);
  if (first === undefined) return () => false;
  const bits = Number(length) + (isIpv4Words(first, 0) ? 96 : 0);
  const masks = [0, 32, 64, 96].map((start) => {
    const kept = Math.min(32, Math.max(0, bits - start));
    return kept === 0 ? 0 : -1 << (32 - kept);
  });
  const family = isIpv4(network);
  return ({ isIpv4, words }) =>
    isIpv4 === family && masks.every((mask, index) => ((words[index]! ^ first[index]!) & mask) === 0);
}
