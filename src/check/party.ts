/** Whom an end of an expectation means in a given cluster. */
import type { NodeStatus } from 'kubernetes-types/core/v1.d.ts';
import { formatAddress as formatIp, nthAddress, parseCidr } from '../cluster/ip-address.ts';
import { nearestWord } from '../cluster/nearest-word.ts';
import { isReady, podAddresses } from '../controllers/pod-state.ts';
import type { KubernetesObject, Node, Pod, Service } from '../store/object.ts';
import { podBearing } from '../store/pods-of.ts';
import { kinds, type Resource } from '../store/resources.ts';
import { matches, requirementsOf } from '../store/selector.ts';
import { clusterIpOf, hasPort } from '../store/service-named.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';
import { byNearness, networkOf, unroutableKind } from './addresses.ts';
import { type ClusterView, keyOf } from './cluster-view.ts';
import type { End } from './expectation.ts';

/** Somebody who sends, or is sent to. */
export interface Party {
  /** For people: `shop/web-1`, `svc/shop/api`, `node/n1`, `10.0.0.7`. */
  readonly name: string;
  /** How a probe is told of it: `pod/shop/web-1`, `svc/shop/api`, `node/n1`, `10.0.0.7`. */
  readonly endpoint: string;
  /** `shop/web`: pods of one workload are shown as one where nothing tells them apart. */
  readonly group: string;
  readonly pod: Pod | undefined;
  readonly service: Service | undefined;
  /** Nobody in the cluster has the address: what the pod's policies let out counts as arrived. */
  readonly outside: boolean;
}

/** Nobody is meant: the message says why. */
export class Nobody extends Error {
  override readonly name = 'Nobody';
}

/** @throws Nobody */
export function sendersOf(view: ClusterView, end: End): readonly Party[] {
  if (end.type !== 'ip') return partiesOf(view, end, 'its pod');
  const party = partyAt(view, end.address);
  if (party.outside) throw new Nobody(`${end.address} is no address of a pod or node, and only those send here`);
  if (party.service !== undefined) return [podParty(view, firstPod(view, party.service))];
  return [{ ...party, endpoint: party.pod === undefined ? party.group : `pod/${keyOf(party.pod)}` }];
}

/** @param port of a bare name: a Service of that name that has it is meant, rather than a pod. @throws Nobody */
export function receiversOf(view: ClusterView, end: End, port: number | string | undefined): readonly Party[] {
  if (end.type === 'bare' && port !== undefined) {
    const service = view.find(kinds.Service, end.namespace, end.name);
    const isPod = view.find(kinds.Pod, end.namespace, end.name) !== undefined;
    const hasAddress = service !== undefined && clusterIpOf(service) !== undefined;
    if (hasAddress && (!isPod || hasPort(service, port))) return [serviceParty(service)];
  }
  return partiesOf(view, end, 'itself');
}

/** @param service what a Service means: a sender is one of its pods */
function partiesOf(view: ClusterView, end: End, service: 'itself' | 'its pod'): readonly Party[] {
  switch (end.type) {
    case 'ip':
      return [partyAt(view, end.address)];
    case 'node':
      return [nodeParty(view, end.name)];
    case 'pods':
      return selectedPods(view, end);
    case 'bare':
      return [barePod(view, end.namespace, end.name)];
    default:
      return [objectParty(view, end, service)];
  }
}

function objectParty(
  view: ClusterView,
  { resource, namespace, name }: Extract<End, { type: 'object' }>,
  service: 'itself' | 'its pod',
): Party {
  const object = view.find(resource, namespace, name);
  if (object === undefined) {
    throw new Nobody(`there is no ${resource.kind} ${namespace}/${name}${hint(name, view, resource, namespace)}`);
  }
  if (resource === kinds.Pod) return podParty(view, living(view, object as Pod));
  if (resource === kinds.Service && service === 'itself') return serviceParty(object as Service);
  return podParty(view, firstPod(view, object));
}

function hint(name: string, view: ClusterView, resource: Resource, namespace: string): string {
  const names = view
    .list<KubernetesObject>(resource)
    .filter(({ metadata }) => metadata.namespace === namespace)
    .map(({ metadata }) => metadata.name);
  const nearest = nearestWord(name, names);
  return nearest === undefined ? '' : `; did you mean "${nearest}"?`;
}

