/**
 * Rulesets: what all policies of a pod allow together in one direction. Rules that mean the same peers are made one
 * first, so the work for a row is the identities that its different peers mean, however many policies say so.
 */
import { ALL_PORTS, type PortRange } from '../policy/policy-spec.ts';
import type { Identities, PodGroup } from './identities.ts';
import type { NamedPort } from './policy-world.ts';
import { EMPTY_PILE, type PortSets } from './port-sets.ts';
import type { PortName, RulePorts } from './read-policy.ts';

/** A rule of a policy, with its peers as terms. */
export interface TermRule {
  readonly terms: readonly number[];
  readonly ports: RulePorts;
}

export type Direction = 'ingress' | 'egress';

/** What rules allow to those that one term means. */
interface Allowed {
  readonly term: number;
  /** Set of the ports that do not depend on who the peer is. */
  readonly set: number;
  /** Ports that depend on it. */
  readonly names: readonly PortName[];
}

export class RulesetMaker {
  /** Identities that were looked at: what the work was. */
  steps = 0;
  readonly #identities: Identities;
  readonly #ports: PortSets;
  readonly #length: number;

  /** @param length of a row: one more than the largest identity */
  constructor(identities: Identities, ports: PortSets, length: number) {
    this.#identities = identities;
    this.#ports = ports;
    this.#length = length;
  }

  /** The row of pods of a group under these rules. */
  make(rules: readonly TermRule[], direction: Direction, group: PodGroup): Int32Array {
    const row = new Int32Array(this.#length); // of piles first: EMPTY_PILE and NO_PORTS are 0
    for (const allowed of this.#allowedByTerm(rules, direction, group)) this.#pile(row, allowed);
    for (let i = 0; i < row.length; i++) if (row[i] !== EMPTY_PILE) row[i] = this.#ports.told(row[i]!);
    return row;
  }

  #pile(piles: Int32Array, { term, set, names }: Allowed): void {
    const identities = this.#identities.meantBy(term);
    this.steps += identities.length;
    const resolved = new Map<readonly NamedPort[], number>();
    for (const identity of identities) {
      let pile = this.#ports.add(piles[identity]!, set);
      if (names.length > 0) {
        const ports = this.#identities.portsOf(identity);
        const own = resolved.get(ports) ?? this.#ports.setOf(resolve(names, ports));
        resolved.set(ports, own);
        pile = this.#ports.add(pile, own);
      }
      piles[identity] = pile;
    }
  }

  /** Smaller sets first, so that identities that get the same sets get the same pile. */
  #allowedByTerm(rules: readonly TermRule[], direction: Direction, { ports: own }: PodGroup): Allowed[] {
    const byTerm = new Map<number, RulePorts[]>();
    for (const { terms, ports } of rules) {
      for (const term of terms) {
        const known = byTerm.get(term);
        if (known === undefined) byTerm.set(term, [ports]);
        else known.push(ports);
      }
    }
    const allowed = [...byTerm].map(([term, ports]): Allowed => {
      if (ports.some(({ all }) => all)) return { term, set: ALL_PORTS, names: [] };
      const ranges = ports.flatMap((one) => one.ranges);
      const names = ports.flatMap((one) => one.names);
      if (direction === 'egress') return { term, set: this.#ports.setOf(ranges), names };
      return { term, set: this.#ports.setOf([...ranges, ...resolve(names, own)]), names: [] };
    });
    return allowed.sort((a, b) => a.set - b.set);
  }
}

/** Ports that the pod at the receiving end serves under these names, with the protocol of the rule (NP-018, NP-019). */
function resolve(names: readonly PortName[], ports: readonly NamedPort[]): PortRange[] {
  const isNamed = (port: NamedPort) => names.some((one) => one.name === port.name && one.protocol === port.protocol);
  return ports.filter(isNamed).map(({ protocol, port }) => ({ protocol, first: port, last: port }));
}
