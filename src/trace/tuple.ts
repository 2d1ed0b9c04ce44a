/** The two ends of a flow, as text and numbers: what packets of one conversation are known by, before and after NAT. */
import type { IpSummary } from '../capture/frame-summary.ts';
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, keyIsIcmp, keyProtocol } from '../packet/flow-key.ts';
import { formatAddress } from '../wire/address.ts';
import { Protocol } from '../wire/protocol.ts';

export interface Tuple {
  /** IP protocol number. */
  readonly protocol: number;
  readonly source: string;
  /** Of ICMP queries, both ports are the identifier; 0 for what has none. */
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

export function inverse({ protocol, source, sourcePort, destination, destinationPort }: Tuple): Tuple {
  return {
    protocol,
    ...{ source: destination, sourcePort: destinationPort },
    ...{ destination: source, destinationPort: sourcePort },
  };
}

/** One text for one tuple. */
export function tupleKey({ protocol, source, sourcePort, destination, destinationPort }: Tuple): string {
  return `${protocol} ${source} ${sourcePort} ${destination} ${destinationPort}`;
}

/** Of a flow key (`packet/flow-key.ts`) at `at`. */
export function keyTuple(keys: Int32Array, at: number): Tuple {
  const ports = keys[at + KEY_PORTS]!;
  const isIcmp = keyIsIcmp(keys, at);
  return {
    protocol: keyProtocol(keys, at),
    source: formatAddress(keys, at + KEY_SOURCE),
    sourcePort: ports >>> 16,
    destination: formatAddress(keys, at + KEY_DESTINATION),
    destinationPort: isIcmp ? ports >>> 16 : ports & 0xffff,
  };
}

export function packetTuple({ protocol, source, destination, transport }: IpSummary): Tuple {
  const ends = { protocol, source, destination };
  if (transport === undefined) return { ...ends, sourcePort: 0, destinationPort: 0 };
  if (transport.kind !== 'icmp') {
    return { ...ends, sourcePort: transport.sourcePort, destinationPort: transport.destinationPort };
  }
  return { ...ends, sourcePort: transport.identifier, destinationPort: transport.identifier };
}

const names: Readonly<Record<number, string>> = {
  [Protocol.Tcp]: 'TCP',
  [Protocol.Udp]: 'UDP',
  [Protocol.Sctp]: 'SCTP',
  [Protocol.Icmp]: 'ICMP',
  [Protocol.Icmpv6]: 'ICMP',
};

/** As policies and people call it. */
export function protocolName({ protocol }: Pick<Tuple, 'protocol'>): string {
  return names[protocol] ?? `protocol ${protocol}`;
}

export function hasPorts({ protocol }: Pick<Tuple, 'protocol'>): boolean {
  return protocol === Protocol.Tcp || protocol === Protocol.Udp || protocol === Protocol.Sctp;
}

/** `10.244.0.2:40000`, `[fd00::2]:40000`; without a port where there is none. */
export function endText(tuple: Tuple, end: 'source' | 'destination'): string {
  const address = tuple[end];
  if (!hasPorts(tuple)) return address;
  const port = end === 'source' ? tuple.sourcePort : tuple.destinationPort;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function tupleText(tuple: Tuple): string {
  return `${endText(tuple, 'source')} → ${endText(tuple, 'destination')}`;
}