function selectedPods(view: ClusterView, { namespace, selector }: Extract<End, { type: 'pods' }>): readonly Party[] {
  const namespaces = view.list(kinds.Namespace).map(({ metadata }) => metadata.name);
  if (!namespaces.includes(namespace)) {
    const nearest = nearestWord(namespace, namespaces);
    throw new Nobody(
      `there is no namespace "${namespace}"${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
    );
  }
  const wanted = requirementsOf(selector);
  const inside = view.pods.filter(({ metadata }) => metadata.namespace === namespace);
  const found = inside.filter(({ metadata }) => matches(wanted, metadata.labels));
  if (found.length > 0) return found.map((pod) => podParty(view, pod));
  const some = inside.slice(0, SHOWN_MAX).map(({ metadata }) => {
    return `${metadata.name} (${labelWords(metadata.labels)})`;
  });
  const more = inside.length > some.length ? ` and ${inside.length - some.length} more` : '';
  throw new Nobody(
    inside.length === 0
      ? `namespace "${namespace}" has no pods`
      : `no pod of namespace "${namespace}" matches; there are ${some.join(', ')}${more}`,
  );
}

const SHOWN_MAX = 5;

function labelWords(labels: Readonly<Record<string, string>> = {}): string {
  const words = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return words.length === 0 ? 'no labels' : words.join(',');
}

/** A pod, or else the first Ready pod of the workload of that name. */
function barePod(view: ClusterView, namespace: string, name: string): Party {
  const pod = view.find(kinds.Pod, namespace, name);
  if (pod !== undefined) return podParty(view, living(view, pod));
  for (const resource of podBearing) {
    const object = view.find<KubernetesObject>(resource, namespace, name);
    if (object !== undefined) return podParty(view, firstPod(view, object));
  }
  const names = view.pods
    .filter(({ metadata }) => metadata.namespace === namespace)
    .map(({ metadata }) => metadata.name);
  const nearest = nearestWord(name, names);
  const hinted = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
  throw new Nobody(`there is no pod ${namespace}/${name}, nor a workload or Service of that name${hinted}`);
}

function living(view: ClusterView, pod: Pod): Pod {
  if (view.pods.includes(pod)) return pod;
  throw new Nobody(`pod ${keyOf(pod)} has no address: it has ended, or found no node`);
}

function firstPod(view: ClusterView, object: KubernetesObject): Pod {
  const pods = view.podsOf(object);
  const first = pods.find(isReady) ?? pods[0];
  if (first === undefined) throw new Nobody(`${object.kind} ${keyOf(object)} has no pods`);
  return first;
}

export function podParty(view: ClusterView, pod: Pod): Party {
  const name = keyOf(pod);
  return { name, endpoint: `pod/${name}`, group: keyOf(view.workloadOf(pod)), pod, service: undefined, outside: false };
}

function serviceParty(service: Service): Party {
  const name = `svc/${keyOf(service)}`;
  if (clusterIpOf(service) === undefined) {
    throw new Nobody(
      `Service ${keyOf(service)} has no address of its own; name its pods, by a podSelector for instance`,
    );
  }
  return { name, endpoint: name, group: name, pod: undefined, service, outside: false };
}

function nodeParty(view: ClusterView, name: string): Party {
  const nodes = view.list(kinds.Node).map(({ metadata }) => metadata.name);
  if (!nodes.includes(name)) throw new Nobody(`there is no node "${name}"; there are ${nodes.join(', ')}`);
  const party = `node/${name}`;
  return { name: party, endpoint: party, group: party, pod: undefined, service: undefined, outside: false };
}

/** Whoever has an address: it is asked for as the address it was written as, of whichever family. */
function partyAt(view: ClusterView, address: string): Party {
  const pod = view.podAt(address);
  if (pod !== undefined) return addressed(podParty(view, pod), address, podAddresses(pod)[0]);
  const service = view.list(kinds.Service).find(({ spec }) => (spec.clusterIPs ?? [spec.clusterIP]).includes(address));
  if (service !== undefined) return addressed(serviceParty(service), address, service.spec.clusterIP);
  const node = view.list(kinds.Node).find((one) => nodeAddresses(one).includes(address));
  if (node !== undefined) return { ...nodeParty(view, node.metadata.name), endpoint: address };
  const network = networkOf(address, view.networks);
  if (network !== undefined) throw new Nobody(`nobody has ${address}, of ${network}${nearWords(view, address)}`);
  const kind = unroutableKind(address);
  if (kind !== undefined) throw new Nobody(`${address} is ${kind}: no packet leaves for it, whatever policies say`);
  return { name: address, endpoint: address, group: address, pod: undefined, service: undefined, outside: true };
}

const NEAR_MAX = 3;

/** Those with the nearest addresses of the same network. */
function nearWords(view: ClusterView, address: string): string {
  const network = networkOf(address, view.networks);
  const order = byNearness(address);
  const near = [...view.addresses()]
    .filter(([other]) => networkOf(other, view.networks) === network)
    .sort(([a], [b]) => order(a, b))
    .slice(0, NEAR_MAX)
    .map(([other, owner]) => `${owner.kind === 'Service' ? 'svc/' : ''}${keyOf(owner)} (${other})`);
  return near.length === 0 ? '' : `; near it are ${near.join(', ')}`;
}

/** Its first address is itself; another one, of the other family, is asked for as such. */
function addressed(party: Party, address: string, first: string | undefined): Party {
  const isFirst = first !== undefined && formatAddress(parseAddress(first)!) === address;
  return isFirst ? party : { ...party, name: `${party.name} (${address})`, endpoint: address };
}

/** On the network between nodes, and the next hop that its pods have: the first of each pod CIDR (`topology.ts`). */
function nodeAddresses({ spec, status }: Node): string[] {
  const { addresses = [] } = (status ?? {}) as NodeStatus;
  const own = addresses.flatMap(({ address }) => {
    const words = parseAddress(address);
    return words === undefined ? [] : [formatAddress(words)];
  });
  const gateways = (spec?.podCIDRs ?? []).flatMap((text) => {
    const cidr = parseCidr(text);
    const first = cidr === undefined ? undefined : nthAddress(cidr, 1);
    return first === undefined ? [] : [formatIp(first)];
  });
  return [...own, ...gateways];
}

/** Has this party this address, so that both are the same? */
export function samePod(a: Party, b: Party): boolean {
  return a.pod !== undefined && a.pod === b.pod;
}
