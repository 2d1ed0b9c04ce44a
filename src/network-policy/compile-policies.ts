/**
 * Policies, namespaces and pods → identities, port sets, and of each pod what it lets through. What is equal to what it
 * was in the world before is the same object again, so that nobody has to be told of it.
 */
import type { NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';
import { ALL_PORTS, type IdentitySpec, type PortRange, WORLD } from '../policy/policy-spec.ts';
import { Identities, type PodGroup, servedText } from './identities.ts';
import { Numbers } from './numbers.ts';
import type { PolicyWorld, WorldPolicy } from './policy-world.ts';
import { PORT_LAST, PortSets } from './port-sets.ts';
import { type ReadPeer, type ReadPolicy, type ReadRule, readPolicy } from './read-policy.ts';
import { RowTable } from './row-table.ts';
import { type Direction, RulesetMaker, type TermRule } from './rulesets.ts';
import { EVERYBODY, Terms } from './terms.ts';

export interface CompiledWorld {
  readonly world: PolicyWorld;
  readonly numbering: number;
  readonly identities: readonly IdentitySpec[];
  readonly portSets: readonly (readonly PortRange[])[];
  /** @param pod `namespace/name` @returns undefined for a pod that policies do not see */
  readonly rulesOf: (pod: string) => PodRules | undefined;
}

export interface PodRules {
  /** Port sets by identity; undefined where no policy governs the direction. */
  readonly ingress: Int32Array | undefined;
  readonly egress: Int32Array | undefined;
}

/** So many numbers that nobody has any more make rows longer by 16 kB; then numbers begin anew. */
const DEAD_MAX = 4096;

/** Policies that govern a direction, by the term that means their pods: their rules. */
type RulesByTerm = Map<number, TermRule[]>;

const protocols = ['TCP', 'UDP', 'SCTP'] as const;
const allPorts = protocols.map((protocol) => ({ protocol, first: 0, last: PORT_LAST }));

export class WorldCompiler {
  /** Rule × identity, of the last world: what the work was. */
  steps = 0;
  readonly #read = new WeakMap<Readonly<NetworkPolicySpec>, ReadPolicy>();
  #numbering = 0;
  #identityNumbers = identityNumbers();
  #portSetNumbers = portSetNumbers();
  #rows = new RowTable();
  #identities: readonly IdentitySpec[] = [];

  compile(world: PolicyWorld): CompiledWorld {
    if (isMostlyDead(this.#identityNumbers) || isMostlyDead(this.#portSetNumbers)) this.#beginAnew();
    this.#identityNumbers.beginRound();
    this.#portSetNumbers.beginRound();
    this.#rows.beginRound();
    const terms = new Terms(world.namespaces);
    const portNames = new Set<string>();
    const rules = { ingress: new Map() as RulesByTerm, egress: new Map() as RulesByTerm };
    for (const policy of world.policies) this.#addPolicy(policy, terms, rules, portNames);
    const identities = new Identities(world, terms, portNames, this.#identityNumbers);
    if (!sameEntries(this.#identities, identities.entries)) this.#identities = identities.entries;
    const pods = this.#compilePods(identities, rules);
    return {
      world,
      numbering: this.#numbering,
      identities: this.#identities,
      portSets: this.#portSetNumbers.list(),
      rulesOf: (pod) => pods.get(pod),
    };
  }

  #beginAnew(): void {
    this.#numbering++;
    this.#identityNumbers = identityNumbers();
    this.#portSetNumbers = portSetNumbers();
    this.#rows = new RowTable();
    this.#identities = [];
  }

  #addPolicy(
    { namespace, spec }: WorldPolicy,
    terms: Terms,
    rules: Readonly<Record<Direction, RulesByTerm>>,
    portNames: Set<string>,
  ): void {
    let policy = this.#read.get(spec);
    if (policy === undefined) {
      policy = readPolicy(spec);
      this.#read.set(spec, policy);
    }
    const subject = terms.ofPods(namespace, policy.podSelector);
    for (const direction of ['ingress', 'egress'] as const) {
      const own = policy[direction];
      if (own === undefined) continue;
      const known = rules[direction].get(subject) ?? [];
      rules[direction].set(subject, known);
      for (const rule of own) {
        known.push(termRule(rule, namespace, terms));
        for (const { name } of rule.ports.names) portNames.add(name);
      }
    }
  }

  /** Pods that the same policies govern, and that serve the same ports by name, have the same rows. */
  #compilePods(identities: Identities, rules: Readonly<Record<Direction, RulesByTerm>>): ReadonlyMap<string, PodRules> {
    const maker = new RulesetMaker(identities, new PortSets(this.#portSetNumbers), this.#identityNumbers.count);
    const rows = new Map<string, Int32Array>();
    const row = (direction: Direction, group: PodGroup): Int32Array | undefined => {
      const subjects = group.terms.filter((term) => rules[direction].has(term)).sort((a, b) => a - b);
      if (subjects.length === 0) return undefined; // NP-001
      const served = direction === 'ingress' ? group.ports.map(servedText).join() : '';
      const key = `${direction} ${subjects.join()} ${served}`;
      let made = rows.get(key);
      if (made === undefined) {
        const all = subjects.flatMap((subject) => rules[direction].get(subject)!);
        made = this.#rows.intern(maker.make(all, direction, group));
        rows.set(key, made);
      }
      return made;
    };
    const byGroup = new Map<PodGroup, PodRules>();
    const pods = new Map<string, PodRules>();
    for (const [pod, group] of identities.groups) {
      const own = byGroup.get(group) ?? { ingress: row('ingress', group), egress: row('egress', group) };
      byGroup.set(group, own);
      pods.set(pod, own);
    }
    this.steps = maker.steps;
    return pods;
  }
}

function termRule({ peers, ports }: ReadRule, namespace: string, terms: Terms): TermRule {
  const termOf = (peer: ReadPeer) => {
    if (peer.block !== undefined) return terms.ofBlock(peer.block);
    const { namespaces, pods } = peer;
    return namespaces === undefined ? terms.ofPods(namespace, pods) : terms.ofNamespaces(namespaces, pods);
  };
  return { terms: peers === undefined ? [EVERYBODY] : peers.map(termOf), ports };
}

function identityNumbers(): Numbers<undefined> {
  const numbers = new Numbers<undefined>();
  if (numbers.of('the world', undefined) !== WORLD) throw new Error('the world is the first identity');
  return numbers;
}

function portSetNumbers(): Numbers<readonly PortRange[]> {
  const numbers = new Numbers<readonly PortRange[]>();
  numbers.of('no ports', []);
  if (numbers.of('all ports', allPorts) !== ALL_PORTS) throw new Error('all ports is the second set');
  return numbers;
}

function isMostlyDead({ count, liveCount }: Numbers<unknown>): boolean {
  return count - liveCount > DEAD_MAX + liveCount;
}

function sameEntries(a: readonly IdentitySpec[], b: readonly IdentitySpec[]): boolean {
  if (a.length !== b.length) return false;
  return a.every(({ prefix, identity }, i) => prefix === b[i]!.prefix && identity === b[i]!.identity);
}
