/**
 * The cluster's objects as policies see them: a world for each moment at which something changed that has a say in a
 * verdict. Worlds are kept for a while, for those who ask why something was denied.
 */
import { isPlaced, isTerminal, podAddresses } from '../controllers/pod-state.ts';
import type { NamedPort, PolicyWorld, WorldHost, WorldPod, WorldPolicy } from '../network-policy/policy-world.ts';
import type { KubernetesObject, NetworkPolicy, Node, Pod } from '../store/object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { kinds } from '../store/resources.ts';
import { sameJson } from '../store/same-json.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import { lastingContainers } from './compile-probes.ts';
import { formatAddress, nthAddress, parseCidr } from './ip-address.ts';
import { type SourceNode, sourceOf } from './source-tree.ts';

/** Nodes are told anew before what they know is forgotten: `node-feed.ts`. */
const WORLDS_MAX = 64;

export class PolicyWorlds {
  readonly #store: ObjectStore;
  /** Oldest first; the last one has the revision of the last change. */
  readonly #worlds: PolicyWorld[] = [];
  readonly #pods = new WeakMap<Pod, WorldPod>();
  #revision = 0;
  /** undefined when one of them has changed. */
  #policies: readonly WorldPolicy[] | undefined;
  /** Is the last world not what the store says? */
  #isStale = true;
  /** Has something changed since `take`? */
  #isNews = true;
  /** May nodes know of policies? */
  #isInForce = false;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  note({ object, previous, type }: StoreEvent): void {
    if (object.kind === 'NetworkPolicy') this.policiesChanged();
    else if (saysOtherwise(type === 'DELETED' ? undefined : object, previous)) this.#changed();
  }

  /** Policies, or where they were written. */
  policiesChanged(): void {
    this.#policies = undefined;
    this.#changed();
  }

  /** The world as it is, for nodes, when it is another than at the last call. Without policies there is nothing to tell. */
  take(): PolicyWorld | undefined {
    const hasPolicies = this.#store.count(kinds.NetworkPolicy) > 0;
    if (!this.#isNews || (!hasPolicies && !this.#isInForce)) return undefined;
    this.#isNews = false;
    this.#isInForce = hasPolicies;
    return this.newest();
  }

  /** What was taken has not come into force. */
  putBack(): void {
    this.#isNews = true;
    this.#isInForce = true;
  }

  newest(): PolicyWorld {
    const last = this.#worlds.at(-1);
    if (last !== undefined && !this.#isStale) return last;
    const world = this.#make();
    this.#isStale = false;
    this.#worlds.push(world);
    if (this.#worlds.length > WORLDS_MAX) this.#worlds.shift();
    return world;
  }

  /** undefined: never there, or forgotten. */
  at(revision: number): PolicyWorld | undefined {
    return this.#worlds.find((world) => world.revision === revision);
  }

  #changed(): void {
    this.#isStale = true;
    this.#isNews = true;
  }

  #make(): PolicyWorld {
    const store = this.#store;
    this.#policies ??= store.list(kinds.NetworkPolicy).map((policy) => worldPolicy(policy, store.sourceOf(policy)));
    return {
      revision: ++this.#revision,
      namespaces: store.list(kinds.Namespace).map(({ metadata: { name, labels = {} } }) => ({ name, labels })),
      pods: store.list(kinds.Pod).flatMap((pod) => (isThere(pod) ? [this.#worldPod(pod)] : [])),
      policies: this.#policies,
      hosts: store.list(kinds.Node).map(worldHost),
    };
  }

  #worldPod(pod: Pod): WorldPod {
    let made = this.#pods.get(pod);
    if (made === undefined) {
      made = worldPod(pod);
      this.#pods.set(pod, made);
    }
    return made;
  }
}

/** Is it in policies' world? One that is being deleted is, as long as it runs. */
function isThere(pod: Pod): boolean {
  return isPlaced(pod) && !isTerminal(pod) && podAddresses(pod).length > 0;
}

function worldPod(pod: Pod): WorldPod {
  const { namespace = 'default', name, labels = {} } = pod.metadata;
  const { nodeName = '', hostNetwork = false } = pod.spec;
  return { namespace, name, labels, addresses: podAddresses(pod), node: nodeName, hostNetwork, ports: namedPorts(pod) };
}

function worldHost({ metadata, spec, status }: Node): WorldHost {
  const internal = (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP');
  // What pods and masqueraded connections see of it: topology.ts.
  const gateways = (spec?.podCIDRs ?? []).flatMap((text) => {
    const cidr = parseCidr(text);
    const address = cidr === undefined ? undefined : nthAddress(cidr, 1);
    return address === undefined ? [] : [formatAddress(address)];
  });
  return { node: metadata.name, addresses: [...internal.map(({ address }) => address), ...gateways] };
}

function namedPorts(pod: Pod): NamedPort[] {
  return lastingContainers(pod).flatMap(({ ports = [] }) =>
    ports.flatMap(({ name, containerPort: port, protocol = 'TCP' }) =>
      name === undefined ? [] : [{ name, port, protocol: protocol as NamedPort['protocol'] }],
    ),
  );
}

/** @param source of the policy now: places that are asked for later are those of the text that was in force */
function worldPolicy({ metadata, spec }: NetworkPolicy, source: unknown): WorldPolicy {
  const { namespace = 'default', name } = metadata;
  const placeOf = (path: string) => {
    if (source === undefined) return undefined;
    const place = sourceOf({ source: source as SourceNode }, path);
    return place.line === 0 ? undefined : place;
  };
  return { namespace, name, spec, placeOf };
}

/** Has a change of an object anything to say to policies? Status of pods changes often, and says little. */
function saysOtherwise(now: KubernetesObject | undefined, before: KubernetesObject | undefined): boolean {
  const one = now ?? before!;
  if (one.kind === 'Namespace') return !sameJson(now?.metadata.labels, before?.metadata.labels);
  if (one.kind !== 'Pod') return false;
  const [is, was] = [now, before].map((pod) => (pod !== undefined && isThere(pod as Pod) ? (pod as Pod) : undefined));
  return is !== was && (is === undefined || was === undefined || !sameJson(worldPod(is), worldPod(was)));
}
