/** What the two ends of a trace mean: a pod or node that asks, and an address and port that are asked. */
import { AnswerError, type ApiClient } from '../api/client.ts';
import type { ProbeProtocol } from '../nodes/protocol.ts';
import type { Node, Pod, Service } from '../store/object.ts';
import { kinds } from '../store/resources.ts';
import { clusterIpOf, hasPort } from '../store/service-named.ts';
import { Refusal } from '../vessel/refusal.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';
import { UsageError } from './arguments.ts';
import { choosePod } from './choose-pod.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';

export interface Asker {
  readonly from: { readonly namespace: string; readonly pod: string } | { readonly node: string };
  readonly node: string;
  /** It asks from its node's own network: the node itself does, or a pod with hostNetwork. */
  readonly isHost: boolean;
  /** One a family, IPv4 first. */
  readonly addresses: readonly string[];
  /** `pod shop/web-1 on n1`. */
  readonly words: string;
  readonly notes: readonly string[];
}

export interface Target {
  readonly address: string;
  readonly port: number;
  readonly protocol: ProbeProtocol;
  readonly words: string;
  readonly notes: readonly string[];
  /** Undefined when it is none. */
  readonly service: Service | undefined;
}

/** As the user wrote it. */
interface Written {
  readonly host: string;
  readonly port: string | undefined;
}

/** @throws UsageError, AnswerError NotFound, Refusal */
export async function findAsker(
  client: ApiClient,
  text: string,
  namespace: string,
  nodes: readonly Node[],
  usage: string,
): Promise<Asker> {
  const endpoint = parseEndpoint(text, namespace, usage);
  if (endpoint.type === 'node') {
    const { name } = endpoint;
    const addresses = nodeAddresses(nodes, name);
    return { from: { node: name }, node: name, isHost: true, addresses, words: `node ${name}`, notes: [] };
  }
  const { pod, note } = await takePod(client, endpoint);
  const { namespace: ns = '', name } = pod.metadata;
  const node = pod.spec.nodeName ?? '';
  const words = `pod ${ns}/${name} on ${node}`;
  const isHost = pod.spec.hostNetwork === true;
  return { from: { namespace: ns, pod: name }, node, isHost, addresses: addressesOf(pod), words, notes: note };
}

/**
 * @param protocol undefined: TCP, or that of the port that is chosen.
 * @param asker whose address family counts.
 * @throws UsageError, AnswerError NotFound, Refusal
 */
export async function findTarget(
  client: ApiClient,
  text: string,
  asker: Asker,
  { namespace, protocol, nodes, usage }: TargetOptions,
): Promise<Target> {
  const { host, port } = splitPort(text, usage);
  if (port !== undefined && /^\d+$/.test(port) && portNumber(port) === undefined) {
    throw new UsageError(`"${text}": ${port} is not a port: 1 to 65535`, usage);
  }
  const wanted = { port, protocol, asker, text, usage };
  if (parseAddress(host) !== undefined) return addressTarget(formatAddress(parseAddress(host)!), host, wanted);
  const endpoint = parseEndpoint(host, namespace, usage);
  if (endpoint.type === 'node') {
    const address = oneOf(nodeAddresses(nodes, endpoint.name), asker);
    return addressTarget(address, `node ${endpoint.name}`, wanted);
  }
  const service = await serviceOf(client, endpoint, port);
  if (service !== undefined && clusterIpOf(service) !== undefined) return serviceTarget(service, wanted);
  const { pod, note } = await takePod(client, endpoint);
  return podTarget(pod, note, wanted);
}

interface TargetOptions {
  readonly namespace: string;
  readonly protocol: ProbeProtocol | undefined;
  readonly nodes: readonly Node[];
  readonly usage: string;
}

interface Wanted {
  readonly port: string | undefined;
  readonly protocol: ProbeProtocol | undefined;
  readonly asker: Asker;
  readonly text: string;
  readonly usage: string;
}

/** A port that a Service or a container declares. */
interface Declared {
  readonly name: string | undefined;
  readonly port: number;
  readonly protocol: ProbeProtocol;
}

/** `HOST:PORT`, `[ADDRESS]:PORT`, or the host alone. @throws UsageError */
export function splitPort(text: string, usage: string): Written {
  if (parseAddress(text) !== undefined) return { host: text, port: undefined };
  const [, bracketed, behind] = /^\[([^\]]*)\](?::(.+))?$/.exec(text) ?? [];
  if (bracketed !== undefined) return { host: bracketed, port: behind };
  const colon = text.lastIndexOf(':');
  if (colon < 0) return { host: text, port: undefined };
  const port = text.slice(colon + 1);
  if (port === '') throw new UsageError(`"${text}": nothing behind the colon, expected a port`, usage);
  return { host: text.slice(0, colon), port };
}

function addressTarget(address: string, words: string, wanted: Wanted): Target {
  const protocol = wanted.protocol ?? 'TCP';
  if (protocol === 'ICMP') return { address, port: 0, protocol, words, notes: [], service: undefined };
  if (wanted.port === undefined) throw new UsageError(`"${wanted.text}": which port? Add :PORT`, wanted.usage);
  const port = portNumber(wanted.port);
  if (port === undefined) {
    throw new UsageError(`"${wanted.text}": an address has no port names, expected a number`, wanted.usage);
  }
  return { address, port, protocol, words: `${words}, port ${port}`, notes: [], service: undefined };
}

