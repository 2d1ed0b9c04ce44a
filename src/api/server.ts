/**
 * Serves the API on a unix socket that only its owner may open. Kubernetes' paths and objects for what Kubernetes
 * has; `/apis/podwire.dev/v1` for what only podwire has.
 */
import { chmodSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { RunningNode, RunningPod } from '../cluster/cluster.ts';
import { getActivity } from './activity.ts';
import { ApiError, failureStatus } from './api-error.ts';
import { apply, applyDelete } from './apply.ts';
import { CAPTURE_PROTOCOL, CAPTURE_REQUEST_HEADER, handOver } from './capture.ts';
import type { ClusterApi } from './cluster-api.ts';
import { listConnections } from './connections.ts';
import { coreVersions, groupNamed, groups, resourcesOf, version } from './discovery.ts';
import { getLink, listLinks, patchLink } from './links.ts';
import { answerObjects, noSuchPath, notAllowed, type Streamed } from './objects-api.ts';
import { getPolicyWorld } from './policy-worlds.ts';
import { answerProbe } from './probe.ts';
import { ReaderGone, Reply } from './reply.ts';
import { ApiRequest } from './request.ts';
import { parseResourcePath } from './resource-path.ts';
import { getTables } from './tables.ts';

/** What a pod's object does not say of its place on the network. */
export interface PodNetwork {
  readonly node: string;
  readonly mac: string;
  readonly addresses: readonly string[];
}

interface Call {
  readonly cluster: ClusterApi;
  readonly request: ApiRequest;
}

/** Gets the path's parameters. What it returns is the answer; undefined is 404. */
type Handler = (call: Call, ...parameters: string[]) => unknown;

const health: Streamed = {
  contentType: 'text/plain; charset=utf-8',
  write: async (reply) => {
    await reply.write('ok');
    await reply.end();
  },
};

/** Path patterns; `:` stands for one segment, handed to the handler. What is not here may be a path to objects. */
const routes: readonly (readonly [method: string, pattern: string, handler: Handler])[] = [
  ['GET', 'version', version],
  ['GET', 'healthz', () => health],
  ['GET', 'livez', () => health],
  ['GET', 'readyz', () => health],
  ['GET', 'api', coreVersions],
  ['GET', 'apis', groups],
  ['GET', 'apis/:', (_, name) => groupNamed(name!)],
  ['GET', 'api/:', (_, name) => resourcesOf(name!)],
  ['GET', 'apis/:/:', (_, group, name) => resourcesOf(`${group}/${name}`)],
  ['POST', 'apis/podwire.dev/v1/apply', ({ cluster, request }) => apply(cluster, request)],
  ['POST', 'apis/podwire.dev/v1/delete', ({ cluster, request }) => applyDelete(cluster, request)],
  ['GET', 'apis/podwire.dev/v1/tables', ({ cluster }) => getTables(cluster)],
  ['POST', 'apis/podwire.dev/v1/probe', ({ cluster, request }) => answerProbe(cluster, request)],
  [
    'POST',
    'apis/podwire.dev/v1/namespaces/:/pods/:/enter',
    ({ cluster }, ns, name) => cluster.enterPod(findPod(cluster, ns, name)),
  ],
  [
    'GET',
    'apis/podwire.dev/v1/namespaces/:/pods/:/network',
    ({ cluster }, ns, name) => podNetwork(findPod(cluster, ns, name)),
  ],
  ['POST', 'apis/podwire.dev/v1/nodes/:/enter', ({ cluster }, name) => cluster.enterNode(findNode(cluster, name))],
  [
    'GET',
    'apis/podwire.dev/v1/nodes/:/connections',
    ({ cluster }, name) => listConnections(cluster, findNode(cluster, name)),
  ],
  [
    'GET',
    'apis/podwire.dev/v1/nodes/:/activity',
    ({ cluster, request }, name) => getActivity(findNode(cluster, name), request.query),
  ],
  ['GET', 'apis/podwire.dev/v1/nodes/:/scene', ({ cluster }, name) => cluster.scene(findNode(cluster, name))],
  [
    'GET',
    'apis/podwire.dev/v1/nodes/:/counters',
    ({ cluster }, name) => cluster.ask(findNode(cluster, name), 'counters'),
  ],
  ['GET', 'apis/podwire.dev/v1/policyworlds/:', ({ cluster }, revision) => getPolicyWorld(cluster, revision!)],
  ['GET', 'apis/podwire.dev/v1/links', ({ cluster }) => listLinks(cluster)],
  [
    'GET',
    'apis/podwire.dev/v1/links/:/:',
    ({ cluster }, a, b) => getLink(cluster, findNode(cluster, a), findNode(cluster, b)),
  ],
  [
    'PATCH',
    'apis/podwire.dev/v1/links/:/:',
    async ({ cluster, request }, a, b) =>
      patchLink(cluster, findNode(cluster, a), findNode(cluster, b), await request.text()),
  ],
];

/** Longest headers of a request: a capture's filter is one. */
const HEADERS_MAX = 1 << 20;

export interface ApiOptions {
  /** How long a reader of a long answer may read nothing, before it is cut off. */
  readonly patienceMs?: number;
}

/** Resolves once the socket answers. */
export function startApi(cluster: ClusterApi, path: string, options: ApiOptions = {}): Promise<Server> {
  const server = createServer(
    { maxHeaderSize: HEADERS_MAX },
    (request, response) => void answer(cluster, request, response, options),
  );
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => upgrade(cluster, request, socket));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve(server);
    });
  });
}

