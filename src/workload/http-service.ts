import { type IncomingMessage, Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { answer } from './answer.ts';
import { PacedConnection, type Portions } from './paced-connection.ts';
import { printable } from './printable.ts';
import type { TcpTimeouts, Workload } from './tcp-service.ts';
import type { Turns } from './turns.ts';

/** Of a request line with its headers. Node answers 431 to what is longer. */
const HEADER_BYTES_MAX = 16 << 10;
/** At least some 60 pipelined requests, which take about 3 ms; more while no new request comes: bodies. */
const PORTIONS: Portions = { least: 2 << 10, most: 16 << 10 };

/** One connection that speaks HTTP. */
interface Connection {
  readonly workload: Workload;
  readonly remote: string;
  readonly paced: PacedConnection;
  /** Requests that have begun and are not answered to the end; more than one when a client pipelines. */
  open: number;
  /** Runs while no request is open; closes the connection. */
  deadline: NodeJS.Timeout | undefined;
  /** It has sent what is no HTTP. */
  refused: boolean;
}

/**
 * HTTP/1.1 by Node's server, which is handed connections and never listens; so its own watch over slow headers, which
 * begins with listening, does not run, and `deadline` stands in for it.
 */
export class HttpService {
  readonly #server: Server;
  readonly #timeouts: TcpTimeouts;
  readonly #turns: Turns;
  readonly #connections = new WeakMap<Duplex, Connection>();

  constructor(timeouts: TcpTimeouts, turns: Turns) {
    this.#timeouts = timeouts;
    this.#turns = turns;
    this.#server = new Server({ maxHeaderSize: HEADER_BYTES_MAX, keepAliveTimeout: timeouts.keepAlive });
    // A client that sends FIN behind its requests (`nc -N`) still gets all answers. Node has no option for it, but
    // this property (lib/_http_server.js, socketOnEnd).
    Object.assign(this.#server, { httpAllowHalfOpen: true });
    this.#server.on('request', (request, response) => this.#receive(request, response));
    this.#server.on('clientError', (error, socket) => this.#refuse(error, socket));
  }

  /** @param socket whose bytes are all still unread. */
  accept(workload: Workload, socket: Duplex, remote: string): void {
    const paced = new PacedConnection(socket, this.#turns, workload, PORTIONS);
    const connection: Connection = { workload, remote, paced, open: 0, deadline: undefined, refused: false };
    this.#connections.set(paced, connection);
    this.#expectRequest(connection, this.#timeouts.headers);
    paced.on('close', () => clearTimeout(connection.deadline));
    if (socket instanceof Socket) socket.setTimeout(this.#timeouts.idle, () => socket.destroy());
    this.#server.emit('connection', paced);
  }

  #expectRequest(connection: Connection, withinMs: number): void {
    connection.deadline = setTimeout(() => connection.paced.destroy(), withinMs);
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket)!;
    connection.paced.beSmall();
    clearTimeout(connection.deadline);
    connection.open++;
    response.on('close', () => {
      connection.open--;
      if (connection.open > 0 || connection.paced.destroyed) return;
      this.#expectRequest(connection, this.#timeouts.keepAlive + this.#timeouts.headers);
    });

    let bodyBytes = 0;
    request.on('data', (bytes: Buffer) => {
      bodyBytes += bytes.length;
    });
    request.on('end', () => respond(connection, request, response, bodyBytes));
  }

  /** What Node does without a listener, but requests that were good are answered first, and the log says why. */
  #refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#connections.get(socket)!;
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    if (connection.refused) return;
    connection.refused = true;
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
    setImmediate(() => {
      connection.workload.log(`${connection.remote} ${status} (${error.code ?? error.message})`);
      if (connection.open === 0) socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
      socket.end(() => socket.destroy());
    });
  }
}

function respond(connection: Connection, request: IncomingMessage, response: ServerResponse, bodyBytes: number): void {
  const { workload, remote } = connection;
  const { method = '', url: target = '' } = request;
  const { status, headers, body } = answer(workload.pod, {
    method,
    target,
    headers: pairs(request.rawHeaders),
    bodyBytes,
    remote,
    ready: workload.ready,
  });
  response.writeHead(status, { ...headers });
  response.end(body);
  workload.log(`${remote} ${method} ${printable(target)} ${status}`);
}

/** Node's flat list of names and values. */
function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length >> 1 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!]);
}
