/** `ipBlock`s that name what no packet shows, or what will be somebody else's tomorrow. */
import type { IPBlock } from 'kubernetes-types/networking/v1.d.ts';
import { type Direction, inBlock } from './explain-match.ts';
import { plain } from './explain-words.ts';
import { selectorWords } from './nearest-label.ts';
import type { WorldPod } from './policy-world.ts';

/** What a cluster's addresses are for. */
export interface ClusterAddresses {
  readonly podSubnets: readonly string[];
  readonly serviceSubnets: readonly string[];
  readonly services: readonly ServiceAddresses[];
}

interface ServiceAddresses {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
  /** Empty for a Service whose endpoints somebody else writes. */
  readonly selector: Readonly<Record<string, string>>;
}

export function blockWarning(
  { cidr, except = [] }: IPBlock,
  direction: Direction,
  cluster: ClusterAddresses,
  pods: readonly WorldPod[],
): string | undefined {
  if (cluster.serviceSubnets.some((subnet) => isInside(cidr, subnet))) return serviceWords(cidr, direction, cluster);
  for (const part of [cidr, ...except]) {
    const isPart = cluster.podSubnets.some((subnet) => isInside(part, subnet) && !isInside(subnet, part));
    const pod = isPart ? pods.find(({ addresses }) => addresses.some((address) => inBlock(part, address))) : undefined;
    if (pod === undefined) continue;
    const name = plain(`${pod.namespace}/${pod.name}`);
    return `${plain(part)} has the address of ${name}: pods' addresses change; select pods by their labels`;
  }
  return undefined;
}

/** Translated before egress is judged (NP-031), and never the source of a packet. */
function serviceWords(cidr: string, direction: Direction, { services }: ClusterAddresses): string {
  const service = services.find(({ addresses }) => addresses.some((address) => inBlock(cidr, address)));
  const whose = service === undefined ? 'Services' : `Service ${plain(`${service.namespace}/${service.name}`)}`;
  const why =
    direction === 'egress' ? 'translated to those of pods before egress is judged' : 'which no packet comes from';
  const labels = service?.selector ?? {};
  const which = Object.keys(labels).length === 0 ? '' : `: ${selectorWords({ matchLabels: labels })}`;
  return `${plain(cidr)} has addresses of ${whose}, ${why}: it matches nothing; select the pods${which}`;
}

/** Is the whole of one block in the other? Both without bits after the prefix. */
function isInside(part: string, whole: string): boolean {
  const [network = '', length] = part.split('/');
  return inBlock(whole, network) && Number(length) >= Number(whole.split('/')[1]);
}
