/** An object as it was written: Kubernetes JSON, and where each field of it stands. */
import type { KubernetesObject } from '../store/object.ts';
import { type Field, shown } from './field.ts';
import { formatPlace, type ProblemLog } from './source.ts';
import { type SourceNode, sourceOf } from './source-tree.ts';
import { labelKey, labelValue } from './text-rule.ts';

export interface ManifestObject {
  /** As written, checked, and with what an API server fills in where nothing is. */
  readonly object: KubernetesObject;
  /** The document as written; `sourceOf(manifestObject, 'spec.nodeName')` is a field's place. */
  readonly source: SourceNode;
}

/** A map of labels, of a document that is no Kubernetes object; empty when left out. */
export function readLabels(field: Field | undefined): Record<string, string> {
  const labels: [string, string][] = [];
  for (const [key, entry] of field?.entries() ?? []) {
    if (!labelKey.holds(key)) entry.refuse(`found the key ${shown(key)}, expected ${labelKey.expected}`);
    const isAbsent = entry.node.type === 'scalar' && entry.node.value === null;
    const value = isAbsent ? '' : entry.text();
    if (value === undefined) continue;
    if (!labelValue.holds(value)) entry.refuse(`found ${shown(value)}, expected ${labelValue.expected}`);
    labels.push([key, value]);
  }
  return Object.fromEntries(labels);
}

/** Tells each object whose identity an earlier one has. */
export function refuseDuplicates(objects: readonly ManifestObject[], log: ProblemLog): void {
  const first = new Map<string, ManifestObject>();
  for (const manifest of objects) {
    const { apiVersion, kind, metadata } = manifest.object;
    if (metadata.name === undefined || metadata.name === '') continue; // refused already, for having no name
    const name = qualifiedName(manifest.object);
    const key = `${apiVersion} ${kind} ${name}`;
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, manifest);
      continue;
    }
    const before = formatPlace(sourceOf(other, 'metadata.name'));
    const message = `found ${kind} ${name} twice, first at ${before}; expected each object once: remove or rename one`;
    log.error(sourceOf(manifest, 'metadata.name'), 'metadata.name', message);
  }
}

/** 'namespace/name', or the name alone outside namespaces. */
function qualifiedName({ metadata }: KubernetesObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}
