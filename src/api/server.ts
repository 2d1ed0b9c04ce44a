/**
 * Serves the API on a unix socket that only its owner may open. Kubernetes' paths and objects for what Kubernetes
 * has; `/apis/podwire.dev/v1` for what only podwire has.
 */
import { chmodSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type CaptureScene, captureScene } from '../cluster/capture-scene.ts';
import type { Cluster, RunningNode, RunningPod } from '../cluster/cluster.ts';
import { ApiError } from './api-error.ts';
import { CAPTURE_PROTOCOL, CAPTURE_REQUEST_HEADER, handOver } from './capture.ts';
import { listConnections } from './connections.ts';
import { getLink, listLinks, patchLink } from './links.ts';
import { listOf, nodeObject, podObject } from './objects.ts';

/** Path parameters, and behind them the text of the body where the method has one. */
type Handler = (cluster: Cluster, ...parameters: string[]) => unknown;

/** Path patterns; `:` stands for one segment, handed to the handler decoded. */
const routes: readonly (readonly [method: string, pattern: string, handler: Handler])[] = [
  ['GET', '/version', () => ({ gitVersion: 'podwire' })],
  [
    'GET',
    '/api/v1/nodes',
    (c) =>
      listOf(
        c,
        'NodeList',
        [...c.nodes.values()].map((node) => nodeObject(c, node)),
      ),
  ],
  ['GET', '/api/v1/nodes/:', (c, name) => nodeObject(c, findNode(c, name))],
  [
    'GET',
    '/api/v1/pods',
    (c) =>
      listOf(
        c,
        'PodList',
        [...c.pods.values()].map((pod) => podObject(c, pod)),
      ),
  ],
  ['GET', '/api/v1/namespaces/:/pods', (c, namespace) => listOf(c, 'PodList', podsIn(c, namespace))],
  ['GET', '/api/v1/namespaces/:/pods/:', (c, namespace, name) => podObject(c, findPod(c, namespace, name))],
  ['POST', '/apis/podwire.dev/v1/namespaces/:/pods/:/enter', (c, ns, name) => c.enterPod(findPod(c, ns, name))],
  ['POST', '/apis/podwire.dev/v1/nodes/:/enter', (c, name) => c.enterNode(findNode(c, name))],
  ['GET', '/apis/podwire.dev/v1/nodes/:/connections', (c, name) => listConnections(c, findNode(c, name))],
  ['GET', '/apis/podwire.dev/v1/links', (c) => listLinks(c)],
  ['GET', '/apis/podwire.dev/v1/links/:/:', (c, a, b) => getLink(c, findNode(c, a), findNode(c, b))],
  ['PATCH', '/apis/podwire.dev/v1/links/:/:', (c, a, b, body) => patchLink(c, findNode(c, a), findNode(c, b), body!)],
  ['GET', '/apis/podwire.dev/v1/nodes/:/scene', (c, name) => sceneOf(c, findNode(c, name))],
  ['GET', '/apis/podwire.dev/v1/nodes/:/counters', (c, name) => c.ask(findNode(c, name), 'counters')],
];

/** Longest body of a request, and its longest headers: a capture's filter is one. */
const BODY_MAX = 65_536;
const HEADERS_MAX = 1 << 20;

/** Resolves once the socket answers. */
export function startApi(cluster: Cluster, path: string): Promise<void> {
  const server = createServer(
    { maxHeaderSize: HEADERS_MAX },
    (request, response) => void answer(cluster, request, response),
  );
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => upgrade(cluster, request, socket));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve();
    });
  });
}

async function answer(cluster: Cluster, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const body = request.method === 'PATCH' ? [await readBody(request)] : [];
    send(response, 200, await dispatch(cluster, request.method ?? '', request.url ?? '', body));
  } catch (error) {
    const status = failure(error);
    send(response, status.code, status);
  }
}

/** The one thing to upgrade to. */
function upgrade(cluster: Cluster, request: IncomingMessage, socket: Socket): void {
  try {
    const parameters = match('/apis/podwire.dev/v1/nodes/:/capture', request.url ?? '');
    if (parameters === undefined || request.headers.upgrade !== CAPTURE_PROTOCOL) {
      throw new ApiError(404, 'NotFound', `nothing to upgrade to at ${request.url}`);
    }
    const asked = request.headers[CAPTURE_REQUEST_HEADER];
    handOver(findNode(cluster, parameters[0]), Array.isArray(asked) ? undefined : asked, socket);
  } catch (error) {
    const status = failure(error);
    const body = `${JSON.stringify(status)}\n`;
    const head = `HTTP/1.1 ${status.code} ${status.reason}\r\ncontent-type: application/json\r\nconnection: close`;
    socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
}

function failure(error: unknown) {
  const code = error instanceof ApiError ? error.code : 500;
  const reason = error instanceof ApiError ? error.reason : 'InternalError';
  const message = error instanceof Error ? error.message : String(error);
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason, code };
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > BODY_MAX) throw new ApiError(413, 'RequestEntityTooLarge', `more than ${BODY_MAX} characters`);
  }
  return body;
}

function dispatch(cluster: Cluster, method: string, url: string, body: readonly string[]): unknown {
  const path = url.split('?')[0]!;
  const candidates = routes.flatMap(([allowed, pattern, handler]) => {
    const parameters = match(pattern, path);
    return parameters === undefined ? [] : [{ allowed, handler, parameters }];
  });
  const found = candidates.find(({ allowed }) => allowed === method);
  if (found !== undefined) return found.handler(cluster, ...found.parameters, ...body);
  if (candidates.length > 0) throw new ApiError(405, 'MethodNotAllowed', `${method} is not allowed on ${path}`);
  throw new ApiError(404, 'NotFound', `the server could not find the requested resource ${path}`);
}

function match(pattern: string, path: string): string[] | undefined {
  const want = pattern.split('/');
  const have = path.split('/');
  if (want.length !== have.length) return undefined;
  const parameters: string[] = [];
  for (const [i, segment] of want.entries()) {
    if (segment === ':') parameters.push(decode(have[i]!));
    else if (segment !== have[i]) return undefined;
  }
  return parameters;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ApiError(400, 'BadRequest', `not a path segment: ${segment}`);
  }
}

function sceneOf({ topology }: Cluster, { node, indexes }: RunningNode): CaptureScene {
  return captureScene(topology, node, indexes);
}

function podsIn(cluster: Cluster, namespace: string): unknown[] {
  const pods = [...cluster.pods.values()].filter(({ pod }) => pod.namespace === namespace);
  return pods.map((pod) => podObject(cluster, pod));
}

function findNode(cluster: Cluster, name: string | undefined): RunningNode {
  const node = cluster.nodes.get(name ?? '');
  if (node === undefined) throw new ApiError(404, 'NotFound', `nodes "${name}" not found`);
  return node;
}

function findPod(cluster: Cluster, namespace: string | undefined, name: string | undefined): RunningPod {
  const pod = cluster.pods.get(`${namespace}/${name}`);
  if (pod === undefined) throw new ApiError(404, 'NotFound', `pods "${name}" not found in namespace "${namespace}"`);
  return pod;
}
