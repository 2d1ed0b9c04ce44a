/** Objects as `podwire get` shows them. */
import type { KubernetesObject } from '../store/object.ts';
import type { Resource } from '../store/resources.ts';
import { headerRow, objectRow } from './columns.ts';
import { typeName } from './kinds.ts';
import { serialise } from './output.ts';
import { formatTable } from './table.ts';

const formats = ['', 'wide', 'json', 'yaml', 'name'] as const;

/** '' is a table. */
export type OutputFormat = (typeof formats)[number];

export function isOutputFormat(text: string): text is OutputFormat {
  return (formats as readonly string[]).includes(text);
}

export interface Found {
  readonly resource: Resource;
  readonly objects: readonly KubernetesObject[];
}

export interface FoundOutput {
  readonly format: OutputFormat;
  readonly headers: boolean;
  /** A column for it, as `-A` has. */
  readonly withNamespace: boolean;
  /** One object was asked for by name: it is not put into a list. */
  readonly isSingle: boolean;
}

export async function formatObjects(found: readonly Found[], output: FoundOutput): Promise<string> {
  const { format, isSingle } = output;
  if (format === 'json' || format === 'yaml') {
    const items = found.flatMap(({ objects }) => objects);
    const list = { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items };
    return await serialise(isSingle ? items[0] : list, format);
  }
  const shown = found.filter(({ objects }) => objects.length > 0);
  if (format === 'name') return shown.map(formatNames).join('');
  // Tables of several kinds tell the kind with each name.
  const withKind = found.length > 1;
  return shown.map((part) => formatPart(part, output, withKind)).join('\n');
}

function formatNames({ resource, objects }: Found): string {
  return objects.map((object) => `${objectName(resource, object)}\n`).join('');
}

/** `pod/web`, `deployment.apps/web`. */
export function objectName(resource: Resource, { metadata }: KubernetesObject): string {
  return `${typeName(resource)}/${metadata.name}`;
}

function formatPart({ resource, objects }: Found, output: FoundOutput, withKind: boolean): string {
  const rows = objects.map((object) => rowOf(resource, object, output, withKind));
  return formatTable(output.headers ? [headerOf(resource, output), ...rows] : rows);
}

type TableOutput = Pick<FoundOutput, 'format' | 'withNamespace'>;

export function headerOf(resource: Resource, { format, withNamespace }: TableOutput): string[] {
  const own = headerRow(resource, format === 'wide');
  return withNamespace && resource.namespaced ? ['NAMESPACE', ...own] : own;
}

export function rowOf(
  resource: Resource,
  object: KubernetesObject,
  { format, withNamespace }: TableOutput,
  withKind = false,
): string[] {
  const cells = objectRow(resource, object, format === 'wide');
  const at = headerRow(resource, format === 'wide').indexOf('NAME');
  if (withKind && at >= 0) cells[at] = objectName(resource, object);
  return withNamespace && resource.namespaced ? [object.metadata.namespace ?? '', ...cells] : cells;
}
