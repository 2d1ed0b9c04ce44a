/**
 * Why a connection may or may not be: which rule, where it was written, and a sentence that says what to change. The
 * same sentence everywhere: in captures, flow records, probes, traces and checks. It judges as the compiled tables do, from
 * the objects themselves; nothing here is prepared, so it is for single questions.
 */
import { formatAddress, parseAddress } from '../wire/address.ts';
import {
  type Asked,
  type Direction,
  type End,
  endOf,
  isolating,
  type Rule,
  ruleMatches,
  rulesOf,
} from './explain-match.ts';
import { endName, missWords, nearness, podName } from './explain-miss.ts';
import { listed, plain, plainPath } from './explain-words.ts';
import type { PolicyWorld, RuleReference, WorldPod, WorldPolicy } from './policy-world.ts';

/** Addresses as text: the source as it was before masquerade; destination and port as they are after DNAT (NP-031). */
export interface ConnectionQuestion {
  readonly source: string;
  readonly destination: string;
  /** `TCP`, `UDP`, `SCTP`; any other has no ports (NP-024). */
  readonly protocol: string;
  /** Of the destination. */
  readonly port: number;
}

export interface PolicyQuestion extends ConnectionQuestion {
  readonly direction: Direction;
}

export interface Explanation {
  readonly allowed: boolean;
  /** Does any policy govern the pod in this direction? */
  readonly isolated: boolean;
  /** `namespace/name` of the pod that is judged; undefined where none is: what is no pod is not restricted (NP-037). */
  readonly pod: string | undefined;
  /** The other end: a pod's `namespace/name`, a node, or an address. */
  readonly peer: string;
  /** The first rule that matches; of a denial, the policy that came nearest to allow it. */
  readonly rule: RuleReference | undefined;
  /** All policies that isolate the pod in this direction, at `spec.podSelector`; of a denial, the nearest first. */
  readonly policies: readonly RuleReference[];
  /** One line, harmless to terminals. */
  readonly sentence: string;
}

/** What explanations of one connection come to. */
export interface Decision {
  readonly allowed: boolean;
  /** What denies, egress first; else what allows, ingress first. Undefined when no rule has a say. */
  readonly rule: RuleReference | undefined;
  /** Of a denial, of the direction that denies; else of both. */
  readonly policies: readonly RuleReference[];
  /** Empty where no policy has a say. */
  readonly sentence: string;
}

export interface ConnectionExplanation extends Decision {
  readonly egress: Explanation;
  readonly ingress: Explanation;
}

/** What every sentence of a denial begins with. */
const DENIED = 'dropped: ';
/** Rules that a denial speaks of; the others are counted. */
const RULES_MAX = 4;

/** The sentence of a denial for where `DROPPED` stands already. */
export function deniedWords(sentence: string): string {
  return sentence.slice(DENIED.length);
}

/** Where to look: `NetworkPolicy shop/db-allow-api (policies.yaml:31)`. */
export function ruleWords({ rule }: Explanation): string {
  return rule === undefined ? '' : `${rule.kind} ${plain(rule.namespace)}/${plain(rule.name)}${placeWords(rule)}`;
}

/** NP-003: both ends must allow. */
export function explainConnection(world: PolicyWorld, question: ConnectionQuestion): ConnectionExplanation {
  const egress = explain(world, { ...question, direction: 'egress' });
  const ingress = explain(world, { ...question, direction: 'ingress' });
  const decision = decide([egress, ingress]);
  const sentence = decision.sentence || `${egress.sentence}; ${ingress.sentence}`;
  return { ...decision, egress, ingress, sentence };
}

/** @param explanations in the order in which they were asked for, egress first */
export function decide(explanations: readonly Explanation[]): Decision {
  const denied = explanations.find(({ allowed }) => !allowed);
  if (denied !== undefined) {
    const { rule, policies, sentence } = denied;
    return { allowed: false, rule, policies, sentence };
  }
  const said = explanations.filter(({ isolated }) => isolated);
  return {
    allowed: true,
    rule: said.findLast(({ rule }) => rule !== undefined)?.rule,
    policies: said.flatMap(({ policies }) => policies),
    sentence: said.map(({ sentence }) => sentence).join('; '),
  };
}

export function explain(world: PolicyWorld, question: PolicyQuestion): Explanation {
  const { direction, protocol, port } = question;
  const source = endOf(world, canonical(question.source));
  const target = endOf(world, canonical(question.destination));
  const [judged, peer] = direction === 'egress' ? [source, target] : [target, source];
  const { pod } = judged;
  if (pod === undefined) {
    const sentence = `no policy restricts ${flow(direction)} ${endName(judged)}: it is no pod`;
    return { allowed: true, isolated: false, pod, peer: endName(peer), rule: pod, policies: [], sentence };
  }
  return judge({ world, direction, pod, peer, target, protocol, port }, isolating(world, pod, direction));
}

