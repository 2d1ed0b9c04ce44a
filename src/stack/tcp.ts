/** The TCP connections of an endpoint, who listens, and what a segment that belongs to nobody is told (RFC 9293). */
import { Protocol } from '../wire/protocol.ts';
import { TCP_HEADER_LEN, TcpFlag } from '../wire/tcp.ts';
import type { ErrorReport } from './icmp-error.ts';
import type { IpLayer } from './ip-layer.ts';
import { type IpPacket, isIpv6Text } from './ip-packet.ts';
import { PortTable } from './port-table.ts';
import { type ConnectionEvents, TcpConnection } from './tcp-connection.ts';
import { buildSegment, readSegment, resetFor, type Segment } from './tcp-segment.ts';

/** Chosen. Beyond it SYNs are ignored, as a full backlog does. */
const CONNECTIONS_MAX = 1024;
const HALF_OPEN_MAX = 256;

/** RFC 9293 section 3.7.1. */
const SEGMENT_DEFAULT_IPV4 = 536;
const SEGMENT_DEFAULT_IPV6 = 1220;

/** Four strings and numbers that name a connection, from this endpoint's side. */
interface Ends {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

/** Is given a connection that somebody has opened. */
export type Accept = (connection: TcpConnection, from: { address: string; port: number }) => ConnectionEvents;

export class Tcp {
  readonly #ip: IpLayer;
  readonly #connections = new Map<string, TcpConnection>();
  readonly #listeners: PortTable<Accept>;
  readonly #touched = new Set<TcpConnection>();
  /** Numbers of connections on each local port. */
  readonly #localPorts = new Map<number, number>();

  constructor(ip: IpLayer) {
    this.#ip = ip;
    this.#listeners = new PortTable<Accept>(ip.random);
  }

  get dueMs(): number {
    if (this.#touched.size > 0) return 0;
    let dueMs = Infinity;
    for (const connection of this.#connections.values()) dueMs = Math.min(dueMs, connection.dueMs);
    return dueMs;
  }

  get count(): number {
    return this.#connections.size;
  }

  /** @returns undefined when no address, port or room is left for it. */
  connect(destination: string, destinationPort: number, events: ConnectionEvents): TcpConnection | undefined {
    const source = this.#ip.sourceFor(destination);
    const sourcePort = this.#listeners.freePort((port) => this.#localPorts.has(port));
    if (source === undefined || sourcePort === undefined || !this.#hasRoom()) return undefined;
    return this.#create({ source, sourcePort, destination, destinationPort }, events);
  }

  /** @returns what ends it. @throws RangeError when somebody listens there already. */
  listen(port: number, accept: Accept): () => void {
    this.#listeners.open(port, accept);
    return () => this.#listeners.close(port);
  }

  receive(packet: IpPacket, nowMs: number): void {
    const segment = readSegment(packet.view, packet.at, packet.end);
    if (segment === undefined) return;
    const ends = {
      source: packet.destination,
      sourcePort: segment.destinationPort,
      destination: packet.source,
      destinationPort: segment.sourcePort,
    };
    const connection = this.#connections.get(keyOf(ends));
    if (connection !== undefined) {
      connection.receive(segment, nowMs);
      return;
    }
    const { flags } = segment;
    if ((flags & TcpFlag.Rst) !== 0) return;
    const listens = this.#listeners.get(segment.destinationPort) !== undefined;
    if (!listens || (flags & TcpFlag.Ack) !== 0) this.#send(ends, resetFor(segment));
    else if ((flags & TcpFlag.Syn) !== 0 && this.#hasRoom() && this.#halfOpen() < HALF_OPEN_MAX) {
      this.#create(ends, undefined, segment);
    }
  }

  /** An ICMP error about a segment of this endpoint's. */
  error(report: ErrorReport): void {
    const { source, destination, sourcePort, destinationPort, sequence } = report;
    const connection = this.#connections.get(keyOf({ source, sourcePort, destination, destinationPort }));
    if (report.mtu === undefined) connection?.error(sequence, report.reason, report.detail);
    else connection?.error(sequence, report.reason, report.detail, report.mtu - headersLen(destination));
  }

  wake(nowMs: number): void {
    for (const connection of this.#connections.values()) if (connection.dueMs <= nowMs) connection.wake(nowMs);
  }

  /** Sends what connections have to send; events may touch more of them. */
  flush(nowMs: number): void {
    for (const connection of this.#touched) {
      this.#touched.delete(connection); // before: it may be touched again
      connection.output(nowMs);
    }
  }

  #create(ends: Ends, events: ConnectionEvents | undefined, syn?: Segment): TcpConnection {
    const key = keyOf(ends);
    const ipv6 = isIpv6Text(ends.destination);
    const from = { address: ends.destination, port: ends.destinationPort };
    const host = {
      send: (fields: Omit<Segment, 'sourcePort' | 'destinationPort'>) => {
        const { sourcePort, destinationPort } = ends;
        const { sequence, acknowledgment, flags, window, maximumSegment, data } = fields; // spreading them takes longer
        this.#send(ends, {
          sourcePort,
          destinationPort,
          sequence,
          acknowledgment,
          flags,
          window,
          maximumSegment,
          data,
        });
      },
      touched: () => this.#touched.add(created),
      accepted: () => this.#listeners.get(ends.sourcePort)?.(created, from) ?? {},
      finished: () => this.#remove(key, ends.sourcePort),
    };
    const created: TcpConnection = new TcpConnection(
      host,
      {
        localPort: ends.sourcePort,
        initialSequence: this.#ip.random(),
        segmentMax: this.#ip.mtuTo(ends.destination) - headersLen(ends.destination),
        segmentDefault: ipv6 ? SEGMENT_DEFAULT_IPV6 : SEGMENT_DEFAULT_IPV4,
        ...(events === undefined ? {} : { events }),
      },
      syn,
    );
    this.#touched.add(created);
    this.#connections.set(key, created);
    this.#localPorts.set(ends.sourcePort, (this.#localPorts.get(ends.sourcePort) ?? 0) + 1);
    return created;
  }

  #remove(key: string, port: number): void {
    if (!this.#connections.delete(key)) return;
    const others = this.#localPorts.get(port)! - 1;
    if (others > 0) this.#localPorts.set(port, others);
    else this.#localPorts.delete(port);
  }

  /** Those that only wait for late segments make room, the oldest first, as Linux's tcp_max_tw_buckets does. */
  #hasRoom(): boolean {
    if (this.#connections.size < CONNECTIONS_MAX) return true;
    for (const [key, connection] of this.#connections) {
      if (connection.state !== 'time-wait') continue;
      this.#remove(key, Number(key.split(' ')[1]));
      return true;
    }
    return false;
  }

  #halfOpen(): number {
    let count = 0;
    for (const { state } of this.#connections.values()) if (state === 'syn-received') count++;
    return count;
  }

  #send({ source, destination }: Ends, segment: Segment): void {
    this.#ip.send({ source, destination, protocol: Protocol.Tcp }, buildSegment(segment));
  }
}

function keyOf({ source, sourcePort, destination, destinationPort }: Ends): string {
  return `${source} ${sourcePort} ${destination} ${destinationPort}`;
}

function headersLen(address: string): number {
  return (isIpv6Text(address) ? 40 : 20) + TCP_HEADER_LEN;
}
