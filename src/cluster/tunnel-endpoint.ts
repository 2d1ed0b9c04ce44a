/** Tunnel ends that are not nodes of the cluster: a Linux vxlan device, a switch, another network. */
import { type Field, shown } from './field.ts';
import {
  addressFault,
  type Cidr,
  cidrContains,
  cidrFault,
  cidrsOverlap,
  formatAddress,
  formatCidr,
  type IpAddress,
  parseAddress,
  parseCidr,
} from './ip-address.ts';
import { nodeName, type TextRule } from './text-rule.ts';

export interface ExternalEndpoint {
  readonly name: string;
  /** On the underlay. */
  readonly address: IpAddress;
  /** Destination MAC of the frames inside the tunnel. */
  readonly mac: string;
  /** A vxlan device of this machine's kernel, which leaves checksums to the receiver. */
  readonly kernelLocal: boolean;
  /** What is reached through it, and may come from there. */
  readonly routes: readonly Cidr[];
}

/** As in text: planned, and ready to be compiled. */
export interface TopologyEndpoint {
  name: string;
  underlayAddress: string;
  mac: string;
  kernelLocal: boolean;
  routes: string[];
}

const macAddress: TextRule = {
  expected: 'a unicast MAC address: six pairs of hexadecimal digits, the first one even, such as 02:00:00:00:00:64',
  holds: (text) => /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(text),
};

/**
 * @param networks that the cluster has itself, by name: no endpoint may claim a part of them.
 * @param underlay where endpoints have their addresses.
 */
export function readTunnelEndpoints(
  field: Field | undefined,
  underlay: Cidr,
  networks: Readonly<Record<string, readonly Cidr[]>>,
): ExternalEndpoint[] {
  const taken = Object.entries(networks).flatMap(([name, cidrs]) => cidrs.map((cidr) => ({ name, cidr })));
  return (field?.items() ?? []).flatMap((item) => {
    const fields = item.object(['name', 'address', 'mac', 'kernelLocal', 'routes']);
    const name = fields.required('name', 'gateway')?.text(nodeName);
    const address = readAddress(fields.required('address', '172.18.0.100'), underlay);
    const mac = fields.required('mac', '02:00:00:00:00:64')?.text(macAddress);
    const kernelLocal = fields.get('kernelLocal')?.boolean() ?? false;
    const routes = (fields.required('routes', '["10.250.0.0/24"]')?.items() ?? []).map((route) =>
      readRoute(route, taken),
    );
    if (name === undefined || address === undefined || mac === undefined) return [];
    const cidrs = routes.filter((cidr) => cidr !== undefined);
    for (const cidr of cidrs) taken.push({ name: `tunnelEndpoints ${name}`, cidr });
    return cidrs.length < routes.length ? [] : [{ name, address, mac: mac.toLowerCase(), kernelLocal, routes: cidrs }];
  });
}

export function planEndpoint({ name, address, mac, kernelLocal, routes }: ExternalEndpoint): TopologyEndpoint {
  return { name, underlayAddress: formatAddress(address), mac, kernelLocal, routes: routes.map(formatCidr) };
}

function readAddress(field: Field | undefined, underlay: Cidr): IpAddress | undefined {
  const text = field?.text();
  if (field === undefined || text === undefined) return undefined;
  const address = parseAddress(text);
  if (address === undefined) field.refuse(`found ${shown(text)}, expected ${addressFault(text)}`);
  else if (!cidrContains(underlay, address)) {
    field.refuse(`found ${shown(text)}, expected an address of underlaySubnet ${formatCidr(underlay)}`);
  } else return address;
  return undefined;
}

function readRoute(field: Field, taken: readonly { readonly name: string; readonly cidr: Cidr }[]): Cidr | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const cidr = parseCidr(text);
  if (cidr === undefined) {
    field.refuse(`found ${shown(text)}, expected ${cidrFault(text)}`);
    return undefined;
  }
  const other = taken.find((network) => cidrsOverlap(network.cidr, cidr));
  if (other === undefined) return cidr;
  const overlap = `which overlaps ${other.name} ${formatCidr(other.cidr)}`;
  field.refuse(`found ${formatCidr(cidr)}, ${overlap}, expected separate blocks; move one`);
  return undefined;
}
