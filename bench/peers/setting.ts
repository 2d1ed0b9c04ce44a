/** What all workloads of one run share. */
import { lookAtMachine, type Usage, usageBetween } from './machine-usage.ts';

export interface Setting {
  /** Of one stream; searches and pings take theirs in proportion. */
  readonly seconds: number;
  /** TCP congestion control of who sends a stream; the system's own when undefined. */
  readonly congestion?: string | undefined;
  readonly signal: AbortSignal;
  readonly watch: Watch;
}

/** What the machine spends, and on whom. */
export class Watch {
  readonly #own: () => readonly number[];

  /** @param own the daemons of all contenders that are up: whosever turn it is, they are no foreigners. */
  constructor(own: () => readonly number[]) {
    this.#own = own;
  }

  /** Runs `action`. @param daemons whose time is told apart. */
  async around<T>(daemons: readonly number[], action: () => Promise<T>): Promise<readonly [T, Usage]> {
    const own = [process.pid, ...this.#own()];
    const before = lookAtMachine();
    const value = await action();
    return [value, usageBetween(before, lookAtMachine(), own, daemons)];
  }
}
