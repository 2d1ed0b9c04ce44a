/** Runs a script through the fast table and the slow one, finds where they differ, and makes the script short. */
import { ConnectionFlag } from '../../src/conntrack/connections.ts';
import { mayGoEarly, type SlowConntrack, type SlowVerdict, tupleOf } from '../oracle/slow-conntrack.ts';
import type { SlowEntry, SlowPacket, TcpSegment } from '../oracle/slow-packet.ts';
import { chunksOf } from '../oracle/slow-sctp.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import type { Step } from './scripts.ts';
import { Tracker } from './tracker.ts';

const tcpStates = ['NONE', 'SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT'];
const stateNames: Readonly<Record<string, readonly string[]>> = {
  tcp: [...tcpStates, 'CLOSE', 'SYN_SENT2'],
  sctp: [
    ...['NONE', 'CLOSED', 'COOKIE_WAIT', 'COOKIE_ECHOED', 'ESTABLISHED', 'SHUTDOWN_SENT', 'SHUTDOWN_RECD'],
    ...['SHUTDOWN_ACK_SENT', 'HEARTBEAT_SENT'],
  ],
};

const zeros = new Uint8Array(65_536);

/** The frame that the packet is. */
export function frameOf(packet: SlowPacket): FrameSpec {
  const { source, destination, protocol } = packet;
  switch (protocol) {
    case 'tcp': {
      const { flags, options, payloadLen } = packet;
      const bits = [...flags].reduce((sum, letter) => sum | (1 << 'FSRPAUEC'.indexOf(letter)), 0);
      return {
        ...packet,
        flags: bits,
        tcpOptions: options,
        payload: zeros.subarray(0, payloadLen),
        checksum: 'partial',
      };
    }
    case 'udp':
      return { ...packet, checksum: 'partial' };
    case 'sctp':
      return { ...packet, payload: Uint8Array.from(packet.chunks) };
    case 'icmp':
    case 'icmpv6': {
      const { type: icmpType, code: icmpCode, identifier, quotes } = packet;
      const icmp = { source, destination, protocol, icmpType, icmpCode, identifier, icmpSequence: 0 };
      if (quotes === undefined) return icmp;
      // RFC 792: the header and 64 bits; longer quotes are usual now
      const headers = quotes.source.includes(':') ? 40 : 20;
      return { ...icmp, payload: buildFrame(frameOf(shortened(quotes))).slice(14, 14 + headers + 8) };
    }
    default:
      return { source, destination, protocol, payload: zeros.subarray(0, 8) };
  }
}

/** Only the first bytes are quoted. */
function shortened(packet: SlowPacket): SlowPacket {
  return packet.protocol === 'tcp' ? { ...packet, payloadLen: 0, gsoSize: 0 } : packet;
}

/** The two tables, and which connection of the fast one each entry of the slow one is. */
class Pair {
  readonly slow: SlowConntrack;
  readonly fast: Tracker;
  readonly #connections = new Map<SlowEntry, number>();
  #refused = 0;
  #gone = 0;

  constructor(slow: SlowConntrack, capacity: number) {
    this.slow = slow;
    this.fast = new Tracker({ capacity });
  }

  /** What they say differently about the packet or about any entry after it; undefined when nothing. */
  take({ waitMs, expire, packet }: Step): string | undefined {
    const { fast, slow } = this;
    fast.nowMs += waitMs;
    if (expire > 0) {
      fast.connections.expire(fast.nowMs, expire);
      const relieved = this.#relieved();
      if (relieved !== undefined) return relieved;
    }
    const full = fast.connections.count === fast.connections.capacity;
    const got = fast.send(frameOf(packet));
    const refused = got === 'dropped: ConntrackFull';
    const want = slow.track(packet, fast.nowMs, !refused);
    if (refused) this.#refused++;
    if (want.verdict === 'new' && got === 'new') this.#connections.set(want.entry!, fast.connection);
    return (
      (refused ? this.#refusal(want) : this.#verdictDiffers(got, want)) ??
      this.#madeRoom(got === 'new' && full, want.entry) ??
      this.#tablesDiffer() ??
      this.#statisticsDiffer()
    );
  }

  /** CT-053: entries that went early, in a table that had to refuse a connection. */
  #relieved(): string | undefined {
    for (const entry of this.#missing()) {
      if (this.#refused === 0 || !mayGoEarly(entry)) return `${entry.original} went early: ${describe(entry)}`;
      this.slow.remove(entry);
    }
    return undefined;
  }

  /** CT-050, CT-051: a connection is refused when the table is full of assured ones, as far as is looked. */
  #refusal({ verdict }: SlowVerdict): string | undefined {
    const { connections, nowMs } = this.fast;
    if (verdict !== 'new') return `must be ${verdict}, is refused`;
    if (connections.count < connections.capacity) return 'refused with room left';
    const others = this.slow.alive(nowMs).filter(({ assured }) => !assured);
    // A table this small is looked through as a whole.
    return connections.capacity <= 4 && others.length > 0
      ? `refused, though ${others[0]!.original} could go`
      : undefined;
  }

