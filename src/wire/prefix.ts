/** Prefixes over addresses as `address.ts` has them, four words: an IPv4 prefix of n bits is one of 96 + n. */
import { ADDRESS_WORDS, parseAddress } from './address.ts';

/** Bits that `::ffff:0:0/96` puts in front of an IPv4 prefix. */
const MAPPED_BITS = 96;
const ADDRESS_BITS = ADDRESS_WORDS * 32;

export interface AddressPrefix {
  /** Bits past the length are zero. */
  readonly address: Int32Array;
  /** 0 to 128. */
  readonly length: number;
}

/** Reads `10.244.1.0/24` or `fd00::/64`, and drops bits past the length; undefined for what is no prefix. */
export function parsePrefix(text: string): AddressPrefix | undefined {
  const [written = '', bits = '', ...rest] = text.split('/');
  const address = parseAddress(written);
  if (address === undefined || rest.length > 0 || !/^[0-9]{1,3}$/.test(bits)) return undefined;
  const length = Number(bits) + (written.includes(':') ? 0 : MAPPED_BITS);
  return length > ADDRESS_BITS ? undefined : { address: prefixOf(address, length), length };
}

/** The address with nothing past its first `length` bits. */
export function prefixOf(address: Int32Array, length: number): Int32Array {
  return address.map((word, i) => {
    const bits = length - i * 32;
    if (bits >= 32) return word;
    return bits <= 0 ? 0 : word & (-1 << (32 - bits));
  });
}
