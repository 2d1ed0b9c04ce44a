/**
 * Connection tracking the obvious way: objects in a `Map` under strings, written from the rules (CT-001 to CT-048) and
 * from Linux 6.18, net/netfilter/nf_conntrack_core.c (nf_conntrack_in, resolve_normal_ct), _udp.c, _gre.c, _icmp.c and
 * _icmpv6.c. TCP and SCTP have files of their own. Nothing here may come from `src/`: it is what that is compared with.
 */
import type { Direction, IcmpMessage, SlowEntry, SlowPacket, TrackerVerdict } from './slow-packet.ts';
import { beginSctp, CLOSING_SCTP, type SlowSctpEntry, trackSctp } from './slow-sctp.ts';
import { beginTcp, CLOSING_TCP, type SlowTcpEntry, trackTcp } from './slow-tcp.ts';

/** CT-011 to CT-013, in seconds. */
const SECONDS = { udp: 30, udpStream: 120, icmp: 30, gre: 30, greStream: 180, generic: 600 };
const STREAM_AGE_MS = 2000;
const GRE = 47;

/** What may begin a flow (CT-042), what is an error (CT-045), and what answers what (CT-043). */
const requests = { icmp: [8, 13, 15, 17], icmpv6: [128, 139] };
const errors = { icmp: [3, 4, 5, 11, 12], icmpv6: Array.from({ length: 128 }, (_, type) => type) };
const answers = {
  icmp: new Map([8, 0, 13, 14, 15, 16, 17, 18].map((type, i, all) => [type, all[i ^ 1]!])),
  icmpv6: new Map([128, 129, 139, 140].map((type, i, all) => [type, all[i ^ 1]!])),
};

/** Class of a packet; `invalid` is a drop. */
export interface SlowVerdict {
  readonly verdict: 'new' | 'known' | 'related' | 'invalid';
  readonly direction?: Direction;
  /** The packet's entry as it is now; none for `invalid` and `related`, nor when it has just ended. */
  readonly entry?: SlowEntry;
}

const INVALID: SlowVerdict = { verdict: 'invalid' };

export class SlowConntrack {
  /** CT-055, those that do not depend on how full the table is. */
  readonly statistics = { invalid: 0, error: 0, insert: 0 };
  /** By each of their tuples. */
  readonly #entries = new Map<string, SlowEntry>();
  readonly #all = new Set<SlowEntry>();

  /** Entries that are alive. */
  alive(nowMs: number): SlowEntry[] {
    return [...this.#all].filter((entry) => entry.deadlineMs > nowMs);
  }

  /** The entry that has this tuple, in either direction (CT-001); one whose time is over is none. */
  find(tuple: string, nowMs: number): SlowEntry | undefined {
    const entry = this.#entries.get(tuple);
    if (entry === undefined || entry.deadlineMs > nowMs) return entry;
    this.remove(entry);
    return undefined;
  }

  remove(entry: SlowEntry): void {
    this.#entries.delete(entry.original);
    this.#entries.delete(entry.reply);
    this.#all.delete(entry);
  }

  /** @param passes false when the packet will be dropped later: it leaves no new entry then (CT-004) */
  track(packet: SlowPacket, nowMs: number, passes = true): SlowVerdict {
    const result = isError(packet) ? this.#related(packet, nowMs) : this.#track(packet, nowMs, passes);
    if (result.verdict === 'invalid') this.statistics[isStrange(packet) ? 'error' : 'invalid']++;
    return result;
  }

  #track(packet: SlowPacket, nowMs: number, passes: boolean): SlowVerdict {
    const tuple = tupleOf(packet);
    const entry = this.find(tuple, nowMs);
    if (entry === undefined) return this.#begin(packet, tuple, nowMs, passes);
    const direction = entry.original === tuple ? 0 : 1;
    const verdict = trackKnown(entry, packet, direction, nowMs, false);
    if (verdict === 'invalid') return INVALID;
    if (verdict === 'reopens') {
      this.remove(entry);
      return this.#begin(packet, tuple, nowMs, passes);
    }
    // CT-002: only when the packet has been judged, and also when TCP ignores it
    if (direction === 1) entry.seenReply = true;
    if (verdict === 'known') return { verdict: 'known', direction, entry };
    this.remove(entry);
    return { verdict: 'known', direction };
  }

