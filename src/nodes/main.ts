/**
 * Entry of a node process. This is the control thread: it talks to the cluster process, compiles what comes from
 * there, and looks after the dataplane thread, which does nothing but packets.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { Counters } from '../dataplane/counters.ts';
import { programUrl } from '../installation.ts';
import { PolicyCompiler } from '../policy/policy-compiler.ts';
import { ServiceCompiler } from '../service/service-compiler.ts';
import { createEventfd, signalEventfd } from '../sys/eventfd.ts';
import { reportActivity } from './activity-sampler.ts';
import { CaptureStream } from './capture-stream.ts';
import { buffersOf, type Compilers, compileUpdate } from './compile-update.ts';
import { PodServices } from './pod-services.ts';
import { Prober } from './prober.ts';
import type {
  ActivityOrder,
  DataplaneThreadData,
  FromDataplane,
  FromNode,
  NodeActivity,
  NodeSettings,
  NodeUpdate,
  ProbeOrder,
  ProbeReport,
  ToDataplane,
  ToNode,
  WorkloadOrder,
} from './protocol.ts';

interface Node {
  readonly dataplane: DataplaneThread;
  readonly pods: PodServices;
  readonly prober: Prober;
  /** What ends questions on their way, by order. */
  readonly asking: Map<number, AbortController>;
}

let node: Node | undefined;

/** The other thread, and the two ways to reach it while it sleeps in the kernel: the eventfd and the stop word. */
class DataplaneThread {
  readonly compilers: Compilers;
  /** What the thread is doing at this moment (`ports/activity.ts`), and its number. */
  readonly activity = new SharedArrayBuffer(8);
  readonly #worker: Worker;
  readonly #eventfd = createEventfd();
  readonly #stop = new SharedArrayBuffer(4);
  readonly #name: string;
  readonly #captures = new Map<number, CaptureStream>();
  #nextCapture = 1;

  get captures(): number {
    return this.#captures.size;
  }

  constructor(settings: NodeSettings) {
    this.#name = settings.name;
    const seed = randomBytes(4).readInt32LE();
    this.compilers = { services: new ServiceCompiler(seed), policies: new PolicyCompiler() };
    const workerData: DataplaneThreadData = {
      settings,
      seed,
      eventfd: this.#eventfd,
      stop: this.#stop,
      counters: new Counters().shared,
      activity: this.activity,
    };
    this.#worker = new Worker(programUrl('nodes/dataplane-thread.cjs'), { workerData });
    this.#worker.on('message', (message: FromNode | FromDataplane) => this.#receive(message));
    this.#worker.on('error', (error) => {
      process.stderr.write(`${settings.name}: the dataplane failed: ${error.stack ?? error.message}\n`);
      process.exit(1);
    });
    // Without this, process.exit() would wait for ever for a thread that waits in the kernel.
    process.on('exit', () => this.stop());
  }

  /** @param transfer memory that the message speaks of, and that is this thread's no longer. */
  send(message: ToDataplane, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
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

function start(settings: NodeSettings): Node {
  const log = (message: string) => process.stderr.write(`${settings.name}: ${message}\n`);
  return {
    dataplane: new DataplaneThread(settings),
    pods: new PodServices(log, (message) => void process.send?.(message)),
    prober: new Prober(randomBytes(4).readUInt32LE()),
    asking: new Map(),
  };
}

/** Packets and workloads at the same time: the acknowledgement comes from the packets' side, and later. */
function apply({ dataplane, pods }: Node, update: NodeUpdate): void {
  try {
    const compiled = compileUpdate(update, dataplane.compilers);
    dataplane.send({ type: 'update', update: compiled }, buffersOf(compiled));
    pods.apply(update);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.send?.({ type: 'failed', version: update.version, message } satisfies FromNode);
  }
}

async function ask({ prober, asking }: Node, id: number, order: ProbeOrder): Promise<ProbeReport> {
  const ending = new AbortController();
  asking.set(id, ending);
  const report = await prober.ask(order, ending.signal);
  asking.delete(id);
  return report;
}

async function obey(node: Node, id: number, order: WorkloadOrder | ProbeOrder | ActivityOrder): Promise<void> {
  process.send?.({ type: 'answer', id, body: await answerTo(node, id, order) } satisfies FromNode);
}

function answerTo(node: Node, id: number, order: WorkloadOrder | ProbeOrder | ActivityOrder): Promise<unknown> {
  if (order.order === 'ask') return ask(node, id, order);
  if (order.order === 'activity') return activityOf(node, order.forMs);
  return node.pods.obey(order);
}

async function activityOf({ dataplane }: Node, forMs: number): Promise<NodeActivity> {
  return { ...(await reportActivity(new Int32Array(dataplane.activity), forMs)), captures: dataplane.captures };
}

process.on('message', (message: ToNode, handle: unknown) => {
  if (message.type === 'start') node = start(message.settings);
  if (node === undefined) return;
  switch (message.type) {
    case 'start':
    case 'update':
      apply(node, message.update);
      return;
    case 'ask':
      node.dataplane.send(message);
      return;
    case 'order':
      void obey(node, message.id, message.order);
      return;
    case 'cancel':
      node.asking.get(message.id)?.abort();
      return;
    case 'capture':
      // The connection may have been closed while it was on its way.
      if (handle !== undefined) node.dataplane.capture(handle as Socket, message.request);
  }
});
process.on('disconnect', () => process.exit(0)); // the cluster process is gone
process.on('SIGTERM', () => process.exit(0));
// Ctrl-C is for the host process, which ends the cluster in order.
process.on('SIGINT', () => {});
