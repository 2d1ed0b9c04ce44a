/** The two ends of a measurement: the pod that asks, and the pods that answer with the address that leads to them. */
import type { ApiClient } from '../api/client.ts';
import { isRunningAndReady, isTerminal, isTerminating, podAddresses } from '../controllers/pod-state.ts';
import type { EndpointSlice, Pod, Service } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { clusterIpOf, hasPort } from '../store/service-named.ts';
import { Refusal } from '../vessel/refusal.ts';
import { parseAddress } from '../wire/address.ts';
import { UsageError } from './arguments.ts';
import { choosePod } from './choose-pod.ts';
import { parseEndpoint } from './endpoint.ts';
import { portNumber, serviceOf, splitPort } from './trace-places.ts';

export interface BenchPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly addresses: readonly string[];
  /** `shop/web-1 on n1` */
  readonly words: string;
}

export interface BenchTarget {
  /** Where servers run: one pod, or every Ready one behind a Service. */
  readonly servers: readonly BenchPod[];
  /** Where they listen; 0: on any free port. */
  readonly serverPort: number;
  /** What the client is told; undefined: the first server's own address and port. */
  readonly service: { readonly address: string; readonly port: number; readonly words: string } | undefined;
}

export interface BenchEnds {
  readonly client: BenchPod;
  readonly target: BenchTarget;
  /** What was chosen for the user. */
  readonly notes: readonly string[];
}

export interface BenchEndsWanted {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly namespace: string;
  readonly protocol: 'TCP' | 'UDP';
  readonly usage: string;
}

/** Where `podwire` itself keeps what every cluster has. */
const SYSTEM_NAMESPACE = 'kube-system';

/** @throws UsageError, AnswerError NotFound, Refusal */
export async function findBenchEnds(client: ApiClient, wanted: BenchEndsWanted): Promise<BenchEnds> {
  const notes: string[] = [];
  const asker = wanted.from === undefined ? undefined : await takeClient(client, wanted.from, wanted, notes);
  const target = wanted.to === undefined ? undefined : await takeTarget(client, wanted.to, wanted, notes);
  const from = asker ?? (await otherPod(client, target?.servers[0], notes));
  const to = target ?? ownTarget(await otherPod(client, from, notes));
  if (asker === undefined) notes.push(`from ${from.words}: chosen, as nothing was said`);
  if (target === undefined) notes.push(`to ${to.servers[0]!.words}: chosen, as nothing was said`);
  refuseSame(from, to);
  return { client: from, target: to, notes };
}

function refuseSame(from: BenchPod, { servers }: BenchTarget): void {
  if (!servers.some((one) => one.namespace === from.namespace && one.name === from.name)) return;
  throw new Refusal(
    `both ends are pod ${from.namespace}/${from.name}: no packet would leave it; choose another --from or --to`,
  );
}

async function takeClient(
  client: ApiClient,
  text: string,
  { namespace, usage }: BenchEndsWanted,
  notes: string[],
): Promise<BenchPod> {
  const endpoint = parseEndpoint(text, namespace, usage);
  if (endpoint.type === 'node') throw new UsageError(`--from ${text}: bench measures between pods`, usage);
  return await takePod(client, endpoint, notes);
}

async function takeTarget(
  client: ApiClient,
  text: string,
  wanted: BenchEndsWanted,
  notes: string[],
): Promise<BenchTarget> {
  const { namespace, usage } = wanted;
  const { host, port } = splitPort(text, usage);
  if (parseAddress(host) !== undefined)
    throw new UsageError(`--to ${text}: bench needs a pod or Service, it starts a server there`, usage);
  const endpoint = parseEndpoint(host, namespace, usage);
  if (endpoint.type === 'node') throw new UsageError(`--to ${text}: bench measures between pods`, usage);
  const service = await serviceOf(client, endpoint, port);
  if (service !== undefined) return await serviceTarget(client, service, port, wanted);
  const number = port === undefined ? 0 : portNumber(port);
  if (number === undefined) throw new UsageError(`--to ${text}: expected a port number from 1 to 65535`, usage);
  return { ...ownTarget(await takePod(client, endpoint, notes)), serverPort: number };
}

function ownTarget(pod: BenchPod): BenchTarget {
  return { servers: [pod], serverPort: 0, service: undefined };
}

