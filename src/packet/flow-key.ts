/**
 * The key of a flow direction, one layout for both families: source (4 words), destination (4 words), ports,
 * protocol. For ICMP queries the ports word holds identifier << 16 | type << 8 | code (CT-043); for protocols without
 * ports it is 0 (CT-048). The protocol word also holds the IP version: an IPv4-mapped IPv6 packet is no IPv4 packet.
 */
import { icmpInverse } from '../wire/icmp.ts';
import { Protocol } from '../wire/protocol.ts';

export const KEY_WORDS = 10;
export const KEY_SOURCE = 0;
export const KEY_DESTINATION = 4;
export const KEY_PORTS = 8;
export const KEY_PROTOCOL = 9;

export function protocolWord(version: number, protocol: number): number {
  return (version << 8) | protocol;
}

export function keyVersion(keys: Int32Array, index: number): number {
  return keys[index + KEY_PROTOCOL]! >> 8;
}

export function keyProtocol(keys: Int32Array, index: number): number {
  return keys[index + KEY_PROTOCOL]! & 0xff;
}

/** Is the ports word an ICMP query's identifier, type and code? */
export function keyIsIcmp(keys: Int32Array, index: number): boolean {
  const word = keys[index + KEY_PROTOCOL]!;
  return word === ((4 << 8) | Protocol.Icmp) || word === ((6 << 8) | Protocol.Icmpv6);
}

/** Writes the key of the packets that answer those of `from`. The two arrays may be one, not the two places. */
export function invertKey(from: Int32Array, fromIndex: number, to: Int32Array, toIndex: number): void {
  for (let i = 0; i < 4; i++) {
    to[toIndex + KEY_SOURCE + i] = from[fromIndex + KEY_DESTINATION + i]!;
    to[toIndex + KEY_DESTINATION + i] = from[fromIndex + KEY_SOURCE + i]!;
  }
  to[toIndex + KEY_PORTS] = invertPorts(from, fromIndex);
  to[toIndex + KEY_PROTOCOL] = from[fromIndex + KEY_PROTOCOL]!;
}

function invertPorts(keys: Int32Array, index: number): number {
  const ports = keys[index + KEY_PORTS]!;
  if (!keyIsIcmp(keys, index)) return (ports << 16) | (ports >>> 16);
  const type = icmpInverse((ports >>> 8) & 0xff, keyVersion(keys, index));
  return (ports & 0xffff00ff) | ((type & 0xff) << 8);
}

export function keysEqual(a: Int32Array, aIndex: number, b: Int32Array, bIndex: number): boolean {
  for (let i = 0; i < KEY_WORDS; i++) if (a[aIndex + i] !== b[bIndex + i]) return false;
  return true;
}
