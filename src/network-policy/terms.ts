/**
 * Terms: all the ways in which the policies of a world say whom they mean, each once. Pods that a policy governs are
 * meant in the same way as peers.
 */
import type { IPBlock } from 'kubernetes-types/networking/v1.d.ts';
import { type AddressBlock, AddressBlocks } from './address-blocks.ts';
import type { WorldNamespace } from './policy-world.ts';
import { type Labels, type ReadSelector, SelectorIndex } from './selector-index.ts';

/** The term of rules that name nobody: every address is meant (NP-007). */
export const EVERYBODY = 0;

interface BlockTerm {
  readonly term: number;
  readonly except: readonly AddressBlock[];
}

export class Terms {
  readonly blocks = new AddressBlocks();
  readonly #namespaceLabels: ReadonlyMap<string, Labels>;
  readonly #namespaceSelectors = new SelectorIndex();
  readonly #podSelectors = new SelectorIndex();
  /** By pod selector: by scope, the term. */
  readonly #podTerms: Map<string, number>[] = [];
  /** By block number: terms that have it as their cidr. */
  readonly #blockTerms: BlockTerm[][] = [];
  readonly #blockNumbers = new Map<string, number>();
  readonly #scopes = new Map<string, ReadonlySet<string>>();
  #count = EVERYBODY + 1;

  constructor(namespaces: readonly WorldNamespace[]) {
    this.#namespaceLabels = new Map(namespaces.map(({ name, labels }) => [name, labels]));
  }

  get count(): number {
    return this.#count;
  }

  /** Keys of pods' labels that any selector mentions. */
  get labelKeys(): ReadonlySet<string> {
    return this.#podSelectors.keys;
  }

  /** Pods of one namespace (NP-004, NP-010). */
  ofPods(namespace: string, pods: ReadSelector): number {
    return this.#ofPods(scopeOfName(namespace), pods);
  }

  /** Pods of all namespaces that match: both selectors must (NP-010). */
  ofNamespaces(namespaces: ReadSelector, pods: ReadSelector): number {
    return this.#ofPods(scopeOfSelector(this.#namespaceSelectors.add(namespaces)), pods);
  }

  ofBlock({ cidr, except = [] }: IPBlock): number {
    const block = this.blocks.add(cidr);
    const holes = except.map((text) => this.blocks.add(text));
    const key = [block, ...holes].map(({ text }) => text).join(' ');
    let term = this.#blockNumbers.get(key);
    if (term === undefined) {
      term = this.#count++;
      this.#blockNumbers.set(key, term);
      const terms = this.#blockTerms[block.number] ?? [];
      terms.push({ term, except: holes });
      this.#blockTerms[block.number] = terms;
    }
    return term;
  }

  /** Terms that mean a pod by its labels. Pre: all terms are there. */
  meaningPod(namespace: string, labels: Labels): number[] {
    const scopes = this.#scopesOf(namespace);
    const found: number[] = [];
    for (const selector of this.#podSelectors.matching(labels)) {
      const terms = this.#podTerms[selector]!;
      if (terms.size < scopes.size) {
        for (const [scope, term] of terms) if (scopes.has(scope)) found.push(term);
        continue;
      }
      for (const scope of scopes) {
        const term = terms.get(scope);
        if (term !== undefined) found.push(term);
      }
    }
    return found;
  }

  /** Terms that mean an address by where it lies (NP-015). @param holding all blocks that hold it */
  meaningAddress(holding: readonly AddressBlock[]): number[] {
    const found: number[] = [];
    for (const { number } of holding) {
      for (const { term, except } of this.#blockTerms[number] ?? []) {
        if (!except.some((hole) => holding.includes(hole))) found.push(term);
      }
    }
    return found;
  }

  #ofPods(scope: string, pods: ReadSelector): number {
    const selector = this.#podSelectors.add(pods);
    const terms = this.#podTerms[selector] ?? new Map<string, number>();
    this.#podTerms[selector] = terms;
    let term = terms.get(scope);
    if (term === undefined) {
      term = this.#count++;
      terms.set(scope, term);
    }
    return term;
  }

  /** A namespace as terms name it: itself, and every selector that matches it. */
  #scopesOf(namespace: string): ReadonlySet<string> {
    let scopes = this.#scopes.get(namespace);
    if (scopes === undefined) {
      const selectors = this.#namespaceSelectors.matching(this.#namespaceLabels.get(namespace) ?? {});
      scopes = new Set([scopeOfName(namespace), ...selectors.map(scopeOfSelector)]);
      this.#scopes.set(namespace, scopes);
    }
    return scopes;
  }
}

function scopeOfName(namespace: string): string {
  return `=${namespace}`;
}

function scopeOfSelector(selector: number): string {
  return `~${selector}`;
}
