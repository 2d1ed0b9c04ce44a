import type { Duplex } from 'node:stream';
import type { WorkloadPod } from './answer.ts';
import { spokenBy } from './first-bytes.ts';
import { HttpService } from './http-service.ts';
import { PacedConnection, type Portions } from './paced-connection.ts';
import { Turns } from './turns.ts';

/** A pod that answers: who it is, and where its log goes. */
export interface Workload {
  readonly pod: WorkloadPod;
  ready: boolean;
  /** @param line without time; may hold no bytes of a client that `printable` has not seen. */
  log(line: string): void;
}

/** Milliseconds. */
export interface TcpTimeouts {
  /** A beginning that could still become a request line, and no more of it: it is echoed. */
  readonly undecided: number;
  /** A request whose headers do not end. */
  readonly headers: number;
  /** HTTP between two requests. */
  readonly keepAlive: number;
  /** HTTP in the middle of something: a body that does not come, an answer that nobody takes. */
  readonly idle: number;
}

/**
 * Keep-alive is longer than the 60 s that proxies and clients customarily reuse a connection for: it is theirs to
 * close, or a request would cross the FIN. The others are as long as a test of slow networks may need.
 */
const DEFAULT_TIMEOUTS: TcpTimeouts = { undecided: 200, headers: 30_000, keepAlive: 75_000, idle: 120_000 };

/** What Node reads at once; 64 KB are some 50 µs. */
const ECHO_PORTIONS: Portions = { least: 64 << 10, most: 64 << 10 };

/** Why a connection is closed that speaks what nobody here answers. */
const refusals = {
  tls: 'speaks TLS, which workloads do not; closed',
  http2: 'speaks HTTP/2 with prior knowledge, which workloads do not; closed',
} as const;

/**
 * One for all ports of a node. Waits for a client's first bytes: a request of HTTP/1 is answered, and anything else
 * is echoed to the last byte. A connection that says nothing stays open; nobody speaks first here.
 */
export class TcpService {
  readonly #http: HttpService;
  readonly #timeouts: TcpTimeouts;
  readonly #turns = new Turns();

  constructor(timeouts: Partial<TcpTimeouts> = {}) {
    this.#timeouts = { ...DEFAULT_TIMEOUTS, ...timeouts };
    this.#http = new HttpService(this.#timeouts, this.#turns);
  }

  /**
   * @param socket half-open after the client's FIN (`allowHalfOpen`).
   * @param remote as `hostPort` writes it.
   */
  accept(workload: Workload, socket: Duplex, remote: string): void {
    socket.on('error', () => {}); // a reset is a client's right; 'close' follows
    let held: Buffer = Buffer.alloc(0);
    let timer: NodeJS.Timeout | undefined;

    const decide = (then: () => void) => {
      clearTimeout(timer);
      socket.removeListener('readable', read).removeListener('end', echo);
      then();
    };
    const echo = () => decide(() => this.#echo(workload, socket, remote, held));
    const read = () => {
      const bytes: Buffer | null = socket.read();
      if (bytes === null) return;
      held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      const spoken = spokenBy(held);
      if (spoken === 'undecided') timer ??= setTimeout(echo, this.#timeouts.undecided);
      else if (spoken === 'other') echo();
      else if (spoken === 'http') {
        decide(() => {
          socket.unshift(held);
          this.#http.accept(workload, socket, remote);
        });
      } else {
        workload.log(`${remote} ${refusals[spoken]}`);
        decide(() => socket.destroy());
      }
    };
    socket.on('readable', read).on('end', echo);
    socket.on('close', () => clearTimeout(timer));
  }

  /** RFC 862, and FIN for FIN. What the client does not read back is not read from it. */
  #echo(workload: Workload, socket: Duplex, remote: string, first: Buffer): void {
    if (first.length > 0) {
      workload.log(`${remote} echo`);
      socket.write(first);
    }
    if (socket.readableEnded) {
      socket.end();
      return;
    }
    const paced = new PacedConnection(socket, this.#turns, workload, ECHO_PORTIONS);
    paced.pipe(paced);
  }
}
