/** `api/`: the objects of a cluster at Kubernetes' own paths: get, list, watch, delete; and the logs of pods. */
import type { KubernetesObject } from '../store/object.ts';
import type { Resource } from '../store/resources.ts';
import { parseFieldSelector, parseLabelSelector } from '../store/selector.ts';
import { described, StoreError } from '../store/store-error.ts';
import { ApiError, type Status } from './api-error.ts';
import type { ClusterApi } from './cluster-api.ts';
import { readTail, writeLog } from './pod-log.ts';
import type { Reply } from './reply.ts';
import type { ApiRequest } from './request.ts';
import type { ResourcePath } from './resource-path.ts';
import { refuseVersion, type Selection, watch } from './watch.ts';

/** A body that is written bit by bit. */
export interface Streamed {
  readonly contentType: string;
  write(reply: Reply): Promise<void>;
}

/** @throws ApiError, StoreError */
export function answerObjects(
  cluster: ClusterApi,
  path: ResourcePath,
  request: ApiRequest,
): object | Streamed | Promise<object> {
  if (path.subresource !== undefined) return subresource(cluster, path, request);
  if (path.name === undefined) return collection(cluster, path, request);
  if (request.method === 'GET') return found(cluster, path);
  if (request.method === 'DELETE') return remove(cluster, path, request);
  throw notAllowed(request);
}

function subresource(cluster: ClusterApi, path: ResourcePath, request: ApiRequest): Streamed {
  if (path.resource.kind !== 'Pod' || path.subresource !== 'log') throw noSuchPath(request);
  if (request.method !== 'GET') throw notAllowed(request);
  const pod = found(cluster, path);
  const options = { tail: readTail(request.query.get('tailLines')), follow: request.flag('follow') };
  return { contentType: 'text/plain; charset=utf-8', write: (reply) => writeLog(cluster, pod, reply, options) };
}

function collection({ store }: ClusterApi, path: ResourcePath, request: ApiRequest): Streamed {
  if (request.method !== 'GET') throw notAllowed(request);
  const selection = readSelection(path, request.query);
  if (!request.flag('watch')) {
    const version = store.resourceVersion;
    const objects = store.list(selection.resource, selection);
    return {
      contentType: 'application/json',
      write: (reply) => writeList(reply, selection.resource, version, objects),
    };
  }
  const asked = request.query.get('resourceVersion') ?? '';
  const from = asked === '' || asked === '0' ? undefined : asked;
  if (from !== undefined) refuseVersion(store, from);
  const timeoutMs = readTimeout(request.query.get('timeoutSeconds'));
  return { contentType: 'application/json', write: (reply) => watch(store, selection, from, reply, timeoutMs) };
}

function readSelection({ resource, namespace }: ResourcePath, query: URLSearchParams): Selection {
  return {
    resource,
    namespace,
    labels: parseLabelSelector(query.get('labelSelector') ?? ''),
    fields: parseFieldSelector(query.get('fieldSelector') ?? '', resource.kind),
  };
}

function readTimeout(text: string | null): number | undefined {
  if (text === null || text === '0') return undefined;
  if (!/^\d{1,6}$/.test(text)) throw new ApiError(400, 'BadRequest', `timeoutSeconds: found ${JSON.stringify(text)}`);
  return Number(text) * 1000;
}

/** Object by object: ten thousand pods are tens of megabytes. */
async function writeList(
  reply: Reply,
  { apiVersion, kind }: Resource,
  resourceVersion: string,
  objects: readonly KubernetesObject[],
): Promise<void> {
  const head = JSON.stringify({ apiVersion, kind: `${kind}List`, metadata: { resourceVersion } });
  await reply.write(`${head.slice(0, -1)},"items":[`);
  for (const [i, object] of objects.entries()) await reply.write(`${i === 0 ? '' : ','}${JSON.stringify(object)}`);
  await reply.write(']}\n');
  await reply.end();
}

function found({ store }: ClusterApi, { resource, namespace, name }: ResourcePath): KubernetesObject {
  const object = store.get(resource, namespace ?? '', name!);
  if (object === undefined) throw new StoreError('NotFound', `${described(resource, name!)} not found`);
  return object;
}

/** Kubernetes answers at once; this answers when the object is gone, unless the query says `wait=false`. */
async function remove(cluster: ClusterApi, path: ResourcePath, request: ApiRequest): Promise<Status> {
  const { metadata } = found(cluster, path);
  if (request.query.get('propagationPolicy') === 'Orphan') {
    throw new ApiError(
      400,
      'BadRequest',
      'propagationPolicy Orphan is not supported; what an object owns goes with it',
    );
  }
  const { resource, namespace = '', name } = path;
  await cluster.deleteObject(resource, namespace, name!, request.flag('wait', true));
  const group = resource.apiVersion.includes('/') ? { group: resource.apiVersion.split('/')[0] } : {};
  const details = { name, ...group, kind: resource.plural, uid: metadata.uid };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details, code: 200 };
}

export function noSuchPath({ path }: ApiRequest): ApiError {
  return new ApiError(404, 'NotFound', `the server could not find the requested resource ${path}`);
}

export function notAllowed({ method, path }: ApiRequest): ApiError {
  const remedy = ['POST', 'PUT', 'PATCH'].includes(method) ? '; POST /apis/podwire.dev/v1/apply takes objects' : '';
  return new ApiError(405, 'MethodNotAllowed', `${method} is not allowed on ${path}${remedy}`);
}
