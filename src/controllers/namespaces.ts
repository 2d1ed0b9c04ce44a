/** Namespaces come into being when something is put into them: here nobody has to make them first. */
import { kinds } from '../store/resources.ts';
import type { StoreEvent } from '../store/watch-history.ts';
import type { Context } from './context.ts';
import type { Controller } from './reconciler.ts';

export class Namespaces implements Controller {
  readonly name = 'namespace-controller';
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  notice({ type, object }: StoreEvent, dirty: (key: string) => void): void {
    const { namespace } = object.metadata;
    if (type !== 'ADDED' || namespace === undefined || namespace === '') return;
    if (this.#context.store.get(kinds.Namespace, '', namespace) === undefined) dirty(namespace);
  }

  sync(name: string): void {
    const { store } = this.#context;
    if (store.get(kinds.Namespace, '', name) !== undefined) return;
    store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: {}, status: { phase: 'Active' } });
  }
}
