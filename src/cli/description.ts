/** What `describe` writes: labelled values, then blocks under titles. Everything is made fit for a terminal here. */
import { printable } from '../cluster/source.ts';
import { NONE } from './column.ts';
import { formatTable } from './table.ts';

/** Several values stand below each other. */
export type Field = readonly [label: string, value: string | readonly string[]];

export interface Block {
  readonly title: string;
  /** None: the block says so. */
  readonly lines: readonly string[];
}

export interface Description {
  readonly fields: readonly Field[];
  readonly blocks: readonly Block[];
}

/** `Name:  web`, values in one column. */
export function fieldLines(fields: readonly Field[]): string[] {
  const width = Math.max(0, ...fields.map(([label]) => label.length)) + 3;
  return fields.flatMap(([label, value]) => {
    const values = typeof value === 'string' ? [value] : value;
    const shown = values.length === 0 ? [NONE] : values;
    return shown.map((text, i) => `${(i === 0 ? `${label}:` : '').padEnd(width)}${printable(text)}`.trimEnd());
  });
}

/** A table with a line below its headers; no rows, no table. */
export function tableLines(headers: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const lines = headers.map((header) => '-'.repeat(header.length));
  const cells = rows.map((row) => row.map(printable));
  return formatTable([headers, lines, ...cells])
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd());
}

export function formatDescription({ fields, blocks }: Description): string {
  const written = blocks.flatMap(({ title, lines }) =>
    lines.length === 0 ? [`${title}:  ${NONE}`] : [`${title}:`, ...lines.map((line) => `  ${line}`)],
  );
  return `${[...fieldLines(fields), ...written].join('\n')}\n`;
}

/** `key=value` or `key: value`, each on its line. */
export function pairs(map: Readonly<Record<string, string>> | undefined, sign: '=' | ': '): string[] {
  return Object.entries(map ?? {}).map(([key, value]) => `${key}${sign}${value}`);
}

export function conditionBlock(
  conditions: readonly { readonly type: string; readonly status: string; readonly reason?: string }[] | undefined,
): Block {
  const rows = (conditions ?? []).map(({ type, status, reason }) => [type, status, reason ?? '']);
  return { title: 'Conditions', lines: tableLines(['Type', 'Status', 'Reason'], rows) };
}
