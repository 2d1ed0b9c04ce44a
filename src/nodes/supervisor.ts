/**
 * Runs one node as a child process and keeps it running. A node that dies is a machine that failed: it is started
 * again and given everything it knew, and meanwhile its pods keep their namespaces, addresses and routes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { programUrl } from '../installation.ts';
import type {
  ActivityOrder,
  FromNode,
  NodeSettings,
  NodeUpdate,
  PodName,
  ProbeOrder,
  ProbeReport,
  Question,
  ToNode,
  WorkloadOrder,
} from './protocol.ts';

/** First restart comes at once; a node that keeps dying waits longer each time, up to this. */
const RESTART_DELAY_MAX_MS = 5_000;
/** A node that lived this long has recovered. */
const STABLE_MS = 10_000;
/** A question that a stopped node does not answer. */
const ANSWER_TIMEOUT_MS = 2_000;

export interface NodeHost {
  readonly name: string;
  readonly settings: () => NodeSettings;
  /** Everything the node must know, as one update; asked for whenever the process starts. */
  readonly fullUpdate: () => NodeUpdate;
  /** Readiness changed: true once everything it must know is applied. */
  readonly onReady: (ready: boolean) => void;
  /** What a pod's probes say together. */
  readonly onProbed: (pod: PodName, ready: boolean) => void;
  /** One of them has failed. */
  readonly onUnhealthy: (pod: PodName, message: string) => void;
  readonly log: (message: string) => void;
}

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export class NodeSupervisor {
  readonly #host: NodeHost;
  #child: ChildProcess | undefined;
  #startedMs = 0;
  #restarts = 0;
  #failures = 0;
  #stopped = false;
  #nextQuestion = 1;
  readonly #versions = new Map<number, Waiting<void>>();
  readonly #questions = new Map<number, Waiting<unknown>>();
  #retry: NodeJS.Timeout | undefined;

  constructor(host: NodeHost) {
    this.#host = host;
  }

  /** Starts the process, which loads its code and waits. */
  launch(): void {
    this.#startedMs = performance.now();
    const child = fork(programUrl('nodes/main.cjs'), [this.#host.name], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    child.on('message', (message: FromNode) => this.#receive(message));
    child.on('exit', (code, signal) => this.#ended(code, signal));
    child.on('error', (error) => this.#host.log(`node ${this.#host.name}: ${error.message}`));
  }

  /** Tells the process what it is, and everything that it must know. Launches it when that has not been done. */
  start(): void {
    if (this.#child === undefined) this.launch();
    this.#send({ type: 'start', settings: this.#host.settings(), update: this.#host.fullUpdate() });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Sends a change; resolves when packets see it. A node that dies meanwhile applies it with its restart. */
  update(update: NodeUpdate): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#versions.set(update.version, { resolve, reject });
      this.#send({ type: 'update', update });
    });
  }

  /** Asks for a snapshot; rejects when the node does not answer in time. */
  ask(question: Question): Promise<unknown> {
    return this.#askFor((id) => ({ type: 'ask', id, question }));
  }

  /** Resolves with the answer of the node's control thread; rejects when the node does not answer in time. */
  order(order: WorkloadOrder | ActivityOrder): Promise<unknown> {
    return this.#askFor((id) => ({ type: 'order', id, order }));
  }

  /** Resolves with what was found; rejects when the node does not answer in time. @param signal ends it */
  probe(order: ProbeOrder, signal?: AbortSignal): Promise<ProbeReport> {
    const message = (id: number): ToNode => {
      signal?.addEventListener('abort', () => this.#send({ type: 'cancel', id }), { once: true });
      return { type: 'order', id, order };
    };
    return this.#askFor(message, order.timeoutMs + ANSWER_TIMEOUT_MS) as Promise<ProbeReport>;
  }

  #askFor(message: (id: number) => ToNode, timeoutMs = ANSWER_TIMEOUT_MS): Promise<unknown> {
    const id = this.#nextQuestion++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#questions.delete(id);
        reject(new Error(`node ${this.#host.name} does not answer`));
      }, timeoutMs);
      const done = () => clearTimeout(timer);
      this.#questions.set(id, {
        resolve: (value) => {
          done();
          resolve(value);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      this.#send(message(id));
    });
  }

  /** Hands a connection to the node, which tells there of its packets. @param request a `CaptureRequest` as JSON. */
  capture(socket: Socket, request: string): void {
    if (this.#child?.connected !== true) socket.destroy();
    else this.#child.send({ type: 'capture', request } satisfies ToNode, socket, () => {});
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#child?.kill('SIGKILL');
  }

  /** A message that cannot be sent goes to a process that has just died; its successor is told everything anyway. */
  #send(message: ToNode): void {
    if (this.#child?.connected) this.#child.send(message, () => {});
  }

  #receive(message: FromNode): void {
    switch (message.type) {
      case 'applied':
        this.#settle(message.version, undefined);
        this.#host.onReady(true);
        return;
      case 'failed':
        this.#host.log(`node ${this.#host.name}: update ${message.version}: ${message.message}`);
        this.#settle(message.version, new Error(`node ${this.#host.name}: ${message.message}`));
        this.#host.onReady(true); // what could be applied is in force
        return;
      case 'answer':
        this.#questions.get(message.id)?.resolve(message.body);
        this.#questions.delete(message.id);
        return;
      case 'probed':
        this.#host.onProbed(message.pod, message.ready);
        return;
      case 'unhealthy':
        this.#host.onUnhealthy(message.pod, message.message);
        return;
    }
  }

  /** Versions only grow, and a full update holds all before it. */
  #settle(version: number, error: Error | undefined): void {
    for (const [waiting, { resolve, reject }] of this.#versions) {
      if (waiting > version) continue;
      this.#versions.delete(waiting);
      if (error === undefined) resolve();
      else reject(error);
    }
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    const { name } = this.#host;
    this.#child = undefined;
    for (const { reject } of this.#questions.values()) reject(new Error(`node ${name} has just died`));
    this.#questions.clear();
    if (this.#stopped) return;
    this.#host.onReady(false);
    this.#failures = performance.now() - this.#startedMs > STABLE_MS ? 0 : this.#failures + 1;
    this.#restarts++;
    const delayMs = this.#failures <= 1 ? 0 : Math.min(100 * 2 ** this.#failures, RESTART_DELAY_MAX_MS);
    this.#host.log(
      `node ${name} ended (${signal ?? `exit code ${code}`}); restarting${delayMs ? ` in ${delayMs} ms` : ''}`,
    );
    this.#retry = setTimeout(() => this.start(), delayMs);
  }
}
