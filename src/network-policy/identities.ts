/**
 * Identities: classes of addresses that no rule tells apart. Pods of a namespace that agree in all labels that selectors
 * mention and in the ports that rules name are a *group*; a group's addresses within one block are an identity, and so is
 * what a block has besides pods. Addresses in no block are the world.
 */
import { type IdentitySpec, WORLD } from '../policy/policy-spec.ts';
import { type AddressBlock, wholeAddress } from './address-blocks.ts';
import type { Numbers } from './numbers.ts';
import type { NamedPort, PolicyWorld, WorldPod } from './policy-world.ts';
import { EVERYBODY, type Terms } from './terms.ts';

export interface PodGroup {
  readonly key: string;
  /** Terms that mean its pods by their labels. */
  readonly terms: readonly number[];
  /** Groups that serve the same ports have the same list. */
  readonly ports: readonly NamedPort[];
}

const none: readonly NamedPort[] = [];

export class Identities {
  readonly entries: readonly IdentitySpec[];
  /** Of every pod that has addresses of its own, by `namespace/name`. */
  readonly groups = new Map<string, PodGroup>();
  readonly #terms: Terms;
  readonly #numbers: Numbers<undefined>;
  /** By term. */
  readonly #meant: number[][];
  readonly #ports = new Map<number, readonly NamedPort[]>();
  readonly #groupsByKey = new Map<string, PodGroup>();
  readonly #portsByKey = new Map<string, readonly NamedPort[]>([['', none]]);
  readonly #seen = new Set<number>([WORLD]);

  /** @param portNames that rules mention @param numbers which identities keep; WORLD is taken there */
  constructor(world: PolicyWorld, terms: Terms, portNames: ReadonlySet<string>, numbers: Numbers<undefined>) {
    this.#terms = terms;
    this.#numbers = numbers;
    this.#meant = Array.from({ length: terms.count }, () => []);
    this.#meant[EVERYBODY]!.push(WORLD);
    const entries = new Map<string, number>();
    for (const block of terms.blocks.all) entries.set(block.text, this.#ofBlock(block));
    const keys = [...terms.labelKeys].sort();
    for (const pod of world.pods) {
      if (pod.hostNetwork) continue; // NP-028: its addresses are its node's
      const group = this.#groupOf(pod, keys, portNames);
      this.groups.set(`${pod.namespace}/${pod.name}`, group);
      for (const address of pod.addresses) entries.set(wholeAddress(address), this.#ofPod(group, address));
    }
    this.entries = Array.from(entries, ([prefix, identity]) => ({ prefix, identity }));
  }

  /** Identities that a term means. */
  meantBy(term: number): readonly number[] {
    return this.#meant[term]!;
  }

  /** Ports by name that are served at the addresses of an identity. */
  portsOf(identity: number): readonly NamedPort[] {
    return this.#ports.get(identity) ?? none;
  }

  #ofBlock({ text }: AddressBlock): number {
    const [address, bits] = text.split('/');
    const number = this.#numbers.of(text, undefined);
    this.#note(number, this.#terms.meaningAddress(this.#terms.blocks.holding(address!, Number(bits))));
    return number;
  }

  #ofPod(group: PodGroup, address: string): number {
    const holding = this.#terms.blocks.holding(address);
    const number = this.#numbers.of(`${group.key}\n${holding[0]?.text ?? ''}`, undefined);
    if (this.#seen.has(number)) return number;
    this.#note(number, group.terms, this.#terms.meaningAddress(holding));
    this.#ports.set(number, group.ports);
    return number;
  }

  /** An identity is there, and so many terms mean it. */
  #note(number: number, ...terms: readonly (readonly number[])[]): void {
    this.#seen.add(number);
    this.#meant[EVERYBODY]!.push(number);
    for (const list of terms) for (const term of list) this.#meant[term]!.push(number);
  }

  #groupOf(pod: WorldPod, keys: readonly string[], portNames: ReadonlySet<string>): PodGroup {
    const labels: Record<string, string> = {};
    for (const key of keys) if (Object.hasOwn(pod.labels, key)) labels[key] = pod.labels[key]!;
    const ports = pod.ports.filter(({ name }) => portNames.has(name));
    const served = ports.map(servedText).sort();
    const servedKey = served.join();
    const key = `${pod.namespace}\n${JSON.stringify(labels)}\n${servedKey}`;
    let group = this.#groupsByKey.get(key);
    if (group === undefined) {
      const same = this.#portsByKey.get(servedKey) ?? ports;
      this.#portsByKey.set(servedKey, same);
      group = { key, terms: this.#terms.meaningPod(pod.namespace, labels), ports: same };
      this.#groupsByKey.set(key, group);
    }
    return group;
  }
}

export function servedText({ name, port, protocol }: NamedPort): string {
  return `${name}=${port}/${protocol}`;
}
