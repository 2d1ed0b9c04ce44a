/** Addresses that traffic is sent to, in Endpoints and EndpointSlices and as external addresses of Services. */
import { shown } from '../field.ts';
import { cidrContains, formatCidr, parseAddress, parseCidr } from '../ip-address.ts';
import type { ObjectCheck } from './object-check.ts';

/** core/validation: ValidateEndpointIP. */
const unusable = [
  '0.0.0.0/32',
  '::/128',
  '127.0.0.0/8',
  '::1/128',
  '169.254.0.0/16',
  'fe80::/10',
  '224.0.0.0/24',
  'ff02::/16',
].map((text) => parseCidr(text)!);

/** Addresses of its own node (loopback, link-local, unspecified) would mean another machine to each reader. */
export function checkEndpointAddress(path: string, value: string | undefined, problems: ObjectCheck): void {
  problems.address(path, value);
  const address = value === undefined ? undefined : parseAddress(value);
  if (address === undefined) return;
  const block = unusable.find((cidr) => cidrContains(cidr, address));
  if (block === undefined) return;
  problems.refuse(
    path,
    `found ${shown(value!)}, which is in ${formatCidr(block)}, expected an ordinary unicast address`,
  );
}
