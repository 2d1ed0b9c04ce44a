/** From what a node is told of policies to its tables. Keeps what it was told before: who has been moved by a change? */
import { PrefixTable } from '../tables/prefix-table.ts';
import { Protocol } from '../wire/protocol.ts';
import { movedPods, type Told } from './moved-pods.ts';
import { NOT_ISOLATED, type PodPolicySpec, type PolicySpec, type PortRange, WORLD } from './policy-spec.ts';
import { type CompiledPolicies, SET_PROTOCOLS } from './policy-table.ts';
import { type Prefix, PrefixMap, readPrefix } from './prefixes.ts';

const protocols = { TCP: Protocol.Tcp, UDP: Protocol.Udp, SCTP: Protocol.Sctp } as const;

const nothing: PolicySpec = { revision: 0, numbering: 0, identities: [], portSets: [], rulesets: [], pods: [] };

export class PolicyCompiler {
  #told: Told = { spec: nothing, prefixes: new PrefixMap([]) };
  /** As they were written: most of them stay from one spec to the next. */
  #parsed = new Map<string, Prefix>();

  /** @throws Error for a prefix that is none; then nothing has changed. */
  compile(spec: PolicySpec): CompiledPolicies {
    const told = { spec, prefixes: this.#prefixes(spec) };
    const moved = movedPods(this.#told, told);
    this.#told = told;
    return {
      revision: spec.revision,
      identities: PrefixTable.build(told.prefixes.entries).data,
      rulesets: spec.rulesets,
      pods: rulesetsOf(spec.pods),
      ...compilePortSets(spec.portSets),
      moved,
    };
  }

  #prefixes(spec: PolicySpec): PrefixMap {
    const parsed = new Map<string, Prefix>();
    for (const { prefix, identity } of spec.identities) {
      const before = this.#parsed.get(prefix);
      const entry = before?.value === identity ? before : readPrefix(prefix, identity);
      parsed.set(prefix, entry);
    }
    this.#parsed = parsed;
    // An IPv4 address is in the table as ::ffff:a.b.c.d, and yet `::/0` does not mean it.
    return new PrefixMap([readPrefix('0.0.0.0/0', WORLD), ...parsed.values()]);
  }
}

function rulesetsOf(pods: readonly PodPolicySpec[]): Int32Array {
  const count = pods.reduce((most, { index }) => Math.max(most, index + 1), 0);
  const rulesets = new Int32Array(count * 2).fill(NOT_ISOLATED);
  for (const { index, egress, ingress } of pods) rulesets.set([egress, ingress], index * 2);
  return rulesets;
}

function compilePortSets(
  portSets: readonly (readonly PortRange[])[],
): Pick<CompiledPolicies, 'ranges' | 'rangeStarts'> {
  const ranges: number[] = [];
  const starts = [0];
  for (const set of portSets) {
    for (const protocol of SET_PROTOCOLS) {
      const own = set.filter((range) => protocols[range.protocol] === protocol);
      for (const { first, last } of joined(own)) ranges.push(first, last);
      starts.push(ranges.length / 2);
    }
  }
  return { ranges: Uint16Array.from(ranges), rangeStarts: Int32Array.from(starts) };
}

/** Ascending, and one where two meet. */
function joined(ranges: readonly PortRange[]): { first: number; last: number }[] {
  const result: { first: number; last: number }[] = [];
  for (const { first, last } of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = result.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else result.push({ first, last });
  }
  return result;
}
