/** The kernel's connection tracking and ours, packet by packet: class, direction, flags, and lifetime by its state. */
import { ConnectionFlag } from '../../src/conntrack/connections.ts';
import { SctpState } from '../../src/conntrack/sctp-states.ts';
import { TcpState } from '../../src/conntrack/tcp-states.ts';
import { keyProtocol } from '../../src/packet/flow-key.ts';
import { Protocol } from '../../src/wire/protocol.ts';
import { Tracker } from '../conntrack/tracker.ts';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { type KernelRouter, LIFETIMES_S, type Sighting } from './kernel-conntrack-router.ts';

/** Our time-out and the router's, in seconds, where the router has another (its `conntrackSysctls`). */
type Shifts = Readonly<Record<number, readonly [ours: number, theirs: number]>>;
const tcpShifts: Shifts = { [TcpState.FinWait]: [120, 130], [TcpState.TimeWait]: [120, 140] };
const sctpShifts: Shifts = {
  [SctpState.Closed]: [10, 20],
  [SctpState.CookieWait]: [3, 40],
  [SctpState.CookieEchoed]: [3, 50],
  [SctpState.ShutdownSent]: [3, 70],
  [SctpState.ShutdownReceived]: [3, 80],
  [SctpState.ShutdownAckSent]: [3, 90],
  [SctpState.HeartbeatSent]: [30, 100],
};

/** Our clock stands nearly still; the kernel's runs, and may lag behind by less than lifetimes are apart. */
const PACKET_MS = 1;

export class KernelPair {
  readonly #router: KernelRouter;
  readonly #ours = new Tracker();
  /** Per connection: its deadline, and the state that has set it. */
  readonly #deadlineMs = new Map<number, number>();
  readonly #stateThen = new Map<number, number>();

  constructor(router: KernelRouter) {
    router.flush();
    this.#router = router;
  }

  /**
   * Both sides judge the packet.
   *
   * @param spoil changes its bytes after they were made.
   * @returns what the kernel saw, and how it differs from what we see, undefined when it does not.
   */
  take(spec: FrameSpec, spoil?: (bytes: Uint8Array) => void): { seen: Sighting; difference: string | undefined } {
    this.#ours.nowMs += PACKET_MS;
    const seen = this.#router.cross(spec, spoil);
    const ours = this.#judge(spec, spoil);
    const differs = (Object.keys(ours) as (keyof Sighting)[]).filter((name) => ours[name] !== seen[name]);
    const said = (judgement: Partial<Sighting>) => differs.map((name) => `${name} ${text(name, judgement)}`).join(', ');
    return { seen, difference: differs.length === 0 ? undefined : `Linux says ${said(seen)}; we say ${said(ours)}` };
  }

  /** What the kernel has to say when it agrees with us. */
  #judge(spec: FrameSpec, spoil?: (bytes: Uint8Array) => void): Partial<Sighting> {
    const { connections, pkt } = this.#ours;
    const outcome = spoil === undefined ? this.#ours.send(spec) : this.#ours.sendBytes(spoilt(spec, spoil));
    if (outcome.startsWith('dropped')) return { kernelClass: 'invalid' };
    if (outcome === 'related') {
      const direction = (pkt.relatedHalf & 1) as 0 | 1;
      return { kernelClass: 'related', direction, ...this.#entry(pkt.relatedHalf >> 1) };
    }
    const { connection } = pkt;
    const direction = pkt.direction as 0 | 1;
    if (this.#deadlineMs.get(connection) !== connections.deadlineMs[connection]) {
      this.#deadlineMs.set(connection, connections.deadlineMs[connection]!);
      this.#stateThen.set(connection, connections.state[connection]!);
    }
    const entry = this.#entry(connection);
    if (outcome === 'new') {
      // The kernel's entry has no deadline before its first packet leaves (__nf_conntrack_confirm).
      const { lifetime, ...begun } = entry;
      return { kernelClass: 'begins', direction, ...begun };
    }
    // The kernel calls a packet new as long as nobody has answered (resolve_normal_ct).
    return { kernelClass: direction === 0 && !entry.seenReply ? 'new' : 'established', direction, ...entry };
  }

  /** What the kernel should know of our connection. */
  #entry(connection: number): Pick<Sighting, 'seenReply' | 'assured'> & Partial<Sighting> {
    const { connections } = this.#ours;
    const flags = connections.flags[connection]!;
    const status = {
      seenReply: (flags & ConnectionFlag.SeenReply) !== 0,
      assured: (flags & ConnectionFlag.Assured) !== 0,
    };
    const seconds = this.#kernelSecondsLeft(connection);
    if (seconds <= 0) return status; // it has just ended: the kernel has taken it out of its table (nf_ct_kill)
    return { ...status, lifetime: LIFETIMES_S.findIndex((limit) => limit > seconds) };
  }

  #kernelSecondsLeft(connection: number): number {
    const { connections, nowMs } = this.#ours;
    const left = (connections.deadlineMs[connection]! - nowMs) / 1000;
    const protocol = keyProtocol(connections.table.entries, connections.table.keyAt(connection * 2));
    const shifts = protocol === Protocol.Tcp ? tcpShifts : protocol === Protocol.Sctp ? sctpShifts : {};
    const [ours, theirs] = shifts[this.#stateThen.get(connection)!] ?? [0, 0];
    // Else it was not its state's time-out that the connection got (CT-009, and a RST's).
    return left <= ours && left > ours - 1 ? left - ours + theirs : left;
  }
}

function spoilt(spec: FrameSpec, spoil: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = buildFrame(spec);
  spoil(bytes);
  return bytes;
}

function text(name: keyof Sighting, judgement: Partial<Sighting>): string {
  const value = judgement[name];
  if (name !== 'lifetime') return String(value);
  return `< ${LIFETIMES_S[value as number] ?? '?'} s`;
}
