/** What policies say of a story: at which hop they were asked, what, and with what answer. Pure. */
import { decide, type Explanation, explain } from '../network-policy/explain.ts';
import type { PolicyWorld, RuleReference } from '../network-policy/policy-world.ts';
import type { Step } from './follow.ts';
import { afterNat, type Story } from './story.ts';
import { protocolName } from './tuple.ts';

export interface PolicyVerdict {
  readonly direction: 'egress' | 'ingress';
  readonly node: string;
  /** Undefined where the policies that are known say otherwise than those that judged the packet. */
  readonly explanation: Explanation | undefined;
}

export interface Judged {
  /** In the order in which they were asked. */
  readonly verdicts: readonly PolicyVerdict[];
  /** What denies; else what allows, ingress first. Undefined when no rule has a say. */
  readonly rule: RuleReference | undefined;
  /** Of a denial, all that isolate the pod in its direction; else all that have a say. */
  readonly policies: readonly RuleReference[];
  /** Empty where no policy has a say. `CHANGED` where no more is known. */
  readonly sentence: string;
}

/** Between the packet and this question. */
export const CHANGED = 'policies have changed meanwhile';

/** Stages behind egress policy in the stories of packets (docs/PACKET-LIFE.md): who gets there was let out. */
const behindEgress: readonly string[] = ['route', 'ingressPolicy', 'hopLimit', 'fits', 'commit', 'output'];
const behindIngress: readonly string[] = ['hopLimit', 'fits', 'commit', 'output'];

export function judgeStory({ first, last }: Story, world: PolicyWorld): Judged {
  const verdicts: PolicyVerdict[] = [];
  if (first !== undefined && last !== undefined) {
    if (first.ingress.kind === 'pod' && wasAsked(first, 'egress', behindEgress)) {
      verdicts.push(verdict(world, first, 'egress', first.tuple.source));
    }
    if (last.egress.kind === 'pod' && wasAsked(last, 'ingress', behindIngress)) {
      // Another node sees whom the first one has made the source; the same one asks before it masquerades.
      verdicts.push(verdict(world, last, 'ingress', last.tuple.source));
    }
  }
  return { verdicts, ...decision(verdicts) };
}

function wasAsked({ outcome, judgement, stage }: Step, direction: 'egress' | 'ingress', behind: readonly string[]) {
  if (outcome >= 0 || judgement?.direction === direction) return true;
  return stage !== undefined && behind.includes(stage);
}

function verdict(world: PolicyWorld, step: Step, direction: 'egress' | 'ingress', source: string): PolicyVerdict {
  const asked = step.judgement?.tuple ?? { ...(afterNat(step) ?? step.tuple), source };
  const { destination, destinationPort: port } = asked;
  const question = { source: asked.source, destination, port, protocol: protocolName(asked), direction };
  const explanation = explain(world, question);
  const wasAllowed = step.judgement?.direction !== direction;
  return { direction, node: step.node, explanation: explanation.allowed === wasAllowed ? explanation : undefined };
}

function decision(verdicts: readonly PolicyVerdict[]): Omit<Judged, 'verdicts'> {
  const explanations = verdicts.flatMap(({ explanation }) => explanation ?? []);
  const { allowed, rule, policies, sentence } = decide(explanations);
  // What denied is known; what allowed may be other than what is known now.
  if (allowed && explanations.length < verdicts.length) return { rule: undefined, policies: [], sentence: CHANGED };
  return { rule, policies, sentence };
}
