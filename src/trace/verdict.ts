/** What a trace comes to: what the asker saw, and what nodes saw of it. Pure. */
import type { ProbeReport } from '../nodes/protocol.ts';
import { isLasting } from '../packet/lasting-drops.ts';
import { type ProbeVerdict, probeVerdict } from '../stack/probe-verdict.ts';
import type { Story } from './story.ts';

type Report = Pick<ProbeReport, 'outcome' | 'detail'>;

/** A datagram that wants no answer is delivered when its pod took it. */
export function verdictOf(report: Report, { hops }: Story, protocol: string): ProbeVerdict {
  const drop = hops.findLast(({ kind }) => kind === 'dropped')?.reason?.name;
  const isTold = hops.some(({ kind }) => kind === 'answered');
  const verdict = probeVerdict(report, drop, isTold);
  if (verdict.reason !== 'no-answer' || protocol !== 'UDP') return verdict;
  const isAnswered = hops.some(({ direction }) => direction === 'reply');
  if (isAnswered || !hops.some(({ kind }) => kind === 'delivered')) return verdict;
  return { outcome: 'delivered', reason: 'the datagram has arrived; nothing came back' };
}

/** Has a node said no for good? */
export function isDecided({ hops }: Story): boolean {
  return hops.some(({ kind, reason }) => kind === 'dropped' && isLasting(reason?.name));
}
