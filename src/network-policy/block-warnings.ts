/** `ipBlock`s that name what no packet shows, or what will be somebody else's tomorrow. */
import type { IPBlock } from 'kubernetes-types/networking/v1.d.ts';
import type { Service } from '../store/object.ts';
import { hasLabels } from '../store/selector.ts';
import { type Direction, inBlock } from './explain-match.ts';
import { plain } from './explain-words.ts';
import { selectorWords } from './nearest-label.ts';
import type { WorldPod } from './policy-world.ts';
import type { ClusterFacts, Scene } from './warning-scene.ts';
import { AddressBook } from './warning-scene-addresses.ts';

/** Services of one note. */
const SERVICES_MAX = 3;

/** Whose peer the block is. */
interface BlockOwner {
  readonly namespace: string;
  readonly direction: Direction;
  /** The pods that the policy governs: seldom the ones meant. */
  readonly selected: readonly WorldPod[];
}

export class BlockWarnings {
  readonly #facts: ClusterFacts;
  readonly #scene: Scene;
  readonly #services: AddressBook<Service>;

  constructor(facts: ClusterFacts, scene: Scene) {
    this.#facts = facts;
    this.#scene = scene;
    // 'None' is in no block.
    this.#services = new AddressBook(facts.services, ({ spec }) => spec.clusterIPs ?? []);
  }

  warning(block: IPBlock, owner: BlockOwner): string | undefined {
    const { cidr, except = [] } = block;
    const { podSubnets, serviceSubnets } = this.#facts;
    if (serviceSubnets.some((subnet) => isInside(cidr, subnet))) return this.#serviceWords(block, owner);
    for (const part of [cidr, ...except]) {
      const isPart = podSubnets.some((subnet) => isInside(part, subnet) && !isInside(subnet, part));
      const pod = isPart ? this.#scene.inBlock({ cidr: part })[0] : undefined;
      if (pod === undefined) continue;
      const name = plain(`${pod.namespace}/${pod.name}`);
      return `${plain(part)} has the address of ${name}: pods' addresses change; select pods by their labels`;
    }
    return undefined;
  }

  /** Translated before egress is judged (NP-031), and never the source of a packet. */
  #serviceWords(block: IPBlock, { namespace, direction, selected }: BlockOwner): string {
    const inIt = this.#services.ownersIn(block);
    const words = othersFirst(inIt, selected).map((service) => serviceAndPods(service, namespace));
    const more = inIt.length - words.length;
    const last = more > 0 ? `${more} more` : words.pop();
    const names = words.length === 0 ? last : `${words.join(', ')} and ${last}`;
    const whose = inIt.length === 0 ? 'Services' : `Service${inIt.length === 1 ? '' : 's'} ${names}`;
    const why =
      direction === 'egress' ? 'translated to those of pods before egress is judged' : 'which no packet comes from';
    return `${plain(block.cidr)} has addresses of ${whose}, ${why}: it matches nothing; select the pods instead`;
  }
}

/** The first few, of which those of the policy's own pods come last. */
function othersFirst(services: readonly Service[], selected: readonly WorldPod[]): Service[] {
  const others: Service[] = [];
  const own: Service[] = [];
  for (const service of services) {
    if (others.length === SERVICES_MAX) break;
    if (selected.some((pod) => isOf(service, pod))) own.push(service);
    else others.push(service);
  }
  return [...others, ...own].slice(0, SERVICES_MAX);
}

/** `shop/db (pods app=db)` @param namespace the policy's: pods of another one take more to select */
function serviceAndPods({ metadata, spec }: Service, namespace: string): string {
  const name = plain(`${metadata.namespace}/${metadata.name}`);
  const { selector = {} } = spec;
  if (Object.keys(selector).length === 0) return `${name} (whose endpoints are written by hand)`;
  const where = metadata.namespace === namespace ? '' : ` in namespace ${plain(metadata.namespace!)}`;
  return `${name} (pods ${selectorWords({ matchLabels: selector })}${where})`;
}

function isOf({ metadata, spec }: Service, pod: WorldPod): boolean {
  const { selector = {} } = spec;
  return pod.namespace === metadata.namespace && Object.keys(selector).length > 0 && hasLabels(selector, pod.labels);
}

/** Is the whole of one block in the other? Both without bits after the prefix. */
function isInside(part: string, whole: string): boolean {
  const [network = '', length] = part.split('/');
  return inBlock(whole, network) && Number(length) >= Number(whole.split('/')[1]);
}
