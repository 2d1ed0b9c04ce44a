/** ICMP and ICMPv6 errors: what they say about which packet (RFC 792, RFC 4443), and the one that we send ourselves. */
import { Icmp, Icmpv6, icmpCode, icmpIsError, icmpType, icmpv6IsError, icmpWrite } from '../wire/icmp.ts';
import { ipv4CheckedLen, ipv4Fragmented, ipv4Protocol } from '../wire/ipv4.ts';
import {
  IPV6_FRAGMENT_HEADER_LEN,
  IPV6_HEADER_LEN,
  Ipv6Extension,
  ipv6CheckedLen,
  ipv6NextHeader,
} from '../wire/ipv6.ts';
import { destinationPort, sourcePort } from '../wire/ports.ts';
import { Protocol } from '../wire/protocol.ts';
import type { IpLayer } from './ip-layer.ts';
import { type IpPacket, isIpv6Text, readAddresses, viewOf } from './ip-packet.ts';

/** Where an error has its MTU: 16 bits after 2 unused octets (RFC 1191), or 32 bits (RFC 4443 section 3.2). */
const MTU = 4;
const QUOTE = 8;
const ERROR_LEN_MAX_IPV4 = 576;
const ERROR_LEN_MAX_IPV6 = 1280;
/** RFC 1812 section 4.3.2.5, as Linux's icmp_send. */
const TOS_CONTROL = 0xc0;
/** RFC 4443 section 3.1. */
const ADMINISTRATIVELY_PROHIBITED_IPV6 = 1;
const PORT_UNREACHABLE_IPV6 = 4;
const POLICY_FAILED_IPV6 = 5;
const ROUTE_REJECTED_IPV6 = 6;
/** RFC 4443 section 3.4: how an IPv6 host says that it does not know the protocol. */
const UNKNOWN_NEXT_HEADER = 1;
const PORT_UNREACHABLE_IPV4 = 3;

/** How bad it is for the packet's sender. `unreachable`: nobody knows the way, or the packet died on it. */
export type ErrorReason = 'refused' | 'rejected' | 'unreachable';

export interface Verdict {
  readonly reason: ErrorReason;
  readonly detail: string;
  /** Of packets that were too long: what fits. */
  readonly mtu?: number;
}

/** A verdict with the packet that it is about, from its sender's side. */
export interface ErrorReport extends Verdict {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** The second word of the upper layer: TCP's sequence number, SCTP's tag, an echo's identifier in its high half. */
  readonly sequence: number;
}

const ipv4Codes: Readonly<Record<number, readonly [ErrorReason, string]>> = {
  0: ['unreachable', 'network unreachable'],
  1: ['unreachable', 'host unreachable'],
  2: ['refused', 'protocol unreachable'],
  3: ['refused', 'port unreachable'],
  4: ['unreachable', 'fragmentation needed'],
  9: ['rejected', 'network administratively prohibited'],
  10: ['rejected', 'host administratively prohibited'],
  13: ['rejected', 'communication administratively prohibited'],
};

const ipv6Codes: Readonly<Record<number, readonly [ErrorReason, string]>> = {
  0: ['unreachable', 'no route to destination'],
  [ADMINISTRATIVELY_PROHIBITED_IPV6]: ['rejected', 'communication administratively prohibited'],
  3: ['unreachable', 'address unreachable'],
  [PORT_UNREACHABLE_IPV6]: ['refused', 'port unreachable'],
  [POLICY_FAILED_IPV6]: ['rejected', 'source address failed policy'],
  [ROUTE_REJECTED_IPV6]: ['rejected', 'route rejected'],
};

/** Undefined for what is no error, or quotes too little. @param packet an ICMP message of at least 8 bytes. */
export function readError(packet: IpPacket, ipv6: boolean): ErrorReport | undefined {
  if (!(ipv6 ? icmpv6IsError : icmpIsError)(icmpType(packet.view, packet.at))) return undefined;
  const { upper, source: from } = packet;
  const view = viewOf(upper);
  const verdict = ipv6 ? verdictIpv6(view) : verdictIpv4(view);
  if (verdict === undefined) return undefined;
  return quotedReport(upper.subarray(QUOTE), { ...verdict, detail: `${verdict.detail} (from ${from})` });
}