  /** CT-050, CT-052: at most one entry went for the new one, and no assured one. */
  #madeRoom(needed: boolean, newest: SlowEntry | undefined): string | undefined {
    const missing = this.#missing(newest);
    for (const entry of missing) {
      if (!needed || entry.assured || missing.length > 1) return `${entry.original} is missing: ${describe(entry)}`;
      this.slow.remove(entry);
      this.#gone++;
    }
    return undefined;
  }

  /** Entries that the fast table no longer has. @param newest what has just begun, perhaps in the place of another */
  #missing(newest?: SlowEntry): SlowEntry[] {
    const { connections, nowMs } = this.fast;
    const newestAt = newest && this.#connections.get(newest);
    return this.slow.alive(nowMs).filter((entry) => {
      const connection = this.#connections.get(entry)!;
      return connections.state[connection] === 0 || (connection === newestAt && entry !== newest);
    });
  }

  /** CT-055 */
  #statisticsDiffer(): string | undefined {
    const got = this.fast.connections.statistics;
    const { invalid, error, insert } = this.slow.statistics;
    const same =
      got.invalid === invalid &&
      got.error === error &&
      got.insert === insert &&
      got.drop === this.#refused &&
      got.earlyDrop === this.#gone;
    if (same) return undefined;
    const want = { invalid, error, insert, drop: this.#refused, earlyDrop: this.#gone };
    return `statistics must be ${JSON.stringify(want)}, are ${JSON.stringify(got)}`;
  }

  #verdictDiffers(got: string, want: SlowVerdict): string | undefined {
    const verdict = got.startsWith('dropped') ? 'invalid' : got;
    const { connection, pkt } = this.fast;
    if (verdict !== want.verdict) return `must be ${want.verdict}, is ${got}`;
    if (want.direction !== undefined && pkt.direction !== want.direction) return `direction is ${pkt.direction}`;
    const known = want.entry === undefined ? connection : this.#connections.get(want.entry);
    return known === connection ? undefined : `connection ${connection}, must be ${known}`;
  }

  #tablesDiffer(): string | undefined {
    const alive = this.slow.alive(this.fast.nowMs);
    for (const entry of alive) {
      const connection = this.#connections.get(entry)!;
      if (this.#same(entry, connection)) continue;
      const { connections, nowMs } = this.fast;
      const state = stateNames[protocolOf(entry)]?.[connections.state[connection]!] ?? '-';
      const deadlineMs = connections.deadlineMs[connection]!;
      const got = { ...entry, state, deadlineMs, ...flagsOf(connections.flags[connection]!) };
      return `${entry.original}: must be ${describe(entry, nowMs)}, is ${describe(got, nowMs)}`;
    }
    const count = aliveCount(this.fast);
    return count === alive.length ? undefined : `${count} entries, must be ${alive.length}`;
  }

  #same(entry: SlowEntry, connection: number): boolean {
    const { connections } = this.fast;
    const { seenReply, assured } = flagsOf(connections.flags[connection]!);
    const names = stateNames[protocolOf(entry)];
    return (
      connections.deadlineMs[connection] === entry.deadlineMs &&
      (names === undefined || names[connections.state[connection]!] === entry.state) &&
      seenReply === entry.seenReply &&
      assured === entry.assured
    );
  }
}

function protocolOf(entry: SlowEntry): string {
  return entry.original.slice(0, entry.original.indexOf(' '));
}

function flagsOf(flags: number): { seenReply: boolean; assured: boolean } {
  return { seenReply: (flags & ConnectionFlag.SeenReply) !== 0, assured: (flags & ConnectionFlag.Assured) !== 0 };
}

function describe({ state, seenReply, assured, deadlineMs }: SlowEntry, nowMs = 0): string {
  const words = `${state}${seenReply ? ' replied' : ''}${assured ? ' assured' : ''}`;
  return nowMs === 0 ? words : `${words} ${deadlineMs - nowMs} ms left`;
}

