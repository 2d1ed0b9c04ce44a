/** EndpointSlices of Services that select pods. */
import type { Endpoint } from 'kubernetes-types/discovery/v1.d.ts';
import type { Node, Pod, Service } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { sameJson } from '../store/same-json.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import type { Context } from './context.ts';
import { endpointAddress, endpointOf, endpointPorts } from './endpoint-of-pod.ts';
import { keyOf, splitKey } from './object-key.ts';
import { controllerOf, isTerminating } from './pod-state.ts';
import type { Controller } from './reconciler.ts';
import { MANAGED_BY, SERVICE_NAME, type SliceGroup, writeSlices } from './slice-set.ts';

export class EndpointSlices implements Controller {
  readonly name = 'endpoint-slice-controller';
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  notice({ type, object, previous }: StoreEvent, dirty: (key: string) => void): void {
    const { index } = this.#context;
    if (object.kind === 'Service' && type !== 'DELETED') dirty(keyOf(object));
    if (object.kind === 'EndpointSlice') {
      // Somebody else's hand in it: it is written anew.
      const owner = controllerOf(previous ?? object);
      if (owner?.kind === 'Service') dirty(`${object.metadata.namespace}/${owner.name}`);
    }
    if (object.kind === 'Pod') this.#notePod(object as Pod, type === 'MODIFIED' ? (previous as Pod) : undefined, dirty);
    if (object.kind !== 'Node' || sameJson(object.metadata.labels, previous?.metadata.labels)) return;
    for (const pod of index.podsOn(object.metadata.name)) {
      for (const key of index.servicesSelecting(pod)) dirty(key);
    }
  }

  #notePod(pod: Pod, before: Pod | undefined, dirty: (key: string) => void): void {
    const { index } = this.#context;
    if (before !== undefined && !isEndpointChange(pod, before)) return;
    for (const key of index.servicesSelecting(pod)) dirty(key);
    if (before === undefined || before.metadata.labels === pod.metadata.labels) return;
    for (const key of index.servicesSelecting(before)) dirty(key);
  }

  sync(key: string): void {
    const { store } = this.#context;
    const service = store.get(kinds.Service, ...splitKey(key));
    if (service === undefined || isTerminating(service)) return;
    const { selector = {}, type, clusterIP } = service.spec;
    const groups = Object.keys(selector).length === 0 || type === 'ExternalName' ? [] : this.#groups(service, selector);
    const headless = clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {};
    const labels = {
      ...service.metadata.labels,
      ...headless,
      [SERVICE_NAME]: service.metadata.name,
      [MANAGED_BY]: 'endpointslice-controller.k8s.io',
    };
    writeSlices(store, { object: service, labels }, groups);
  }

  #groups(service: Service, selector: Readonly<Record<string, string>>): SliceGroup[] {
    const { index } = this.#context;
    const pods = index.podsWith(service.metadata.namespace ?? '', selector);
    const groups = new Map<string, SliceGroup & { readonly endpoints: Endpoint[] }>();
    for (const addressType of (service.spec.ipFamilies ?? ['IPv4']) as ('IPv4' | 'IPv6')[]) {
      for (const pod of pods) {
        const address = endpointAddress(pod, addressType);
        if (address === undefined) continue;
        const ports = endpointPorts(pod, service);
        // A Service with ports, none of which the pod has, does not reach it; a headless one needs no ports.
        if (ports.length === 0 && (service.spec.ports ?? []).length > 0) continue;
        const node: Node | undefined = index.nodes.get(pod.spec.nodeName ?? '');
        const group = `${addressType} ${JSON.stringify(ports)}`;
        const found = groups.get(group) ?? { addressType, ports, endpoints: [] };
        found.endpoints.push(endpointOf(pod, address, service, node));
        groups.set(group, found);
      }
    }
    return [...groups.values()];
  }
}

/** Has anything changed that a slice says? */
function isEndpointChange(now: Pod, before: Pod): boolean {
  return (
    now.status !== before.status ||
    now.spec !== before.spec ||
    now.metadata.labels !== before.metadata.labels ||
    now.metadata.deletionTimestamp !== before.metadata.deletionTimestamp
  );
}
