/** What a trace comes to: what the asker saw, and what nodes saw of it. Pure. */
import type { ProbeReport } from '../nodes/protocol.ts';
import { isLasting, LINK_LOSS } from './drops.ts';
import type { Story } from './story.ts';

export type TraceOutcome = 'delivered' | 'refused' | 'rejected' | 'dropped' | 'lost';

export interface TraceVerdict {
  readonly outcome: TraceOutcome;
  /** A drop's name of docs/DROPS.md, `link-loss`, `no-answer`; for the rest, what the asker saw. */
  readonly reason: string;
}

type Report = Pick<ProbeReport, 'outcome' | 'detail'>;

/**
 * - `delivered`: the far end answered; a datagram that wants no answer: its pod took it.
 * - `refused`: the far end said no. `rejected`: a node said no, with a packet. `dropped`: silently.
 * - `lost`: a link lost it, or nobody answered.
 */
export function verdictOf({ outcome, detail }: Report, { hops }: Story, protocol: string): TraceVerdict {
  if (outcome === 'delivered') return { outcome, reason: detail };
  const drop = hops.findLast(({ kind }) => kind === 'dropped');
  const name = drop?.reason?.name;
  if (name === LINK_LOSS && outcome === 'no-answer') return { outcome: 'lost', reason: 'link-loss' };
  if (name !== undefined && name !== LINK_LOSS) {
    const isTold = outcome !== 'no-answer' || hops.some(({ kind }) => kind === 'answered');
    return { outcome: isTold ? 'rejected' : 'dropped', reason: name };
  }
  if (outcome === 'unreachable') return { outcome: 'rejected', reason: detail };
  if (outcome !== 'no-answer') return { outcome, reason: detail };
  const isAnswered = hops.some(({ direction }) => direction === 'reply');
  if (protocol === 'UDP' && !isAnswered && hops.some(({ kind }) => kind === 'delivered')) {
    return { outcome: 'delivered', reason: 'the datagram has arrived; nothing came back' };
  }
  return { outcome: 'lost', reason: 'no-answer' };
}

/** Has a node said no for good? */
export function isDecided({ hops }: Story): boolean {
  return hops.some(({ kind, reason }) => kind === 'dropped' && isLasting(reason?.name));
}
