/** What policies of a running cluster were judged by, fetched once each, when a recording first names it. */
import type { PolicyWorld } from '../network-policy/policy-world.ts';

/** Who records does not wait longer for words. */
const MOMENT_MS = 1000;
/** After a cluster did not answer, it is not asked for so long: what is recorded meanwhile has general words. */
const REST_MS = 5000;
/** As many as a cluster keeps. */
const WORLDS_MAX = 64;

export interface FetchedWorldsOptions {
  /** Rejects where it is not known any more. */
  readonly fetch: (revision: number) => Promise<PolicyWorld>;
  /** Something that was asked for is settled. */
  readonly settled: () => void;
  readonly momentMs?: number;
  readonly restMs?: number;
}

export class FetchedWorlds {
  readonly #options: FetchedWorldsOptions;
  /** undefined: the cluster does not know it. The oldest first. */
  readonly #known = new Map<number, PolicyWorld | undefined>();
  readonly #asked = new Set<number>();
  #restUntilMs = -Infinity;

  constructor(options: FetchedWorldsOptions) {
    this.#options = options;
  }

  /** False while it may still come: `settled` is called when that has changed. */
  isSettled(revision: number): boolean {
    if (this.#known.has(revision) || performance.now() < this.#restUntilMs) return true;
    if (!this.#asked.has(revision)) void this.#ask(revision);
    return false;
  }

  get(revision: number): PolicyWorld | undefined {
    return this.#known.get(revision);
  }

  async #ask(revision: number): Promise<void> {
    const { fetch, settled, momentMs = MOMENT_MS, restMs = REST_MS } = this.#options;
    this.#asked.add(revision);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, momentMs, 'late');
    });
    const found = await Promise.race([fetch(revision).catch(() => undefined), late]);
    clearTimeout(timer);
    this.#asked.delete(revision);
    if (found === 'late') this.#restUntilMs = performance.now() + restMs;
    else this.#keep(revision, found);
    settled();
  }

  #keep(revision: number, world: PolicyWorld | undefined): void {
    if (this.#known.size >= WORLDS_MAX) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(revision, world);
  }
}
