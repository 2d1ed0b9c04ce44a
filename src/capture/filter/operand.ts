/** What stands behind `host`, `net`, `port`, `portrange` and `proto`, or behind `and` and `or` with these left out. */
import { nearestWord } from '../../cluster/nearest-word.ts';
import { parseAddress } from '../../wire/address.ts';
import { type Condition, type Foreign, not, type Scope } from './condition.ts';
import { etherTypeNames, libpcapWords, portNames, portProtocols, protocolNames } from './names.ts';
import {
  type AddressProtocol,
  type Direction,
  etherHost,
  etherType,
  ipProtocol,
  ipv4Net,
  ipv6Net,
  portRange,
} from './primitives.ts';
import type { TokenReader } from './token-reader.ts';
import type { Token } from './tokens.ts';

export type OperandType = 'host' | 'net' | 'port' | 'portrange' | 'proto';

export interface Qualifiers {
  readonly scope: Scope;
  /** As written: `tcp`, `ip6`, `ether`; undefined for none. */
  readonly protocol: string | undefined;
  readonly direction: Direction;
  readonly type: OperandType;
}

const PORT_MAX = 0xffff;
const PROTOCOL_MAX = 0xff;
const ETHERTYPE_MAX = 0xffff;
/** Above it the field behind the addresses is a type, up to it the length of an IEEE 802.3 frame. */
const ETHERNET_LENGTH_MAX = 1500;
const AN_ADDRESS = 'an IPv4 or IPv6 address';
const A_PORT = `a port, 0 to ${PORT_MAX}`;
const looksLikeMac =
  /^[\da-f]{1,2}([:.-])[\da-f]{1,2}(?:\1[\da-f]{1,2}){4}$|^[\da-f]{4}\.[\da-f]{4}\.[\da-f]{4}$|^[\da-f]{12}$/i;
const partialAddress = /^\d+(?:\.\d+){0,3}$/;

/** The condition of one operand. @param foreign hands a primitive to libpcap. */
export function operand(reader: TokenReader, qualifiers: Qualifiers, foreign: (text: string) => Foreign): Condition {
  switch (qualifiers.type) {
    case 'host':
      return qualifiers.protocol === 'ether' ? mac(reader, qualifiers.direction) : host(reader, qualifiers);
    case 'net':
      return net(reader, qualifiers);
    case 'port':
      return port(reader, qualifiers);
    case 'portrange':
      return range(reader, qualifiers);
    case 'proto':
      return qualifiers.protocol === 'ether' ? etherProtocol(reader, foreign) : protocol(reader, qualifiers);
  }
}

/** A number as it is written in decimal or with 0x; undefined for anything else, or when it is greater than `max`. */
export function numberOf(text: string, max: number): number | undefined {
  if (!/^(?:0|[1-9]\d{0,9}|0x[\da-f]{1,8})$/i.test(text)) return undefined;
  const number = Number(text);
  return number <= max ? number : undefined;
}

function mac(reader: TokenReader, direction: Direction): Condition {
  const { text } = reader.peek();
  if (!looksLikeMac.test(text)) reader.fail('a MAC address, such as 0a:58:0a:f4:00:02');
  reader.take();
  const groups = text.split(/[:.-]/);
  const hex = groups.map((group) => (groups.length === 6 ? group.padStart(2, '0') : group)).join('');
  return etherHost(Number.parseInt(hex.slice(0, 4), 16), Number.parseInt(hex.slice(4), 16), direction);
}

function host(reader: TokenReader, { protocol, direction }: Qualifiers): Condition {
  const { text } = reader.peek();
  const words = parseAddress(text);
  if (words === undefined) reader.fail(AN_ADDRESS, addressRemedy(text));
  checkFamily(reader, text, protocol);
  reader.take();
  if (reader.peek().text === '/') reader.fail('an address without a prefix length', 'write "net" for a block');
  if (text.includes(':')) return ipv6Net(words, masks(128), direction);
  return ipv4Net(words[3]!, -1, direction, protocol as Exclude<AddressProtocol, 'ip6'> | undefined);
}

function addressRemedy(text: string): string | undefined {
  if (looksLikeMac.test(text)) return 'write "ether host" for a MAC address';
  if (partialAddress.test(text)) return 'write "net" for a block';
  return undefined;
}

/** IPv6 has no ARP, and the other way round. */
function checkFamily(reader: TokenReader, text: string, protocol: string | undefined): void {
  if (protocol === undefined || text.includes(':') === (protocol === 'ip6')) return;
  reader.fail(`an ${protocol === 'ip6' ? 'IPv6' : 'IPv4'} address after "${protocol}"`);
}

function masks(prefixLength: number): Int32Array {
  return Int32Array.from({ length: 4 }, (_, i) => mask(Math.min(32, Math.max(0, prefixLength - 32 * i))));
}

/** @param prefixLength 0 to 32. */
function mask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : -1 << (32 - prefixLength);
}

function net(reader: TokenReader, { protocol, direction }: Qualifiers): Condition {
  const token = reader.peek();
  if (token.text.includes(':')) {
    const words = parseAddress(token.text);
    if (words === undefined) reader.fail('an IPv6 block, such as fd00:10:244::/56');
    checkFamily(reader, token.text, protocol);
    reader.take();
    const bits = masks(prefixLength(reader, 128) ?? 128);
    if (words.some((word, i) => (word & ~bits[i]!) !== 0)) throw hostBits(reader, token);
    return ipv6Net(words, bits, direction);
  }
  const block = ipv4Block(reader);
  if (block === undefined) reader.fail('a block, such as 10.244.0.0/16, 10.244 or fd00:10:244::/56');
  checkFamily(reader, token.text, protocol);
  reader.take();
  const bits = reader.takes('mask') ? maskWord(reader) : mask(prefixLength(reader, 32) ?? block.prefixLength);
  if ((block.address & ~bits) !== 0) throw hostBits(reader, token);
  return ipv4Net(block.address, bits, direction, protocol as Exclude<AddressProtocol, 'ip6'> | undefined);
}

