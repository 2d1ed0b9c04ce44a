/** Whom the words of a question mean in a simulated cluster. */
import { isActive, isReady, podAddresses } from '../controllers/pod-state.ts';
import type { KubernetesObject, Pod } from '../store/object.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { podBearing, podsOf } from '../store/pods-of.ts';
import { kinds, resources } from '../store/resources.ts';
import { clusterIpOf, hasPort } from '../store/service-named.ts';
import { parseAddress } from '../wire/address.ts';
import type { SimCluster } from './sim-cluster.ts';

/** Where words have led, for questions that are asked at one moment. */
export class ProbePlaces {
  readonly #cluster: SimCluster;
  readonly #sources = new Map<string, Place>();
  readonly #targets = new Map<string, Target>();

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** @throws Error for what is nobody. */
  source(name: string): Place {
    const known = this.#sources.get(name) ?? placeOf(this.#cluster, name);
    this.#sources.set(name, known);
    return known;
  }

  /** @throws Error for what is nobody, or has no such port. */
  target(to: string, port: number | string, protocol: string): Target {
    const key = `${to} ${port} ${protocol}`;
    const known = this.#targets.get(key) ?? targetOf(this.#cluster, to, port, protocol);
    this.#targets.set(key, known);
    return known;
  }
}

interface Target {
  readonly address: string;
  readonly port: number;
}

interface Place {
  readonly node: string;
  readonly addresses: readonly string[];
}

function placeOf(cluster: SimCluster, name: string): Place {
  const [first = '', second] = name.split('/');
  const node = cluster.topology.nodes.find((candidate) => candidate.name === second);
  if (['node', 'nodes', 'no'].includes(first) && node !== undefined) {
    return { node: node.name, addresses: [node.underlayAddress, ...node.gatewayAddresses] };
  }
  const pod = findPod(cluster, name, 'default');
  return { node: pod.spec.nodeName!, addresses: podAddresses(pod) };
}

function targetOf(cluster: SimCluster, to: string, port: number | string, protocol: string) {
  if (parseAddress(to) !== undefined) return { address: to, port: Number(port) };
  const [first = ''] = to.split('/');
  if (isService(first) || isServiceWithPort(cluster, to, port)) {
    return serviceTarget(cluster, isService(first) ? to.slice(first.length + 1) : to, port);
  }
  if (['node', 'nodes', 'no'].includes(first)) {
    return { address: placeOf(cluster, to).addresses[0]!, port: Number(port) };
  }
  const pod = findPod(cluster, to, 'default');
  const named = pod.spec.containers
    .flatMap(({ ports = [] }) => ports)
    .find(({ name, protocol: of = 'TCP' }) => name === port && of === protocol);
  return { address: podAddresses(pod)[0]!, port: numberOf(named?.containerPort ?? port, to) };
}

function serviceTarget(cluster: SimCluster, name: string, port: number | string) {
  const [namespace, service] = name.includes('/') ? (name.split('/') as [string, string]) : ['default', name];
  const object = cluster.plane.store.get(kinds.Service, namespace, service);
  if (object === undefined) throw new Error(`no Service ${namespace}/${service}`);
  const clusterIp = clusterIpOf(object);
  if (clusterIp === undefined) {
    throw new Error(`Service ${namespace}/${service} has no address; ask one of its pods`);
  }
  const named = object.spec.ports?.find((candidate) => candidate.name === port);
  return { address: clusterIp, port: numberOf(named?.port ?? port, name) };
}

function numberOf(port: number | string, of: string): number {
  const number = Number(port);
  if (!Number.isInteger(number)) throw new Error(`${of} has no port "${port}"`);
  return number;
}

export function isService(word: string): boolean {
  return ['svc', 'service', 'services'].includes(word);
}

/** A first part that is a known kind is a kind, not a namespace. */
export function findPod(cluster: SimCluster, text: string, namespace: string): Pod {
  const { store } = cluster.plane;
  const parts = text.split('/');
  const resource = resources.find(({ plural, singular, shortNames }) =>
    [plural, singular, ...shortNames].includes(parts[0]!.toLowerCase()),
  );
  if (parts.length > 1 && resource !== undefined && resource !== kinds.Pod) {
    const [inner, name] = parts.length > 2 ? [parts[1]!, parts[2]!] : [namespace, parts[1]!];
    const found = firstPod(store, store.get(resource, inner, name));
    if (found === undefined) throw new Error(`no pod of ${text}`);
    return found;
  }
  const named = resource === kinds.Pod && parts.length > 1 ? parts.slice(1) : parts;
  const [inner, name] = named.length > 1 ? [named[0]!, named[1]!] : [namespace, named[0]!];
  const own = store.get(kinds.Pod, inner, name);
  const isBare = named === parts;
  const workload = own ?? (isBare ? podBearing.map((kind) => store.get(kind, inner, name)).find(Boolean) : undefined);
  const pod = own ?? firstPod(store, workload);
  if (pod === undefined || podAddresses(pod).length === 0) throw new Error(`no pod ${inner}/${name} with an address`);
  return pod;
}

/** Of a workload, or of a Service: the first Ready one. */
function firstPod(store: ObjectStore, object: KubernetesObject | undefined): Pod | undefined {
  const pods = object === undefined ? [] : podsOf(store, object).filter(isActive);
  return pods.find(isReady) ?? pods[0];
}

/** A bare name is a Service's where one has the port, else a pod's; else a Service's all the same, before a workload's. */
function isServiceWithPort(cluster: SimCluster, to: string, port: number | string): boolean {
  const parts = to.split('/');
  const [namespace, name] = parts.length === 1 ? ['default', parts[0]!] : (parts as [string, string]);
  const { store } = cluster.plane;
  const service = parts.length > 2 ? undefined : store.get(kinds.Service, namespace, name);
  if (service === undefined || clusterIpOf(service) === undefined) return false;
  return hasPort(service, port) || store.get(kinds.Pod, namespace, name) === undefined;
}
