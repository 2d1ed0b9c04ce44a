/** Which drops time does not change: a packet that is sent again meets the same end. */
import type { DropName } from './outcome.ts';

const lasting: ReadonlySet<string> = new Set<DropName>([
  'PolicyDenied',
  'NoRoute',
  'NoSuchPod',
  'NoService',
  'NoServicePort',
  'NoEndpoints',
  'NoLocalEndpoints',
  'TtlExceeded',
  'SpoofedSource',
  'SpoofedMac',
  'MartianAddress',
  'LinkLocal',
  'Multicast',
]);

/** @param name of a drop (docs/DROPS.md) */
export function isLasting(name: string | undefined): boolean {
  return name !== undefined && lasting.has(name);
}
