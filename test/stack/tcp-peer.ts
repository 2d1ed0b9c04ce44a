import type { FrameSpec } from '../support/frames.ts';
import { buildFrame } from '../support/frames.ts';
import type { Frame } from '../support/read-frame.ts';
import type { Script, Wire } from './wire.ts';

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
const ACK = 16;

interface PeerSegment {
  readonly sequence: number;
  readonly acknowledge?: boolean;
  /** Acknowledges so much more than it should. */
  readonly shift?: number;
  readonly payload?: number;
  readonly window?: number;
  /** What a SYN says of it; 0 for nothing. */
  readonly maximumSegment?: number;
}

/** The other side of a connection, played by hand. */
export interface Peer {
  /** What `acknowledge` acknowledges: all that `learn` has seen. */
  readonly acknowledgment: number;
  /** Takes ports and the next sequence number from the last segment seen. @param more counts besides SYN: a FIN. */
  learn(more?: number): void;
  /** To a port of the endpoint, before it has sent anything. */
  toward(port: number): void;
  send(flags: number, segment: PeerSegment): void;
  /** An ICMP unreachable about a segment, from a router. */
  unreachable(segment: Frame, code: number, mtu?: number): void;
  /** Flags of what has come since it was asked, such as `SA A`. */
  seen(): string;
  take(): Frame[];
  last(): Frame;
}

export function peerOf(wire: Wire, script: Script, endpoint: string): Peer {
  let [own, other, acknowledgment] = [80, 40_000, 0];
  const lastSegment = () => script.received.filter((frame) => frame.flags !== undefined).at(-1)!;
  let newest: Frame | undefined;
  const remember = () => {
    newest = lastSegment() ?? newest;
    const { flags = 0, sequence = 0, payload } = newest ?? {};
    // What a SYN, ACK begins with is acknowledged from then on.
    if ((flags & SYN) !== 0) acknowledgment = (sequence + 1 + (payload?.length ?? 0)) >>> 0;
  };
  return {
    get acknowledgment() {
      return acknowledgment;
    },
    learn(more = 0) {
      remember();
      const { sourcePort, destinationPort, sequence, payload, flags } = newest!;
      [own, other] = [destinationPort!, sourcePort!];
      acknowledgment = (sequence! + payload.length + ((flags! & SYN) !== 0 ? 1 : more)) >>> 0;
      script.take();
    },
    toward(port) {
      [own, other] = [40_000, port];
      acknowledgment = 4242;
    },
    send(flags, { sequence, acknowledge = false, shift = 0, payload = 0, window = 60_000, maximumSegment = 1460 }) {
      remember();
      const spec: FrameSpec = {
        destination: endpoint,
        sourcePort: own,
        destinationPort: other,
        flags: flags | (acknowledge ? ACK : 0),
        sequence,
        acknowledgment: acknowledge ? (acknowledgment + shift) >>> 0 : 0,
        window,
        payload,
        ...((flags & SYN) !== 0 && maximumSegment > 0
          ? { tcpOptions: [2, 4, maximumSegment >> 8, maximumSegment & 255] }
          : {}),
      };
      script.send(spec);
      wire.advance(0);
    },
    unreachable({ source, destination, sourcePort, destinationPort, sequence }, code, mtu = 0) {
      const quoted = { source: source!, destination: destination!, sourcePort: sourcePort!, sequence: sequence! >>> 0 };
      const quote = buildFrame({ ...quoted, destinationPort: destinationPort! }).subarray(14, 14 + 28);
      script.send({
        destination: endpoint,
        protocol: 'icmp',
        icmpType: 3,
        icmpCode: code,
        identifier: 0,
        icmpSequence: mtu,
        payload: quote,
      });
      wire.advance(0);
    },
    seen() {
      remember();
      return script
        .take()
        .map(({ flags }) => flagWords(flags!))
        .join(' ');
    },
    take() {
      remember();
      return script.take();
    },
    last() {
      remember();
      return newest!;
    },
  };
}

export function flagWords(flags: number): string {
  return ['F', 'S', 'R', 'P', 'A'].filter((_, bit) => (flags & (1 << bit)) !== 0).join('');
}
