/** The command line of `bench:peers` and `bench:ablation`. */
import { parseArgs } from 'node:util';
import type { Wire } from '../rivals/wire.ts';

const wires = ['superframe', 'mtu'] as const satisfies readonly Wire[];

export interface BenchOptions {
  readonly workloads: readonly string[];
  readonly contenders: readonly string[];
  readonly wires: readonly Wire[];
  /** Of one stream. */
  readonly seconds: number;
  /** That count. */
  readonly rounds: number;
  /** Of iperf3's sender; the system's own when undefined. */
  readonly congestion: string | undefined;
  /** Where report, charts and raw results go; undefined: into a new temporary directory. */
  readonly out: string | undefined;
}

/** @throws Error in words for the user. */
export function readOptions(
  words: readonly string[],
  known: { readonly workloads: readonly string[]; readonly contenders: readonly string[] },
): BenchOptions {
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: { type: 'string' },
      contenders: { type: 'string' },
      wires: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      congestion: { type: 'string' },
      quick: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  });
  return {
    workloads: readList(values.only, '--only', known.workloads),
    contenders: readList(values.contenders, '--contenders', known.contenders),
    wires: readList(values.wires, '--wires', wires),
    seconds: readNumber(values.seconds ?? (values.quick ? '2' : '5'), '--seconds'),
    rounds: Math.ceil(readNumber(values.rounds ?? (values.quick ? '3' : '10'), '--rounds')),
    congestion: values.congestion,
    out: values.out,
  };
}

/** In the order in which they are known, not as they were asked for. */
function readList<T extends string>(list: string | undefined, option: string, known: readonly T[]): T[] {
  if (list === undefined) return [...known];
  const asked = list.split(',');
  const stranger = asked.find((name) => !known.some((one) => one === name));
  if (stranger !== undefined) throw new Error(`${option} takes ${known.join(', ')}; found "${stranger}"`);
  return known.filter((name) => asked.includes(name));
}

function readNumber(text: string, option: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3600)) throw new Error(`${option} takes a number above 0, up to 3600; found "${text}"`);
  return value;
}
