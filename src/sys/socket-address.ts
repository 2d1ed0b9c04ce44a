import { SocketAddress } from 'node:net';
import { parseAddress as parseWords } from '../wire/address.ts';

/** Address families of socket(2) and rtnetlink. */
export const AF_INET = 2;
export const AF_INET6 = 10;

/** Of the four words of an IPv4 address, the bytes that a socket wants. */
const IPV4_AT = 12;

/**
 * An IP address in network byte order: 4 bytes for IPv4, 16 for IPv6.
 *
 * @throws RangeError for anything else, also for an IPv6 address with a zone (`fe80::1%eth0`).
 */
export function parseAddress(text: string): Uint8Array {
  const words = parseWords(text);
  if (words === undefined) throw new RangeError(`not an IP address: ${JSON.stringify(text)}`);
  const bytes = new Uint8Array(words.buffer).slice();
  const view = new DataView(bytes.buffer);
  for (const [i, word] of words.entries()) view.setInt32(4 * i, word);
  return text.includes(':') ? bytes : bytes.subarray(IPV4_AT);
}

/** The canonical text of 4 or 16 address bytes (IPv6: RFC 5952). */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(i * 2).toString(16));
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}

/** The family of address bytes as `parseAddress` returns them. */
export function familyOf(bytes: Uint8Array): number {
  return bytes.length === 4 ? AF_INET : AF_INET6;
}
