/** What a probe comes to, in the words of users; and why, for those who ask. */
import { type ConnectionExplanation, explainConnection } from '../network-policy/explain.ts';
import type { PolicyWorld, RuleReference } from '../network-policy/policy-world.ts';
import type { ProbeProtocol } from '../stack/probe.ts';
import { type ProbeVerdict, probeVerdict } from '../stack/probe-verdict.ts';
import type { ProbeReport } from './probe-run.ts';

export interface ProbeAnswer extends ProbeVerdict {
  /** Is the outcome `delivered`? */
  readonly connected: boolean;
  /** Of the NetworkPolicies, what decides: the rule that allows, or the first policy that denies. */
  readonly rule: RuleReference | undefined;
  /** All that restrict the connection; of a denial those that deny it. */
  readonly policies: readonly RuleReference[];
  /** In a sentence, where policies have a say. */
  readonly explanation: string | undefined;
}

/** @param world as it was when the probe was sent. The explanation is made when somebody asks for it. */
export function answerOf(report: ProbeReport, protocol: ProbeProtocol, world: PolicyWorld): ProbeAnswer {
  const { outcome, reason } = probeVerdict(report, report.drop?.reason, false);
  let explained: ConnectionExplanation | undefined;
  const explain = () => {
    const { judged } = report;
    if (judged === undefined) return undefined;
    explained ??= explainConnection(world, { ...judged, protocol: protocol.toUpperCase() });
    return explained;
  };
  return {
    outcome,
    reason,
    connected: outcome === 'delivered',
    get rule() {
      return explain()?.rule;
    },
    get policies() {
      return explain()?.policies ?? [];
    },
    get explanation() {
      const found = explain();
      return found === undefined || found.policies.length === 0 ? undefined : found.sentence;
    },
  };
}
