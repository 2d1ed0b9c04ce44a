/** Policy specs in short words, for tests that are about verdicts and not about how specs are made. */
import { NOT_ISOLATED, type PodPolicySpec, type PolicySpec, type PortRange } from '../../src/policy/policy-spec.ts';

/** Ports that one identity has: `none`, `all`, or such as `TCP 80-90, UDP 53`, `TCP *`. */
type Ports = string;
/** What a pod lets through in one direction, by identity. */
type Rules = Readonly<Record<number, Ports>>;

export interface PodRules {
  readonly index: number;
  readonly egress?: Rules;
  readonly ingress?: Rules;
}

/** Numbers of port sets, the same for the same words in every spec of one test file. */
const portSets: PortRange[][] = [[], []];
const numbers = new Map([
  ['none', 0],
  ['all', 1],
]);

/** @param identities by prefix. */
export function rules(identities: Readonly<Record<string, number>>, ...pods: readonly PodRules[]): Partial<PolicySpec> {
  const rulesets: Int32Array[] = [];
  const ruleset = (given: Rules | undefined) => {
    if (given === undefined) return NOT_ISOLATED;
    const highest = Math.max(0, ...Object.keys(given).map(Number));
    return rulesets.push(Int32Array.from({ length: highest + 1 }, (_, i) => portSet(given[i] ?? 'none'))) - 1;
  };
  const podSpecs: PodPolicySpec[] = pods.map(({ index, egress, ingress }) => ({
    index,
    egress: ruleset(egress),
    ingress: ruleset(ingress),
  }));
  return {
    identities: Object.entries(identities).map(([prefix, identity]) => ({ prefix, identity })),
    portSets,
    rulesets,
    pods: podSpecs,
  };
}

function portSet(ports: Ports): number {
  const known = numbers.get(ports);
  if (known !== undefined) return known;
  const number = portSets.push(ports.split(', ').map(range)) - 1;
  numbers.set(ports, number);
  return number;
}

function range(text: string): PortRange {
  const [, protocol, first, last = first] = /^(TCP|UDP|SCTP) (?:(\d+)(?:-(\d+))?|\*)$/.exec(text) ?? [];
  if (protocol === undefined) throw new Error(`no port range: ${text}`);
  const name = protocol as PortRange['protocol'];
  return first === undefined
    ? { protocol: name, first: 1, last: 65_535 }
    : { protocol: name, first: Number(first), last: Number(last) };
}
