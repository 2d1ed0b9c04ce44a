/** Which addresses can be asked for at all. */
import { inBlock } from '../network-policy/explain-match.ts';
import { parseAddress } from '../wire/address.ts';

/** The cluster's own networks, as blocks: whoever has none of their addresses is outside. */
export interface ClusterNetworks {
  readonly podSubnets: readonly string[];
  readonly serviceSubnets: readonly string[];
}

/** No router takes packets to them any further (RFC 6890, RFC 1122 section 3.2.1.3, RFC 4291 section 2.4). */
const unroutable: readonly (readonly [block: string, kind: string])[] = [
  ['0.0.0.0/8', 'unspecified'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['224.0.0.0/4', 'multicast'],
  ['255.255.255.255/32', 'broadcast'],
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['fe80::/10', 'link-local'],
  ['ff00::/8', 'multicast'],
];

/** `loopback`; undefined for what can be sent to. */
export function unroutableKind(address: string): string | undefined {
  return unroutable.find(([block]) => inBlock(block, address))?.[1];
}

/** `the pod network 10.244.0.0/16`; undefined outside. */
export function networkOf(address: string, { podSubnets, serviceSubnets }: ClusterNetworks): string | undefined {
  const named = (subnets: readonly string[], name: string) => {
    const subnet = subnets.find((block) => inBlock(block, address));
    return subnet === undefined ? undefined : `the ${name} network ${subnet}`;
  };
  return named(podSubnets, 'pod') ?? named(serviceSubnets, 'Service');
}

/** The nearest first. */
export function byNearness(address: string): (a: string, b: string) => number {
  const wanted = numberOf(address);
  const distance = (text: string) => {
    const away = numberOf(text) - wanted;
    return away < 0n ? -away : away;
  };
  return (a, b) => Number(distance(a) < distance(b) ? -1 : distance(a) > distance(b));
}

function numberOf(address: string): bigint {
  const words = parseAddress(address) ?? new Int32Array(0);
  return words.reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n);
}
