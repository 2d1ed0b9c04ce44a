/** Echo requests and replies, both ways (RFC 792, RFC 4443 section 4). */
import { ICMP_HEADER_LEN, Icmp, Icmpv6, icmpIdentifier, icmpType, icmpWrite } from '../wire/icmp.ts';
import { Protocol } from '../wire/protocol.ts';
import type { ErrorReport } from './icmp-error.ts';
import type { IpLayer } from './ip-layer.ts';
import { copyOf, type IpPacket, isIpv6Text, viewOf } from './ip-packet.ts';
import { newBytes } from './new-bytes.ts';

export interface PingEvents {
  /** What the request carried has come back. */
  readonly reply?: (from: string, bytes: Uint8Array) => void;
  readonly error?: (report: ErrorReport) => void;
}

/** One who asks: requests with an identifier of its own. */
export interface Ping {
  readonly identifier: number;
  /** @returns false when there is no source address for the destination. */
  send(destination: string, sequence: number, bytes: Uint8Array): boolean;
  close(): void;
}

const IDENTIFIERS = 0x1_0000;

export class EchoMessages {
  readonly #ip: IpLayer;
  readonly #asking = new Map<number, PingEvents>();

  constructor(ip: IpLayer) {
    this.#ip = ip;
  }

  /** @throws RangeError when all 65,536 identifiers ask. */
  open(events: PingEvents): Ping {
    if (this.#asking.size >= IDENTIFIERS) throw new RangeError('no identifier is left for another ping');
    let identifier = this.#ip.random() & 0xffff;
    while (this.#asking.has(identifier)) identifier = (identifier + 1) & 0xffff;
    this.#asking.set(identifier, events);
    return {
      identifier,
      send: (destination, sequence, bytes) => {
        const source = this.#ip.sourceFor(destination);
        if (source === undefined) return false;
        const type = isIpv6Text(destination) ? Icmpv6.EchoRequest : Icmp.EchoRequest;
        this.#send({ source, destination }, type, (identifier << 16) | (sequence & 0xffff), bytes);
        return true;
      },
      close: () => this.#asking.delete(identifier),
    };
  }

  receive({ view, at, end, source, destination }: IpPacket): void {
    const ipv6 = isIpv6Text(source);
    const type = icmpType(view, at);
    const bytes = copyOf(view, at + ICMP_HEADER_LEN, end);
    if (type === (ipv6 ? Icmpv6.EchoRequest : Icmp.EchoRequest)) {
      const reply = ipv6 ? Icmpv6.EchoReply : Icmp.EchoReply;
      this.#send({ source: destination, destination: source }, reply, view.getInt32(at + 4), bytes);
    } else if (type === (ipv6 ? Icmpv6.EchoReply : Icmp.EchoReply)) {
      this.#asking.get(icmpIdentifier(view, at))?.reply?.(source, bytes);
    }
  }

  error(report: ErrorReport): void {
    this.#asking.get(report.sequence >>> 16)?.error?.(report);
  }

  #send(ends: { source: string; destination: string }, type: number, word: number, bytes: Uint8Array): void {
    const upper = newBytes(ICMP_HEADER_LEN + bytes.length);
    icmpWrite(viewOf(upper), 0, type, 0, word);
    upper.set(bytes, ICMP_HEADER_LEN);
    this.#ip.send({ ...ends, protocol: isIpv6Text(ends.source) ? Protocol.Icmpv6 : Protocol.Icmp }, upper);
  }
}
