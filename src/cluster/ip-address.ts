/**
 * IPv4 and IPv6 addresses and CIDR blocks as Kubernetes takes them. The arithmetic is ip6addr's; around it stands what
 * it lacks: it takes leading zeros, host bits, IPv4 inside IPv6 blocks, and writes IPv6 otherwise than RFC 5952.
 * An address belongs to one family; the families never contain or equal each other.
 */
import { isIP } from 'node:net';
import ip6addr from 'ip6addr';
import { parseAddress as parseWords } from '../wire/address.ts';

export type IpFamily = 'ipv4' | 'ipv6';

/** An address in network byte order: 4 or 16 bytes. */
export interface IpAddress {
  readonly family: IpFamily;
  readonly bytes: readonly number[];
}

/** A block; the bits of `network` after the prefix are zero. */
export interface Cidr {
  readonly family: IpFamily;
  readonly network: IpAddress;
  readonly prefixLength: number;
}

const addressBits: Readonly<Record<IpFamily, number>> = { ipv4: 32, ipv6: 128 };

/** ip6addr's offset() takes no more. Nobody counts further: a node's pods have the first addresses of its block. */
const OFFSET_MAX = 0xffff_ffff;

/** The address, or undefined for what Kubernetes refuses: leading zeros, zones, IPv4-mapped IPv6 (RFC 4291 2.5.5.2). */
export function parseAddress(text: string): IpAddress | undefined {
  const version = isIP(text);
  if (version === 0 || text.includes('%')) return undefined;
  if (version === 4) return { family: 'ipv4', bytes: text.split('.').map(Number) };
  // Not the library: its parser takes three times as long, and every address of every object comes through here.
  const address: IpAddress = { family: 'ipv6', bytes: bytesOf(parseWords(text)!) };
  return isMapped(address) ? undefined : address;
}

/** Why parseAddress refused the text, and what to write instead. */
export function addressFault(text: string): string {
  if (text.includes('%') && isIP(text) === 6) return 'an address without a zone; remove the part from "%"';
  if (isIP(text) === 6) return 'no IPv4-mapped IPv6 address; write the IPv4 address';
  const plain = withoutLeadingZeros(text);
  if (plain !== text && isIP(plain) !== 0) return `no leading zeros; write ${plain}`;
  return 'an IPv4 or IPv6 address, such as 10.244.0.7 or fd00:10:244::7';
}

/** The block, or undefined for what Kubernetes refuses: as parseAddress, and host bits, and prefixes such as /08. */
export function parseCidr(text: string): Cidr | undefined {
  const [, addressText, prefixText] = /^([^/]*)\/(0|[1-9][0-9]{0,2})$/.exec(text) ?? [];
  const address = parseAddress(addressText ?? '');
  const prefixLength = Number(prefixText);
  if (address === undefined || prefixLength > addressBits[address.family]) return undefined;
  const cidr = enclosingCidr(address, prefixLength);
  return sameAddress(cidr.network, address) ? cidr : undefined;
}

/** Why parseCidr refused the text, and what to write instead. */
export function cidrFault(text: string): string {
  const example = 'a CIDR block, such as 10.244.0.0/16 or fd00:10:244::/56';
  const [, addressText = '', prefixText = ''] = /^([^/]*)\/([0-9]{1,3})$/.exec(text) ?? [];
  const alone = parseAddress(text);
  if (alone !== undefined) return `a CIDR block; for this address alone, write ${text}/${addressBits[alone.family]}`;
  if (prefixText === '') return example;
  const address = parseAddress(addressText);
  if (address === undefined) return addressFault(addressText);
  const bits = addressBits[address.family];
  const prefixLength = Number(prefixText);
  if (prefixLength > bits) return `a prefix length from 0 to ${bits}`;
  if (prefixText !== String(prefixLength)) return `no leading zeros; write ${addressText}/${prefixLength}`;
  return `no bits set after the prefix; write ${formatCidr(enclosingCidr(address, prefixLength))}`;
}

