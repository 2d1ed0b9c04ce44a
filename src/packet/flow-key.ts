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

/** Writes one address of a key: `address` as `::ffff:a.b.c.d`. */
export function storeIpv4(address: number, keys: Int32Array, index: number): void {
  keys[index] = 0;
  keys[index + 1] = 0;
  keys[index + 2] = 0xffff;
  keys[index + 3] = address;
}

/** `set` would be a call out of compiled code. */
export function copyKey(from: Int32Array, to: Int32Array): void {
  for (let i = 0; i < KEY_WORDS; i++) to[i] = from[i]!;
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

/** Of IPv4 keys the constant words need no look. */
export function keysEqual(a: Int32Array, aIndex: number, b: Int32Array, bIndex: number): boolean {
  return (
    a[aIndex + KEY_PORTS] === b[bIndex + KEY_PORTS] &&
    a[aIndex + KEY_SOURCE + 3] === b[bIndex + KEY_SOURCE + 3] &&
    a[aIndex + KEY_DESTINATION + 3] === b[bIndex + KEY_DESTINATION + 3] &&
    a[aIndex + KEY_PROTOCOL] === b[bIndex + KEY_PROTOCOL] &&
    (keyVersion(a, aIndex) === 4 || upperWordsEqual(a, aIndex, b, bIndex))
  );
}

function upperWordsEqual(a: Int32Array, aIndex: number, b: Int32Array, bIndex: number): boolean {
  for (let i = 0; i < 3; i++) {
    if (a[aIndex + KEY_SOURCE + i] !== b[bIndex + KEY_SOURCE + i]) return false;
    if (a[aIndex + KEY_DESTINATION + i] !== b[bIndex + KEY_DESTINATION + i]) return false;
  }
  return true;
}

/**
 * Hash of a key, well mixed in all 32 bits; of IPv4 keys only what can differ is mixed. The functions are those of Bob
 * Jenkins' lookup3 (2006), which Linux calls jhash (include/linux/jhash.h), with another secret in each of the three words.
 *
 * @param seed secret of this run, so that nobody outside can pile flows into one bucket.
 */
export function hashKey(keys: Int32Array, index: number, seed: number): number {
  const protocol = Math.imul(keys[index + KEY_PROTOCOL]!, 0x9e3779b1);
  const upper = keyVersion(keys, index) === 4 ? 0 : hashUpperWords(keys, index, seed);
  const a = (keys[index + KEY_SOURCE + 3]! + (seed ^ upper)) | 0;
  const b = (keys[index + KEY_DESTINATION + 3]! + Math.imul(seed, 0x85ebca6b)) | 0;
  return finalHash(a, b, (keys[index + KEY_PORTS]! + (seed ^ protocol)) | 0);
}

/** All of both addresses but their last words. */
function hashUpperWords(keys: Int32Array, index: number, seed: number): number {
  let h = Math.imul(seed, 0xc2b2ae35);
  for (let i = 0; i < 3; i++)
    h = finalHash(h, keys[index + KEY_SOURCE + i]!, keys[index + KEY_DESTINATION + i]! ^ seed);
  return h;
}

/** lookup3's `final`: the last of three mixed words. */
function finalHash(first: number, second: number, third: number): number {
  let c = ((third ^ second) - ((second << 14) | (second >>> 18))) | 0;
  let a = ((first ^ c) - ((c << 11) | (c >>> 21))) | 0;
  let b = ((second ^ a) - ((a << 25) | (a >>> 7))) | 0;
  c = ((c ^ b) - ((b << 16) | (b >>> 16))) | 0;
  a = ((a ^ c) - ((c << 4) | (c >>> 28))) | 0;
  b = ((b ^ a) - ((a << 14) | (a >>> 18))) | 0;
  return ((c ^ b) - ((b << 24) | (b >>> 8))) | 0;
}