  #begin(packet: SlowPacket, original: string, nowMs: number, passes: boolean): SlowVerdict {
    const reply = replyTuple(packet);
    if (reply === undefined) return INVALID;
    const entry = beginEntry(packet, original, reply, nowMs);
    if (entry === undefined || trackKnown(entry, packet, 0, nowMs, true) !== 'known') return INVALID;
    if (passes) {
      this.#entries.set(original, entry);
      this.#entries.set(reply, entry);
      this.#all.add(entry);
      this.statistics.insert++;
    }
    return { verdict: 'new', direction: 0, entry };
  }

  /** CT-045, CT-046: nf_conntrack_inet_error */
  #related(packet: IcmpMessage, nowMs: number): SlowVerdict {
    if (packet.quotes === undefined) return INVALID;
    const tuple = replyTuple(packet.quotes);
    const entry = tuple === undefined ? undefined : this.find(tuple, nowMs);
    // The destination of the tuple that was found is where the quoted packet came from: nothing is translated here.
    if (entry === undefined || packet.destination !== packet.quotes.source) return INVALID;
    return { verdict: 'related' };
  }
}

function isError(packet: SlowPacket): packet is IcmpMessage {
  return (packet.protocol === 'icmp' || packet.protocol === 'icmpv6') && errors[packet.protocol].includes(packet.type);
}

/** ICMP that nf_conntrack_icmpv4_error and nf_conntrack_icmpv6_error refuse themselves: errors, and CT-044. */
function isStrange(packet: SlowPacket): boolean {
  return (packet.protocol === 'icmp' && packet.type > 18) || isError(packet);
}

/** CT-053: gc_worker_can_early_drop, when the table is nearly full. */
export function mayGoEarly(entry: SlowEntry): boolean {
  if (!entry.assured) return true;
  if (entry.original.startsWith('tcp ')) return CLOSING_TCP.includes(entry.state);
  return entry.original.startsWith('sctp ') && CLOSING_SCTP.includes(entry.state);
}

/** CT-001, CT-043, CT-048 */
export function tupleOf(packet: SlowPacket): string {
  const { protocol, source, destination } = packet;
  if ('sourcePort' in packet) {
    return `${protocol} ${source} ${packet.sourcePort} > ${destination} ${packet.destinationPort}`;
  }
  if ('type' in packet) {
    return `${protocol} ${source} > ${destination} ${packet.identifier} ${packet.type} ${packet.code}`;
  }
  return `${protocol} ${source} > ${destination}`;
}

/** The tuple of what would answer the packet, or undefined when nothing can. */
function replyTuple(packet: SlowPacket): string | undefined {
  const { source, destination } = packet;
  const back = { ...packet, source: destination, destination: source };
  if ('sourcePort' in packet) {
    return tupleOf({ ...back, sourcePort: packet.destinationPort, destinationPort: packet.sourcePort } as SlowPacket);
  }
  if ('type' in packet) {
    const type = answers[packet.protocol].get(packet.type);
    return type === undefined ? undefined : tupleOf({ ...back, type } as SlowPacket);
  }
  return tupleOf(back);
}

/** An entry that the packet may begin, before the packet itself is judged. */
function beginEntry(
  packet: SlowPacket,
  original: string,
  reply: string,
  nowMs: number,
): SlowEntry | SlowTcpEntry | SlowSctpEntry | undefined {
  const entry = { original, reply, beganMs: nowMs, seenReply: false, assured: false, deadlineMs: nowMs, state: '-' };
  switch (packet.protocol) {
    case 'tcp': {
      const tcp = beginTcp(packet);
      return tcp && { ...entry, state: 'NONE', tcp };
    }
    case 'sctp': {
      const sctp = beginSctp(packet);
      return sctp && { ...entry, state: 'NONE', sctp };
    }
    case 'icmp':
    case 'icmpv6':
      return requests[packet.protocol].includes(packet.type) ? entry : undefined;
    default:
      return entry;
  }
}

function trackKnown(
  entry: SlowEntry,
  packet: SlowPacket,
  direction: Direction,
  nowMs: number,
  isNew: boolean,
): TrackerVerdict {
  switch (packet.protocol) {
    case 'tcp':
      return trackTcp(entry as SlowTcpEntry, packet, direction, nowMs);
    case 'sctp':
      return trackSctp(entry as SlowSctpEntry, packet, direction, nowMs, isNew);
    case 'udp': {
      // CT-012, CT-041: `seenReply` is what earlier packets have shown
      const stream = entry.seenReply && nowMs - entry.beganMs > STREAM_AGE_MS;
      if (stream) entry.assured = true;
      return refresh(entry, stream ? SECONDS.udpStream : SECONDS.udp, nowMs);
    }
    case 'icmp':
    case 'icmpv6':
      return refresh(entry, SECONDS.icmp, nowMs);
    case GRE:
      if (entry.seenReply) entry.assured = true;
      return refresh(entry, entry.seenReply ? SECONDS.greStream : SECONDS.gre, nowMs);
    default:
      return refresh(entry, SECONDS.generic, nowMs);
  }
}

/** CT-016 */
function refresh(entry: SlowEntry, seconds: number, nowMs: number): TrackerVerdict {
  entry.deadlineMs = nowMs + seconds * 1000;
  return 'known';
}
