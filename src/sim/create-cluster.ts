/** The library's simulated cluster: questions in the words that users write, and answers in theirs. */
import { isActive, isReady, podAddresses } from '../controllers/pod-state.ts';
import type { ProbeProtocol } from '../stack/probe.ts';
import type { Pod } from '../store/object.ts';
import { podsOf } from '../store/pods-of.ts';
import { kinds, resources } from '../store/resources.ts';
import { parseAddress } from '../wire/address.ts';
import { SimCluster } from './sim-cluster.ts';

export interface ProbeQuestion {
  /** `[NAMESPACE/]POD`, `KIND/NAME`, `node/NAME`. */
  readonly from: string;
  /** The same, `svc/[NAMESPACE/]NAME`, or an IP address. */
  readonly to: string;
  /** A number or a port's name; not for ICMP. */
  readonly port?: number | string;
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP' | 'ICMP';
}

/**
 * - `delivered`: the far end has answered. `refused`: the far end said no. `rejected`: the network said no, with a packet.
 *   `dropped`: the network said no, silently. `lost`: nobody answered, or a link lost it.
 */
export interface ProbeAnswer {
  readonly outcome: 'delivered' | 'refused' | 'rejected' | 'dropped' | 'lost';
  /** A drop reason of docs/DROPS.md, or `no-answer`; for the rest, what the asker saw. */
  readonly reason: string;
  /** The deciding rule: nothing decides by rules yet. */
  readonly rule: undefined;
  /** Is the outcome `delivered`? */
  readonly connected: boolean;
}

export interface SimulatedPod {
  readonly ip: string;
  readonly ips: readonly string[];
  readonly node: string;
  readonly ready: boolean;
  /** Does a TCP connection to `TARGET:PORT` come about, and bring an answer? */
  reaches(target: string): Promise<boolean>;
}

export interface SimulatedCluster {
  /** Kubernetes objects, as YAML text or as they are. In force when it resolves. */
  apply(input: string | object | readonly object[]): Promise<void>;
  delete(input: string | object | readonly object[]): Promise<void>;
  probe(question: ProbeQuestion): Promise<ProbeAnswer>;
  /** @param name `[NAMESPACE/]POD` or `KIND/NAME` */
  pod(name: string): SimulatedPod;
  close(): Promise<void>;
}

export interface CreateClusterOptions {
  /** Pods are played in this process, on virtual time. */
  readonly backend: 'sim';
  readonly nodes?: number;
  /** Of hash tables, ports and links. */
  readonly seed?: number;
}

export function createSimulatedCluster({ nodes, seed }: CreateClusterOptions): SimulatedCluster {
  const cluster = new SimCluster({ nodes, seed });
  return {
    apply: (input) => cluster.apply(input),
    delete: (input) => cluster.delete(input),
    probe: async (question) => probe(cluster, question),
    pod: (name) => simulatedPod(cluster, name),
    close: async () => {},
  };
}

function simulatedPod(cluster: SimCluster, name: string): SimulatedPod {
  const pod = findPod(cluster, name, 'default');
  const { namespace } = pod.metadata;
  return {
    ip: podAddresses(pod)[0]!,
    ips: podAddresses(pod),
    node: pod.spec.nodeName!,
    ready: isReady(pod),
    reaches: async (target) => {
      const colon = target.lastIndexOf(':');
      const port = target.slice(colon + 1);
      const to = qualified(target.slice(0, colon), namespace!);
      return probe(cluster, { from: `${namespace}/${pod.metadata.name}`, to, port }).connected;
    },
  };
}

/** `svc/b` as the pods of a namespace mean it. */
function qualified(target: string, namespace: string): string {
  const [first = '', second] = target.split('/');
  return isService(first) && !target.slice(first.length + 1).includes('/') ? `svc/${namespace}/${second}` : target;
}

function probe(cluster: SimCluster, { from, to, port = 0, protocol = 'TCP' }: ProbeQuestion): ProbeAnswer {
  const source = placeOf(cluster, from);
  const target = targetOf(cluster, to, port, protocol);
  const isIpv6 = target.address.includes(':');
  const address = source.addresses.find((own) => own.includes(':') === isIpv6) ?? source.addresses[0]!;
  const asked = { ...target, protocol: protocol.toLowerCase() as ProbeProtocol };
  const { outcome, detail, dropped } = cluster.probe({ node: source.node, address }, asked);
  const [reason] = Object.keys(dropped);
  const answer = (word: ProbeAnswer['outcome'], why: string) => {
    return { outcome: word, reason: why, rule: undefined, connected: word === 'delivered' };
  };
  if (outcome === 'delivered') return answer(outcome, detail);
  if (reason !== undefined) return answer(outcome === 'no-answer' ? 'dropped' : 'rejected', reason);
  return outcome === 'no-answer' ? answer('lost', 'no-answer') : answer(outcome, detail);
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
  if (isService(first)) return serviceTarget(cluster, to.slice(first.length + 1), port);
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
  const { clusterIP, ports = [] } = object.spec;
  if (clusterIP === undefined || clusterIP === 'None') {
    throw new Error(`Service ${namespace}/${service} has no address; ask one of its pods`);
  }
  const named = ports.find((candidate) => candidate.name === port);
  return { address: clusterIP, port: numberOf(named?.port ?? port, name) };
}

function numberOf(port: number | string, of: string): number {
  const number = Number(port);
  if (!Number.isInteger(number)) throw new Error(`${of} has no port "${port}"`);
  return number;
}

function isService(word: string): boolean {
  return ['svc', 'service', 'services'].includes(word);
}

/** A first part that is a known kind is a kind, not a namespace. */
function findPod(cluster: SimCluster, text: string, namespace: string): Pod {
  const { store } = cluster.plane;
  const parts = text.split('/');
  const resource = resources.find(({ plural, singular, shortNames }) =>
    [plural, singular, ...shortNames].includes(parts[0]!.toLowerCase()),
  );
  if (parts.length > 1 && resource !== undefined && resource !== kinds.Pod) {
    const [inner, name] = parts.length > 2 ? [parts[1]!, parts[2]!] : [namespace, parts[1]!];
    const workload = store.get(resource, inner, name);
    const pods = workload === undefined ? [] : podsOf(store, workload).filter(isActive);
    const found = pods.find(isReady) ?? pods[0];
    if (found === undefined) throw new Error(`no pod of ${text}`);
    return found;
  }
  const named = resource === kinds.Pod ? parts.slice(1) : parts;
  const [inner, name] = named.length > 1 ? [named[0]!, named[1]!] : [namespace, named[0]!];
  const pod = store.get(kinds.Pod, inner, name);
  if (pod === undefined || podAddresses(pod).length === 0) throw new Error(`no pod ${inner}/${name} with an address`);
  return pod;
}
