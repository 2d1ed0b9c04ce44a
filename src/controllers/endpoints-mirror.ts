/** Endpoints that somebody wrote for a Service without selector, as EndpointSlices (k8s.io/.../endpointslicemirroring). */
import type { EndpointAddress, EndpointSubset } from 'kubernetes-types/core/v1.d.ts';
import type { Endpoint, EndpointPort } from 'kubernetes-types/discovery/v1.d.ts';
import type { Endpoints } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import type { Context } from './context.ts';
import { keyOf, splitKey } from './object-key.ts';
import { controllerOf, isTerminating } from './pod-state.ts';
import type { Controller } from './reconciler.ts';
import { MANAGED_BY, SERVICE_NAME, type SliceGroup, writeSlices } from './slice-set.ts';

const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror';

export class EndpointsMirror implements Controller {
  readonly name = 'endpoint-slice-mirroring-controller';
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /** A Service and its Endpoints have the same name. */
  notice({ type, object }: StoreEvent, dirty: (key: string) => void): void {
    if (object.kind === 'Endpoints' && type !== 'DELETED') dirty(keyOf(object));
    if (object.kind === 'Service' && this.#endpoints(keyOf(object)) !== undefined) dirty(keyOf(object));
    if (object.kind !== 'EndpointSlice') return;
    const owner = controllerOf(object);
    if (owner?.kind === 'Endpoints') dirty(`${object.metadata.namespace}/${owner.name}`);
  }

  sync(key: string): void {
    const { store } = this.#context;
    const endpoints = this.#endpoints(key);
    if (endpoints === undefined || isTerminating(endpoints)) return;
    const service = store.get(kinds.Service, ...splitKey(key));
    const hasSelector = Object.keys(service?.spec.selector ?? {}).length > 0;
    const isWanted = service !== undefined && !hasSelector && endpoints.metadata.labels?.[SKIP_MIRROR] !== 'true';
    const labels = {
      ...endpoints.metadata.labels,
      [SERVICE_NAME]: endpoints.metadata.name,
      [MANAGED_BY]: 'endpointslicemirroring-controller.k8s.io',
    };
    writeSlices(store, { object: endpoints, labels }, isWanted ? (endpoints.subsets ?? []).flatMap(groupsOf) : []);
  }

  #endpoints(key: string): Endpoints | undefined {
    return this.#context.store.get(kinds.Endpoints, ...splitKey(key));
  }
}

function groupsOf(subset: EndpointSubset): SliceGroup[] {
  const ports: EndpointPort[] = (subset.ports ?? []).map(({ name = '', port, protocol = 'TCP', appProtocol }) => {
    return { name, port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) };
  });
  const all = [
    ...(subset.addresses ?? []).map((address) => mirrored(address, true)),
    ...(subset.notReadyAddresses ?? []).map((address) => mirrored(address, false)),
  ];
  return ['IPv4', 'IPv6'].flatMap((addressType) => {
    const endpoints = all.filter(({ addresses }) => (addresses[0]!.includes(':') ? 'IPv6' : 'IPv4') === addressType);
    return endpoints.length === 0 ? [] : [{ addressType, ports, endpoints }];
  });
}

function mirrored({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}