function hostBits(reader: TokenReader, token: Token): Error {
  return reader.fault(token, 'a block with no bits set behind its prefix', 'clear them, or write "host"');
}

/** One to four octets, the others zero; the next token. */
function ipv4Block(reader: TokenReader): { address: number; prefixLength: number } | undefined {
  const { text } = reader.peek();
  const octets = text.split('.').map((octet) => numberOf(octet, 255));
  if (!partialAddress.test(text) || octets.includes(undefined)) return undefined;
  const address = [0, 1, 2, 3].reduce((word, i) => (word << 8) | (octets[i] ?? 0), 0);
  return { address, prefixLength: 8 * octets.length };
}

function maskWord(reader: TokenReader): number {
  const block = ipv4Block(reader);
  if (block === undefined) reader.fail('a mask, such as 255.255.0.0');
  reader.take();
  return block.address;
}

/** What stands behind a slash, if there is one. */
function prefixLength(reader: TokenReader, max: number): number | undefined {
  if (!reader.takes('/')) return undefined;
  const length = numberOf(reader.peek().text, max);
  if (length === undefined) reader.fail(`a prefix length, 0 to ${max}`);
  reader.take();
  return length;
}

function port(reader: TokenReader, { protocol, direction }: Qualifiers): Condition {
  const { text } = reader.peek();
  const number = numberOf(text, PORT_MAX);
  if (number === undefined) return namedPort(reader, direction, protocol);
  reader.take();
  return portRange(number, number, direction, protocolNumbers(protocol));
}

function protocolNumbers(protocol: string | undefined): readonly number[] | undefined {
  return protocol === undefined ? undefined : [portProtocols[protocol]!];
}

function namedPort(reader: TokenReader, direction: Direction, protocol: string | undefined): Condition {
  const token = reader.peek();
  const name = token.text.replace(/^\\/, '');
  const named = Object.hasOwn(portNames, name) ? portNames[name]! : undefined;
  if (named === undefined) {
    reader.fail(A_PORT, /^\d+-\d+$/.test(name) ? 'write "portrange" for several' : suggestion(token, portNames));
  }
  if (protocol !== undefined && named.protocol !== undefined && protocol !== named.protocol) {
    reader.fail(`a port of ${protocol}`, `"${name}" is one of ${named.protocol}; write ${named.port}`);
  }
  reader.take();
  return portRange(named.port, named.port, direction, protocolNumbers(protocol ?? named.protocol));
}

/** Which of the names was meant, or all there are; nothing for what is no name. */
function suggestion({ kind, text }: Token, names: Readonly<Record<string, unknown>>): string | undefined {
  if (kind !== 'word' || /^\d/.test(text)) return undefined;
  const nearest = nearestWord(text, Object.keys(names));
  return nearest === undefined
    ? `names that are known: ${Object.keys(names).join(', ')}`
    : `did you mean "${nearest}"?`;
}

function range(reader: TokenReader, qualifiers: Qualifiers): Condition {
  const ends = /^(\w+)-(\w+)$/.exec(reader.peek().text);
  if (ends === null) return port(reader, qualifiers);
  const [low, high] = [numberOf(ends[1]!, PORT_MAX), numberOf(ends[2]!, PORT_MAX)];
  if (low === undefined || high === undefined) reader.fail(`two ports, such as 30000-32767, 0 to ${PORT_MAX}`);
  reader.take();
  const numbers = protocolNumbers(qualifiers.protocol);
  return portRange(Math.min(low, high), Math.max(low, high), qualifiers.direction, numbers);
}

function protocol(reader: TokenReader, { protocol: version }: Qualifiers): Condition {
  const name = reader.peek().text.replace(/^\\/, '');
  const number = numberOf(name, PROTOCOL_MAX) ?? (Object.hasOwn(protocolNames, name) ? protocolNames[name] : undefined);
  if (number === undefined) reader.fail(`a protocol, 0 to ${PROTOCOL_MAX}`, suggestion(reader.peek(), protocolNames));
  reader.take();
  return ipProtocol(number, version as 'ip' | 'ip6' | undefined);
}

function etherProtocol(reader: TokenReader, foreign: (text: string) => Foreign): Condition {
  const name = reader.peek().text.replace(/^\\/, '');
  const number =
    numberOf(name, ETHERTYPE_MAX) ?? (Object.hasOwn(etherTypeNames, name) ? etherTypeNames[name] : undefined);
  if (number === undefined && !libpcapWords.has(name)) {
    reader.fail(`an EtherType, 0 to ${ETHERTYPE_MAX}, or one of ${Object.keys(etherTypeNames).join(', ')}`);
  }
  reader.take();
  if (number === undefined) return foreign(`ether proto \\${name}`);
  return number > ETHERNET_LENGTH_MAX ? etherType(number) : foreign(`ether proto ${number}`);
}

/** Negated, or as it is. */
export function signed(condition: Condition, negated: boolean): Condition {
  return negated ? not(condition) : condition;
}
