/** What a probe comes to, in the words of users: what the asker saw, and what is known of drops. Pure. */
import type { DropName } from '../packet/outcome.ts';
import type { ProbeResult } from './probe.ts';

/**
 * - `delivered`: the far end has answered. `refused`: the far end said no.
 * - `rejected`: the network said no, with a packet. `dropped`: the network said no, silently.
 * - `lost`: nobody answered, or a link lost it.
 */
export type VerdictOutcome = 'delivered' | 'refused' | 'rejected' | 'dropped' | 'lost';

export interface ProbeVerdict {
  readonly outcome: VerdictOutcome;
  /** A drop's name of docs/DROPS.md, `link-loss` or `no-answer`; for the rest, what the asker saw. */
  readonly reason: string;
}

/** What lost a packet on a link: no node decided that, and who sends again may come through. */
const LINK_LOSS: DropName = 'LinkLoss';

/**
 * @param drop of one of the probe's packets, where one is known
 * @param isTold did a node answer for that drop, whether that answer came to the asker or not?
 */
export function probeVerdict(
  { outcome, detail }: ProbeResult,
  drop: string | undefined,
  isTold: boolean,
): ProbeVerdict {
  if (outcome === 'delivered') return { outcome, reason: detail };
  const isSilent = outcome === 'no-answer';
  if (drop === LINK_LOSS && isSilent) return { outcome: 'lost', reason: 'link-loss' };
  if (drop !== undefined && drop !== LINK_LOSS) {
    return { outcome: isTold || !isSilent ? 'rejected' : 'dropped', reason: drop };
  }
  if (isSilent) return { outcome: 'lost', reason: 'no-answer' };
  return { outcome: outcome === 'unreachable' ? 'rejected' : outcome, reason: detail };
}
