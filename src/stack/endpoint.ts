/**
 * `stack/`: a small TCP/IP stack that plays a pod's or a host's kernel where none serves: at the other end of a node's
 * port in the simulator. It answers ARP, Neighbour Discovery and pings, has UDP, TCP and SCTP, and asks its one next hop.
 *
 *     const endpoint = new Endpoint({ mac, addresses, mtu, send, random });
 *     endpoint.listen(80, (connection) => ({ data: (bytes) => connection.write(bytes) }));
 *     endpoint.receive(pkt, nowMs);         // a frame, as a port receives it
 *     endpoint.wake(nowMs);                 // at `nextDueMs`, and after calls from outside
 *
 * Nothing is sent but in `receive` and `wake`, which alone know the time: after a call from outside `nextDueMs` is 0. Frames
 * of any kind neither throw nor make it keep more than a bounded amount. What events throw is the caller's own.
 */
import type { Packet } from '../packet/packet.ts';
import { Protocol } from '../wire/protocol.ts';
import { EchoMessages, type Ping, type PingEvents } from './echo-messages.ts';
import { type ErrorReport, quotedReport, readError } from './icmp-error.ts';
import { IpLayer } from './ip-layer.ts';
import { type IpPacket, isIpv6Text, plainAddress } from './ip-packet.ts';
import { type Association, Sctp, type SctpEvents } from './sctp.ts';
import { type Accept, Tcp } from './tcp.ts';
import type { ConnectionEvents, TcpConnection } from './tcp-connection.ts';
import { Udp, type UdpEvents, type UdpSocket } from './udp.ts';

export interface EndpointOptions {
  /** `0a:58:0a:f4:00:02` */
  readonly mac: string;
  /** Whole addresses of both families. The first of a family is the source of what it sends. */
  readonly addresses: readonly string[];
  readonly mtu: number;
  /** Takes a virtio header and a frame, whose checksums are complete. Not to be answered before it returns. */
  readonly send: (bytes: Uint8Array) => void;
  /** 32 random bits. */
  readonly random: () => number;
}

interface Alarm {
  readonly waitMs: number;
  readonly action: () => void;
  /** NaN until the time is known. */
  dueMs: number;
}

export class Endpoint {
  readonly addresses: readonly string[];
  readonly #ip: IpLayer;
  readonly #udp: Udp;
  readonly #tcp: Tcp;
  readonly #sctp: Sctp;
  readonly #echo: EchoMessages;
  readonly #alarms = new Set<Alarm>();

  constructor(options: EndpointOptions) {
    this.addresses = options.addresses.map(plainAddress);
    const failed = (raw: Uint8Array) => this.#unreachable(raw);
    this.#ip = new IpLayer({ ...options, addresses: this.addresses, failed });
    this.#udp = new Udp(this.#ip);
    this.#tcp = new Tcp(this.#ip);
    this.#sctp = new Sctp(this.#ip);
    this.#echo = new EchoMessages(this.#ip);
  }

  /** When to `wake` it: a time that may have passed, or Infinity. */
  get nextDueMs(): number {
    let dueMs = Math.min(this.#ip.dueMs, this.#tcp.dueMs, this.#sctp.dueMs);
    for (const alarm of this.#alarms) dueMs = Math.min(dueMs, Number.isNaN(alarm.dueMs) ? 0 : alarm.dueMs);
    return dueMs;
  }

  /** Connections that hold memory, those in TIME-WAIT too. */
  get connectionCount(): number {
    return this.#tcp.count;
  }

  /** The own address that packets for a destination leave with; undefined where there is none of its family. */
  sourceFor(destination: string): string | undefined {
    return this.#ip.sourceFor(destination);
  }

  /** @param pkt a frame as a port hands it in: position, length, checksum state, segment size. */
  receive(pkt: Packet, nowMs: number): void {
    const packet = this.#ip.receive(pkt, nowMs);
    if (packet !== undefined) this.#dispatch(packet, nowMs);
    this.#rest(nowMs);
  }

  /** Does what is due. */
  wake(nowMs: number): void {
    for (const alarm of this.#alarms) {
      if (!(alarm.dueMs <= nowMs)) continue;
      this.#alarms.delete(alarm);
      alarm.action();
    }
    this.#ip.wake(nowMs);
    this.#tcp.wake(nowMs);
    this.#rest(nowMs);
  }

  /** @returns undefined when there is no address of that family, no port or no room. @throws RangeError for no address. */
  connect(address: string, port: number, events: ConnectionEvents): TcpConnection | undefined {
    return this.#tcp.connect(plainAddress(address), port, events);
  }

  /** `accept` is called for each connection that is open. @returns what ends it. @throws RangeError for a port in use. */
  listen(port: number, accept: Accept): () => void {
    return this.#tcp.listen(port, accept);
  }

  /** @param port 0 for any that is free. @throws RangeError for a port in use. */
  openUdp(port: number, events: UdpEvents): UdpSocket {
    return this.#udp.open(port, events);
  }

  openPing(events: PingEvents): Ping {
    return this.#echo.open(events);
  }

  connectSctp(address: string, port: number, events: SctpEvents): Association | undefined {
    return this.#sctp.connect(plainAddress(address), port, events);
  }

  listenSctp(port: number, accept?: () => SctpEvents): () => void {
    return this.#sctp.listen(port, accept);
  }

  /** Once, so many milliseconds from now. @returns what prevents it. */
  after(waitMs: number, action: () => void): () => void {
    const alarm = { waitMs, action, dueMs: Number.NaN };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  #dispatch(packet: IpPacket, nowMs: number): void {
    const ipv6 = isIpv6Text(packet.source);
    switch (packet.protocol) {
      case Protocol.Tcp:
        this.#tcp.receive(packet, nowMs);
        break;
      case Protocol.Udp:
        this.#udp.receive(packet);
        break;
      case Protocol.Sctp:
        this.#sctp.receive(packet);
        break;
      case ipv6 ? Protocol.Icmpv6 : Protocol.Icmp:
        this.#receiveIcmp(packet, ipv6);
        break;
    }
  }

  #receiveIcmp(packet: IpPacket, ipv6: boolean): void {
    const report = readError(packet, ipv6);
    if (report === undefined) this.#echo.receive(packet);
    else this.#error(report);
  }

  #error(report: ErrorReport): void {
    const { protocol, destination, mtu } = report;
    if (!this.addresses.includes(report.source)) return;
    const believed = mtu === undefined ? report : { ...report, mtu: this.#ip.learnMtu(destination, mtu) };
    if (protocol === Protocol.Tcp) this.#tcp.error(believed);
    else if (protocol === Protocol.Udp) this.#udp.error(believed);
    else if (protocol === Protocol.Sctp) this.#sctp.error(believed);
    else if (protocol === Protocol.Icmp || protocol === Protocol.Icmpv6) this.#echo.error(believed);
  }

  #unreachable(raw: Uint8Array): void {
    const report = quotedReport(raw, { reason: 'unreachable', detail: 'the next hop does not answer' });
    if (report !== undefined) this.#error(report);
  }

  /** Before it rests: all that events have begun is sent. What is for this endpoint itself comes with the next `wake`. */
  #rest(nowMs: number): void {
    for (const alarm of this.#alarms) if (Number.isNaN(alarm.dueMs)) alarm.dueMs = nowMs + alarm.waitMs;
    this.#tcp.flush(nowMs);
    this.#sctp.wake(nowMs);
    const own = this.#ip.flush(nowMs);
    for (const packet of own) this.#dispatch(packet, nowMs);
  }
}
