/** A service as questions look at it: names as on the wire, addresses as words, comparisons in lower case. */
import { formatAddress, parseAddress } from '../wire/address.ts';
import { LABEL_LEN_MAX, NAME_LEN_MAX, type Name, nameOf } from './name.ts';
import type { ZoneEndpoint, ZonePort, ZoneService, ZoneSettings } from './zone-data.ts';

export interface NamedPort {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
}

export interface NamedEndpoint {
  /** What stands before the service's name. */
  readonly label: string;
  readonly name: Name;
  readonly address: Int32Array;
  readonly ports: readonly NamedPort[];
}

export interface ServiceNames {
  readonly namespace: string;
  readonly name: Name;
  readonly headless: boolean;
  readonly addresses: readonly Int32Array[];
  /** Undefined for all but external services. */
  readonly externalName: Name | undefined;
  readonly ports: readonly NamedPort[];
  /** Those that are ready (DN-012). */
  readonly endpoints: readonly NamedEndpoint[];
}

/**
 * @returns undefined for a service that no name leads to: its own is none, or it is external and only an address
 * (plugin/kubernetes/kubernetes.go findServices).
 */
export function serviceNames(service: ZoneService, settings: ZoneSettings): ServiceNames | undefined {
  const name = nameOf(`${service.name}.${service.namespace}.svc.${settings.domain}`);
  const externalName = nameOf(service.externalName ?? '');
  if (name === undefined || externalName === undefined || isAddress(service.externalName)) return undefined;
  const ready = service.endpoints.filter((endpoint) => endpoint.ready || service.publishNotReadyAddresses === true);
  return {
    namespace: service.namespace.toLowerCase(),
    name,
    headless: service.headless,
    addresses: addressesOf(service.clusterIPs),
    externalName: externalName === '' ? undefined : externalName,
    ports: namedPorts(service.ports),
    endpoints: namedEndpoints(ready, name, settings),
  };
}

/** Those of the texts that are addresses. */
export function addressesOf(texts: readonly string[]): Int32Array[] {
  return texts.flatMap((text) => parseAddress(text) ?? []);
}

function isAddress(text: string | undefined): boolean {
  return parseAddress(text ?? '') !== undefined;
}

function namedEndpoints(endpoints: readonly ZoneEndpoint[], service: Name, settings: ZoneSettings): NamedEndpoint[] {
  const ports = new Map<readonly ZonePort[], readonly NamedPort[]>();
  return endpoints.flatMap((endpoint) => {
    const [address] = addressesOf([endpoint.address]);
    if (address === undefined) return [];
    const label = endpointLabel(endpoint, formatAddress(address), settings);
    const name = nameOf(label);
    if (name === undefined || name.length + service.length >= NAME_LEN_MAX) return [];
    if (!ports.has(endpoint.ports)) ports.set(endpoint.ports, namedPorts(endpoint.ports));
    return [{ label: label.toLowerCase(), name: name + service, address, ports: ports.get(endpoint.ports)! }];
  });
}

/** DN-030, plugin/kubernetes/kubernetes.go endpointHostname. The name of a pod is used only where it is a label. */
function endpointLabel({ hostname, podName }: ZoneEndpoint, address: string, settings: ZoneSettings): string {
  if (hostname !== undefined && hostname !== '') return hostname;
  const fits = podName !== undefined && podName !== '' && podName.length <= LABEL_LEN_MAX && !podName.includes('.');
  if (settings.endpointPodNames && fits) return podName;
  const dashed = address.replaceAll(/[.:]/g, '-');
  return dashed.endsWith('-') ? `${dashed}0` : dashed;
}

function namedPorts(ports: readonly ZonePort[]): NamedPort[] {
  return ports.map(({ name, protocol, port }) => ({
    name: name.toLowerCase(),
    protocol: protocol.toLowerCase(),
    port,
  }));
}
