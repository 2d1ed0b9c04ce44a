/** Endpoints on the command line: `[NAMESPACE/]POD`, `KIND/[NAMESPACE/]NAME`, `node/NAME`. */
import { podBearing } from '../store/pods-of.ts';
import { kinds, type Resource } from '../store/resources.ts';
import { UsageError } from './arguments.ts';
import { findResource } from './kinds.ts';

export type Endpoint =
  | { readonly type: 'node'; readonly name: string }
  | { readonly type: 'object'; readonly resource: Resource; readonly namespace: string; readonly name: string }
  /** A pod, or else a workload of that name. */
  | { readonly type: 'bare'; readonly namespace: string; readonly name: string };

/** A first part that is a known kind is a kind, not a namespace. @throws UsageError */
export function parseEndpoint(text: string, namespace: string, usage: string): Endpoint {
  const parts = text.split('/');
  const [first = '', second = '', third] = parts;
  if (parts.length > 3 || parts.includes('')) throw noEndpoint(text, usage);
  if (parts.length === 1) return { type: 'bare', namespace, name: first };
  const resource = findResource(first);
  if (resource === undefined) {
    if (third !== undefined) throw noEndpoint(text, usage);
    return { type: 'bare', namespace: first, name: second };
  }
  if (resource === kinds.Node && third === undefined) return { type: 'node', name: second };
  if (resource !== kinds.Pod && !podBearing.includes(resource)) throw noEndpoint(text, usage);
  return { type: 'object', resource, namespace: third === undefined ? namespace : second, name: third ?? second };
}

function noEndpoint(text: string, usage: string): UsageError {
  const kindNames = ['pod', ...podBearing.map(({ singular }) => singular)].join(', ');
  const forms = `[NAMESPACE/]POD, KIND/NAME (${kindNames}) or node/NAME`;
  return new UsageError(`"${text}" is no endpoint: expected ${forms}`, usage);
}
