/** What one node is told of policies: the rules of its own pods, and who everybody is. Only when that is another. */
import type { CompiledWorld, PodRules } from '../network-policy/compile-policies.ts';
import { NOT_ISOLATED, type PodPolicySpec, type PolicySpec } from '../policy/policy-spec.ts';
import type { PlacedPod } from './placed-pod.ts';

/** The cluster process keeps twice as many worlds, so that it can tell why a node has denied something. */
const REVISIONS_BEHIND_MAX = 32;

type Rules = ReadonlyMap<number, PodRules>;

/** A row that lets nobody through. */
const NOTHING = new Int32Array(0);

export class PolicyFeed {
  #told: { readonly compiled: CompiledWorld; readonly rules: Rules } | undefined;

  /**
   * @param pods the node's, with their port numbers
   * @returns undefined when the node knows. It counts as told.
   */
  difference(compiled: CompiledWorld, pods: ReadonlyMap<PlacedPod, number>): PolicySpec | undefined {
    const rules = this.#rulesOf(compiled, pods);
    return this.#isNews(compiled, rules, pods) ? this.#tell(compiled, rules) : undefined;
  }

  full(compiled: CompiledWorld, pods: ReadonlyMap<PlacedPod, number>): PolicySpec {
    return this.#tell(compiled, this.#rulesOf(compiled, pods));
  }

  /** By port number, of pods that are isolated. */
  #rulesOf(compiled: CompiledWorld, pods: ReadonlyMap<PlacedPod, number>): Rules {
    const rules = new Map<number, PodRules>();
    for (const [{ key }, index] of pods) {
      const own = compiled.rulesOf(key) ?? this.#kept(index, compiled);
      if (own?.ingress !== undefined || own?.egress !== undefined) rules.set(index, own);
    }
    return rules;
  }

  /** What a pod keeps that policies see no more, but that still has a port. */
  #kept(index: number, { numbering }: CompiledWorld): PodRules | undefined {
    const told = this.#told?.rules.get(index);
    if (told === undefined || this.#told?.compiled.numbering === numbering) return told;
    // Its rows say nothing any more: where it was isolated, nothing passes.
    const { ingress, egress } = told;
    return { ingress: ingress === undefined ? ingress : NOTHING, egress: egress === undefined ? egress : NOTHING };
  }

  /** A pod that has gone is none: the node forgets its rules with its port. */
  #isNews(compiled: CompiledWorld, rules: Rules, pods: ReadonlyMap<PlacedPod, number>): boolean {
    const told = this.#told;
    if (told === undefined) return rules.size > 0;
    for (const [index, { ingress, egress }] of rules) {
      const before = told.rules.get(index);
      if (before?.ingress !== ingress || before?.egress !== egress) return true;
    }
    for (const index of pods.values()) if (told.rules.has(index) && !rules.has(index)) return true;
    if (rules.size === 0) return false;
    const { world, identities } = told.compiled;
    return (
      identities !== compiled.identities ||
      world.policies !== compiled.world.policies || // others may say the same: denials name the right ones
      compiled.world.revision - world.revision > REVISIONS_BEHIND_MAX
    );
  }

  #tell(compiled: CompiledWorld, rules: Rules): PolicySpec {
    this.#told = { compiled, rules };
    const rows = new Map<Int32Array, number>();
    const numberOf = (row: Int32Array | undefined) => {
      if (row === undefined) return NOT_ISOLATED;
      const number = rows.get(row) ?? rows.size;
      rows.set(row, number);
      return number;
    };
    const pods = Array.from(rules, ([index, { ingress, egress }]): PodPolicySpec => {
      return { index, ingress: numberOf(ingress), egress: numberOf(egress) };
    });
    return {
      revision: compiled.world.revision,
      numbering: compiled.numbering,
      identities: pods.length === 0 ? [] : compiled.identities,
      portSets: compiled.portSets,
      rulesets: [...rows.keys()],
      pods,
    };
  }
}
