/** Endpoints on the command line: `[NAMESPACE/]POD`, `pod/NAME`, `node/NAME`. */
import { UsageError } from './arguments.ts';

export type Endpoint =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'node'; readonly name: string };

const kinds: Readonly<Record<string, Endpoint['kind']>> = {
  pod: 'pod',
  pods: 'pod',
  po: 'pod',
  node: 'node',
  nodes: 'node',
  no: 'node',
};

/** A first part that is a known kind is a kind, not a namespace. */
export function parseEndpoint(text: string, namespace: string, usage: string): Endpoint {
  const parts = text.split('/');
  const [first, second] = parts;
  if (parts.length > 2 || parts.includes('') || first === undefined) {
    throw new UsageError(`"${text}" is no endpoint: expected [NAMESPACE/]POD, pod/NAME or node/NAME`, usage);
  }
  if (second === undefined) return { kind: 'pod', namespace, name: first };
  const kind = kinds[first];
  if (kind === 'node') return { kind, name: second };
  return { kind: 'pod', namespace: kind === 'pod' ? namespace : first, name: second };
}