function serviceTarget(service: Service, wanted: Wanted): Target {
  const { metadata, spec } = service;
  const name = `${metadata.namespace}/${metadata.name}`;
  const address = oneOf(spec.clusterIPs ?? [spec.clusterIP ?? ''], wanted.asker);
  const declared = (spec.ports ?? []).map(({ name: port, port: number, protocol = 'TCP' }): Declared => {
    return { name: port, port: number, protocol: protocol as ProbeProtocol };
  });
  return { address: normal(address), ...portOf(declared, `Service ${name}`, address, wanted), service };
}

function podTarget(pod: Pod, notes: readonly string[], wanted: Wanted): Target {
  const { metadata, spec } = pod;
  const address = oneOf(addressesOf(pod), wanted.asker);
  const declared = spec.containers.flatMap(({ ports = [] }) =>
    ports.map(({ name, containerPort, protocol = 'TCP' }): Declared => {
      return { name, port: containerPort, protocol: protocol as ProbeProtocol };
    }),
  );
  const who = `pod ${metadata.namespace}/${metadata.name} on ${spec.nodeName}`;
  const target = portOf(declared, who, address, wanted);
  return { address, ...target, notes: [...notes, ...target.notes], service: undefined };
}

/** The port that was asked for, or the first declared one of the protocol. */
function portOf(
  declared: readonly Declared[],
  who: string,
  address: string,
  { port, protocol, text }: Wanted,
): Pick<Target, 'port' | 'protocol' | 'words' | 'notes'> {
  const words = `${who} (${address})`;
  if (protocol === 'ICMP') return { port: 0, protocol, words, notes: [] };
  if (port !== undefined) {
    const number = portNumber(port);
    if (number !== undefined) {
      return { port: number, protocol: protocol ?? 'TCP', words: `${words}, port ${number}`, notes: [] };
    }
    const named = declared.find((one) => one.name === port && (protocol ?? one.protocol) === one.protocol);
    if (named === undefined)
      throw new Refusal(`${who} has no ${protocol ?? ''} port named "${port}"`.replace('  ', ' '));
    return { port: named.port, protocol: named.protocol, words: `${words}, port ${port} (${named.port})`, notes: [] };
  }
  const first = declared.find((one) => (protocol ?? one.protocol) === one.protocol);
  if (first === undefined) {
    const which = protocol === undefined ? 'port' : `${protocol} port`;
    throw new Refusal(`"${text}": ${who} declares no ${which}; say which one is meant: ${text}:PORT`);
  }
  const note = `no port was given: ${first.port}/${first.protocol} is the first that it declares`;
  return { port: first.port, protocol: first.protocol, words: `${words}, port ${first.port}`, notes: [note] };
}

/** As packets have it: a Service's may be written in other ways. */
function normal(address: string): string {
  const words = parseAddress(address);
  return words === undefined ? address : formatAddress(words);
}

/** A port number, or undefined. */
export function portNumber(text: string): number | undefined {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return number >= 1 && number <= 65_535 ? number : undefined;
}

/** The Service that is meant: said so, or a bare name with a port that it has, or one that is nothing else. */
export async function serviceOf(
  client: ApiClient,
  endpoint: Exclude<Endpoint, { type: 'node' }>,
  port: string | undefined,
): Promise<Service | undefined> {
  const { namespace, name } = endpoint;
  if (endpoint.type === 'object') {
    return endpoint.resource === kinds.Service ? await client.object(kinds.Service, namespace, name) : undefined;
  }
  const service = await thereOrNot(client.object(kinds.Service, namespace, name));
  if (service === undefined || (port !== undefined && hasPort(service, port))) return service;
  const chosen = await thereOrNot(choosePod(client, endpoint, 'take'));
  if (chosen === undefined) return service;
  const isPod = chosen.of === undefined;
  const isWorkload = !isPod && !chosen.of.startsWith('service');
  // With a port a Service goes before a workload, though not before a pod.
  return isPod || (isWorkload && port === undefined) ? undefined : service;
}

async function takePod(
  client: ApiClient,
  endpoint: Exclude<Endpoint, { type: 'node' }>,
): Promise<{ pod: Pod; note: readonly string[] }> {
  const { namespace, name, of } = await choosePod(client, endpoint, 'take');
  const pod = await client.object(kinds.Pod, namespace, name);
  if (addressesOf(pod).length === 0) throw new Refusal(`pod ${namespace}/${name} has no address yet`);
  return { pod, note: of === undefined ? [] : [`${of}: pod ${namespace}/${name} was taken`] };
}

async function thereOrNot<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof AnswerError && error.code === 404) return undefined;
    if (error instanceof Refusal && !(error instanceof AnswerError)) return undefined;
    throw error;
  }
}

function addressesOf({ status }: Pod): string[] {
  return (status?.podIPs ?? []).flatMap(({ ip }) => (ip === undefined ? [] : [ip]));
}

function nodeAddresses(nodes: readonly Node[], name: string): string[] {
  const node = nodes.find(({ metadata }) => metadata.name === name);
  if (node === undefined) throw new AnswerError(404, 'NotFound', `nodes "${name}" not found`);
  const addresses = node.status?.addresses ?? [];
  return addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
}

/** One of the asker's family, else the first. */
function oneOf(addresses: readonly string[], asker: Asker): string {
  const families = asker.addresses.map((address) => address.includes(':'));
  const found = families.flatMap((isIpv6) => addresses.find((address) => address.includes(':') === isIpv6) ?? []);
  return found[0] ?? addresses[0] ?? '';
}
