/**
 * Entry of a node process. This is the control thread: it talks to the cluster process, compiles what comes from
 * there, and looks after the dataplane thread, which does nothing but packets.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { Counters } from '../dataplane/counters.ts';
import { createEventfd, signalEventfd } from '../sys/eventfd.ts';
import { CaptureStream } from './capture-stream.ts';
import { compileUpdate } from './compile-update.ts';
import type {
  DataplaneThreadData,
  FromDataplane,
  FromNode,
  NodeSettings,
  NodeUpdate,
  ToDataplane,
  ToNode,
} from './protocol.ts';

let dataplane: DataplaneThread | undefined;

/** The other thread, and the two ways to reach it while it sleeps in the kernel: the eventfd and the stop word. */
class DataplaneThread {
  readonly #worker: Worker;
  readonly #eventfd = createEventfd();
  readonly #stop = new SharedArrayBuffer(4);
  readonly #name: string;
  readonly #captures = new Map<number, CaptureStream>();
  #nextCapture = 1;

  constructor(settings: NodeSettings) {
    this.#name = settings.name;
    const workerData: DataplaneThreadData = {
      settings,
      seed: randomBytes(4).readInt32LE(),
      eventfd: this.#eventfd,
      stop: this.#stop,
      counters: new Counters().shared,
    };
    this.#worker = new Worker(new URL('./dataplane-thread.js', import.meta.url), { workerData });
    this.#worker.on('message', (message: FromNode | FromDataplane) => this.#receive(message));
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

  /** @param socket of whoever wants to see packets. @param request a `CaptureRequest` as JSON. */
  capture(socket: Socket, request: string): void {
    const id = this.#nextCapture++;
    const over = () => this.#captures.delete(id);
    this.#captures.set(id, new CaptureStream(id, request, socket, { send: (message) => this.send(message), over }));
  }

  stop(): void {
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    signalEventfd(this.#eventfd);
  }

  #receive(message: FromNode | FromDataplane): void {
    switch (message.type) {
      case 'log':
        process.stderr.write(`${this.#name}: ${message.message}\n`);
        return;
      case 'capturing':
        this.#captures.get(message.id)?.begun(message.problem);
        return;
      case 'released':
        this.#captures.get(message.id)?.released(message.losses);
        return;
      case 'hop-gone':
        for (const capture of this.#captures.values()) capture.hopGone(message.hop);
        return;
      default:
        process.send?.(message);
    }
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

/** The connection may have been closed while it was on its way. */
function receiveConnection(request: string, socket: Socket | undefined): void {
  if (dataplane === undefined) socket?.destroy();
  else if (socket !== undefined) dataplane.capture(socket, request);
}

process.on('message', (message: ToNode, handle: unknown) => {
  if (message.type === 'start') dataplane = new DataplaneThread(message.settings);
  if (message.type === 'ask') dataplane?.send(message);
  else if (message.type === 'capture') receiveConnection(message.request, handle as Socket | undefined);
  else apply(message.update);
});
process.on('disconnect', () => process.exit(0)); // the cluster process is gone
process.on('SIGTERM', () => process.exit(0));
// Ctrl-C is for the host process, which ends the cluster in order.
process.on('SIGINT', () => {});
