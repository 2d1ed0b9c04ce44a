/** The objects of a cluster as a check asks for them, wherever they come from. */
import { isTerminal, podAddresses } from '../controllers/pod-state.ts';
import type { KubernetesObject, Pod, Service } from '../store/object.ts';
import { kinds, type Resource } from '../store/resources.ts';
import { hasLabels } from '../store/selector.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';
import type { ClusterNetworks } from './addresses.ts';

/** Kinds whose objects a check reads. */
export const viewedKinds: readonly Resource[] = [
  kinds.Namespace,
  kinds.Node,
  kinds.Pod,
  kinds.Service,
  kinds.Deployment,
  kinds.ReplicaSet,
  kinds.StatefulSet,
  kinds.DaemonSet,
  kinds.ReplicationController,
  kinds.Job,
];

export class ClusterView {
  /** Those with an address that have not ended. */
  readonly pods: readonly Pod[];
  readonly networks: ClusterNetworks;
  readonly #lists: ReadonlyMap<Resource, readonly KubernetesObject[]>;
  readonly #byUid = new Map<string, KubernetesObject>();
  readonly #podByAddress = new Map<string, Pod>();

  constructor(lists: ReadonlyMap<Resource, readonly KubernetesObject[]>, networks: ClusterNetworks) {
    this.networks = networks;
    this.#lists = lists;
    for (const objects of lists.values()) {
      for (const object of objects) this.#byUid.set(object.metadata.uid ?? '', object);
    }
    this.pods = this.list(kinds.Pod).filter((pod) => !isTerminal(pod) && podAddresses(pod).length > 0);
    for (const pod of this.pods) {
      if (pod.spec.hostNetwork === true) continue; // its addresses are its node's
      for (const address of podAddresses(pod)) this.#podByAddress.set(formatAddress(parseAddress(address)!), pod);
    }
  }

  list<T extends KubernetesObject>(resource: Resource<T>): readonly T[] {
    return (this.#lists.get(resource) ?? []) as readonly T[];
  }

  find<T extends KubernetesObject>(resource: Resource<T>, namespace: string, name: string): T | undefined {
    return this.list(resource).find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  }

  /** Every address that a pod of its own, or a Service, has. */
  *addresses(): Iterable<readonly [address: string, owner: KubernetesObject]> {
    yield* this.#podByAddress;
    for (const service of this.list(kinds.Service)) {
      const { clusterIP = '', clusterIPs = [clusterIP] } = service.spec;
      for (const address of clusterIPs) if (parseAddress(address) !== undefined) yield [address, service];
    }
  }

  /** @param address as `formatAddress` has it */
  podAt(address: string): Pod | undefined {
    return this.#podByAddress.get(address);
  }

  /** Pods of a workload, by ownership; of a Service, those that it selects. */
  podsOf(object: KubernetesObject): readonly Pod[] {
    if (object.kind !== 'Service') return this.pods.filter((pod) => this.#owners(pod).includes(object));
    const { selector } = (object as Service).spec;
    if (selector === undefined) return [];
    return this.pods.filter(({ metadata }) => {
      return metadata.namespace === object.metadata.namespace && hasLabels(selector, metadata.labels);
    });
  }

  /** What people call the pod's workload: its Deployment, StatefulSet …, else the pod itself. */
  workloadOf(pod: Pod): KubernetesObject {
    return this.#owners(pod).at(-1) ?? pod;
  }

  /** From the nearest. */
  #owners(pod: Pod): KubernetesObject[] {
    const owners: KubernetesObject[] = [];
    for (let object: KubernetesObject = pod; ; ) {
      const uid = object.metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid;
      const owner = uid === undefined ? undefined : this.#byUid.get(uid);
      if (owner === undefined || owner === object) return owners;
      owners.push(owner);
      object = owner;
    }
  }
}

/** `namespace/name` */
export function keyOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}