async function answer(
  cluster: ClusterApi,
  incoming: IncomingMessage,
  response: ServerResponse,
  { patienceMs }: ApiOptions,
): Promise<void> {
  try {
    const result = await dispatch({ cluster, request: new ApiRequest(incoming) });
    if (isStreamed(result)) await result.write(new Reply(response, result.contentType, patienceMs));
    else send(response, 200, result);
  } catch (error) {
    if (error instanceof ReaderGone) return;
    if (response.headersSent)
      response.destroy(); // half an answer must not look whole
    else refuse(response, incoming, error);
  }
}

function refuse(response: ServerResponse, incoming: IncomingMessage, error: unknown): void {
  const status = failureStatus(error);
  // A bug: whoever asked gets the words, the cluster's log the place.
  if (status.code === 500) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  // What is left of a body that was refused is not worth reading.
  if (!incoming.complete) response.setHeader('connection', 'close');
  send(response, status.code, status);
}

/** The one thing to upgrade to. */
function upgrade(cluster: ClusterApi, incoming: IncomingMessage, socket: Socket): void {
  try {
    const request = new ApiRequest(incoming);
    const parameters = match('apis/podwire.dev/v1/nodes/:/capture', request.segments);
    if (parameters === undefined || incoming.headers.upgrade !== CAPTURE_PROTOCOL) {
      throw new ApiError(404, 'NotFound', `nothing to upgrade to at ${incoming.url}`);
    }
    const asked = incoming.headers[CAPTURE_REQUEST_HEADER];
    handOver(findNode(cluster, parameters[0]), Array.isArray(asked) ? undefined : asked, socket);
  } catch (error) {
    const status = failureStatus(error);
    const body = `${JSON.stringify(status)}\n`;
    const head = `HTTP/1.1 ${status.code} ${status.reason}\r\ncontent-type: application/json\r\nconnection: close`;
    socket.on('error', () => socket.destroy());
    socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function isStreamed(result: unknown): result is Streamed {
  return typeof result === 'object' && result !== null && 'write' in result && typeof result.write === 'function';
}

async function dispatch(call: Call): Promise<unknown> {
  const { cluster, request } = call;
  const candidates = routes.flatMap(([method, pattern, handler]) => {
    const parameters = match(pattern, request.segments);
    return parameters === undefined ? [] : [{ method, handler, parameters }];
  });
  const route = candidates.find(({ method }) => method === request.method);
  if (route !== undefined) {
    const result = await route.handler(call, ...route.parameters);
    if (result !== undefined) return result;
    throw noSuchPath(request);
  }
  const path = candidates.length > 0 ? undefined : parseResourcePath(request.segments);
  if (path !== undefined) return await answerObjects(cluster, path, request);
  throw candidates.length > 0 ? notAllowed(request) : noSuchPath(request);
}

function match(pattern: string, segments: readonly string[]): string[] | undefined {
  const wanted = pattern.split('/');
  if (wanted.length !== segments.length) return undefined;
  if (!wanted.every((word, i) => word === ':' || word === segments[i])) return undefined;
  return segments.filter((_, i) => wanted[i] === ':');
}

function podNetwork({ pod: { node, mac, addresses } }: RunningPod): PodNetwork {
  return { node, mac, addresses };
}

function findNode(cluster: ClusterApi, name: string | undefined): RunningNode {
  const node = cluster.nodes.get(name ?? '');
  if (node === undefined) throw new ApiError(404, 'NotFound', `nodes "${name}" not found`);
  return node;
}

function findPod(cluster: ClusterApi, namespace: string | undefined, name: string | undefined): RunningPod {
  const pod = cluster.pods.get(`${namespace}/${name}`);
  if (pod === undefined) throw new ApiError(404, 'NotFound', `pods "${name}" not found in namespace "${namespace}"`);
  return pod;
}
