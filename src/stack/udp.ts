/** UDP sockets of an endpoint (RFC 768). A datagram for a port that nobody has is answered with an ICMP error. */
import { Protocol } from '../wire/protocol.ts';
import { UDP_HEADER_LEN, udpCheckedLen, udpDestinationPort, udpSourcePort, udpWrite } from '../wire/udp.ts';
import { type ErrorReport, sendPortUnreachable } from './icmp-error.ts';
import type { IpLayer } from './ip-layer.ts';
import { copyOf, type IpPacket, viewOf } from './ip-packet.ts';
import { newBytes } from './new-bytes.ts';
import { PortTable } from './port-table.ts';

/** What IPv4 leaves for a datagram's bytes. */
const BYTES_MAX = 65_507;

export interface Datagram {
  readonly source: string;
  readonly sourcePort: number;
  /** The own address that it came to: an answer should come from there. */
  readonly destination: string;
  readonly bytes: Uint8Array;
}

export interface UdpEvents {
  readonly datagram?: (datagram: Datagram) => void;
  /** An ICMP error about a datagram sent; not for those that were too long. */
  readonly error?: (report: ErrorReport) => void;
}

export interface UdpSocket {
  readonly port: number;
  /** @returns false when there is no source address for the destination. @throws RangeError beyond 65,507 bytes. */
  send(destination: string, port: number, bytes: Uint8Array, source?: string): boolean;
  close(): void;
}

export class Udp {
  readonly #ip: IpLayer;
  readonly #sockets: PortTable<UdpEvents>;

  constructor(ip: IpLayer) {
    this.#ip = ip;
    this.#sockets = new PortTable<UdpEvents>(ip.random);
  }

  /** @param wanted 0 for any that is free. @throws RangeError when the port is taken, or none is left. */
  open(wanted: number, events: UdpEvents): UdpSocket {
    const port = wanted === 0 ? this.#sockets.freePort() : wanted;
    if (port === undefined) throw new RangeError('no port is left');
    this.#sockets.open(port, events);
    return {
      port,
      send: (destination, to, bytes, source = this.#ip.sourceFor(destination)) => {
        if (bytes.length > BYTES_MAX) throw new RangeError(`a datagram of ${bytes.length} bytes`);
        if (source !== undefined) this.#send({ source, destination }, port, to, bytes);
        return source !== undefined;
      },
      close: () => this.#sockets.close(port),
    };
  }

  receive(packet: IpPacket): void {
    const { view, at, source, destination, gsoSize } = packet;
    const len = udpCheckedLen(view, at, packet.length);
    if (len === 0) return;
    const socket = this.#sockets.get(udpDestinationPort(view, at));
    if (socket === undefined) {
      sendPortUnreachable(this.#ip, packet);
      return;
    }
    const sourcePort = udpSourcePort(view, at);
    const bytes = copyOf(view, at + UDP_HEADER_LEN, at + len);
    const step = gsoSize || Math.max(bytes.length, 1); // a superframe is many datagrams
    for (let from = 0; from === 0 || from < bytes.length; from += step) {
      socket.datagram?.({ source, sourcePort, destination, bytes: bytes.subarray(from, from + step) });
    }
  }

  error(report: ErrorReport): void {
    if (report.mtu === undefined) this.#sockets.get(report.sourcePort)?.error?.(report);
  }

  #send(ends: { source: string; destination: string }, from: number, to: number, bytes: Uint8Array): void {
    const upper = newBytes(UDP_HEADER_LEN + bytes.length);
    udpWrite(viewOf(upper), 0, from, to, upper.length);
    upper.set(bytes, UDP_HEADER_LEN);
    this.#ip.send({ ...ends, protocol: Protocol.Udp }, upper);
  }
}
