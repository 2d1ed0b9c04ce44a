/** The two ends of a measurement: the pod that asks, and the pods that answer with the address that leads to them. */
import type { ApiClient } from '../api/client.ts';
import { isRunningAndReady, isTerminal, isTerminating, podAddresses } from '../controllers/pod-state.ts';
import type { EndpointSlice, Pod, Service } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { clusterIpOf, hasPort } from '../store/service-named.ts';
import { Refusal } from '../vessel/refusal.ts';
import { parseAddress } from '../wire/address.ts';
import { UsageError } from './arguments.ts';
import { choosePair } from './bench-pair.ts';
import { type Connection, FREE_PORTS, policyVoice, traceCommand } from './bench-policy.ts';
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

/** @throws UsageError, AnswerError NotFound, Refusal */
export async function findBenchEnds(client: ApiClient, wanted: BenchEndsWanted): Promise<BenchEnds> {
  const notes: string[] = [];
  const asker = wanted.from === undefined ? undefined : await takeClient(client, wanted.from, wanted, notes);
  const target = wanted.to === undefined ? undefined : await takeTarget(client, wanted.to, wanted, notes);
  if (asker !== undefined && target !== undefined) {
    refuseSame(asker, target);
    return { client: asker, target, notes };
  }
  const pair = await choose(client, asker, target, wanted.protocol);
  const [from, to] = [asker ?? pair.from, target ?? ownTarget(pair.to)];
  if (asker === undefined) notes.push(`from ${from.words}: chosen, as nothing was said`);
  if (target === undefined) notes.push(`to ${pair.to.words}: chosen, as nothing was said`);
  if (pair.from.node === pair.to.node) notes.push(`no other node has a pod for it: both ends are on ${from.node}`);
  refuseSame(from, to);
  return { client: from, target: to, notes };
}

function refuseSame(from: BenchPod, { servers }: BenchTarget): void {
  if (!servers.some((one) => isSame(one, from))) return;
  throw new Refusal(
    `both ends are pod ${from.namespace}/${from.name}: no packet would leave it; choose another --from or --to`,
  );
}

function isSame(a: BenchPod, b: BenchPod): boolean {
  return a.namespace === b.namespace && a.name === b.name;
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

/** Two Ready pods that may talk, of which one or none is given. @throws Refusal when there are none. */
async function choose(
  client: ApiClient,
  from: BenchPod | undefined,
  target: BenchTarget | undefined,
  protocol: 'TCP' | 'UDP',
): Promise<{ readonly from: BenchPod; readonly to: BenchPod }> {
  const { items } = await client.list(kinds.Pod);
  const ready = items.filter((pod) => isRunningAndReady(pod) && !isTerminating(pod) && pod.spec.hostNetwork !== true);
  const { servers = [], serverPort = 0 } = target ?? {};
  const pods = ready.map(described).filter((pod) => !servers.some((server) => isSame(server, pod)));
  const ports = serverPort === 0 ? FREE_PORTS : [serverPort];
  const whyNot = await policyVoice(client);
  const connection = (asker: BenchPod, asked: BenchPod, port: number): Connection => {
    const [source = '', destination = ''] = [asker.addresses[0], asked.addresses[0]];
    return { source, destination, protocol, port };
  };
  const mayTalk = (asker: BenchPod, asked: BenchPod) =>
    ports.every((port) => whyNot(connection(asker, asked, port)) === undefined);
  const pair = choosePair(
    from === undefined ? pods : [from],
    target === undefined ? pods : servers.slice(0, 1),
    mayTalk,
  );
  if (pair === undefined) {
    const count = pods.length === 1 ? 'is 1' : `are ${pods.length}`;
    throw new Refusal(`a measurement needs two Ready pods, and there ${count}; podwire get pods -A`);
  }
  if (pair.allowed) return pair;
  const asked = ports.map((port) => connection(pair.from, pair.to, port));
  const denied = asked.find((one) => whyNot(one) !== undefined)!;
  throw new Refusal(
    `no two pods were found that policies let talk on a free port, such as ${denied.port}:\n` +
      `  ${whyNot(denied)}\n  ${traceCommand(pair.from, denied)}`,
  );
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
