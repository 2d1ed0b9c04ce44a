/** Where objects are in Kubernetes' REST API: `/api/v1/namespaces/shop/pods/web`, `/apis/apps/v1/deployments`. */
import { type Resource, resources } from '../store/resources.ts';

/** All objects of a kind, or all of them in a namespace. */
export function collectionPath({ apiVersion, plural, namespaced }: Resource, namespace: string | undefined): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  if (!namespaced || namespace === undefined) return `${root}/${plural}`;
  return `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
}

/** @param namespace of no meaning for kinds that have none */
export function objectPath(resource: Resource, namespace: string, name: string): string {
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
}

export interface ResourcePath {
  readonly resource: Resource;
  /** undefined: all namespaces, or a kind that has none. */
  readonly namespace: string | undefined;
  /** undefined: a collection. */
  readonly name: string | undefined;
  /** `log`. */
  readonly subresource: string | undefined;
}

/** @param segments of a path below the root, decoded. @returns undefined where no objects can be */
export function parseResourcePath(segments: readonly string[]): ResourcePath | undefined {
  const [root, ...rest] = segments;
  const apiVersion = root === 'api' ? rest.shift() : root === 'apis' ? rest.splice(0, 2).join('/') : undefined;
  const within = rest[0] === 'namespaces' && rest.length > 2;
  const [, namespace] = within ? rest.splice(0, 2) : [];
  const [plural, name, subresource, ...more] = rest;
  const resource = resources.find((item) => item.apiVersion === apiVersion && item.plural === plural);
  if (resource === undefined || more.length > 0) return undefined;
  // An object in a namespace is found by it only, and what has none is in none.
  const fits = resource.namespaced ? within || name === undefined : !within;
  return fits ? { resource, namespace, name, subresource } : undefined;
}