function aliveCount({ connections, nowMs }: Tracker): number {
  let count = 0;
  for (let i = 0; i < connections.highWater; i++) {
    if (connections.state[i] !== 0 && connections.deadlineMs[i]! > nowMs) count++;
  }
  return count;
}

export interface Difference {
  /** Index of the step. */
  readonly at: number;
  readonly what: string;
}

/** @param capacity of the fast table; the slow one has room for all, and is told what the fast one had to let go */
export function play(script: readonly Step[], slow: SlowConntrack, capacity = 64): Difference | undefined {
  const pair = new Pair(slow, capacity);
  for (const [at, step] of script.entries()) {
    const what = pair.take(step);
    if (what !== undefined) return { at, what };
  }
  return undefined;
}

/**
 * The shortest script found that still shows a difference: runs of packets go, halves first, and what is left is made
 * plain. @param differs plays it on fresh tables
 */
export function shortest(
  script: readonly Step[],
  differs: (script: readonly Step[]) => Difference | undefined,
): Step[] {
  let best = script.slice(0, (differs(script)?.at ?? script.length - 1) + 1);
  const accept = (candidate: Step[]): boolean => {
    const difference = candidate.length === 0 ? undefined : differs(candidate);
    if (difference === undefined) return false;
    best = candidate.slice(0, difference.at + 1);
    return true;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (let size = best.length >> 1; size > 0; size >>= 1) {
      for (let at = 0; at < best.length; ) {
        if (accept(without(best, at, size, true)) || accept(without(best, at, size, false))) changed = true;
        else at += size;
      }
    }
    for (let at = 0; at < best.length; at++) {
      for (const plainer of plainerSteps(best[at]!)) {
        if (at < best.length && accept(best.with(at, plainer))) changed = true;
      }
    }
  }
  return best;
}

/** @param keepTime the time of the steps that go passes before the next one */
function without(script: readonly Step[], at: number, size: number, keepTime: boolean): Step[] {
  const gone = script.slice(at, at + size).reduce((sum, step) => sum + step.waitMs, 0);
  const rest = script.slice(at + size);
  if (keepTime && rest.length > 0) rest[0] = { ...rest[0]!, waitMs: rest[0]!.waitMs + gone };
  return [...script.slice(0, at), ...rest];
}

function plainerSteps(step: Step): Step[] {
  const { packet } = step;
  const plainer: Step[] = [];
  if (step.waitMs > 0) plainer.push({ ...step, waitMs: 0 });
  if (step.expire > 0) plainer.push({ ...step, expire: 0 });
  if (packet.protocol !== 'tcp') return plainer;
  const segments: TcpSegment[] = [];
  if (packet.options.length > 0) segments.push({ ...packet, options: [] });
  if (packet.payloadLen > 0) segments.push({ ...packet, payloadLen: 0, gsoSize: 0 });
  if (packet.window !== 1000) segments.push({ ...packet, window: 1000 });
  return [...plainer, ...segments.map((segment) => ({ ...step, packet: segment }))];
}

/** The script in lines for people. */
export function readable(script: readonly Step[]): string {
  return script
    .map(({ waitMs, expire, packet }) => {
      const wait = waitMs > 0 ? `+${waitMs} ms ` : '';
      return `  ${wait}${expire > 0 ? `(expire ${expire}) ` : ''}${words(packet)}`;
    })
    .join('\n');
}

function words(packet: SlowPacket): string {
  const tuple = tupleOf(packet);
  if (packet.protocol === 'tcp') {
    const { flags, sequence, acknowledgment, window, options, payloadLen } = packet;
    const more = `${payloadLen > 0 ? ` len ${payloadLen}` : ''}${options.length > 0 ? ` options ${options.join(' ')}` : ''}`;
    return `${tuple} [${flags}] seq ${sequence} ack ${acknowledgment} win ${window}${more}`;
  }
  if (packet.protocol === 'sctp') {
    const names = chunksOf(packet)?.map(({ type, flags }) => `${type}${flags ? `/${flags}` : ''}`) ?? ['unsound'];
    return `${tuple} tag ${packet.verificationTag} chunks ${names.join(',')} (${packet.chunks.join(' ')})`;
  }
  return 'quotes' in packet && packet.quotes !== undefined ? `${tuple} about ${words(packet.quotes)}` : tuple;
}
