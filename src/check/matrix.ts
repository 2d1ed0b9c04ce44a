/**
 * Who reaches whom, as a matrix: sources down, destinations across, a character for each pair. Pods of one workload are one
 * row where nothing tells them apart.
 */

import type { Party } from './party.ts';
import type { CheckedPair } from './report.ts';
import { portWords } from './resolve-pairs.ts';

const Mark = { Allowed: '.', Blocked: 'X', Refused: '?', Itself: '-', NotAsked: '', Differs: '!' } as const;

export interface Matrix {
  /** `TCP 80, TCP 81`: ports whose matrices are the same. */
  readonly ports: readonly string[];
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** By row: `.`, `X!` … */
  readonly cells: readonly (readonly string[])[];
}

/** By source's endpoint, then destination's. */
type Cells = Map<string, Map<string, string>>;

/** Parties that are shown as one. */
interface Line {
  readonly name: string;
  readonly parties: readonly Party[];
}

export function matricesOf(pairs: readonly CheckedPair[]): Matrix[] {
  const byPort = new Map<string, CheckedPair[]>();
  for (const checked of [...pairs].sort(byProtocolAndPort)) {
    const port = portWords(checked.pair.protocol, checked.pair.port);
    const list = byPort.get(port);
    if (list === undefined) byPort.set(port, [checked]);
    else list.push(checked);
  }
  const merged = new Map<string, Matrix>();
  for (const [port, list] of byPort) {
    const matrix = matrixOf(port, list);
    const { rows, columns, cells } = matrix;
    const key = JSON.stringify([rows, columns, cells]);
    const same = merged.get(key);
    merged.set(key, same === undefined ? matrix : { ...same, ports: [...same.ports, port] });
  }
  return [...merged.values()];
}

function byProtocolAndPort({ pair: a }: CheckedPair, { pair: b }: CheckedPair): number {
  const byProtocol = protocolOrder.indexOf(a.protocol) - protocolOrder.indexOf(b.protocol);
  return byProtocol === 0 ? a.port - b.port : byProtocol;
}

const protocolOrder = ['TCP', 'UDP', 'SCTP', 'ICMP'];

function matrixOf(port: string, pairs: readonly CheckedPair[]): Matrix {
  const cells: Cells = new Map();
  const sources = new Map<string, Party>();
  const destinations = new Map<string, Party>();
  for (const checked of pairs) {
    const { from, to } = checked.pair;
    sources.set(from.endpoint, from);
    destinations.set(to.endpoint, to);
    const row = cells.get(from.endpoint) ?? new Map<string, string>();
    cells.set(from.endpoint, row.set(to.endpoint, markOf(checked)));
  }
  const cellOf = (from: Party, to: Party) => cells.get(from.endpoint)?.get(to.endpoint) ?? absent(from, to);
  const [down, across] = [inOrder(sources), inOrder(destinations)];
  const rows = linesOf(down, across, cellOf);
  const columns = linesOf(across, down, (to, from) => cellOf(from, to));
  return {
    ports: [port],
    rows: rows.map(({ name }) => name),
    columns: columns.map(({ name }) => name),
    cells: rows.map((row) => columns.map((column) => blockOf(row, column, cellOf))),
  };
}

function markOf({ actual, ok }: CheckedPair): string {
  const mark = actual === 'allowed' ? Mark.Allowed : actual === 'blocked' ? Mark.Blocked : Mark.Refused;
  return ok ? mark : `${mark}${Mark.Differs}`;
}

function absent(from: Party, to: Party): string {
  return from.pod !== undefined && from.pod === to.pod ? Mark.Itself : Mark.NotAsked;
}

