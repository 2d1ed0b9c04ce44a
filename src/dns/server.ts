/** The name server's sockets. They are made elsewhere, in the network namespace of a pod, and handed over. */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Socket, type Server as TcpServer } from 'node:net';
import { Responder } from './responder.ts';
import { serveConnection } from './tcp-connection.ts';
import type { Zone } from './zone.ts';

/** Answers that the kernel has no room for. UDP may lose them; what waits here must not grow without end. */
const UDP_QUEUE_LEN_MAX = 1 << 20;
const TCP_BACKLOG = 128;

export interface DnsServerOptions {
  /** 32 random bits a call. */
  readonly random: () => number;
  /** Told of a socket's errors, after which the socket may be of no more use. */
  readonly failed: (error: Error) => void;
  /** How long a TCP connection may be without a whole query (RFC 7766 §6.2.3). */
  readonly idleMs?: number;
  /** More TCP connections than these are closed at once; of all sockets together. */
  readonly connectionsMax?: number;
}

const IDLE_MS = 10_000;
const CONNECTIONS_MAX = 256;

export class DnsServer {
  readonly #responder: Responder;
  readonly #options: DnsServerOptions;
  readonly #udp = new Set<UdpSocket>();
  readonly #tcp = new Set<TcpServer>();
  readonly #connections = new Set<Socket>();

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#responder = new Responder(options.random);
  }

  /**
   * The zone from the next query on. Until there is one, all is SERVFAIL (DN-040). A `Zone` may also be changed while it
   * is served: `Zone.apply`.
   */
  setZone(zone: Zone): void {
    this.#responder.zone = zone;
  }

  /**
   * @param fd a bound UDP socket; it is closed with the server.
   * @param family of its address: `udp6` for `::`, also where that takes IPv4.
   */
  async serveUdp(fd: number, family: 'udp4' | 'udp6'): Promise<void> {
    // Addresses of clients are never names: nothing to look up, and no detour through the event loop.
    const lookup = (address: string, _options: unknown, done: (error: null, address: string, family: number) => void) =>
      done(null, address, family === 'udp4' ? 4 : 6);
    const socket = createSocket({ type: family, lookup: lookup as never });
    this.#udp.add(socket);
    socket.on('message', (bytes, client) => this.#datagram(socket, bytes, client));
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ fd }, () => {
        socket.off('error', reject);
        socket.on('error', this.#options.failed);
        resolve();
      });
    });
  }

  /** @param fd a bound TCP socket, listening or not yet; it is closed with the server. */
  async serveTcp(fd: number): Promise<void> {
    // A client may close its side when it has asked, and still read.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    this.#tcp.add(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ fd, backlog: TCP_BACKLOG }, () => {
        server.off('error', reject);
        server.on('error', this.#options.failed);
        resolve();
      });
    });
  }

  /** Closes all sockets and connections. */
  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    const closing = [...this.#udp, ...this.#tcp].map(
      (socket: { close(closed: () => void): unknown }) => new Promise<void>((resolve) => void socket.close(resolve)),
    );
    this.#udp.clear();
    this.#tcp.clear();
    await Promise.all(closing);
  }

  #datagram(socket: UdpSocket, bytes: Uint8Array, client: RemoteInfo): void {
    // Nobody can be reached at port 0, and dgram throws.
    if (client.port === 0 || socket.getSendQueueSize() > UDP_QUEUE_LEN_MAX) return;
    const answer = this.#responder.respond(bytes, 'udp');
    // Errors of one answer (no route to the client, a full queue) are the client's loss, as on any way.
    if (answer !== undefined) socket.send(answer, client.port, client.address, () => {});
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= (this.#options.connectionsMax ?? CONNECTIONS_MAX)) {
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    serveConnection(socket, (query) => this.#responder.respond(query, 'tcp'), this.#options.idleMs ?? IDLE_MS);
  }
}
