/** The ways to ask, one a protocol: what is sent, and what an answer looks like. */
import { buildInitiation, buildSctp, readInitiation, readSctp } from '../stack/sctp-packet.ts';
import type { IcmpReport, ProbePeer } from '../sys/probe-socket.ts';
import { sumBytes } from '../wire/checksum.ts';
import { crc32c } from '../wire/crc32c.ts';
import { ICMP_CHECKSUM, ICMP_HEADER_LEN, Icmp, Icmpv6 } from '../wire/icmp.ts';
import { ipv4HeaderLen } from '../wire/ipv4.ts';
import { destinationPort, sourcePort } from '../wire/ports.ts';
import { Protocol } from '../wire/protocol.ts';
import { SCTP_CHECKSUM, SctpChunk } from '../wire/sctp.ts';
import type { ProbeOrder, ProbeReport } from './protocol.ts';

export type Verdict = Pick<ProbeReport, 'outcome' | 'detail'>;

/** One protocol's way to ask. `undefined` answers nothing yet. */
export interface ProbeQuestion {
  readonly peer: ProbePeer;
  /** Of a raw socket, which has no port of its own: what marks its packets. */
  readonly mark: number | undefined;
  /** What is sent: when it begins, or when the connection stands. Nothing is sent twice on a stream. */
  readonly message: Uint8Array;
  readonly isStream: boolean;
  answer(bytes: Uint8Array): Verdict | undefined;
  /** What is to be said to a packet that is no answer. */
  retort?(bytes: Uint8Array): Uint8Array | undefined;
  icmpError(report: IcmpReport): Verdict | undefined;
}

const line = new TextEncoder().encode('podwire probe\n');

/** @param mark identifier or source port for a raw socket, 1…65535. */
export function probeQuestion({ protocol, address, port }: ProbeOrder, mark: number): ProbeQuestion {
  const isIpv6 = address.includes(':');
  const peer = { protocol: 0, address, port };
  const common = { mark: undefined, message: line, icmpError: (report: IcmpReport) => judgeIcmp(report, isIpv6) };
  switch (protocol) {
    case 'TCP':
      return { ...common, peer: { ...peer, type: 'stream' }, isStream: true, answer: streamAnswer };
    case 'UDP':
      return { ...common, peer: { ...peer, type: 'datagram' }, isStream: false, answer: datagramAnswer };
    case 'ICMP':
      return askIcmp(address, isIpv6, mark);
    case 'SCTP':
      return askSctp(address, port, isIpv6, mark);
  }
}

function streamAnswer({ length }: Uint8Array): Verdict {
  return { outcome: 'delivered', detail: length === 0 ? 'connected, and closed' : `connected, ${length} bytes back` };
}

function datagramAnswer({ length }: Uint8Array): Verdict {
  return { outcome: 'delivered', detail: `${length} bytes back` };
}

function askIcmp(address: string, isIpv6: boolean, mark: number): ProbeQuestion {
  const message = new Uint8Array(ICMP_HEADER_LEN + line.length);
  const view = new DataView(message.buffer);
  message[0] = isIpv6 ? Icmpv6.EchoRequest : Icmp.EchoRequest;
  view.setUint16(4, mark);
  message.set(line, ICMP_HEADER_LEN);
  // The kernel writes ICMPv6's itself: it covers addresses (RFC 3542 section 3.1).
  view.setUint16(ICMP_CHECKSUM, ~sumBytes(view, 0, message.length) & 0xffff);
  const isOurs = (bytes: Uint8Array) => bytes.length >= ICMP_HEADER_LEN && viewOf(bytes).getUint16(4) === mark;
  return {
    peer: { type: 'raw', protocol: isIpv6 ? Protocol.Icmpv6 : Protocol.Icmp, address, port: 0 },
    mark,
    message,
    isStream: false,
    answer: (bytes) => {
      const icmp = payloadOf(bytes, isIpv6);
      const isReply = icmp[0] === (isIpv6 ? Icmpv6.EchoReply : Icmp.EchoReply) && isOurs(icmp);
      return isReply ? { outcome: 'delivered', detail: 'echo reply' } : undefined;
    },
    icmpError: (report) => (isOurs(report.quoted) ? judgeIcmp(report, isIpv6) : undefined),
  };
}

/**
 * INIT; there may be no SCTP in either kernel: then the far one says that it knows no such protocol. It does not say so
 * to a pod that it asks itself at that moment: its raw socket has taken the packet. So that one says no.
 */
