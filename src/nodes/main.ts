/**
 * Entry of a node process. This is the control thread: it talks to the cluster process, compiles what comes from
 * there, and looks after the dataplane thread, which does nothing but packets.
 */
import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { Counters } from '../dataplane/counters.ts';
import { createEventfd, signalEventfd } from '../sys/eventfd.ts';
import { compileUpdate } from './compile-update.ts';
import type { DataplaneThreadData, FromNode, NodeSettings, NodeUpdate, ToDataplane, ToNode } from './protocol.ts';

let dataplane: DataplaneThread | undefined;

/** The other thread, and the two ways to reach it while it sleeps in the kernel: the eventfd and the stop word. */
class DataplaneThread {
  readonly #worker: Worker;
  readonly #eventfd = createEventfd();
  readonly #stop = new SharedArrayBuffer(4);

  constructor(settings: NodeSettings) {
    const workerData: DataplaneThreadData = {
      settings,
      seed: randomBytes(4).readInt32LE(),
      eventfd: this.#eventfd,
      stop: this.#stop,
      counters: new Counters().shared,
    };
    this.#worker = new Worker(new URL('./dataplane-thread.js', import.meta.url), { workerData });
    this.#worker.on('message', (message: FromNode | { type: 'log'; message: string }) => {
      if (message.type === 'log') process.stderr.write(`${settings.name}: ${message.message}\n`);
      else process.send?.(message);
    });
    this.#worker.on('error', (error) => {
      process.stderr.write(`${settings.name}: the dataplane failed: ${error.stack ?? error.message}\n`);
      process.exit(1);
    });
    // Without this, process.exit() would wait for ever for a thread that waits in the kernel.
    process.on('exit', () => this.stop());
  }

  send(message: ToDataplane): void {
    this.#worker.postMessage(message);
    signalEventfd(this.#eventfd);
  }

  stop(): void {
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    signalEventfd(this.#eventfd);
  }
}

function apply(update: NodeUpdate): void {
  try {
    dataplane?.send({ type: 'update', update: compileUpdate(update) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.send?.({ type: 'failed', version: update.version, message } satisfies FromNode);
  }
}

process.on('message', (message: ToNode) => {
  if (message.type === 'start') dataplane = new DataplaneThread(message.settings);
  if (message.type === 'ask') dataplane?.send(message);
  else apply(message.update);
});
process.on('disconnect', () => process.exit(0)); // the cluster process is gone
process.on('SIGTERM', () => process.exit(0));
// Ctrl-C is for the host process, which ends the cluster in order.
process.on('SIGINT', () => {});
