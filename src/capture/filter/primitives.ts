/**
 * Primitives of pcap-filter(7) as conditions on bytes of an Ethernet frame, as gencode.c of libpcap 1.10 has them:
 * IPv6 extension headers are not followed but for a fragment header in `proto`, and the ports of IPv4 fragments other
 * than the first are unknown. Fields are read in libpcap's order: one that is missing from a frame rejects the frame.
 */
import { ETHERNET_HEADER_LEN, EtherType } from '../../wire/ethernet.ts';
import { IPV4_DESTINATION, IPV4_SOURCE } from '../../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_SOURCE } from '../../wire/ipv6.ts';
import { Protocol } from '../../wire/protocol.ts';
import { all, any, bits, type Condition, choose, equal, type Field, greater, not, notLess } from './condition.ts';

export type Direction = 'source' | 'destination' | 'any' | 'both';
/** The protocols that carry IPv4 addresses, of one of which `host` and `net` may be. */
export type AddressProtocol = 'ip' | 'arp' | 'rarp' | 'ip6';

/** IANA; RFC 903. */
const ETHERTYPE_RARP = 0x8035;
const IPPROTO_FRAGMENT = 44;
const IPV4_FRAGMENT_OFFSET_MASK = 0x1fff;
const IPV4_MULTICAST_FIRST = 224;
const IPV6_MULTICAST = 0xff;

const L3 = ETHERNET_HEADER_LEN;
const byteAt = (at: number): Field => ({ at, size: 1 });
const halfAt = (at: number): Field => ({ at, size: 2 });
const wordAt = (at: number): Field => ({ at, size: 4 });

const ipv4Protocol = byteAt(L3 + 9);
const ipv4Fragment = halfAt(L3 + 6);
const ipv6NextHeader = byteAt(L3 + 6);
/** The next header of a fragment header that follows at once. */
const ipv6BehindFragment = byteAt(L3 + 40);
const ports: Readonly<Record<'ip' | 'ip6', readonly [source: Field, destination: Field]>> = {
  ip: [
    { at: L3, size: 2, behindIpv4: true },
    { at: L3 + 2, size: 2, behindIpv4: true },
  ],
  ip6: [halfAt(L3 + 40), halfAt(L3 + 42)],
};
/** RFC 826, for Ethernet and IPv4. */
const arpAddresses = [wordAt(L3 + 14), wordAt(L3 + 24)] as const;
const ipv4Addresses = [wordAt(L3 + IPV4_SOURCE), wordAt(L3 + IPV4_DESTINATION)] as const;

export function etherType(type: number): Condition {
  return equal(halfAt(12), type);
}

const isIpv4 = etherType(EtherType.Ipv4);
const isIpv6 = etherType(EtherType.Ipv6);
const isArp = etherType(EtherType.Arp);
const isRarp = etherType(ETHERTYPE_RARP);

export const etherTypes: Readonly<Record<AddressProtocol, Condition>> = {
  ip: isIpv4,
  ip6: isIpv6,
  arp: isArp,
  rarp: isRarp,
};

/** A condition on the source, on the destination, or on both. */
function toward(direction: Direction, source: Condition, destination: Condition): Condition {
  if (direction === 'source') return source;
  if (direction === 'destination') return destination;
  return direction === 'both' ? all(source, destination) : any(source, destination);
}

/** An IPv4 address or block. @param protocol the only one that counts, or undefined for all that have such addresses. */
export function ipv4Net(
  address: number,
  mask: number,
  direction: Direction,
  protocol: Exclude<AddressProtocol, 'ip6'> | undefined,
): Condition {
  const of = ([source, destination]: readonly [Field, Field]) =>
    toward(direction, equal(source, address, mask), equal(destination, address, mask));
  if (protocol === 'ip') return choose(isIpv4, of(ipv4Addresses));
  if (protocol !== undefined) return choose(etherTypes[protocol], of(arpAddresses));
  return choose(isIpv4, of(ipv4Addresses), choose(any(isArp, isRarp), of(arpAddresses)));
}

/** An IPv6 address or block, as four words. */
export function ipv6Net(address: Int32Array, masks: Int32Array, direction: Direction): Condition {
  const at = (first: number) => all(...[0, 1, 2, 3].map((i) => equal(wordAt(first + 4 * i), address[i]!, masks[i]!)));
  return choose(isIpv6, toward(direction, at(L3 + IPV6_SOURCE), at(L3 + IPV6_DESTINATION)));
}

/** @param high of the MAC address 16 bits, and 32 bits `low`. */
export function etherHost(high: number, low: number, direction: Direction): Condition {
  const at = (first: number) => all(equal(wordAt(first + 2), low), equal(halfAt(first), high));
  return toward(direction, at(6), at(0));
}

export const etherBroadcast: Condition = etherHost(0xffff, 0xffff_ffff, 'destination');
export const etherMulticast: Condition = bits(byteAt(0), 1);
export const ipv4Multicast: Condition = choose(isIpv4, notLess(byteAt(L3 + 16), IPV4_MULTICAST_FIRST));
export const ipv6Multicast: Condition = choose(isIpv6, equal(byteAt(L3 + 24), IPV6_MULTICAST));

const protocolOf4 = (protocol: number) => equal(ipv4Protocol, protocol);
const protocolOf6 = (protocol: number) =>
  choose(
    equal(ipv6NextHeader, protocol),
    all(),
    choose(equal(ipv6NextHeader, IPPROTO_FRAGMENT), equal(ipv6BehindFragment, protocol)),
  );

/** @param version the only one that counts, or undefined for both. */
export function ipProtocol(protocol: number, version: 'ip' | 'ip6' | undefined): Condition {
  if (version === 'ip') return choose(isIpv4, protocolOf4(protocol));
  if (version === 'ip6') return choose(isIpv6, protocolOf6(protocol));
  return choose(isIpv4, protocolOf4(protocol), choose(isIpv6, protocolOf6(protocol)));
}

/** A port from `first` to `last`. @param protocols TCP, UDP, SCTP, or all of them. */
export function portRange(
  first: number,
  last: number,
  direction: Direction,
  protocols: readonly number[] = [Protocol.Sctp, Protocol.Tcp, Protocol.Udp],
): Condition {
  const within = (field: Field) =>
    first === last ? equal(field, first) : all(notLess(field, first), not(greater(field, last)));
  const of = ([source, destination]: readonly [Field, Field]) => toward(direction, within(source), within(destination));
  const carriedBy = (field: Field) => any(...protocols.map((protocol) => equal(field, protocol)));
  return choose(
    isIpv6,
    all(carriedBy(ipv6NextHeader), of(ports.ip6)),
    choose(isIpv4, all(carriedBy(ipv4Protocol), not(bits(ipv4Fragment, IPV4_FRAGMENT_OFFSET_MASK)), of(ports.ip))),
  );
}

/** Frames of at most, or of at least so many bytes. */
export const lengthAtMost = (bytes: number): Condition => not(greater('length', bytes));
export const lengthAtLeast = (bytes: number): Condition => notLess('length', bytes);
