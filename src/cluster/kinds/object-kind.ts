/** What a kind must provide to be read, and the reading that is the same for all: metadata, defaults, then checks. */
import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import type { KubernetesObject } from '../../store/object.ts';
import { shown } from '../field.ts';
import type { ManifestObject } from '../manifest-object.ts';
import type { ProblemLog } from '../source.ts';
import { childPath, type SourceNode } from '../source-tree.ts';
import { annotationKey, dnsLabel, labelKey, labelValue, type TextRule } from '../text-rule.ts';
import { documentType } from './api-type.ts';
import { ObjectCheck } from './object-check.ts';
import { readTyped } from './typed-value.ts';

/** A kind: its file exports one of these, and `all-kinds.ts` lists it. */
export interface ObjectKind<T extends KubernetesObject = KubernetesObject> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
  readonly nameRule: TextRule;
  /** Fills in what the API server would fill in (pkg/apis/GROUP/v1/defaults.go). The object is new and nobody else's. */
  complete?(object: Draft<T>): void;
  /** Tells what the API server would refuse (pkg/apis/GROUP/validation). The object is complete. */
  check?(object: T, problems: ObjectCheck): void;
}

/** An object whose fields, and theirs, may still be set. */
type Draft<T> = { -readonly [Key in keyof T]: Writable<T[Key]> };
type Writable<T> = T extends object ? { -readonly [Key in keyof T]: T[Key] } : T;

/** Kubernetes' limit for all annotations of an object, keys and values, in bytes of UTF-8. */
const ANNOTATIONS_BYTES_MAX = 256 * 1024;

/**
 * Reads a document of the kind. What it returns after telling an error to the log is never used.
 *
 * @param namespace for an object that names none
 */
export function readObject(source: SourceNode, kind: ObjectKind, namespace: string, log: ProblemLog): ManifestObject {
  const type = documentType(kind.apiVersion, kind.kind);
  const { value, faults } = readTyped(source, type, log);
  const problems = new ObjectCheck(source, log, faults);
  const { apiVersion: _, kind: __, metadata, ...rest } = value;
  const meta = (metadata ?? {}) as ObjectMeta;
  problems.required('', 'metadata', metadata, 'metadata: {name: …}');
  if (metadata !== undefined) checkMetadata(meta, kind, problems);
  if (kind.isNamespaced) meta.namespace ??= namespace;
  // Items of a typed list may leave out what the list says.
  const object = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: meta, ...rest } as KubernetesObject & Spec;
  if (type.fields.has('spec')) object.spec ??= {};
  kind.complete?.(object);
  kind.check?.(object, problems);
  return { object, source };
}

interface Spec {
  spec?: object;
}

function checkMetadata(meta: ObjectMeta, kind: ObjectKind, problems: ObjectCheck): void {
  if (meta.name === undefined && meta.generateName !== undefined) {
    const message = 'found generateName without name, expected a name, so that each run gives the same';
    problems.refuse('metadata.generateName', `${message}; add "name: …"`);
  } else {
    problems.required('metadata', 'name', meta.name, 'name: …');
    problems.text('metadata.name', meta.name, kind.nameRule);
  }
  if (kind.isNamespaced) problems.text('metadata.namespace', meta.namespace, dnsLabel);
  else if (meta.namespace !== undefined) {
    const message = 'found a namespace, expected none: objects of this kind live outside namespaces; remove it';
    problems.refuse('metadata.namespace', message);
  }
  checkLabels(meta.labels, 'metadata.labels', problems);
  checkAnnotations(meta.annotations, 'metadata.annotations', problems);
}

/** Metadata of a pod template: labels and annotations. */
export function checkTemplateMetadata(meta: ObjectMeta | undefined, path: string, problems: ObjectCheck): void {
  checkLabels(meta?.labels, `${path}.labels`, problems);
  checkAnnotations(meta?.annotations, `${path}.annotations`, problems);
}

export function checkLabels(
  labels: Readonly<Record<string, string>> | undefined,
  path: string,
  problems: ObjectCheck,
): void {
  for (const key in labels) {
    const value = labels[key]!;
    if (!labelKey.holds(key)) {
      problems.refuse(childPath(path, key), `found the key ${shown(key)}, expected ${labelKey.expected}`);
    }
    if (!labelValue.holds(value)) problems.text(childPath(path, key), value, labelValue);
  }
}

function checkAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
  problems: ObjectCheck,
): void {
  let size = 0;
  for (const key in annotations) {
    size += Buffer.byteLength(key) + Buffer.byteLength(annotations[key]!);
    if (annotationKey.holds(key)) continue;
    problems.refuse(childPath(path, key), `found the key ${shown(key)}, expected ${annotationKey.expected}`);
  }
  if (size <= ANNOTATIONS_BYTES_MAX) return;
  problems.refuse(path, `found annotations of ${size} bytes, expected at most ${ANNOTATIONS_BYTES_MAX}; shorten them`);
}
