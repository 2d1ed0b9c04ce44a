/**
 * Manifests → objects: the only way untrusted text gets in. A kind that podwire reads is one file of `kinds/`, and an
 * entry in `kinds/all-kinds.ts`; the documents that describe the cluster itself are read here.
 */
import { type ClusterObject, readCluster } from './cluster-document.ts';
import { Field } from './field.ts';
import { objectKinds } from './kinds/all-kinds.ts';
import { builtInKinds } from './kinds/api-type.ts';
import { readKindConfig } from './kinds/kind-config.ts';
import { mistakenType } from './kinds/mistaken-type.ts';
import { readObject } from './kinds/object-kind.ts';
import { type ManifestObject, refuseDuplicates } from './manifest-object.ts';
import { formatPlace, type Place, type Problem, ProblemLog, printable } from './source.ts';
import { sourceFromJson } from './source-json.ts';
import { type SourceNode, sourceOf } from './source-tree.ts';
import { readYaml } from './yaml-text.ts';

/** A text and the name under which problems mention it. */
export interface ManifestText {
  readonly file: string;
  readonly text: string;
}

export interface Manifests {
  /** The cluster's own document, podwire's or kind's. */
  readonly cluster: ClusterObject | undefined;
  /** In the order of the input. */
  readonly objects: readonly ManifestObject[];
  /** What the user should hear though nothing is wrong: kinds that were skipped, fields that are not obeyed. */
  readonly notes: readonly Problem[];
}

const DEFAULT_NAMESPACE = 'default';

/** Documents that describe the cluster: at most one of all inputs. */
const clusterReaders: Readonly<Record<string, (document: Field) => ClusterObject>> = {
  'podwire.dev/v1alpha1 Cluster': readCluster,
  'kind.x-k8s.io/v1alpha4 Cluster': readKindConfig,
};

/**
 * Reads YAML or JSON texts of any number of documents each.
 *
 * @param namespace of objects that name none
 * @throws ManifestError with every problem of all texts.
 */
export function readManifests(texts: readonly ManifestText[], namespace = DEFAULT_NAMESPACE): Manifests {
  const reading = new Reading(namespace);
  for (const { file, text } of texts) {
    for (const document of readYaml(file, text, reading.log)) reading.document(document, {});
  }
  return reading.end();
}

/**
 * Reads objects that come as JSON from a program, each or a List of them. Their places are "object 1", "object 2".
 *
 * @throws ManifestError with every problem of all values.
 */
export function readObjects(values: readonly unknown[], namespace = DEFAULT_NAMESPACE): Manifests {
  const reading = new Reading(namespace);
  for (const [index, value] of values.entries()) {
    const document = sourceFromJson(value, `object ${index + 1}`, reading.log);
    if (document !== undefined) reading.document(document, {});
  }
  return reading.end();
}

/** What an item of a typed list (PodList) may leave out. */
interface ItemType {
  readonly apiVersion?: string;
  readonly kind?: string;
}

class Reading {
  readonly log = new ProblemLog();
  readonly #namespace: string;
  readonly #objects: ManifestObject[] = [];
  readonly #skipped = new Map<string, { place: Place; count: number }>();
  #cluster: ClusterObject | undefined;

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  document(node: SourceNode, itemType: ItemType): void {
    const document = new Field(node, node.place, '', this.log);
    if (node.type !== 'map') {
      document.refuse('found no object, expected one with apiVersion and kind');
      return;
    }
    if (isExpectations(node)) {
      document.note('skipped expectations, which `podwire check --expect` reads');
      return;
    }
    const apiVersion = typeName(document, 'apiVersion', 'v1') ?? itemType.apiVersion;
    const kind = typeName(document, 'kind', 'Pod') ?? itemType.kind;
    if (apiVersion === undefined || kind === undefined) {
      const missing = ['apiVersion', 'kind'].filter((name) => !node.fields.has(name));
      if (missing.length > 0)
        document.refuse(`found no ${missing.join(' and no ')}, expected both; add what is missing`);
      return;
    }
    const type = `${apiVersion} ${kind}`;
    const objectKind = objectKinds.get(type);
    const clusterReader = clusterReaders[type];
    if (objectKind !== undefined) this.#objects.push(readObject(node, objectKind, this.#namespace, this.log));
    else if (clusterReader !== undefined) this.#readCluster(clusterReader(document));
    else if (type === 'v1 List') this.#list(document, {});
    else if (isListOfBuiltIn(apiVersion, kind)) this.#list(document, { apiVersion, kind: kind.slice(0, -LIST.length) });
    else this.#unread(document, apiVersion, kind);
  }

  /** @throws ManifestError with every problem. */
  end(): Manifests {
    for (const [type, { place, count }] of this.#skipped) {
      const objects = count === 1 ? '1 object' : `${count} objects`;
      this.log.note(place, '', `skipped ${objects} of kind ${printable(type)}, which podwire does not read`);
    }
    refuseDuplicates(this.#objects, this.log);
    this.log.throwIfErrors();
    return { cluster: this.#cluster, objects: this.#objects, notes: this.log.notes };
  }

  #readCluster(cluster: ClusterObject): void {
    this.#cluster ??= cluster;
    if (this.#cluster === cluster) return;
    const before = formatPlace(sourceOf(this.#cluster, ''));
    const message = `found a second Cluster document, the first is at ${before}; expected at most one: remove one`;
    this.log.error(sourceOf(cluster, ''), '', message);
  }

  #list(document: Field, itemType: ItemType): void {
    const items = document.object(['apiVersion', 'kind', 'metadata', 'items']).get('items');
    // An object's paths start at the object, wherever it stands.
    for (const item of items?.items() ?? []) this.document(item.node, itemType);
  }

  #unread(document: Field, apiVersion: string, kind: string): void {
    const mistake = mistakenType(apiVersion, kind);
    if (mistake !== undefined) {
      document.refuse(mistake);
      return;
    }
    const type = `${kind} (${apiVersion})`;
    const skipped = this.#skipped.get(type);
    if (skipped === undefined) this.#skipped.set(type, { place: document.place, count: 1 });
    else skipped.count++;
  }
}

const expectationFields = ['allow', 'deny', 'default'];

/** They may lie in the folder of the manifests that they are about (`check/`). */
function isExpectations(node: SourceNode): boolean {
  if (node.type !== 'map' || node.fields.size === 0) return false;
  return [...node.fields.keys()].every((name) => expectationFields.includes(name));
}

const LIST = 'List';

function isListOfBuiltIn(apiVersion: string, kind: string): boolean {
  return kind.endsWith(LIST) && builtInKinds.get(apiVersion)?.includes(kind.slice(0, -LIST.length)) === true;
}

function typeName(document: Field, name: 'apiVersion' | 'kind', example: string): string | undefined {
  const { node } = document;
  const written = node.type === 'map' ? node.fields.get(name)?.node : undefined;
  if (written === undefined) return undefined;
  if (written.type === 'scalar' && typeof written.value === 'string' && written.value !== '') return written.value;
  const field = document.entries().find(([key]) => key === name)![1];
  if (field.text() === '') field.refuse(`found nothing, expected a name, such as ${example}`);
  return undefined;
}
