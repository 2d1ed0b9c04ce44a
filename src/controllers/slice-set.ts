/** EndpointSlices that say where endpoints are, changed as little as can be. */
import type { Endpoint, EndpointPort } from 'kubernetes-types/discovery/v1.d.ts';
import type { EndpointSlice, KubernetesObject } from '../store/object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { kinds } from '../store/resources.ts';
import { sameJson } from '../store/same-json.ts';
import { joined, suffix } from './names.ts';
import { controlledBy } from './pod-from-template.ts';

/** --max-endpoints-per-slice of kube-controller-manager. */
const ENDPOINTS_MAX = 100;

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';

/** Endpoints that may share a slice: of one family, with the same ports. */
export interface SliceGroup {
  readonly addressType: string;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

/** What all slices of one owner have in common. */
export interface SliceOwner {
  readonly object: KubernetesObject;
  readonly labels: Readonly<Record<string, string>>;
}

/** Makes the owner's slices say what the groups say. Endpoints stay in the slice in which they are. */
export function writeSlices(store: ObjectStore, owner: SliceOwner, groups: readonly SliceGroup[]): void {
  const left = new Set(store.ownedBy(kinds.EndpointSlice, owner.object.metadata.uid));
  for (const group of groups) {
    const existing = [...left].filter(
      (slice) => slice.addressType === group.addressType && sameJson(slice.ports ?? [], group.ports),
    );
    for (const slice of existing) left.delete(slice);
    writeGroup(store, owner, group, existing);
  }
  for (const { metadata } of left) store.delete(kinds.EndpointSlice, metadata.namespace ?? '', metadata.name);
}

function writeGroup(
  store: ObjectStore,
  owner: SliceOwner,
  group: SliceGroup,
  existing: readonly EndpointSlice[],
): void {
  const missing = new Map(group.endpoints.map((endpoint) => [identityOf(endpoint), endpoint]));
  const filled = existing.map((slice) => {
    const endpoints: Endpoint[] = [];
    for (const endpoint of slice.endpoints) {
      const key = identityOf(endpoint);
      const now = missing.get(key);
      if (now !== undefined) endpoints.push(now);
      missing.delete(key);
    }
    return { slice, endpoints };
  });
  const rest = [...missing.values()];
  for (const { endpoints } of filled) endpoints.push(...rest.splice(0, Math.max(0, ENDPOINTS_MAX - endpoints.length)));
  for (const { slice, endpoints } of filled) {
    const { namespace = '', name } = slice.metadata;
    if (endpoints.length === 0) store.delete(kinds.EndpointSlice, namespace, name);
    else store.update({ ...slice, metadata: { ...slice.metadata, labels: owner.labels }, endpoints });
  }
  while (rest.length > 0) createSlice(store, owner, group, rest.splice(0, ENDPOINTS_MAX));
}

function createSlice(store: ObjectStore, owner: SliceOwner, group: SliceGroup, endpoints: readonly Endpoint[]): void {
  const { namespace = '', name } = owner.object.metadata;
  const ports = group.ports.map(({ name: portName, port, protocol }) => `${portName}:${port}/${protocol}`);
  const what = `${name} ${group.addressType} ${ports.join()}`;
  for (let n = 0; ; n++) {
    const sliceName = joined(name, suffix(what, n));
    if (store.get(kinds.EndpointSlice, namespace, sliceName) !== undefined) continue;
    const metadata = {
      name: sliceName,
      namespace,
      labels: owner.labels,
      ownerReferences: [controlledBy(owner.object)],
    };
    const { addressType } = group;
    const slice = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, addressType };
    store.create({ ...slice, endpoints, ports: group.ports } as EndpointSlice);
    return;
  }
}

function identityOf({ addresses, targetRef }: Endpoint): string {
  return `${addresses[0]} ${targetRef?.uid ?? ''}`;
}
