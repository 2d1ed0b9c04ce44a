/** Readiness probes, as a kubelet does them (pkg/kubelet/prober/worker.go): from the node's namespace into the pod. */
import { request as httpRequest } from 'node:http';
import { Socket } from 'node:net';
import type { HTTPHeader, Probe } from 'kubernetes-types/core/v1.d.ts';
import { beginConnecting } from '../sys/connect.ts';
import { close } from '../sys/io.ts';
import { inNamespace, openNamespace } from '../sys/namespace.ts';

export interface ProbedPod {
  /** Of the node: probes come from there. */
  readonly nodeNamespacePath: string;
  /** The pod's, unless a probe names a host. */
  readonly address: string;
  /** One for each container that has one, defaults filled in, names of ports replaced by numbers. */
  readonly probes: readonly Readonly<Probe>[];
  /** Called with each change; a pod with probes is not ready until they have succeeded. */
  readonly onReady: (ready: boolean) => void;
  readonly log: (line: string) => void;
}

/** How often an unfinished connection is looked at: Node does not tell when a connection begun by us stands. */
const CONNECTED_CHECK_MS = 5;

/** Undefined is success; else why not. */
type Outcome = Promise<string | undefined>;

/**
 * Probes until told to stop. httpGet (a redirection is a success and is not followed; no HTTPS) and tcpSocket are
 * done; exec and grpc ask for a program that is not there, and count as successful.
 *
 * @returns what stops it; `onReady` is not called afterwards.
 */
export function startProbes(pod: ProbedPod): () => void {
  const runs = pod.probes.map((probe) => new ProbeRun(pod, probe, update));
  let ready = false;
  function update(): void {
    const now = runs.every((run) => run.succeeds);
    if (now !== ready) pod.onReady(now);
    ready = now;
  }
  return () => {
    for (const run of runs) run.stop();
  };
}

class ProbeRun {
  succeeds = false;
  readonly #pod: ProbedPod;
  readonly #probe: Readonly<Probe>;
  readonly #changed: () => void;
  #socket: Socket | undefined;
  #stopped = false;
  #timer: NodeJS.Timeout;
  #lastSucceeded: boolean | undefined;
  /** Like results in a row. */
  #inARow = 0;

  constructor(pod: ProbedPod, probe: Readonly<Probe>, changed: () => void) {
    this.#pod = pod;
    this.#probe = probe;
    this.#changed = changed;
    this.#timer = setTimeout(() => void this.#round(), (probe.initialDelaySeconds ?? 0) * 1000);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  async #round(): Promise<void> {
    const started = performance.now();
    const problem = await this.#attempt();
    if (this.#stopped) return;
    this.#record(problem);
    const waitMs = (this.#probe.periodSeconds ?? 10) * 1000 - (performance.now() - started);
    this.#timer = setTimeout(() => void this.#round(), Math.max(0, waitMs));
  }

  async #attempt(): Outcome {
    const { httpGet, tcpSocket, timeoutSeconds = 1 } = this.#probe;
    const target = httpGet ?? tcpSocket;
    if (target === undefined) return undefined;
    if (httpGet?.scheme === 'HTTPS') return 'HTTPS is not probed';
    let timer: NodeJS.Timeout | undefined;
    try {
      const [host, port] = [target.host ?? this.#pod.address, Number(target.port)];
      if (!(port >= 1)) return `no port of its container is named ${JSON.stringify(target.port)}`;
      const socket = connectFrom(this.#pod.nodeNamespacePath, host, port);
      this.#socket = socket;
      timer = setTimeout(() => socket.destroy(new Error('no answer in time')), timeoutSeconds * 1000);
      if (httpGet === undefined) return await connected(socket);
      const { path = '/', httpHeaders = [] } = httpGet;
      return await answered(socket, { host, port, path }, httpHeaders);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      clearTimeout(timer);
      this.#socket?.destroy();
    }
  }

  #record(problem: string | undefined): void {
    const { successThreshold = 1, failureThreshold = 3 } = this.#probe;
    const succeeded = problem === undefined;
    this.#inARow = succeeded === this.#lastSucceeded ? this.#inARow + 1 : 1;
    this.#lastSucceeded = succeeded;
    if (!succeeded) this.#pod.log(`readiness probe failed: ${problem}`);
    if (this.#inARow < (succeeded ? successThreshold : failureThreshold) || this.succeeds === succeeded) return;
    this.succeeds = succeeded;
    this.#changed();
  }
}

/** @throws RangeError for a host that is no address; SystemCallError. */
function connectFrom(namespacePath: string, address: string, port: number): Socket {
  const namespace = openNamespace(namespacePath);
  try {
    const fd = inNamespace(namespace, 'net', () => beginConnecting(address, port));
    return new Socket({ fd, readable: true, writable: true });
  } finally {
    close(namespace);
  }
}

/** Resolves when the connection stands. */
function connected(socket: Socket): Outcome {
  return new Promise((resolve) => {
    const check = setInterval(() => socket.remoteAddress !== undefined && resolve(undefined), CONNECTED_CHECK_MS);
    socket.on('error', (error) => resolve(error.message));
    socket.on('close', () => {
      clearInterval(check);
      resolve('closed');
    });
  });
}

/** Resolves when the answer has come to its end; a status from 200 to 399 is a success. */
function answered(
  socket: Socket,
  target: { host: string; port: number; path: string },
  headers: readonly HTTPHeader[],
): Outcome {
  return new Promise((resolve) => {
    const request = httpRequest({ createConnection: () => socket, ...target });
    request.on('error', (error) => resolve(error.message));
    // As the kubelet's (pkg/probe/http/request.go); the probe's own headers take their place.
    request.setHeader('User-Agent', 'kube-probe/1.30').setHeader('Accept', '*/*');
    for (const { name } of headers) request.removeHeader(name);
    for (const { name, value } of headers) request.appendHeader(name, value);
    request.on('response', (response) => {
      const { statusCode: status = 0 } = response;
      response.resume();
      response.on('error', (error) => resolve(error.message));
      response.on('end', () => resolve(status >= 200 && status < 400 ? undefined : `status ${status}`));
    });
    request.end();
  });
}