async function takePod(
  client: ApiClient,
  endpoint: Parameters<typeof choosePod>[1],
  notes: string[],
): Promise<BenchPod> {
  const { namespace, name, of } = await choosePod(client, endpoint);
  const pod = await client.object(kinds.Pod, namespace, name);
  const found = described(pod);
  if (of !== undefined) notes.push(`${of}: pod ${found.words} was taken`);
  if (isTerminal(pod))
    throw new Refusal(`pod ${namespace}/${name} has ended (${pod.status?.phase}): nothing runs in it`);
  if (isTerminating(pod)) throw new Refusal(`pod ${namespace}/${name} is being deleted`);
  if (found.addresses.length === 0) throw new Refusal(`pod ${namespace}/${name} has no address yet`);
  return found;
}

/** A Ready pod beside the one at hand: on another node where there is one, and one of the user's own. */
async function otherPod(client: ApiClient, beside: BenchPod | undefined, notes: string[]): Promise<BenchPod> {
  const { items } = await client.list(kinds.Pod);
  const pods = items.filter((pod) => isRunningAndReady(pod) && !isTerminating(pod) && pod.spec.hostNetwork !== true);
  const own = pods.filter(({ metadata }) => metadata.namespace !== SYSTEM_NAMESPACE);
  const others = [...own, ...pods].map(described).filter((pod) => pod.words !== beside?.words);
  const [first] = others;
  if (first === undefined)
    throw new Refusal(
      `a measurement needs two Ready pods, and there ${pods.length === 1 ? 'is 1' : `are ${pods.length}`}; podwire get pods -A`,
    );
  if (beside === undefined) {
    // Of the first pod that has another one on another node.
    return others.find((pod) => others.some(({ node }) => node !== pod.node)) ?? first;
  }
  const elsewhere = others.find(({ node }) => node !== beside.node);
  if (elsewhere === undefined) notes.push(`no other node has a Ready pod: both ends are on ${beside.node}`);
  return elsewhere ?? first;
}

async function serviceTarget(
  client: ApiClient,
  service: Service,
  port: string | undefined,
  { protocol, usage }: BenchEndsWanted,
): Promise<BenchTarget> {
  const { namespace = '', name } = service.metadata;
  const words = `Service ${namespace}/${name}`;
  const address = clusterIpOf(service);
  if (address === undefined) throw new Refusal(`${words} has no cluster IP; name one of its pods`);
  if (port !== undefined && !hasPort(service, port)) throw new UsageError(`${words} has no port ${port}`, usage);
  const found = (service.spec.ports ?? []).find(
    (one) =>
      (one.protocol ?? 'TCP') === protocol && (port === undefined || one.name === port || String(one.port) === port),
  );
  if (found === undefined)
    throw new Refusal(
      `${words} has no ${protocol} port${port === undefined ? '' : ` ${port}`}, which this measurement needs`,
    );
  const labelSelector = `kubernetes.io/service-name=${name}`;
  const { items } = await client.list(kinds.EndpointSlice, { namespace, labelSelector });
  const { pods, serverPort } = await backends(client, items, found.name ?? '', address.includes(':'));
  if (pods.length === 0) throw new Refusal(`${words} has no Ready pod behind port ${found.port}`);
  return { servers: pods, serverPort, service: { address, port: found.port, words: `${words}, port ${found.port}` } };
}

async function backends(
  client: ApiClient,
  slices: readonly EndpointSlice[],
  portName: string,
  ipv6: boolean,
): Promise<{ pods: BenchPod[]; serverPort: number }> {
  const pods = new Map<string, BenchPod>();
  let serverPort = 0;
  for (const { addressType, endpoints, ports, metadata } of slices) {
    const port = (ports ?? []).find((one) => (one.name ?? '') === portName)?.port;
    if ((addressType === 'IPv6') !== ipv6 || port === undefined) continue;
    serverPort = port;
    for (const { conditions, targetRef } of endpoints ?? []) {
      if (conditions?.ready === false || targetRef?.kind !== 'Pod' || targetRef.name === undefined) continue;
      const pod = await client.object(kinds.Pod, metadata.namespace ?? '', targetRef.name);
      pods.set(targetRef.name, described(pod));
    }
  }
  return { pods: [...pods.values()], serverPort };
}

function described(pod: Pod): BenchPod {
  const { namespace = '', name } = pod.metadata;
  const node = pod.spec.nodeName ?? '';
  return { namespace, name, node, addresses: podAddresses(pod), words: `${namespace}/${name} on ${node}` };
}