/** The same where it was not ICMP that has told. @param raw the packet, or its beginning. */
export function quotedReport(raw: Uint8Array, verdict: Verdict): ErrorReport | undefined {
  const view = viewOf(raw);
  const quoted = raw[0] === undefined ? undefined : raw[0] >> 4 === 6 ? quotedIpv6(view) : quotedIpv4(view);
  if (quoted === undefined || quoted.at + 8 > raw.length) return undefined;
  const { at, protocol } = quoted;
  const ports = { sourcePort: sourcePort(view, at), destinationPort: destinationPort(view, at) };
  const addresses = readAddresses(view, raw[0]! >> 4);
  return { ...verdict, ...addresses, protocol, ...ports, sequence: view.getInt32(at + 4) };
}

interface Quoted {
  readonly protocol: number;
  readonly at: number;
}

function quotedIpv4(view: DataView): Quoted | undefined {
  const at = ipv4CheckedLen(view, 0, view.byteLength);
  if (at === 0 || (ipv4Fragmented(view, 0) & 0x1fff) !== 0) return undefined;
  return { protocol: ipv4Protocol(view, 0), at };
}

/** Only what we send: at most a fragment header. */
function quotedIpv6(view: DataView): Quoted | undefined {
  if (ipv6CheckedLen(view, 0, view.byteLength) === 0) return undefined;
  const next = ipv6NextHeader(view, 0);
  if (next !== Ipv6Extension.Fragment) return { protocol: next, at: IPV6_HEADER_LEN };
  const at = IPV6_HEADER_LEN + IPV6_FRAGMENT_HEADER_LEN;
  if (at > view.byteLength || view.getUint16(IPV6_HEADER_LEN + 2) >> 3 !== 0) return undefined;
  return { protocol: view.getUint8(IPV6_HEADER_LEN), at };
}

function verdictIpv4(view: DataView): Verdict | undefined {
  const type = icmpType(view, 0);
  if (type === Icmp.TimeExceeded) return { reason: 'unreachable', detail: 'time exceeded' };
  if (type === Icmp.ParameterProblem) return { reason: 'unreachable', detail: 'parameter problem' };
  if (type !== Icmp.Unreachable) return undefined; // nobody sends or believes the others any more (RFC 6633)
  const code = icmpCode(view, 0);
  const [reason, detail] = ipv4Codes[code] ?? ['unreachable', `unreachable, code ${code}`];
  return code === 4 ? { reason, detail, mtu: view.getUint16(MTU + 2) } : { reason, detail };
}

function verdictIpv6(view: DataView): Verdict | undefined {
  const type = icmpType(view, 0);
  const code = icmpCode(view, 0);
  if (type === Icmpv6.PacketTooBig) {
    return { reason: 'unreachable', detail: 'packet too big', mtu: view.getUint32(MTU) };
  }
  if (type === Icmpv6.TimeExceeded) return { reason: 'unreachable', detail: 'time exceeded' };
  if (type === Icmpv6.ParameterProblem) {
    if (code === UNKNOWN_NEXT_HEADER) return { reason: 'refused', detail: 'protocol unreachable' };
    return { reason: 'unreachable', detail: 'parameter problem' };
  }
  if (type !== Icmpv6.Unreachable) return undefined;
  const [reason, detail] = ipv6Codes[code] ?? ['unreachable', `unreachable, code ${code}`];
  return { reason, detail };
}

/** Tells a datagram's sender that nobody has its port (RFC 1122 section 4.1.3.1). Linux limits how often. */
export function sendPortUnreachable(ip: IpLayer, packet: IpPacket): void {
  const ipv6 = isIpv6Text(packet.source);
  const most = ipv6 ? ERROR_LEN_MAX_IPV6 - IPV6_HEADER_LEN - QUOTE : ERROR_LEN_MAX_IPV4 - 20 - QUOTE;
  const quote = packet.raw.subarray(0, most);
  const upper = new Uint8Array(QUOTE + quote.length);
  if (ipv6) icmpWrite(viewOf(upper), 0, Icmpv6.Unreachable, PORT_UNREACHABLE_IPV6, 0);
  else icmpWrite(viewOf(upper), 0, Icmp.Unreachable, PORT_UNREACHABLE_IPV4, 0);
  upper.set(quote, QUOTE);
  const protocol = ipv6 ? Protocol.Icmpv6 : Protocol.Icmp;
  const tos = ipv6 ? 0 : TOS_CONTROL;
  ip.send({ source: packet.destination, destination: packet.source, protocol, tos }, upper);
}
