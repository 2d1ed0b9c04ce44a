/** What a name leads to: the part of CoreDNS's plugin kubernetes that takes names apart (parse.go, kubernetes.go). */
import { parseAddress } from '../wire/address.ts';
import { labelsOf, lowerCase, type Name, validName } from './name.ts';
import type { NamedPort, ServiceNames } from './service-names.ts';
import type { Zone } from './zone.ts';

export type Found =
  | {
      readonly kind: 'address';
      readonly address: Int32Array;
      /** A port of it. Undefined where none are declared, and for pods' names. */
      readonly port: NamedPort | undefined;
      /** Whose address it is, as SRV records say it: a service, or one endpoint. */
      readonly owner: Name;
    }
  | { readonly kind: 'alias'; readonly target: Name };

export const versionLabel = 'dns-version';
const none: readonly Found[] = [];
const serverName = validName('ns.dns');

/**
 * @param name below the zone's apex, in any letter case.
 * @returns nothing found for a name that exists and leads nowhere; undefined for one that does not exist.
 */
export function find(zone: Zone, name: Name): readonly Found[] | undefined {
  const relative = lowerCase(name).slice(0, -zone.domain.length);
  if (relative === serverName) return serverAddresses(zone);
  const labels = labelsOf(relative);
  const kind = labels.pop();
  if (kind === versionLabel && labels.length === 0) return none;
  if (kind !== 'svc' && kind !== 'pod') return undefined; // DN-025
  if (labels.length === 0) return none; // DN-023
  const namespace = labels.pop()!;
  if (!zone.hasNamespace(namespace)) return undefined;
  if (labels.length === 0) return none; // DN-024
  const last = labels.pop()!;
  if (labels.length > 2) return undefined; // DN-025
  return kind === 'pod' ? findPod(zone, namespace, last) : findService(zone.service(namespace, last), labels);
}

/** The service through which pods reach the server; it answers also to the name that SOA records have. */
export function serverService(zone: Zone): ServiceNames | undefined {
  const [namespace, name] = zone.settings.nameServer.toLowerCase().split('/');
  return zone.service(namespace ?? '', name ?? '');
}

function serverAddresses(zone: Zone): readonly Found[] {
  const service = serverService(zone);
  return (service?.addresses ?? []).map((address) => addressFound(address, undefined, service!.name));
}

/** @param labels before the service's name: none, an endpoint, or port and protocol. */
function findService(service: ServiceNames | undefined, labels: readonly string[]): readonly Found[] | undefined {
  if (service === undefined) return undefined;
  if (service.externalName !== undefined) {
    return labels.length === 0 ? [{ kind: 'alias', target: service.externalName }] : undefined; // DN-036
  }
  const endpoint = labels.length === 1 ? labels[0] : undefined;
  const asked = labels.length === 2 ? labels.map(withoutUnderscore) : undefined;
  // DN-031: endpoints have names whatever the service is.
  if (service.headless || endpoint !== undefined) return findEndpoints(service, endpoint, asked);
  const ports = matching(service.ports, asked);
  if (ports.length === 0) return undefined;
  return ports.flatMap((port) => service.addresses.map((address) => addressFound(address, port, service.name)));
}

/** @param wanted label of one endpoint; undefined for all. @param asked port and protocol, or undefined. */
function findEndpoints(
  service: ServiceNames,
  wanted: string | undefined,
  asked: readonly string[] | undefined,
): readonly Found[] | undefined {
  const found: Found[] = [];
  for (const { label, name, address, ports } of service.endpoints) {
    if (wanted !== undefined && label !== wanted) continue;
    for (const port of matching(ports, asked)) found.push(addressFound(address, port, name));
  }
  return found.length > 0 ? found : undefined; // DN-008
}

/** @param asked port and protocol. @returns all when none is asked for; a service without ports counts as one port. */
function matching(
  ports: readonly NamedPort[],
  asked: readonly string[] | undefined,
): readonly (NamedPort | undefined)[] {
  if (asked === undefined) return ports.length > 0 ? ports : [undefined];
  const [name, protocol] = asked;
  // No label is empty, so ports without names are not found (DN-005): but `_` is, without its underscore.
  return name === '' ? [] : ports.filter((port) => port.name === name && port.protocol === protocol);
}

/** DN-026 */
function withoutUnderscore(label: string): string {
  return label.startsWith('_') ? label.slice(1) : label;
}

/** DN-032, DN-033 */
function findPod(zone: Zone, namespace: string, dashed: string): readonly Found[] | undefined {
  if (zone.settings.pods === 'disabled') return undefined;
  const isIpv4 = dashed.split('-').length === 4 && !dashed.includes('--');
  const address = parseAddress(dashed.replaceAll('-', isIpv4 ? '.' : ':'));
  if (address === undefined) return undefined;
  if (zone.settings.pods === 'verified' && !zone.hasPod(namespace, address)) return undefined;
  return [addressFound(address, undefined, '')];
}

function addressFound(address: Int32Array, port: NamedPort | undefined, owner: Name): Found {
  return { kind: 'address', address, port, owner };
}
