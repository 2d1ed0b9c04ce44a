import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/** Address families of socket(2) and rtnetlink. */
export const AF_INET = 2;
export const AF_INET6 = 10;

/** The bytes of one side of `::`. `text` is known to be part of a valid IPv6 address. */
function groupBytes(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/**
 * An IP address in network byte order: 4 bytes for IPv4, 16 for IPv6.
 *
 * @throws RangeError for anything else, also for an IPv6 address with a zone (`fe80::1%eth0`).
 */
export function parseAddress(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!isIPv6(text) || text.includes('%')) throw new RangeError(`not an IP address: ${JSON.stringify(text)}`);
  const bytes = new Uint8Array(16);
  const [head = '', tail = ''] = text.split('::');
  const tailBytes = groupBytes(tail);
  bytes.set(groupBytes(head), 0);
  bytes.set(tailBytes, 16 - tailBytes.length);
  return bytes;
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
