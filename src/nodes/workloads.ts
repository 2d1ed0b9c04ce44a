import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { close } from '../sys/io.ts';
import { bindUdp, listenTcp } from '../sys/listen.ts';
import { inNamespace, openNamespace } from '../sys/namespace.ts';
import { hostPort, type WorkloadPod } from '../workload/answer.ts';
import { LogRing } from '../workload/log-ring.ts';
import { TcpService, type TcpTimeouts, type Workload } from '../workload/tcp-service.ts';
import type { PodName, WorkloadPort, WorkloadSpec } from './protocol.ts';
import { UdpEcho } from './udp-echo.ts';

export interface WorkloadLimits {
  /**
   * Connections that all pods of the node together hold open. A pod may have as many as there are still free, so that
   * one that is flooded stops at half of them, and n such pods leave one in n + 1 to the others (dynamic thresholds:
   * Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998).
   */
  readonly connectionsMax: number;
  /** What a stopped pod's connections have to end in order. */
  readonly graceMs: number;
  readonly timeouts?: Partial<TcpTimeouts>;
}

const BACKLOG = 4096;
const LOG_BYTES = 64 << 10;
/** A quarter of a gigabyte, at the some 10 KB that a connection takes which has sent nothing to speak of. */
const CONNECTIONS_MAX = 24_000;
const GRACE_MS = 1000;
/** A client's kernel that is gone without a word is noticed within about a quarter of an hour. */
const TCP_KEEP_ALIVE_MS = 300_000;

/** The other half of the descriptors that the process may have is for listeners, TAPs and all else. */
function connectionsMax(): number {
  const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return limit === undefined ? CONNECTIONS_MAX : Math.min(CONNECTIONS_MAX, Number(limit) >> 1);
}

/** One pod that answers. */
class RunningWorkload implements Workload {
  readonly uid: string;
  readonly pod: WorkloadPod;
  ready: boolean;
  readonly ring = new LogRing(LOG_BYTES);
  readonly servers: Server[] = [];
  readonly echoes: UdpEcho[] = [];
  readonly connections = new Set<Socket>();
  /** Told once, until it takes connections again. */
  full = false;

  constructor(uid: string, pod: WorkloadPod, ready: boolean) {
    this.uid = uid;
    this.pod = pod;
    this.ready = ready;
  }

  log(line: string): void {
    this.ring.write(`${new Date().toISOString()} ${line}`);
  }
}

/**
 * The workloads of a node's pods: every declared port answers, from the node's control thread and inside the pod's
 * network namespace, so packets take the way that they would take to a program there.
 *
 * TCP: HTTP or echo, as `TcpService` says. UDP: each datagram goes back to where it came from; its source address is
 * the kernel's choice, which is the address that was asked except where a pod has several of one family. SCTP: Node
 * has no such sockets; the pod's kernel refuses.
 */
export class Workloads {
  readonly #limits: WorkloadLimits;
  readonly #service: TcpService;
  readonly #running = new Map<string, RunningWorkload>();
  #connections = 0;

