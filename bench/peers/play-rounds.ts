/** Interleaving: every round has a turn of each, one after the other or trial by trial, so that all see the same machine. */
import type { RoundResult } from './round-result.ts';
import type { Participant, Turn, Workload } from './workload.ts';

/** Who fails so often in a row is left out of what remains of the workload: time-outs would make the rounds long. */
const FAILURES_MAX = 2;

export interface Rounds {
  readonly wire: string;
  /** That count, after one that warms up. */
  readonly rounds: number;
  readonly signal: AbortSignal;
  readonly record: (result: RoundResult) => void;
}

/** A failure is recorded and the others go on; only an interruption ends the rounds. */
export async function playRounds(workload: Workload, { wire, rounds, signal, record }: Rounds): Promise<void> {
  const failures = new Map<string, number>();
  for (let round = 0; round <= rounds; round++) {
    const present = workload.participants.filter(({ name }) => (failures.get(name) ?? 0) < FAILURES_MAX);
    await playRound(present, signal, ({ name }, outcome) => {
      const failed = 'failure' in outcome;
      failures.set(name, failed ? (failures.get(name) ?? 0) + 1 : 0);
      record({
        wire,
        workload: workload.name,
        contender: name,
        round,
        figures: failed ? {} : outcome.figures,
        noise: failed
          ? { stealShare: 0, foreignCores: 0 }
          : { stealShare: outcome.usage.stealShare, foreignCores: outcome.usage.foreignCores },
        ...(failed ? { failure: outcome.failure } : {}),
      });
    });
  }
}

async function playRound(
  participants: readonly Participant[],
  signal: AbortSignal,
  done: (who: Participant, outcome: Turn | { readonly failure: string }) => void,
): Promise<void> {
  const open = new Map(participants.map((who) => [who, who.measure()]));
  try {
    while (open.size > 0) {
      for (const [who, turn] of [...open]) {
        signal.throwIfAborted();
        try {
          const step = await turn.next();
          if (step.done !== true) continue;
          done(who, step.value);
        } catch (error) {
          signal.throwIfAborted();
          done(who, { failure: error instanceof Error ? error.message : String(error) });
        }
        open.delete(who);
      }
    }
  } finally {
    for (const turn of open.values()) await turn.return(undefined as never).catch(() => {});
  }
}