function judge(asked: Asked, policies: readonly WorldPolicy[]): Explanation {
  const { direction, pod, peer } = asked;
  const what = `${flow(direction)} ${podName(pod)}`;
  const known = {
    isolated: policies.length > 0,
    pod: `${pod.namespace}/${pod.name}`,
    peer: peer.pod === undefined ? endName(peer) : `${peer.pod.namespace}/${peer.pod.name}`,
    policies: policies.map((policy) => reference(policy, 'spec.podSelector')),
  };
  if (policies.length === 0) {
    return { ...known, allowed: true, rule: undefined, sentence: `no policy restricts ${what}` };
  }
  const always = exception(pod, peer);
  if (always !== undefined) {
    return { ...known, allowed: true, rule: undefined, sentence: `${what} is allowed: ${always}` };
  }
  for (const policy of policies) {
    const index = rulesOf(policy, direction).findIndex((rule) => ruleMatches(rule, asked));
    if (index < 0) continue;
    const rule = reference(policy, `spec.${direction}[${index}]`);
    const sentence = `${what} is allowed by ${plain(policy.name)} rule ${index + 1}${placeWords(rule)}`;
    return { ...known, allowed: true, rule, sentence };
  }
  const near = nearestFirst(asked, policies);
  const references = near.map((policy) => reference(policy, 'spec.podSelector'));
  const sentence = denial(what, asked, near, references);
  return { ...known, allowed: false, rule: references[0], policies: references, sentence };
}

/** Those whose rules came nearest in front: there is most to be said of them. Those without rules last. */
function nearestFirst(asked: Asked, policies: readonly WorldPolicy[]): WorldPolicy[] {
  return policies
    .map((policy) => {
      const rules = rulesOf(policy, asked.direction);
      return { policy, near: Math.max(-1, ...rules.map((rule) => nearness(rule, asked))) };
    })
    .sort((a, b) => b.near - a.near)
    .map(({ policy }) => policy);
}

/** What no policy can forbid (NP-026, NP-027). */
function exception(pod: WorldPod, { pod: other, node }: End): string | undefined {
  if (other === pod) return 'a pod always reaches itself';
  if (node === pod.node) return `${podName(pod)} and its own node, ${plain(node)}, always reach each other`;
  return undefined;
}

interface NamedRule {
  readonly name: string;
  readonly rule: Rule;
}

function denial(
  what: string,
  asked: Asked,
  policies: readonly WorldPolicy[],
  references: readonly RuleReference[],
): string {
  const isOne = policies.length === 1;
  const rules = policies.flatMap((policy) =>
    rulesOf(policy, asked.direction).map((rule, index): NamedRule => {
      return { name: `${isOne ? '' : `${plain(policy.name)} `}rule ${index + 1}`, rule };
    }),
  );
  const who = listed(
    references.map((one) => `${plain(one.name)}${placeWords(one)}`),
    'and',
  );
  if (rules.length === 0)
    return `${DENIED}${what} is denied by ${who}: ${emptyWords(asked, policies)}${dnsWords(asked)}`;
  const none = isOne ? 'no rule matched' : 'no rule of theirs matched';
  return `${DENIED}${what} is restricted by ${who}; ${none}: ${rulesWords(rules, asked)}${dnsWords(asked)}`;
}

function rulesWords(rules: readonly NamedRule[], asked: Asked): string {
  const near = rules
    .map((one) => ({ ...one, near: nearness(one.rule, asked) }))
    .sort((a, b) => b.near - a.near)
    .slice(0, RULES_MAX);
  const joint = near.length === 1 ? '; ' : ', ';
  const words = near.map(({ name, rule }) => `${name} ${missWords(rule, asked, joint)}`);
  const more = rules.length - near.length;
  return [...words, ...(more === 0 ? [] : [`and ${more} more`])].join('; ');
}

/** Of policies without rules. That one with rules for the other direction only means this one too is a classic. */
function emptyWords({ direction }: Asked, policies: readonly WorldPolicy[]): string {
  const [first] = policies;
  const [other, type] = direction === 'egress' ? (['ingress', 'Egress'] as const) : (['egress', 'Ingress'] as const);
  if (policies.length > 1) return `they have no ${direction} rules`;
  if (first === undefined || rulesOf(first, other).length === 0) return `it has no ${direction} rules`;
  return `it has ${other} rules only, but its policyTypes include ${type}`;
}

/** Who forgets names wonders why nothing works. */
function dnsWords({ direction, pod, protocol, port }: Asked): string {
  const isDns = direction === 'egress' && port === 53 && (protocol === 'UDP' || protocol === 'TCP');
  return isDns ? `; ${protocol} 53 is DNS: until a rule allows it, ${podName(pod)} cannot look up names` : '';
}

function flow(direction: Direction): string {
  return direction === 'egress' ? 'egress from' : 'ingress to';
}

function reference({ namespace, name, placeOf }: WorldPolicy, path: string): RuleReference {
  const place = placeOf(path);
  // Line 0: it came without a text.
  const where =
    place === undefined || place.line === 0 ? {} : { file: place.file, line: place.line, column: place.column };
  return { kind: 'NetworkPolicy', namespace, name, path, ...where };
}

function placeWords({ file, line }: RuleReference): string {
  return file === undefined ? '' : ` (${plainPath(file)}:${line})`;
}

function canonical(address: string): string {
  const words = parseAddress(address);
  return words === undefined ? address : formatAddress(words);
}
