import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { hostPort } from '../workload/answer.ts';
import type { Workload } from '../workload/tcp-service.ts';

/** What waits to be sent while the pod's interface is slow; what comes beyond is lost, as UDP may be. */
const SEND_QUEUE_BYTES_MAX = 1 << 20;

/** Node would ask its resolver even for an address. */
function lookup(address: string, _options: unknown, callback: (error: null, address: string, family: number) => void) {
  callback(null, address, address.includes(':') ? 6 : 4);
}

/** Answers each datagram with itself (RFC 862). */
export class UdpEcho {
  readonly #socket: Socket;
  readonly #port: number;
  readonly #workload: Workload;

  /**
   * @param fd a bound UDP socket, which is closed with this.
   * @param address that it is bound to.
   */
  constructor(fd: number, address: string, port: number, workload: Workload) {
    this.#port = port;
    this.#workload = workload;
    this.#socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', lookup: lookup as never });
    // Such as a link-local sender, whose interface Node looks for in the wrong namespace.
    this.#socket.on('error', (error) => workload.log(`${port}/UDP: ${error.message}`));
    this.#socket.on('message', (bytes, from) => this.#receive(bytes, from));
    this.#socket.bind({ fd });
  }

  close(): void {
    this.#socket.close();
  }

  #receive(bytes: Buffer, { address, port }: RemoteInfo): void {
    this.#workload.log(`${hostPort(address, port)} UDP ${this.#port}: ${bytes.length} bytes`);
    // Port 0 means that the sender wants no answer (RFC 768); Node would throw.
    if (port === 0 || this.#socket.getSendQueueSize() > SEND_QUEUE_BYTES_MAX) return;
    this.#socket.send(bytes, port, address, () => {}); // nobody is told of a datagram that cannot be sent
  }
}