/** Pods by name, then Services, then addresses. */
function inOrder(parties: ReadonlyMap<string, Party>): Party[] {
  const rank = ({ pod, outside }: Party) => (outside ? 2 : pod === undefined ? 1 : 0);
  return [...parties.values()].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

/** Those of one workload together, where all of them have the same to say towards everybody. */
function linesOf(
  parties: readonly Party[],
  others: readonly Party[],
  cellOf: (own: Party, other: Party) => string,
): Line[] {
  const groups = new Map<string, Party[]>();
  for (const party of parties) groups.set(party.group, [...(groups.get(party.group) ?? []), party]);
  return [...groups].flatMap(([name, members]) => {
    const isOne = members.length > 1 && isUniform(members, others, cellOf);
    if (isOne) return [{ name: `${name} (${members.length} pods)`, parties: members }];
    return members.map((party) => ({ name: party.name, parties: [party] }));
  });
}

/** A pod towards itself is left aside; towards each other, all must be the same. */
function isUniform(
  members: readonly Party[],
  others: readonly Party[],
  cellOf: (own: Party, other: Party) => string,
): boolean {
  const inside = new Set<string>();
  for (const other of others) {
    const cells = new Set(members.map((own) => cellOf(own, other)).filter((cell) => cell !== Mark.Itself));
    if (cells.size > 1) return false;
    if (other.group === members[0]!.group) for (const cell of cells) inside.add(cell);
  }
  return inside.size <= 1;
}

function blockOf(row: Line, column: Line, cellOf: (from: Party, to: Party) => string): string {
  let block: string = Mark.Itself;
  for (const from of row.parties) {
    for (const to of column.parties) {
      const cell = cellOf(from, to);
      if (cell !== Mark.Itself) block = cell;
    }
  }
  return block;
}

/** Characters of a line. */
const WIDTH = 100;
const GAP = '  ';

/** Lines, each with its end. Columns that find no room are numbered, and stand in as many blocks as they need. */
export function formatMatrix({ ports, rows, columns, cells }: Matrix): string {
  const title = `${ports.join(', ')}, from row to column:\n`;
  const rowWidth = Math.max(...rows.map((name) => name.length));
  const room = Math.max(WIDTH - rowWidth, 20);
  const named = columns.reduce((sum, name) => sum + GAP.length + name.length, 0) <= room;
  if (named) return `${title}${block(rows, columns, cells, rowWidth)}`;
  const heads = columns.map((_, i) => String(i + 1));
  const width = Math.max(2, heads.at(-1)!.length) + GAP.length;
  const perBlock = Math.floor(room / width);
  const blocks: string[] = [];
  for (let at = 0; at < heads.length; at += perBlock) {
    const some = cells.map((line) => line.slice(at, at + perBlock));
    blocks.push(block(rows, heads.slice(at, at + perBlock), some, rowWidth));
  }
  const legend = columns.map((name, i) => `${heads[i]!.padStart(width)} ${name}\n`).join('');
  return `${title}${blocks.join('\n')}\n${legend}`;
}

function block(
  rows: readonly string[],
  heads: readonly string[],
  cells: readonly (readonly string[])[],
  rowWidth: number,
): string {
  const line = (name: string, words: readonly string[]) => {
    const padded = words.map((word, i) => word.padEnd(Math.max(heads[i]!.length, 2)));
    return `${[name.padEnd(rowWidth), ...padded].join(GAP).trimEnd()}\n`;
  };
  return [line('', heads), ...rows.map((name, i) => line(name, cells[i]!))].join('');
}

const meanings: readonly (readonly [mark: string, meaning: string])[] = [
  [Mark.Allowed, 'allowed'],
  [Mark.Blocked, 'blocked'],
  [Mark.Refused, 'came through, nothing listens'],
  [Mark.Itself, 'the pod itself'],
  [Mark.Differs, 'not as expected'],
];

/** What the characters mean that are there. */
export function matrixLegend(matrices: readonly Matrix[]): string {
  const used = new Set(matrices.flatMap(({ cells }) => cells.flat().flatMap((cell) => [...cell])));
  return meanings
    .filter(([mark]) => used.has(mark))
    .map(([mark, meaning]) => `${mark} ${meaning}`)
    .join('   ');
}
