/**
 * Connection tracking of protocols without states, the obvious way: objects in a `Map` under strings, written from the
 * rules (CT-001 to CT-048), with translation. Nothing here may come from `src/conntrack`: it is what that is compared
 * with.
 */
import type { FrameSpec } from '../support/frames.ts';

const SECOND = 1000;
const REQUESTS = { icmp: [8, 13, 15, 17], icmpv6: [128] };
const ERRORS = { icmp: [3, 4, 5, 11, 12], icmpv6: [1, 2, 3, 4] };
const ANSWERS = new Map([8, 0, 13, 14, 15, 16, 17, 18, 128, 129].map((type, i, all) => [type, all[i ^ 1]!]));

/** What the tests need of a packet, all of it said. */
export interface SlowPacket extends FrameSpec {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'udp' | 'icmp' | 'icmpv6' | number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly identifier: number;
  readonly icmpType: number;
  /** The packet that an ICMP error is about. */
  readonly quotes?: SlowPacket;
}

export interface SlowEntry {
  readonly original: string;
  readonly reply: string;
  readonly translated: boolean;
  readonly beganMs: number;
  seenReply: boolean;
  assured: boolean;
  deadlineMs: number;
}

export interface SlowVerdict {
  readonly verdict: 'new' | 'known' | 'related' | 'dropped: Invalid';
  readonly entry?: SlowEntry | undefined;
  readonly direction?: number;
}

const INVALID: SlowVerdict = { verdict: 'dropped: Invalid' };

export class SlowConntrack {
  readonly #entries = new Map<string, SlowEntry>();

  /** Entries that are alive. */
  count(nowMs: number): number {
    return new Set([...this.#entries.values()].filter((entry) => entry.deadlineMs > nowMs)).size;
  }

  track(packet: SlowPacket, nowMs: number): SlowVerdict {
    const key = keyOf(packet);
    const entry = this.find(key, nowMs);
    if (entry !== undefined) {
      return advance(entry, packet, entry.original === key ? 0 : 1, nowMs);
    }
    if (packet.quotes !== undefined) return this.#related(packet, packet.quotes, nowMs);
    return begins(packet) ? { verdict: 'new' } : INVALID;
  }

  /** CT-001; an entry whose time is over is none. */
  find(key: string, nowMs: number): SlowEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.deadlineMs > nowMs) return entry;
    this.#remove(entry);
    return undefined;
  }

  /** Enters what began. @param after the packet as it left. */
  commit(before: SlowPacket, after: SlowPacket, nowMs: number): SlowEntry {
    const entry: SlowEntry = {
      original: keyOf(before),
      reply: keyOf(answerTo(after)),
      translated: keyOf(before) !== keyOf(after),
      beganMs: nowMs,
      seenReply: false,
      assured: false,
      deadlineMs: nowMs + seconds(before, false) * SECOND,
    };
    this.#entries.set(entry.original, entry);
    this.#entries.set(entry.reply, entry);
    return entry;
  }

  #remove(entry: SlowEntry): void {
    this.#entries.delete(entry.original);
    this.#entries.delete(entry.reply);
  }

  /** CT-045, CT-046; CT-076: a redirect means nothing for a translated flow. */
  #related(packet: SlowPacket, about: SlowPacket, nowMs: number): SlowVerdict {
    const entry = this.find(keyOf(answerTo(about)), nowMs);
    if (entry === undefined || packet.destination !== about.source) return INVALID;
    if (entry.translated && packet.protocol === 'icmp' && packet.icmpType === 5) return INVALID;
    return { verdict: 'related' };
  }
}

function advance(entry: SlowEntry, packet: SlowPacket, direction: number, nowMs: number): SlowVerdict {
  const stream = entry.seenReply && packet.protocol === 'udp' && nowMs - entry.beganMs > 2 * SECOND; // CT-012
  if (stream) entry.assured = true; // CT-041
  entry.deadlineMs = nowMs + seconds(packet, stream) * SECOND; // CT-016
  if (direction === 1) entry.seenReply = true; // CT-002
  return { verdict: 'known', entry, direction };
}

/** CT-042 */
function begins(packet: SlowPacket): boolean {
  if (packet.protocol !== 'icmp' && packet.protocol !== 'icmpv6') return true;
  return REQUESTS[packet.protocol].includes(packet.icmpType);
}

export function isError(protocol: 'icmp' | 'icmpv6', type: number): boolean {
  return ERRORS[protocol].includes(type);
}

/** CT-011 to CT-013 */
function seconds({ protocol }: SlowPacket, stream: boolean): number {
  if (protocol === 'udp') return stream ? 120 : 30;
  return protocol === 'icmp' || protocol === 'icmpv6' ? 30 : 600;
}

/** CT-001, CT-043, CT-048 */
export function keyOf(packet: SlowPacket): string {
  const { protocol, source, destination, sourcePort, destinationPort, identifier, icmpType, icmpCode = 0 } = packet;
  if (protocol === 'udp') {
    return `${protocol} ${source} ${sourcePort} > ${destination} ${destinationPort}`;
  }
  const query = protocol === 'icmp' || protocol === 'icmpv6' ? ` ${identifier} ${icmpType} ${icmpCode}` : '';
  return `${protocol} ${source} > ${destination}${query}`;
}

/** What would answer the packet. */
export function answerTo(packet: SlowPacket): SlowPacket {
  const { source, destination, sourcePort, destinationPort, icmpType } = packet;
  return {
    ...packet,
    source: destination,
    destination: source,
    sourcePort: destinationPort,
    destinationPort: sourcePort,
    icmpType: ANSWERS.get(icmpType) ?? -1,
  };
}
