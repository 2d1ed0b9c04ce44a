/** Kind Namespace (v1). Accepted for its labels; pods may name namespaces that no document declares. */
import type { Field } from './field.ts';
import { type ManifestKind, type ObjectIdentity, readMeta } from './manifest-object.ts';
import { dnsLabel } from './text-rule.ts';

export interface NamespaceObject extends ObjectIdentity {
  readonly apiVersion: 'v1';
  readonly kind: 'Namespace';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export const namespaceKind: ManifestKind<NamespaceObject> = {
  apiVersion: 'v1',
  kind: 'Namespace',
  isSingle: false,
  read: readNamespaceDocument,
};

function readNamespaceDocument(document: Field): NamespaceObject {
  const fields = document.object(['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  const meta = readMeta(fields, dnsLabel, 'cluster');
  return { apiVersion: 'v1', kind: 'Namespace', ...meta, source: document.node };
}
