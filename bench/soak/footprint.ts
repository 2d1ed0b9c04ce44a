/** What a node process has of the machine's memory. */
import { readdirSync, readFileSync } from 'node:fs';

const KIB = 1024;

/** Bytes; and descriptors. */
export interface Footprint {
  /** Its share of everything that it maps (Pss). */
  readonly pss: number;
  /** Memory of its own that is no file: V8's heaps, tables, the arena, C's heap. */
  readonly anonymous: number;
  /** C's heap alone. */
  readonly cHeap: number;
  readonly descriptors: number;
}

/** By node. */
export type Footprints = Readonly<Record<string, Footprint>>;

export function footprintOf(pid: number): Footprint {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (text: string, name: string) => KIB * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
  const [, cHeap = ''] = /\[heap\]\n([\s\S]*)/.exec(readFileSync(`/proc/${pid}/smaps`, 'utf8')) ?? [];
  return {
    pss: field(rollup, 'Pss'),
    anonymous: field(rollup, 'Anonymous'),
    cHeap: field(cHeap, 'Rss'),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** The least of each, of several looks: what is left when the collector has just been there. */
export function leastOf(looks: readonly Footprints[]): Footprints {
  const least = (node: string): Footprint => {
    const all = looks.flatMap((look) => look[node] ?? []);
    const of = (field: keyof Footprint) => Math.min(...all.map((one) => one[field]));
    return { pss: of('pss'), anonymous: of('anonymous'), cHeap: of('cHeap'), descriptors: of('descriptors') };
  };
  const nodes = new Set(looks.flatMap((look) => Object.keys(look)));
  return Object.fromEntries([...nodes].map((node) => [node, least(node)]));
}
