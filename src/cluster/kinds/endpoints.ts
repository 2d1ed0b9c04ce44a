/** Kind Endpoints (v1), as written for Services without selectors. */
import type { EndpointAddress, EndpointPort } from 'kubernetes-types/core/v1.d.ts';
import type { Endpoints } from '../../store/object.ts';
import { dnsLabel, dnsSubdomain, nodeName, protocols, qualifiedName } from '../text-rule.ts';
import { checkEndpointAddress } from './endpoint-address.ts';
import { type ObjectCheck, PORT_MAX } from './object-check.ts';
import type { ObjectKind } from './object-kind.ts';

export const endpointsKind: ObjectKind<Endpoints> = {
  apiVersion: 'v1',
  kind: 'Endpoints',
  isNamespaced: true,
  nameRule: dnsSubdomain,

  complete({ subsets = [] }) {
    for (const port of subsets.flatMap(({ ports = [] }) => ports)) port.protocol ??= 'TCP';
  },

  /** core/validation: validateEndpointSubsets. */
  check({ subsets = [] }, problems) {
    for (const [i, { addresses = [], notReadyAddresses = [], ports = [] }] of subsets.entries()) {
      const path = `subsets[${i}]`;
      if (addresses.length + notReadyAddresses.length === 0) {
        problems.refuse(path, 'found no addresses, expected at least one under addresses or notReadyAddresses');
      }
      for (const [j, address] of addresses.entries()) checkAddress(address, `${path}.addresses[${j}]`, problems);
      for (const [j, address] of notReadyAddresses.entries()) {
        checkAddress(address, `${path}.notReadyAddresses[${j}]`, problems);
      }
      for (const [j, port] of ports.entries()) checkPort(port, `${path}.ports[${j}]`, ports.length > 1, problems);
    }
  },
};

function checkAddress({ ip, hostname, nodeName: node }: EndpointAddress, path: string, problems: ObjectCheck): void {
  problems.required(path, 'ip', ip, 'ip: 10.244.0.7');
  checkEndpointAddress(`${path}.ip`, ip, problems);
  problems.text(`${path}.hostname`, hostname, dnsLabel);
  problems.text(`${path}.nodeName`, node, nodeName);
}

function checkPort(port: EndpointPort, path: string, isOneOfMany: boolean, problems: ObjectCheck): void {
  if (isOneOfMany) problems.required(path, 'name', port.name, 'name: http');
  problems.text(`${path}.name`, port.name, dnsLabel);
  problems.required(path, 'port', port.port, 'port: 80');
  problems.integer(`${path}.port`, port.port, 1, PORT_MAX);
  problems.choice(`${path}.protocol`, port.protocol, protocols);
  problems.text(`${path}.appProtocol`, port.appProtocol, qualifiedName);
}
