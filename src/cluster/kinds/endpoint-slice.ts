/** Kind EndpointSlice (discovery.k8s.io/v1), as written for Services without selectors. */
import type { Endpoint } from 'kubernetes-types/discovery/v1.d.ts';
import type { EndpointSlice } from '../../store/object.ts';
import { shown } from '../field.ts';
import { parseAddress } from '../ip-address.ts';
import { dnsLabel, dnsSubdomain, nodeName, protocols, qualifiedName } from '../text-rule.ts';
import { checkEndpointAddress } from './endpoint-address.ts';
import { type ObjectCheck, PORT_MAX } from './object-check.ts';
import type { ObjectKind } from './object-kind.ts';

/** discovery/validation: maxEndpoints, maxAddresses, maxPorts. */
const ENDPOINTS_MAX = 1000;
const ADDRESSES_MAX = 100;
const PORTS_MAX = 20_000;

const families: Readonly<Record<string, 'ipv4' | 'ipv6'>> = { IPv4: 'ipv4', IPv6: 'ipv6' };

export const endpointSliceKind: ObjectKind<EndpointSlice> = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  isNamespaced: true,
  nameRule: dnsSubdomain,

  /** discovery/v1/defaults.go. */
  complete(slice) {
    slice.endpoints ??= [];
    slice.ports = (slice.ports ?? []).map((port) => ({ name: '', protocol: 'TCP', ...port }));
  },

  /** discovery/validation: ValidateEndpointSlice. */
  check({ addressType, endpoints, ports = [] }, problems) {
    problems.required('', 'addressType', addressType, 'addressType: IPv4');
    problems.choice('addressType', addressType, ['IPv4', 'IPv6', 'FQDN']);
    atMost('endpoints', endpoints, ENDPOINTS_MAX, problems);
    for (const [i, endpoint] of endpoints.entries()) checkEndpoint(endpoint, `endpoints[${i}]`, addressType, problems);
    atMost('ports', ports, PORTS_MAX, problems);
    const names = new Set<string>();
    for (const [i, { name = '', port, protocol, appProtocol }] of ports.entries()) {
      const path = `ports[${i}]`;
      problems.text(`${path}.name`, name, dnsLabel);
      problems.first(`${path}.name`, names, name, name === '' ? 'port without a name' : `port ${shown(name)}`);
      problems.integer(`${path}.port`, port, 1, PORT_MAX);
      problems.choice(`${path}.protocol`, protocol, protocols);
      problems.text(`${path}.appProtocol`, appProtocol, qualifiedName);
    }
  },
};

function checkEndpoint(endpoint: Endpoint, path: string, addressType: string, problems: ObjectCheck): void {
  const { addresses = [], hostname, nodeName: node } = endpoint;
  if (addresses.length === 0)
    problems.refuse(path, 'found no addresses, expected at least one; add "addresses: [10.244.0.7]"');
  atMost(`${path}.addresses`, addresses, ADDRESSES_MAX, problems);
  for (const [i, address] of addresses.entries())
    checkAddress(`${path}.addresses[${i}]`, address, addressType, problems);
  problems.text(`${path}.hostname`, hostname, dnsLabel);
  problems.text(`${path}.nodeName`, node, nodeName);
}

function checkAddress(path: string, address: string, addressType: string, problems: ObjectCheck): void {
  if (addressType === 'FQDN') {
    problems.text(path, address, dnsSubdomain);
    return;
  }
  checkEndpointAddress(path, address, problems);
  const wanted = families[addressType];
  const family = parseAddress(address)?.family;
  if (wanted === undefined || family === undefined || family === wanted) return;
  problems.refuse(path, `found ${shown(address)}, expected an address of the slice's addressType, ${addressType}`);
}

function atMost(path: string, list: readonly unknown[], max: number, problems: ObjectCheck): void {
  if (list.length > max)
    problems.refuse(path, `found ${list.length} entries, expected at most ${max}; split the slice`);
}
