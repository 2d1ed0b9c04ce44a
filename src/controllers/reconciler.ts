/**
 * The work queue. Controllers stand in the order in which work goes through them (workloads make pods, then the scheduler
 * places them, …); the first that has something to do does it, until none has. What a controller does may make work for
 * any other, through the changes that it makes in the store.
 */
import type { ObjectStore } from '../store/object-store.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import { KeyQueue } from './key-queue.ts';

/** Level-triggered: `sync` looks at what is, not at what happened; syncing twice is as good as once. */
export interface Controller {
  readonly name: string;
  /** Tells which keys a change may have made work for. Called in the middle of the change: must not write. */
  notice(event: StoreEvent, dirty: (key: string) => void): void;
  sync(key: string): void;
}

/** More rounds of one key than any cluster needs: two controllers undo each other's work. */
const ROUNDS_MAX = 10_000;

export class Reconciler {
  readonly #stages: readonly { readonly controller: Controller; readonly dirty: KeyQueue }[];
  #isRunning = false;

  /** Everything that is in the store already is noticed as new. */
  constructor(store: ObjectStore, controllers: readonly Controller[]) {
    this.#stages = controllers.map((controller) => ({ controller, dirty: new KeyQueue() }));
    const notice = (event: StoreEvent) => {
      for (const { controller, dirty } of this.#stages) controller.notice(event, (key) => dirty.add(key));
    };
    store.subscribe(notice);
    for (const object of store.inOrderOfCreation()) notice({ type: 'ADDED', object, previous: undefined });
  }

  /** Works until nothing is left to do. */
  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const rounds = new Map<string, number>();
    try {
      for (let stage = this.#next(); stage !== undefined; stage = this.#next()) {
        const { controller, dirty } = stage;
        const key = dirty.take();
        const round = (rounds.get(`${controller.name} ${key}`) ?? 0) + 1;
        if (round > ROUNDS_MAX) throw new Error(`controller ${controller.name} does not come to an end with ${key}`);
        rounds.set(`${controller.name} ${key}`, round);
        controller.sync(key);
      }
    } finally {
      this.#isRunning = false;
    }
  }

  #next() {
    return this.#stages.find(({ dirty }) => dirty.size > 0);
  }
}
