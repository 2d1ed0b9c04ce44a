/** MAC addresses that say whose they are: all are locally administered, and carry an IP address's bytes. */
import { formatAddress, type IpAddress } from './ip-address.ts';

/** 02:70 and the four bytes of the node's underlay address. */
export function nodeMac(underlay: IpAddress): string {
  return macOf([0x02, 0x70, ...underlay.bytes]);
}

/**
 * 0a:58 and the bytes of the IPv4 address, as CNI's bridge plugin has it; of a pod with IPv6 alone the last four bytes
 * of that. Those four are the same for the first pods of every node, so where one is taken (the set is added to) the
 * bytes are a hash of the whole address: the same addresses in the same order have the same MACs.
 */
export function podMac(addresses: readonly IpAddress[], taken: Set<string>): string {
  const address = addresses.find(({ family }) => family === 'ipv4') ?? addresses[0]!;
  let mac = macOf([0x0a, 0x58, ...address.bytes.slice(-4)]);
  for (let attempt = 0; taken.has(mac); attempt++) {
    mac = macOf([0x0a, 0x58, ...hashBytes(`${formatAddress(address)} ${attempt}`)]);
  }
  taken.add(mac);
  return mac;
}

function macOf(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** FNV-1a, 32 bits. */
function hashBytes(text: string): number[] {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return [24, 16, 8, 0].map((shift) => (hash >>> shift) & 0xff);
}