function askSctp(address: string, port: number, isIpv6: boolean, mark: number): ProbeQuestion {
  const body = buildInitiation({ tag: mark, sequence: mark });
  const message = withChecksum(
    buildSctp({ sourcePort: mark, destinationPort: port, tag: 0, type: SctpChunk.Init, flags: 0, body }),
  );
  return {
    peer: { type: 'raw', protocol: Protocol.Sctp, address, port: 0 },
    mark,
    message,
    isStream: false,
    answer: (bytes) => {
      const packet = readSctp(payloadOf(bytes, isIpv6));
      if (packet === undefined || packet.destinationPort !== mark || packet.sourcePort !== port) return undefined;
      if (packet.type === SctpChunk.InitAck) return { outcome: 'delivered', detail: 'INIT ACK' };
      return packet.type === SctpChunk.Abort ? { outcome: 'refused', detail: 'ABORT' } : undefined;
    },
    retort: (bytes) => abortFor(payloadOf(bytes, isIpv6)),
    // A raw socket hears of all that its process' pod sends to the address.
    icmpError: (report) => {
      const { quoted } = report;
      if (quoted.length < 4) return undefined;
      const view = viewOf(quoted);
      const isOurs = sourcePort(view, 0) === mark && destinationPort(view, 0) === port;
      return isOurs ? judgeIcmp(report, isIpv6) : undefined;
    },
  };
}

/** What RFC 9260 section 8.4 (3) has for an INIT that nobody wants: ABORT with the tag that it names. */
function abortFor(upper: Uint8Array): Uint8Array | undefined {
  const packet = readSctp(upper);
  if (packet?.type !== SctpChunk.Init) return undefined;
  const tag = readInitiation(packet.body)?.tag;
  if (tag === undefined) return undefined;
  const { sourcePort: theirs, destinationPort: ours } = packet;
  const nothing = new Uint8Array(0);
  return withChecksum(
    buildSctp({ sourcePort: ours, destinationPort: theirs, tag, type: SctpChunk.Abort, flags: 0, body: nothing }),
  );
}

function withChecksum(message: Uint8Array): Uint8Array {
  viewOf(message).setInt32(SCTP_CHECKSUM, crc32c(message, 0, message.length), true);
  return message;
}

/** Raw IPv4 sockets receive the IP header too, IPv6 ones do not (raw(7), RFC 3542 section 3). */
function payloadOf(bytes: Uint8Array, isIpv6: boolean): Uint8Array {
  if (isIpv6 || bytes.length === 0) return bytes;
  return bytes.subarray(ipv4HeaderLen(viewOf(bytes), 0));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** What unreachable means, by code: RFC 792 and RFC 1812 section 5.2.7.1; RFC 4443 section 3.1. */
const unreachable: Readonly<Record<4 | 6, Readonly<Record<number, readonly [ProbeReport['outcome'], string]>>>> = {
  4: {
    0: ['unreachable', 'network unreachable'],
    1: ['unreachable', 'host unreachable'],
    2: ['refused', 'protocol unreachable'],
    3: ['refused', 'port unreachable'],
    9: ['rejected', 'network administratively prohibited'],
    10: ['rejected', 'host administratively prohibited'],
    13: ['rejected', 'administratively prohibited'],
  },
  6: {
    0: ['unreachable', 'no route'],
    1: ['rejected', 'administratively prohibited'],
    3: ['unreachable', 'address unreachable'],
    4: ['refused', 'port unreachable'],
  },
};
/** RFC 4443 section 3.4: unrecognized next header, what IPv6 has for protocol unreachable. */
const UNKNOWN_NEXT_HEADER = 1;

function judgeIcmp({ type, code, offender }: IcmpReport, isIpv6: boolean): Verdict | undefined {
  if (isIpv6 && type === Icmpv6.ParameterProblem && code === UNKNOWN_NEXT_HEADER) {
    return { outcome: 'refused', detail: `ICMP from ${offender}: protocol unreachable` };
  }
  if (type === (isIpv6 ? Icmpv6.TimeExceeded : Icmp.TimeExceeded)) {
    return { outcome: 'unreachable', detail: `ICMP from ${offender}: time exceeded` };
  }
  // Too big, or a host's hint: the kernel acts on it, and the answer may still come.
  if (type !== (isIpv6 ? Icmpv6.Unreachable : Icmp.Unreachable) || (!isIpv6 && code === 4)) return undefined;
  const [outcome, words] = unreachable[isIpv6 ? 6 : 4][code] ?? ['unreachable', `unreachable (code ${code})`];
  return { outcome, detail: `ICMP from ${offender}: ${words}` };
}
