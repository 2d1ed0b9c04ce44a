/**
 * Manifests → objects: the only way untrusted text gets in. A kind that podwire reads is one file that exports a
 * ManifestKind, and one entry in `kinds`.
 */
import { clusterKind } from './cluster-document.ts';
import { coreV1Kinds } from './core-v1-fields.ts';
import { Field, shown, suggestion } from './field.ts';
import { type ManifestKind, type ObjectIdentity, refuseDuplicates } from './manifest-object.ts';
import { namespaceKind } from './namespace.ts';
import { podKind } from './pod.ts';
import { type Place, type Problem, ProblemLog, printable } from './source.ts';
import { readYaml } from './yaml-text.ts';

const kinds = [clusterKind, namespaceKind, podKind] as const;

/** A text and the name under which problems mention it. */
export interface ManifestText {
  readonly file: string;
  readonly text: string;
}

/** An object of a kind that podwire reads, discriminated by `kind`. */
export type ManifestObject = ReturnType<(typeof kinds)[number]['read']>;

export interface Manifests {
  /** In the order of the input. */
  readonly objects: readonly ManifestObject[];
  /** What the user should hear though nothing is wrong: kinds that were skipped, fields that are not obeyed. */
  readonly notes: readonly Problem[];
}

/**
 * Reads YAML or JSON texts of any number of documents each.
 *
 * @throws ManifestError with every problem of all texts.
 */
export function readManifests(texts: readonly ManifestText[]): Manifests {
  const log = new ProblemLog();
  const reading = new Reading(log);
  for (const { file, text } of texts) {
    for (const document of readYaml(file, text, log))
      reading.document(new Field(document, document.place, '', log), {});
  }
  reading.noteSkipped();
  refuseDuplicateObjects(reading.objects, log);
  log.throwIfErrors();
  return { objects: reading.objects, notes: log.notes };
}

/** Tells every object that an earlier one of the list excludes. */
export function refuseDuplicateObjects(objects: readonly ObjectIdentity[], log: ProblemLog): void {
  const single = new Set<string>(kinds.filter(({ isSingle }) => isSingle).map(({ kind }) => kind));
  refuseDuplicates(objects, ({ kind }) => single.has(kind), log);
}

/** What an item of a typed list (PodList) may leave out. */
interface ItemType {
  readonly apiVersion?: string;
  readonly kind?: string;
}

class Reading {
  readonly objects: ManifestObject[] = [];
  readonly #log: ProblemLog;
  readonly #skipped = new Map<string, { place: Place; count: number }>();

  constructor(log: ProblemLog) {
    this.#log = log;
  }

  document(document: Field, itemType: ItemType): void {
    const { node } = document;
    if (node.type !== 'map') {
      document.refuse('found no object, expected one with apiVersion and kind');
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
    const found = kinds.find((candidate) => candidate.apiVersion === apiVersion && candidate.kind === kind);
    if (found !== undefined) this.objects.push((found as ManifestKind<ManifestObject>).read(document));
    else if (apiVersion === 'v1' && kind === 'List') this.#list(document, {});
    else if (kinds.some((item) => item.apiVersion === apiVersion && `${item.kind}List` === kind)) {
      this.#list(document, { apiVersion, kind: kind.slice(0, -'List'.length) });
    } else this.#unread(document, apiVersion, kind);
  }

  #list(document: Field, itemType: ItemType): void {
    const items = document.object(['apiVersion', 'kind', 'metadata', 'items']).get('items');
    for (const item of items?.items() ?? []) {
      // An object's paths start at the object, wherever it stands.
      this.document(new Field(item.node, item.place, '', this.#log), itemType);
    }
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

  noteSkipped(): void {
    for (const [type, { place, count }] of this.#skipped) {
      const objects = count === 1 ? '1 object' : `${count} objects`;
      this.#log.note(place, '', `skipped ${objects} of kind ${printable(type)}, which podwire does not read`);
    }
  }
}

/**
 * Is this type a slip of the pen rather than a kind for somebody else? In our own group and in Kubernetes' core group
 * all kinds are known, and our kinds exist in no other group that Kubernetes has built in (those have no dots).
 */
function mistakenType(apiVersion: string, kind: string): string | undefined {
  const ours = kinds.filter((candidate) => candidate.apiVersion.startsWith('podwire.dev/'));
  if (apiVersion.startsWith('podwire.dev/')) {
    const types = ours.map((candidate) => `${candidate.kind} in ${candidate.apiVersion}`);
    return `found no kind ${shown(kind)} in ${shown(apiVersion)}, expected ${types.join(' or ')}`;
  }
  if (apiVersion === 'v1' && !coreV1Kinds.some((core) => kind === core || kind === `${core}List`)) {
    return `found no kind ${shown(kind)} in v1${suggestion(kind, [...coreV1Kinds, 'List'])}`;
  }
  const namesake = kinds.find((candidate) => candidate.kind === kind);
  if (namesake !== undefined && !apiVersion.includes('.')) {
    return `found no kind ${kind} in ${shown(apiVersion)}, expected apiVersion ${namesake.apiVersion}`;
  }
  return undefined;
}

function typeName(document: Field, name: 'apiVersion' | 'kind', example: string): string | undefined {
  const entry = document.entries().find(([key]) => key === name);
  if (entry === undefined) return undefined;
  const text = entry[1].text();
  if (text === '') entry[1].refuse(`found nothing, expected a name, such as ${example}`);
  return text === '' ? undefined : text;
}
