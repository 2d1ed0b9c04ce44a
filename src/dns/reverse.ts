/** Names of addresses (RFC 1035 §3.5, RFC 3596 §2.5), as CoreDNS's plugin/kubernetes/reverse.go answers them. */
import { ADDRESS_WORDS, parseAddress } from '../wire/address.ts';
import { isWithin, labelsOf, type Name, validName } from './name.ts';
import type { Zone } from './zone.ts';

const ipv4Zone = validName('in-addr.arpa');
const ipv6Zone = validName('ip6.arpa');
const NIBBLES = 32;

/** @param name in lower case. @returns the zone of reverse names that it is in: all of them are ours. */
export function reverseZoneOf(name: Name): Name | undefined {
  return [ipv4Zone, ipv6Zone].find((zone) => isWithin(name, zone));
}

/**
 * Names of services that have the address as their own; when there are none, of endpoints (DN-039).
 *
 * @param name in lower case. @returns undefined when nobody has the address, or it is none.
 */
export function findReverse(zone: Zone, name: Name, apex: Name): readonly Name[] | undefined {
  const labels = labelsOf(name.slice(0, -apex.length)).reverse();
  const address = apex === ipv4Zone ? ipv4Of(labels) : ipv6Of(labels);
  if (address === undefined) return undefined;
  const [service] = zone.servicesOfClusterIp(address);
  if (service !== undefined) return [service.name];
  const key = address.join();
  const endpoints = zone.servicesOfEndpoint(address).flatMap((one) => one.endpoints);
  const names = new Set(endpoints.filter((one) => one.address.join() === key).map((one) => one.name));
  return names.size > 0 ? [...names] : undefined;
}

function ipv4Of(labels: readonly string[]): Int32Array | undefined {
  return labels.every((label) => /^\d{1,3}$/.test(label)) ? parseAddress(labels.join('.')) : undefined;
}

function ipv6Of(labels: readonly string[]): Int32Array | undefined {
  if (labels.length !== NIBBLES || !labels.every((label) => /^[0-9a-f]$/.test(label))) return undefined;
  const digits = labels.join('');
  const wordDigits = NIBBLES / ADDRESS_WORDS;
  return Int32Array.from({ length: ADDRESS_WORDS }, (_, i) =>
    Number.parseInt(digits.slice(i * wordDigits, (i + 1) * wordDigits), 16),
  );
}
