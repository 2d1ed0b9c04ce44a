/** One contender's turn in one round: a line of the raw results. */
import { FOREIGN_CORES_MAX, STEAL_SHARE_MAX } from '../../src/measure/machine-use.ts';
import type { Sample } from './statistics.ts';

export interface Noise {
  /** Of the machine's time. */
  readonly stealShare: number;
  /** Cores busy with processes that are none of the benchmark's. */
  readonly foreignCores: number;
}

export interface RoundResult {
  readonly wire: string;
  readonly workload: string;
  readonly contender: string;
  /** 0 warms up and counts for nothing. */
  readonly round: number;
  /** Figures by name, as the workload names them; none after a failure. */
  readonly figures: Readonly<Record<string, number>>;
  readonly noise: Noise;
  readonly failure?: string;
}

export function isNoisy({ stealShare, foreignCores }: Noise): boolean {
  return stealShare > STEAL_SHARE_MAX || foreignCores > FOREIGN_CORES_MAX;
}

/** One figure of one contender over the rounds that count. */
export function samplesOf(results: readonly RoundResult[], contender: string, figure: string): Sample[] {
  return results.flatMap((result) => {
    const value = result.figures[figure];
    if (result.round === 0 || result.contender !== contender || value === undefined) return [];
    return [{ round: result.round, value, noisy: isNoisy(result.noise) }];
  });
}