  constructor(limits: Partial<WorkloadLimits> = {}) {
    this.#limits = {
      connectionsMax: connectionsMax(),
      graceMs: GRACE_MS,
      ...limits,
    };
    this.#service = new TcpService(limits.timeouts);
  }

  /**
   * Listens on the pod's ports. When this returns, the kernel accepts connections. Of a pod that runs already nothing
   * is changed.
   *
   * @returns a line for each port that nobody answers on, and why; the same lines are in the pod's log.
   */
  start(spec: WorkloadSpec): readonly string[] {
    const key = keyOf(spec);
    const { uid, name, namespace, node, hostname, addresses, ready } = spec;
    const known = this.#running.get(key);
    if (known?.uid === uid) return [];
    if (known !== undefined) void this.stop(spec); // another pod, of the same name
    const workload = new RunningWorkload(uid, { name, namespace, node, hostname, addresses }, ready);
    this.#running.set(key, workload);
    const problems = this.#listen(workload, spec);
    for (const line of [...spec.notes, ...problems]) workload.log(line);
    return problems;
  }

  /**
   * Closes the pod's ports and ends its connections: FIN, and RST to those that are still open after the grace. The
   * pod and its log are forgotten at once, so that another of its name may start.
   *
   * @returns resolves when all are closed.
   */
  async stop(pod: PodName): Promise<void> {
    const workload = this.#running.get(keyOf(pod));
    if (workload === undefined) return;
    this.#running.delete(keyOf(pod));
    for (const echo of workload.echoes) echo.close();
    const closed = workload.servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of workload.connections) socket.end();
    const grace = setTimeout(() => {
      for (const socket of workload.connections) socket.resetAndDestroy();
    }, this.#limits.graceMs);
    await Promise.all(closed);
    clearTimeout(grace);
  }

  /** What `/healthz` says from now on. */
  setReady(pod: PodName, ready: boolean): void {
    const workload = this.#running.get(keyOf(pod));
    if (workload !== undefined) workload.ready = ready;
  }

  /** Puts a line into the pod's log. */
  say(pod: PodName, line: string): void {
    this.#running.get(keyOf(pod))?.log(line);
  }

  /** The last 64 KB: time, client, request. Undefined for a pod that does not run here. */
  logs(pod: PodName): string | undefined {
    return this.#running.get(keyOf(pod))?.ring.text();
  }

  #listen(workload: RunningWorkload, spec: WorkloadSpec): string[] {
    if (spec.ports.length === 0) return [];
    let namespace: number;
    try {
      namespace = openNamespace(spec.namespacePath);
    } catch (error) {
      return [`no port answers: ${messageOf(error)}`];
    }
    try {
      return inNamespace(namespace, 'net', () => this.#openPorts(workload, spec.ports));
    } catch (error) {
      return [`no port answers: ${messageOf(error)}`];
    } finally {
      close(namespace);
    }
  }

  /** Runs inside the pod's namespace: only system calls and what Node does at once. */
  #openPorts(workload: RunningWorkload, ports: readonly WorkloadPort[]): string[] {
    const address = workload.pod.addresses.some((one) => one.includes(':')) ? '::' : '0.0.0.0';
    return ports.flatMap(({ port, protocol }) => {
      try {
        if (protocol === 'TCP') this.#openTcp(workload, address, port);
        else if (protocol === 'UDP') workload.echoes.push(new UdpEcho(bindUdp(address, port), address, port, workload));
        else return [`${port}/${protocol}: nobody answers: workloads speak TCP and UDP only`];
        return [];
      } catch (error) {
        return [`${port}/${protocol}: nobody answers: ${messageOf(error)}`];
      }
    });
  }

  #openTcp(workload: RunningWorkload, address: string, port: number): void {
    const fd = listenTcp(address, port, BACKLOG);
    const server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS },
      (socket) => this.#accept(workload, socket),
    );
    // Accepting fails when descriptors run out: Node closes what waits, and goes on.
    server.on('error', (error) => workload.log(`${port}/TCP: ${error.message}`));
    server.listen({ fd, backlog: BACKLOG });
    workload.servers.push(server);
  }

  #accept(workload: RunningWorkload, socket: Socket): void {
    if (workload.connections.size >= this.#limits.connectionsMax - this.#connections) {
      if (!workload.full) workload.log(`${workload.connections.size} connections are open: more are reset`);
      workload.full = true;
      socket.resetAndDestroy();
      return;
    }
    workload.full = false;
    workload.connections.add(socket);
    this.#connections++;
    socket.on('close', () => {
      workload.connections.delete(socket);
      this.#connections--;
    });
    this.#service.accept(workload, socket, remoteOf(socket));
  }
}

function keyOf({ namespace, name }: PodName): string {
  return `${namespace}/${name}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The client. Node names the interface of a link-local address, and looks it up in the namespace of the thread: where
 * that has none of the number, it throws.
 */
function remoteOf(socket: Socket): string {
  try {
    return hostPort(socket.remoteAddress ?? 'gone', socket.remotePort ?? 0);
  } catch {
    return 'link-local';
  }
}
