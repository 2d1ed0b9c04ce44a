/** The command line of `bench:peers` and `bench:ablation`. */
import { parseArgs } from 'node:util';
import { readList, readNumber } from '../command-line.ts';
import type { Wire } from '../rivals/wire.ts';

const wires = ['superframe', 'mtu'] as const satisfies readonly Wire[];

export const OPTIONS_USAGE = `  --quick            3 rounds of 2 s
  --rounds N         that count; one that warms up comes before them (10)
  --seconds S        of one stream; of searches and pings in proportion (5)
  --only LIST        workloads (all)
  --contenders LIST  who takes part (all)
  --wires LIST       of ${wires.join(', ')} (both)
  --congestion NAME  TCP's, of who sends (the system's own)
  --out DIR          for report, charts and raw results (a new directory in the temporary folder)
`;

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
