/**
 * Connection tracking the obvious way: objects in a `Map` under strings, written from the rules (CT-001 to CT-048).
 * Nothing here may come from `src/conntrack`: it is what that is compared with.
 */
import type { FrameSpec } from '../support/frames.ts';
import { columns, rows } from './tcp-rules.ts';

const SECOND = 1000;
const REQUESTS = { icmp: [8, 13, 15, 17], icmpv6: [128] };
const ERRORS = { icmp: [3, 4, 5, 11, 12], icmpv6: [1, 2, 3, 4] };
const ANSWERS = new Map([8, 0, 13, 14, 15, 16, 17, 18, 128, 129].map((type, i, all) => [type, all[i ^ 1]!]));
const VALID_FLAGS = ['S', 'SU', 'AS', 'R', 'AR', 'AF', 'AFU', 'A', 'AU'];
const TCP_SECONDS: Readonly<Record<string, number>> = {
  ...{ SS: 120, SR: 60, ES: 86_400, FW: 120, CW: 3600, LA: 30, TW: 120, CL: 10, S2: 120 },
};

/** What the tests need of a packet, all of it said. */
export interface SlowPacket extends FrameSpec {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'icmpv6' | number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly flags: number;
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
  state: string;
  seenReply: boolean;
  assured: boolean;
  deadlineMs: number;
  /** A FIN was accepted. */
  closed: boolean;
  /** Direction of the last packet that counted, when that was a RST. */
  resetBy: number | undefined;
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
      const direction = entry.original === key ? 0 : 1;
      if (!reopens(entry, packet, direction)) return this.#advance(entry, packet, direction, nowMs);
      this.#remove(entry);
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
    const state = before.protocol === 'tcp' ? cell(0, kindOf(before.flags), 'NO') : '-';
    const entry: SlowEntry = {
      original: keyOf(before),
      reply: keyOf(answerTo(after)),
      translated: keyOf(before) !== keyOf(after),
      beganMs: nowMs,
      state,
      seenReply: false,
      assured: false,
      deadlineMs: nowMs + seconds(before, state, false, false) * SECOND,
      closed: false,
      resetBy: undefined,
    };
    this.#entries.set(entry.original, entry);
    this.#entries.set(entry.reply, entry);
    return entry;
  }

  #remove(entry: SlowEntry): void {
    this.#entries.delete(entry.original);
    this.#entries.delete(entry.reply);
  }

  #advance(entry: SlowEntry, packet: SlowPacket, direction: number, nowMs: number): SlowVerdict {
    if (packet.protocol === 'tcp') return this.#advanceTcp(entry, packet, direction, nowMs);
    if (direction === 1) entry.seenReply = true; // CT-002
    const stream = entry.seenReply && nowMs - entry.beganMs > 2 * SECOND; // CT-012
    if (stream && packet.protocol === 'udp') entry.assured = true; // CT-041
    entry.deadlineMs = nowMs + seconds(packet, entry.state, entry.seenReply, stream) * SECOND; // CT-016
    return { verdict: 'known', entry, direction };
  }

  #advanceTcp(entry: SlowEntry, packet: SlowPacket, direction: number, nowMs: number): SlowVerdict {
    if (!validFlags(packet.flags)) return INVALID;
    const known: SlowVerdict = { verdict: 'known', entry, direction };
    const kind = kindOf(packet.flags);
    const next = cell(direction, kind, entry.state);
    if (next === 'IV') return INVALID;
    if (next === 'IG' || (next === 'SS' && (entry.state === 'TW' || entry.state === 'CL'))) return known;
    if (kind === 'Rst' && !entry.seenReply) {
      this.#remove(entry); // CT-031
      return { verdict: 'known', direction };
    }
    const repeatedSyn = entry.state === 'SS' && next === 'SS';
    const acknowledged = next === 'ES' && (entry.state === 'SR' || entry.state === 'ES');
    if (acknowledged && entry.seenReply) entry.assured = true; // CT-032
    if (direction === 1) entry.seenReply = true;
    if (kind === 'Fin') entry.closed = true;
    entry.resetBy = kind === 'Rst' ? direction : undefined;
    entry.state = next;
    if (!repeatedSyn) entry.deadlineMs = nowMs + seconds(packet, next, entry.seenReply, false) * SECOND;
    return known;
  }

  /** CT-045, CT-046; errors about translated flows are not passed on while they are not translated back. */
  #related(packet: SlowPacket, about: SlowPacket, nowMs: number): SlowVerdict {
    const entry = this.find(keyOf(answerTo(about)), nowMs);
    if (entry === undefined || packet.destination !== about.source || entry.translated) return INVALID;
    return { verdict: 'related' };
  }
}

/** CT-029 */
function reopens(entry: SlowEntry, packet: SlowPacket, direction: number): boolean {
  if (packet.protocol !== 'tcp' || (entry.state !== 'TW' && entry.state !== 'CL')) return false;
  return kindOf(packet.flags) === 'Syn' && (entry.closed || entry.resetBy === direction);
}

/** CT-028, CT-039, CT-042 */
function begins(packet: SlowPacket): boolean {
  if (packet.protocol === 'tcp') return validFlags(packet.flags) && cell(0, kindOf(packet.flags), 'NO') !== 'IV';
  if (packet.protocol === 'icmp' || packet.protocol === 'icmpv6') {
    return REQUESTS[packet.protocol].includes(packet.icmpType);
  }
  return true;
}

export function isError(protocol: 'icmp' | 'icmpv6', type: number): boolean {
  return ERRORS[protocol].includes(type);
}

/** CT-008 to CT-013 */
function seconds(packet: SlowPacket, state: string, seenReply: boolean, stream: boolean): number {
  if (packet.protocol === 'tcp') return state === 'ES' && !seenReply ? 300 : TCP_SECONDS[state]!;
  if (packet.protocol === 'udp') return stream ? 120 : 30;
  return packet.protocol === 'icmp' || packet.protocol === 'icmpv6' ? 30 : 600;
}

/** CT-027 */
function kindOf(flags: number): string {
  const set = letters(flags);
  if (set.includes('R')) return 'Rst';
  if (set.includes('S')) return set.includes('A') ? 'SynAck' : 'Syn';
  if (set.includes('F')) return 'Fin';
  return set.includes('A') ? 'Ack' : 'None';
}

function validFlags(flags: number): boolean {
  return VALID_FLAGS.includes(letters(flags));
}

/** The flags that matter, in the order of the alphabet. */
function letters(flags: number): string {
  return [...'FSRPAUEC']
    .filter((_, bit) => flags & (1 << bit))
    .sort()
    .join('')
    .replace(/[CEP]/g, '');
}

const cells = new Map<string, string>(
  rows.flatMap(({ direction, kind, want }) =>
    want.split(' ').map((next, i) => [`${direction} ${kind} ${columns[i]}`, next] as const),
  ),
);

function cell(direction: number, kind: string, state: string): string {
  return cells.get(`${direction} ${kind} ${state}`)!;
}

/** CT-001, CT-043, CT-048 */
export function keyOf(packet: SlowPacket): string {
  const { protocol, source, destination, sourcePort, destinationPort, identifier, icmpType, icmpCode = 0 } = packet;
  if (protocol === 'tcp' || protocol === 'udp') {
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