/** Dotted decimal, or RFC 5952: lower case, the first longest run of two or more zero groups as '::'. */
export function formatAddress(address: IpAddress): string {
  if (address.family === 'ipv4') return address.bytes.join('.');
  const groups = groupsOf(address);
  let start = 0;
  let length = 1; // RFC 5952 section 4.2.2: a single zero group stays
  for (let from = 0; from < groups.length; from++) {
    let to = from;
    while (groups[to] === 0) to++;
    if (to - from > length) [start, length] = [from, to - from];
  }
  const hex = groups.map((group) => group.toString(16));
  if (length === 1) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.network)}/${cidr.prefixLength}`;
}

function sameAddress(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.bytes.every((byte, index) => byte === b.bytes[index]);
}

/** Is the address in the block? Never, across families. */
export function cidrContains(cidr: Cidr, address: IpAddress): boolean {
  if (cidr.family !== address.family) return false;
  const { network, prefixLength } = cidr;
  return network.bytes.every((byte, i) => byte === (address.bytes[i]! & maskByte(prefixLength, i)));
}

/** Have the blocks an address in common? Two blocks overlap only when one holds the other's first address. */
export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return cidrContains(a, b.network) || cidrContains(b, a.network);
}

/** How many addresses a block has; exact up to 2^53, the nearest number above. */
export function cidrSize(cidr: Cidr): number {
  return 2 ** (addressBits[cidr.family] - cidr.prefixLength);
}

/** The nth address of a block, from 0; undefined past its end. @param n 0 to 2^32 - 1 */
export function nthAddress(cidr: Cidr, n: number): IpAddress | undefined {
  if (n >= cidrSize(cidr) || n > OFFSET_MAX) return undefined;
  const address = ip6addr.parse(formatAddress(cidr.network)).offset(n);
  return address === null ? undefined : fromLibrary(cidr.family, address);
}

/** The last address of a block: of IPv4, the broadcast address. */
export function lastAddress(cidr: Cidr): IpAddress {
  if (cidr.family === 'ipv4') return fromLibrary('ipv4', toLibrary(cidr).broadcast());
  return fromLibrary('ipv6', toLibrary(cidr).last());
}

/** The nth block of the given prefix length inside a block, from 0; undefined when there are not so many. */
export function nthSubnet(cidr: Cidr, prefixLength: number, n: number): Cidr | undefined {
  if (prefixLength < cidr.prefixLength || n >= 2 ** (prefixLength - cidr.prefixLength)) return undefined;
  // Not offset(): the distance between two /64 is past what it takes. So the number is laid over the zero bits.
  const bytes = [...cidr.network.bytes];
  let carry = BigInt(n) << BigInt(addressBits[cidr.family] - prefixLength);
  for (let at = bytes.length - 1; carry > 0n; at--) {
    bytes[at] = bytes[at]! | Number(carry & 0xffn);
    carry >>= 8n;
  }
  return { family: cidr.family, network: { family: cidr.family, bytes }, prefixLength };
}

/** The block of the given prefix length that the address is in. */
export function enclosingCidr(address: IpAddress, prefixLength: number): Cidr {
  const { family } = address;
  const bytes = address.bytes.map((byte, i) => byte & maskByte(prefixLength, i));
  return { family, network: { family, bytes }, prefixLength };
}

/** Of a prefix's mask, the byte at that place. The library makes texts of blocks, which is much slower. */
function maskByte(prefixLength: number, place: number): number {
  const bits = Math.min(8, Math.max(0, prefixLength - 8 * place));
  return 0xff & (0xff00 >> bits);
}

function toLibrary(cidr: Cidr): ip6addr.CIDR {
  return ip6addr.createCIDR(formatAddress(cidr.network), cidr.prefixLength);
}

function fromLibrary(family: IpFamily, address: ip6addr.Addr): IpAddress {
  const groups = address.toString({ format: 'v6', zeroElide: false }).split(':');
  const bytes = groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
  // The library keeps IPv4 in the last four bytes (as IPv4-mapped IPv6).
  return { family, bytes: family === 'ipv4' ? bytes.slice(12) : bytes };
}

function bytesOf(words: Int32Array): number[] {
  const bytes: number[] = [];
  for (const word of words) bytes.push(word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff);
  return bytes;
}

function groupsOf(address: IpAddress): number[] {
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push((address.bytes[at]! << 8) | address.bytes[at + 1]!);
  return groups;
}

function isMapped(address: IpAddress): boolean {
  return address.bytes.every((byte, index) => index >= 12 || byte === (index < 10 ? 0 : 0xff));
}

function withoutLeadingZeros(text: string): string {
  return text.replace(/(?<![0-9a-fA-F])0+(?=[0-9a-fA-F])/g, '');
}
