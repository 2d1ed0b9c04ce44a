import { expect } from 'vitest';
import { type Running, type TestCluster, until } from '../support/cluster.ts';
import { program } from './programs.ts';
import { addresses } from './worlds.ts';

/** A connection between pods a and b that says a number every 20 ms. */
export class Flow {
  readonly #server: Running;
  readonly #client: Running;

  private constructor(server: Running, client: Running) {
    this.#server = server;
    this.#client = client;
  }

  static async open(cluster: TestCluster, port: number): Promise<Flow> {
    const server = cluster.startExec('b', [...program('ticker'), 'serve', String(port)]);
    await server.says(/listening/);
    const client = cluster.startExec('a', [...program('ticker'), 'connect', addresses.b.v4, String(port)]);
    await client.says(/^10$/m);
    return new Flow(server, client);
  }

  /** The number that came back last. */
  get last(): number {
    return Number(this.#client.stdout.trimEnd().split('\n').at(-1));
  }

  /** Resolves when numbers come back that were sent after now; says how long that took. */
  async goesOn(timeoutMs = 20_000): Promise<number> {
    const startedMs = performance.now();
    const { last } = this;
    await until(
      () => this.last > last + 5,
      timeoutMs,
      () => `numbers after ${last}: ${this.#client.stdout.slice(-50)}`,
    );
    return performance.now() - startedMs;
  }

  /** Every number came back, once, in order, and the connection was never closed. */
  async expectWhole(): Promise<void> {
    const numbers = this.#client.stdout.trimEnd().split('\n');
    expect(numbers).toEqual(numbers.map((_, i) => String(i + 1)));
    for (const running of [this.#client, this.#server]) {
      running.child.kill('SIGTERM');
      await running.result;
    }
  }
}
