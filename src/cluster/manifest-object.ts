/** What every object has, whatever its kind; and what a kind must provide to be read. */
import { objectMetaFields } from './core-v1-fields.ts';
import { type Field, type Fields, shown } from './field.ts';
import { formatPlace, type ProblemLog } from './source.ts';
import { type SourceNode, sourceOf } from './source-tree.ts';
import { annotationKey, dnsLabel, labelKey, labelValue, type TextRule } from './text-rule.ts';

/** An object's name in the cluster. `namespace` is '' for kinds that live outside namespaces. */
export interface ObjectIdentity {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The document as written; `sourceOf(object, 'spec.nodeName')` is a field's place. */
  readonly source: SourceNode;
}

/** A kind of document: one file exports one of these, and `manifests.ts` lists it. */
export interface ManifestKind<T extends ObjectIdentity> {
  readonly apiVersion: T['apiVersion'];
  readonly kind: T['kind'];
  /** At most one object of the kind over all inputs, whatever its name. */
  readonly isSingle: boolean;
  /** Checks and reads a document. What it returns after telling an error to the field's log is never used. */
  readonly read: (document: Field) => T;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const DEFAULT_NAMESPACE = 'default';

/** Kubernetes' limit for all annotations of an object, keys and values, in bytes of UTF-8. */
const ANNOTATIONS_BYTES_MAX = 256 * 1024;

/** The metadata of an object whose `document` fields are given. */
export function readMeta(document: Fields, nameRule: TextRule, scope: 'namespaced' | 'cluster'): ObjectMeta {
  const meta = document.required('metadata', 'metadata: {name: …}')?.object(objectMetaFields);
  return {
    name: meta === undefined ? '' : readName(meta, nameRule),
    namespace: readNamespace(meta?.get('namespace'), scope),
    labels: readLabels(meta?.get('labels')),
    annotations: readAnnotations(meta?.get('annotations')),
  };
}

function readName(meta: Fields, rule: TextRule): string {
  const generated = meta.get('generateName');
  if (meta.get('name') === undefined && generated !== undefined) {
    generated.refuse(
      'found generateName without name, expected a name, so that each run gives the same; add "name: …"',
    );
    return '';
  }
  return meta.required('name', 'name: …')?.text(rule) ?? '';
}

function readNamespace(field: Field | undefined, scope: 'namespaced' | 'cluster'): string {
  if (scope === 'namespaced') return field?.textOrEmpty(dnsLabel) ?? DEFAULT_NAMESPACE;
  if (field?.textOrEmpty() !== undefined) {
    field.refuse('found a namespace, expected none: objects of this kind live outside namespaces; remove it');
  }
  return '';
}

/** A map of labels; empty when left out. */
export function readLabels(field: Field | undefined): Record<string, string> {
  const labels = readTexts(field, labelKey);
  for (const { value, entry } of labels) {
    if (!labelValue.holds(value)) entry.refuse(`found ${shown(value)}, expected ${labelValue.expected}`);
  }
  return recordOf(labels);
}

function readAnnotations(field: Field | undefined): Record<string, string> {
  const annotations = readTexts(field, annotationKey);
  const size = annotations.reduce((sum, { key, value }) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (size > ANNOTATIONS_BYTES_MAX) {
    field?.refuse(`found annotations of ${size} bytes, expected at most ${ANNOTATIONS_BYTES_MAX}; shorten them`);
  }
  return recordOf(annotations);
}

interface TextEntry {
  readonly key: string;
  readonly value: string;
  readonly entry: Field;
}

/** Entries whose values are strings; a value left out is the empty string, as in the Kubernetes API. */
function readTexts(field: Field | undefined, keyRule: TextRule): TextEntry[] {
  const entries: TextEntry[] = [];
  for (const [key, entry] of field?.entries() ?? []) {
    if (!keyRule.holds(key)) entry.refuse(`found the key ${shown(key)}, expected ${keyRule.expected}`);
    const isAbsent = entry.node.type === 'scalar' && entry.node.value === null;
    const value = isAbsent ? '' : entry.text();
    if (value !== undefined) entries.push({ key, value, entry });
  }
  return entries;
}

/** fromEntries defines properties instead of assigning them: a key `__proto__` is a key. */
function recordOf(entries: readonly TextEntry[]): Record<string, string> {
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

/** Tells each object whose identity an earlier one has. */
export function refuseDuplicates(
  objects: readonly ObjectIdentity[],
  isSingle: (object: ObjectIdentity) => boolean,
  log: ProblemLog,
): void {
  const first = new Map<string, ObjectIdentity>();
  for (const object of objects) {
    if (object.name === '') continue; // refused already, for having no name
    const key = isSingle(object) ? object.kind : `${object.kind}/${object.namespace}/${object.name}`;
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, object);
      continue;
    }
    const before = formatPlace(nameOrDocument(other));
    const message = isSingle(object)
      ? `found a second ${object.kind} document, the first is at ${before}; expected at most one: remove one`
      : `found ${object.kind} ${qualifiedName(object)} twice, first at ${before}; expected each object once: remove or rename one`;
    log.error(nameOrDocument(object), isSingle(object) ? '' : 'metadata.name', message);
  }
}

function nameOrDocument(object: ObjectIdentity) {
  return sourceOf(object, 'metadata.name');
}

/** 'namespace/name', or the name alone outside namespaces. */
export function qualifiedName(object: Pick<ObjectIdentity, 'namespace' | 'name'>): string {
  return object.namespace === '' ? object.name : `${object.namespace}/${object.name}`;
}
